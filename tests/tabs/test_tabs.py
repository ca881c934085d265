"""Browsers with many tabs and thieves with one copy, on every store and in two processes."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from annul.core import session
from annul.core.handle import mint
from annul.core.session import Replayed, Retried
from tests.tabs.town import TABS, Tally, open_town

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.session import RotateOutcome, Session
    from tests.stage import Stage

MANY, FEW = 150, 60
DISTURBED = 20


def live(
    stage: Stage, sessions: int, thefts: int, harm: Callable[[], object] | None = None
) -> Tally:
    async def go() -> Tally:
        async with open_town(stage, seed=len(stage.kind)) as town:
            return await town.live(sessions, thefts, harm=harm)

    return asyncio.run(go())


def test_a_town_has_browsers_with_2_3_10_and_50_tabs() -> None:
    assert set(TABS) == {2, 3, 10, 50}


def test_nobody_honest_is_logged_out_and_every_theft_is_found_out(any_stage: Stage) -> None:
    many = MANY if any_stage.kind == "memory" else FEW
    tally = live(any_stage, many, many)

    assert tally.violations == []
    # Every theft at the first use of an old token outside the window, whoever came first.
    assert (tally.logged_out, tally.undetected, tally.siblings) == (0, 0, 0)
    assert (tally.sessions, tally.thefts) == (many, many)
    assert tally.reuses >= many
    # It was not for want of anything going wrong.
    assert tally.lost > many
    assert tally.late > many


def test_whoever_got_no_answer_from_the_store_is_no_thief_however_late(
    shaky: tuple[Stage, Callable[[], object]],
) -> None:
    stage, harm = shaky
    tally = live(stage, DISTURBED, 0, harm)

    assert tally.violations == []
    assert (tally.logged_out, tally.siblings) == (0, 0)
    # Of these the store had used the token up, and nobody was told.
    assert tally.unconfirmed > 0


# --- what is found if it is not so ----------------------------------------------------

decide = session.decide


def without_a_window(before: Session, presented: int, **asked: Any) -> RotateOutcome:  # noqa: ANN401 - those of decide
    return decide(before, presented, **asked | {"grace": 0.0})


def with_a_window_for_ever(before: Session, presented: int, **asked: Any) -> RotateOutcome:  # noqa: ANN401 - those of decide
    return decide(before, presented, **asked | {"grace": 1e9})


def with_a_window_for_all(before: Session, presented: int, **asked: Any) -> RotateOutcome:  # noqa: ANN401 - those of decide
    outcome = decide(before, presented, **asked)
    if isinstance(outcome, Replayed) and asked["now"] - (before.rotated_at or 0) <= asked["grace"]:
        return Retried(before)
    return outcome


def with_a_rotation_for_each(before: Session, presented: int, **asked: Any) -> RotateOutcome:  # noqa: ANN401 - those of decide
    outcome = decide(before, presented, **asked)
    if isinstance(outcome, Retried):
        return decide(before, before.generation, **asked)
    return outcome


@pytest.mark.parametrize("bug", [without_a_window, with_a_rotation_for_each])
def test_it_is_seen_when_somebody_honest_is_logged_out(
    memory_stage: Stage, monkeypatch: pytest.MonkeyPatch, bug: Callable[..., RotateOutcome]
) -> None:
    monkeypatch.setattr("annul.stores.memory.decide", bug)
    assert live(memory_stage, 20, 0).logged_out > 0


@pytest.mark.parametrize("bug", [with_a_window_for_ever, with_a_window_for_all])
def test_it_is_seen_when_an_old_token_is_accepted(
    memory_stage: Stage, monkeypatch: pytest.MonkeyPatch, bug: Callable[..., RotateOutcome]
) -> None:
    monkeypatch.setattr("annul.stores.memory.decide", bug)
    assert live(memory_stage, 0, 20).undetected > 0


def test_it_is_seen_when_a_token_has_two_successors(
    memory_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = count()

    def mint_another(key_id: str, key: bytes, family: str, generation: int) -> str:
        return mint(key_id, key, family, generation) + "." * (next(tags) % 2)

    # As a client would get them: what is presented has lost the difference.
    monkeypatch.setattr("annul.core.handle.mint", mint_another)
    monkeypatch.setattr("annul.core.handle.as_plain", lambda token: token.rstrip("."))
    assert live(memory_stage, 10, 0).siblings > 0
