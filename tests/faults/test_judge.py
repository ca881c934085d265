"""The judge of real histories finds what must not have happened, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.diary import Diaries, Diary
from tests.faults.history import History, Loss
from tests.faults.judge import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DELTA = 1.0


class Story:
    """The diaries of one authority and of one verifier, written by hand."""

    def __init__(self, folder: Path) -> None:
        self.history = History(folder)
        self.authority = Diary(folder / "authority-1.jsonl")
        self.verifier = Diary(folder / "verifier-2.jsonl")

    def token(self, jti: str, began: float, *, subject: str = "alice") -> None:
        self.authority.note(
            "token", jti=jti, sid=f"s-{jti}", subject=subject, lasting=False, text="x.y.z",
            began=began, ended=began + 0.1,
        )  # fmt: skip

    def revoke(self, kind: str, name: str, began: float, acked: float | None = None) -> None:
        self.authority.note("revoking", fact=name, kind=kind, id=name, began=began)
        if acked is not None:
            self.authority.note("revoked", fact=name, ended=acked)

    def answer(self, jti: str, began: float, outcome: str = "accepted") -> None:
        self.verifier.note("answer", jti=jti, outcome=outcome, began=began, ended=began + 0.001)

    def found(self) -> list[str]:
        self.history.read()
        return [violation.rule for violation in judge(self.history, DELTA)]

    def close(self) -> None:
        self.authority.close()
        self.verifier.close()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("kind", "name"), [("token", "t"), ("session", "s-t"), ("subject", "alice")]
)
@pytest.mark.parametrize(("began", "expected"), [(6.0, []), (6.0001, ["late acceptance"])])
def test_an_acceptance_is_late_if_it_began_more_than_delta_after_the_acknowledgement(
    story: Story, kind: str, name: str, began: float, expected: list[str]
) -> None:
    story.token("t", 1.0)
    story.answer("t", 2.0)
    story.revoke(kind, name, 4.0, 5.0)
    story.answer("t", began)
    assert story.found() == expected


def test_what_was_never_acknowledged_may_be_accepted_and_may_be_refused(story: Story) -> None:
    story.token("t", 1.0)
    story.token("u", 1.0)
    story.revoke("token", "t", 4.0)
    story.revoke("token", "u", 4.0)
    story.answer("t", 50.0)
    story.answer("u", 50.0, "revoked")
    assert story.found() == []


def test_what_was_refused_once_must_not_be_accepted_again(story: Story) -> None:
    story.token("t", 1.0)
    story.revoke("token", "t", 4.0)  # not even if nobody was told
    story.answer("t", 5.0, "revoked")
    story.answer("t", 5.1)
    assert story.found() == ["accepted again"]


def test_a_token_that_nobody_takes_back_must_not_be_called_revoked(story: Story) -> None:
    story.token("t", 1.0)
    story.answer("t", 3.9, "revoked")
    story.revoke("token", "t", 4.0, 4.1)
    assert story.found() == ["good token refused"]


def test_a_login_after_a_cut_off_is_good(story: Story) -> None:
    story.revoke("subject", "alice", 4.0, 4.5)
    story.token("t", 5.0)
    story.answer("t", 9.0)
    assert story.found() == []
    story.answer("t", 9.1, "revoked")
    assert story.found() == ["good token refused"]


def test_a_login_beside_a_cut_off_may_be_either(story: Story) -> None:
    story.revoke("subject", "alice", 4.0, 4.5)
    story.token("t", 3.95)
    story.token("u", 4.2)
    story.answer("t", 9.0)
    story.answer("u", 9.0, "revoked")
    assert story.found() == []


@pytest.mark.parametrize("outcome", ["unknown_key", "not_yet_valid", "bad_signature"])
def test_a_genuine_token_must_not_be_refused_for_what_it_is(story: Story, outcome: str) -> None:
    story.token("t", 1.0)
    story.answer("t", 2.0, outcome)
    assert story.found() == ["strange outcome"]


def test_a_wrong_clock_excuses_a_refusal_by_time_and_no_other(story: Story) -> None:
    story.token("t", 1.0)
    story.verifier.note("leapt", by=3600.0, at=1.5)
    story.answer("t", 2.0, "not_yet_valid")
    assert story.found() == []
    story.answer("t", 2.1, "unknown_key")
    assert story.found() == ["strange outcome"]


# --- stores that lose data ------------------------------------------------------------------


def lose(story: Story, began: float, refilled: float = float("inf")) -> None:
    story.history.losses.append(Loss(began=began, ended=began + 0.1, refilled=refilled))


def known_before(story: Story) -> None:
    story.answer("other", 5.9)  # after more than Δ with it in the store
    lose(story, 7.0)


def read_before_and_late(story: Story) -> None:
    lose(story, 7.0, 8.0)
    story.answer("other", 9.5)  # after more than Δ with it in the store again


def never_read(story: Story) -> None:
    lose(story, 4.55)


def overlapping(story: Story) -> None:
    lose(story, 4.2, 8.9)  # and accepted within Δ of having it back


def later_than_the_loss(story: Story) -> None:
    lose(story, 2.0)


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        (known_before, ["late acceptance"]),
        (read_before_and_late, ["late acceptance"]),
        (later_than_the_loss, ["late acceptance"]),
        (never_read, []),
        (overlapping, []),
    ],
)
def test_a_loss_excuses_only_who_cannot_have_read_what_was_lost(
    story: Story, happens: Callable[[Story], None], expected: list[str]
) -> None:
    story.token("t", 1.0)
    story.token("other", 1.0, subject="bob")
    story.revoke("token", "t", 4.0, 4.5)
    happens(story)
    story.answer("t", 9.89)
    assert story.found() == expected


# --- diaries --------------------------------------------------------------------------------


def test_a_line_is_read_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    diaries = Diaries(tmp_path, "*.jsonl")
    path = tmp_path / "one.jsonl"
    path.write_bytes(b'{"what":"a"}\n{"wha')
    assert list(diaries.news()) == [("one", {"what": "a"})]
    assert list(diaries.news()) == []
    with path.open("ab") as file:
        file.write(b't":"b"}\n')
    assert list(diaries.news()) == [("one", {"what": "b"})]
