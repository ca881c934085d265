"""Real processes on a store of several nodes: the part of the torture that fits into every run."""

from __future__ import annotations

import pytest

from tests.faults import nodes, stories
from tests.faults.parts import Play, play_until_quick


@pytest.mark.parametrize(
    "what",
    [
        Play(store=nodes.sentinel, stories=(nodes.fail_over,), delta=1.0, times=1),
        Play(store=nodes.sentinel, stories=(nodes.lose_a_node, stories.wipe), delta=1.0, times=1),
        Play(store=nodes.divided, stories=(nodes.cut_link,), delta=1.0, times=1),
        Play(store=nodes.cluster, stories=(nodes.fail_over_shard,), delta=1.0, times=1),
    ],
    ids=["failover", "node-down", "cut-link", "cluster"],
)
def test_what_is_acknowledged_holds_whatever_becomes_of_a_node(what: Play) -> None:
    verdict = play_until_quick(what)

    assert verdict.violations == []
    assert (verdict.lost, verdict.late) == (0, 0)
    assert verdict.acknowledged > 0
