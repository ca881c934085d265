"""Real processes keep the promises while their store, their clocks and they themselves are hurt.

``make torture`` does the same for as long as one likes. What must never happen is judged by what
the processes have written down, without any allowance; how soon something has to happen, without
the time in which a busy machine let nobody run.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.faults import parts, stories
from tests.faults.harness import Scene
from tests.faults.parts import Play, play_until_quick
from tests.faults.targets import SQLiteTarget

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.harness import Verdict
    from tests.faults.parts import Stage, Story


def played(store: Stage, *told: Story, delta: float = 0.5, verifiers: int = 1) -> Verdict:
    verdict = play_until_quick(
        Play(store=store, stories=told, delta=delta, times=1, verifiers=verifiers)
    )
    assert verdict.violations == []
    assert (verdict.lost, verdict.late) == (0, 0)
    assert verdict.amount == len(told)
    assert verdict.acknowledged > 0
    return verdict


@pytest.mark.parametrize("delta", [1.5, 0.25])
def test_everybody_refuses_delta_after_a_server_fell_silent_and_accepts_soon_after_it_is_back(
    delta: float,
) -> None:
    told = stories.freeze, stories.unreachable, stories.start_in_silence
    verdict = played(parts.valkey, *told, delta=delta, verifiers=2)
    assert verdict.recovery is not None


@pytest.mark.parametrize("store", [parts.sqlite, parts.postgres])
def test_nothing_is_lost_or_late_when_another_store_is_killed_frozen_or_taken_away(
    store: Stage,
) -> None:
    killed = stories.kill_authority if store is parts.sqlite else stories.kill_server
    played(store, *3 * [killed], stories.freeze, stories.unreachable)


def test_nothing_is_lost_or_late_when_servers_authorities_verifiers_and_clocks_fail() -> None:
    played(
        parts.valkey,
        *3 * [stories.kill_server],
        stories.kill_authority,
        stories.suspend_verifier,
        stories.leap,
        stories.weaken,
    )


@pytest.mark.parametrize("store", [parts.valkey, parts.sqlite])
def test_what_a_store_loses_is_noticed_given_back_and_never_accepted_again(store: Stage) -> None:
    verdict = played(store, stories.empty, stories.wipe)
    assert verdict.alarm is not None
    assert verdict.refill is not None


@pytest.mark.parametrize("store", [parts.valkey_on_small_disk])
def test_a_full_disk_loses_nothing_and_acknowledges_nothing(store: Stage) -> None:
    played(store, stories.fill_disk)


def test_a_promise_that_is_not_kept_is_seen(tmp_path: Path) -> None:
    target = SQLiteTarget(tmp_path)
    with Scene(target, tmp_path, delta=1.5, verifiers=1) as scene:
        scene.delta = 0.3  # nobody else knows of it
        stories.freeze(scene, 1)
        assert {violation.rule for violation in scene.violations} == {"accepted in silence"}
        scene.delta = 1.5
        # A hole in the middle of the log: nobody who has read it notices.
        with closing(sqlite3.connect(target.file, timeout=30.0)) as database, database:
            database.execute("DELETE FROM log WHERE seq = (SELECT min(seq) FROM log)")
        verdict = scene.finish()
    assert verdict.lost == 1
    assert verdict.late == 1
    assert {"revocation lost", "late acceptance"} <= {found.rule for found in verdict.violations}
