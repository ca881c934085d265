"""All planted bugs, and seeds that find each of them."""

from __future__ import annotations

from tests.simulation import (
    plant_denylist,
    plant_fence,
    plant_freshness,
    plant_log,
    plant_sessions,
)
from tests.simulation.planted import BUGS, Bug

__all__ = ["BUGS", "ROOMS", "SEEDS", "Bug"]

ROOMS = (plant_denylist, plant_fence, plant_freshness, plant_log, plant_sessions)
"""Where they are planted."""

SEEDS: dict[str, tuple[int, ...]] = {
    "appends_again": (0,),
    "block_as_a_last_stamp": (10,),
    "cache_outlives_exp": (3,),
    "cache_without_the_key_set": (1,),
    "cached_answer_not_judged_again": (0,),
    "clock_disagreement_ignored": (39,),
    "clocks_before_lookups": (20,),
    "counted_from_the_answer": (7,),
    "cutoffs_by_wall_time": (0,),
    "epoch_compared_last": (22,),
    "expelled_too_soon": (11,),
    "fence_by_a_wall_clock": (3,),
    "fence_for_its_own_horizon": (0,),
    "forgets_on_resync": (2,),
    "fork_inherits_the_window": (0,),
    "founded_as_another": (14,),
    "gap_ignored": (1,),
    "laggards_ignored": (0,),
    "leans_on_its_neighbour": (3,),
    "lease_promises_too_much": (8,),
    "lease_with_a_time_to_live": (0,),
    "leeway_forgotten": (3,),
    "monotonic_clock_only": (3,),
    "new_epoch_ignored": (2,),
    "no_new_epoch": (26,),
    "numbered_before_commit": (2,),
    "offers_not_taken": (2,),
    "old_refresh_token_is_a_retry": (15,),
    "one_rule_masks_another": (10,),
    "only_standing_sessions_end": (1,),
    "own_writes_not_observed": (0,),
    "pruned_session_lives_again": (3,),
    "reading_renews": (29,),
    "reads_from_a_lagging_copy": (0,),
    "refresh_of_what_was_revoked": (0,),
    "released_while_it_answers": (39,),
    "replay_ends_nothing": (15,),
    "retry_gets_a_sibling": (0,),
    "revoked_key_is_forgotten": (7,),
    "session_ended_by_a_flag": (1,),
    "since_from_a_clock": (13,),
    "stale_primary_counts": (5,),
    "unblock_does_nothing": (12,),
    "unblock_lifts_what_it_does_not_know": (2,),
    "unproven_offers_taken": (2,),
    "version_read_after_the_lookups": (38,),
    "wall_clock_only": (18,),
    "watermark_without_a_tag": (2,),
    "window_before_log": (44,),
    "window_taken_last": (15,),
    "young_lease_table_trusted": (29,),
}
"""Seeds that find a bug, the first of each. Those that are not here are found less often:
``make torture ARGS=--bugs`` looks for them."""
