"""All planted bugs, and seeds that find each of them."""

from __future__ import annotations

from tests.simulation import (
    plant_denylist,
    plant_fence,
    plant_freshness,
    plant_log,
    plant_servers,
    plant_sessions,
)
from tests.simulation.planted import BUGS, Bug

__all__ = ["BUGS", "ROOMS", "SEEDS", "Bug"]

ROOMS = (plant_denylist, plant_fence, plant_freshness, plant_log, plant_servers, plant_sessions)
"""Where they are planted."""

SEEDS: dict[str, tuple[int, ...]] = {
    "appends_again": (0,),
    "block_as_a_last_stamp": (29,),
    "cache_outlives_exp": (3,),
    "cache_without_the_key_set": (5,),
    "cached_answer_not_judged_again": (0,),
    "clock_disagreement_ignored": (12,),
    "clocks_before_lookups": (25,),
    "counted_from_the_answer": (99,),
    "cutoffs_by_wall_time": (0,),
    "epoch_compared_last": (1,),
    "expelled_too_soon": (46,),
    "fence_by_a_wall_clock": (34,),
    "fence_for_its_own_horizon": (0,),
    "forgets_on_resync": (1,),
    "fork_inherits_the_window": (22,),
    "founded_as_another": (30,),
    "gap_ignored": (0,),
    "handle_ahead_is_a_replay": (2,),
    "laggards_ignored": (3,),
    "leans_on_its_neighbour": (12,),
    "lease_promises_too_much": (0,),
    "lease_with_a_time_to_live": (0,),
    "leeway_forgotten": (31,),
    "lost_leases_unnoticed": (41,),
    "monotonic_clock_only": (3,),
    "new_epoch_ignored": (2,),
    "no_new_epoch": (34,),
    "numbered_before_commit": (3,),
    "offers_not_taken": (2,),
    "old_refresh_token_is_a_retry": (3,),
    "one_rule_masks_another": (0,),
    "only_standing_sessions_end": (7,),
    "outage_makes_a_thief": (49,),
    "own_writes_not_observed": (2,),
    "pruned_by_the_local_clock": (16,),
    "pruned_session_lives_again": (3,),
    "reading_renews": (12,),
    "reads_from_a_lagging_copy": (0,),
    "refresh_of_what_was_revoked": (0,),
    "released_while_it_answers": (8,),
    "replay_ends_nothing": (3,),
    "retry_gets_a_sibling": (0,),
    "revoked_key_is_forgotten": (31,),
    "session_ended_by_a_flag": (7,),
    "since_from_a_clock": (3,),
    "stale_primary_counts": (1,),
    "unblock_does_nothing": (32,),
    "unblock_lifts_what_it_does_not_know": (18,),
    "unproven_offers_taken": (3,),
    "version_read_after_the_lookups": (0,),
    "wait_for_one_of_two": (13,),
    "wait_on_another_connection": (13,),
    "wall_clock_only": (113,),
    "watermark_without_a_tag": (34,),
    "window_before_log": (41,),
    "window_taken_last": (7,),
    "young_lease_table_trusted": (41,),
}
"""Seeds that find a bug, the first of each; ``make torture ARGS=bugs`` looks for them anew."""
