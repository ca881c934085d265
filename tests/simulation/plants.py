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
    "block_as_a_last_stamp": (6,),
    "cache_outlives_exp": (3,),
    "cache_without_the_key_set": (1,),
    "cached_answer_not_judged_again": (0,),
    "clocks_before_lookups": (4,),
    "counted_from_the_answer": (18,),
    "cutoffs_by_wall_time": (0,),
    "epoch_compared_last": (2,),
    "expelled_too_soon": (0,),
    "fence_for_its_own_horizon": (3,),
    "forgets_on_resync": (2,),
    "fork_inherits_the_window": (4,),
    "founded_as_another": (2,),
    "gap_ignored": (1,),
    "laggards_ignored": (0,),
    "leans_on_its_neighbour": (18,),
    "lease_promises_too_much": (4,),
    "lease_with_a_time_to_live": (0,),
    "leeway_forgotten": (3,),
    "lost_leases_unnoticed": (25,),
    "monotonic_clock_only": (11,),
    "new_epoch_ignored": (2,),
    "numbered_before_commit": (2,),
    "offers_not_taken": (2,),
    "old_refresh_token_is_a_retry": (24,),
    "one_rule_masks_another": (1,),
    "only_standing_sessions_end": (0,),
    "own_writes_not_observed": (9,),
    "pruned_session_lives_again": (3,),
    "reads_from_a_lagging_copy": (0,),
    "refresh_of_what_was_revoked": (0,),
    "released_while_it_answers": (14,),
    "replay_ends_nothing": (24,),
    "retry_gets_a_sibling": (0,),
    "revoked_key_is_forgotten": (7,),
    "session_ended_by_a_flag": (0,),
    "since_from_a_clock": (0,),
    "stale_primary_counts": (17,),
    "version_read_after_the_lookups": (13,),
    "window_taken_last": (9,),
}
"""Seeds that find a bug, the first of each. Those that are not here are found less often:
``make torture ARGS=--bugs`` looks for them."""
