"""The judge's second half: what refresh tokens and logins may do."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.cast import Stage
    from tests.simulation.covering import Covering
    from tests.simulation.history import Use


def judge_sessions(stage: Stage, covering: Covering) -> Iterator[Violation]:
    """Return what must not have happened with sessions."""
    history, model = stage.history, stage.model
    for use in history.uses:
        if use.outcome == "ok":
            yield from _judge_success(covering, use)
        elif use.outcome == "refresh_replayed" and (
            _is_first(use) or _is_unconfirmed(use, model.confirmed)
        ):
            yield Violation("honest user taken for a thief", use.invoked, use.login.sid)
        if use.outcome == "refresh_replayed" and not model.ended.get(use.login.sid):
            yield Violation("replay ends nothing", use.invoked, use.login.sid)
    if not model.lost:
        yield from _judge_successors(history.uses)
    blocks = [fact for fact in history.facts if fact.kind is Kind.BLOCK]
    for login in history.logins:
        for block in blocks:
            if block.id == login.subject and covering.must_end(
                block, login, login.invoked, login.returned
            ):
                yield Violation("login while blocked", login.returned, login.subject)


def _judge_success(covering: Covering, use: Use) -> Iterator[Violation]:
    login = use.login
    end = use.invoked if use.returned is None else use.returned
    for fact in covering.about(login.tokens[0]):
        if covering.must_end(fact, login, use.invoked, end):
            yield Violation("refresh of a session that is over", use.invoked, fact.name)


def _before(use: Use) -> list[Use]:
    """Return who has presented this refresh token, or a later one, before or meanwhile."""
    return [
        other
        for other in use.login.used
        if other is not use
        and other.generation >= use.generation
        and (use.returned is None or other.invoked <= use.returned)
    ]


def _is_first(use: Use) -> bool:
    return not _before(use)


def _is_unconfirmed(use: Use, confirmed: set[tuple[str, int]]) -> bool:
    """Whether nobody has shown a later one, and the store has never confirmed that there is one."""
    return (
        all(other.generation == use.generation for other in _before(use))
        and (use.login.sid, use.generation + 1) not in confirmed
    )


def _judge_successors(uses: list[Use]) -> Iterator[Violation]:
    successors: dict[str, set[str]] = defaultdict(set)
    for use in uses:
        if use.successor is None:
            continue
        successors[use.handle].add(use.successor)
        for other in use.login.used:
            if (
                other.successor is not None
                and other.generation > use.generation
                and other.returned is not None
                and other.returned < use.invoked
            ):
                yield Violation("used-up refresh token accepted", use.invoked, use.login.sid)
                break
    for handle, found in successors.items():
        if len(found) > 1:
            yield Violation("two successors", 0, handle[:12])
