"""The line that says how far a log has been read: on terminals, and only while it takes long."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from annul.cli.loading import Bar, line, loading
from annul.cli.output import Output
from annul.testing import FixedClock
from tests.cli.running import annul, log_in

if TYPE_CHECKING:
    from collections.abc import Callable

ERASED = "\r\x1b[K"


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


def watch(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> None:
    """Let this be what commands take for stderr."""
    monkeypatch.setattr("annul.cli.loading.sys", SimpleNamespace(stderr=stream))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    screen = Terminal()
    watch(monkeypatch, screen)
    monkeypatch.setenv("TERM", "xterm")
    return screen


def bar_on(screen: Terminal) -> tuple[Bar, FixedClock]:
    clock = FixedClock(100.0)
    return Bar(screen, clock), clock


def test_a_short_load_leaves_no_trace() -> None:
    screen = Terminal()
    bar, clock = bar_on(screen)
    bar(1, 2)
    clock.advance(0.4)
    bar(2, 2)
    bar.close()
    assert screen.getvalue() == ""


def test_a_long_one_is_drawn_now_and_then_and_taken_away() -> None:
    screen = Terminal()
    bar, clock = bar_on(screen)
    clock.advance(0.5)
    bar(2_000, 10_000)
    clock.advance(0.05)
    bar(4_000, 10_000)
    clock.advance(0.05)
    bar(6_000, 10_000)
    assert screen.getvalue() == f"{ERASED}{line(2_000, 10_000)}{ERASED}{line(6_000, 10_000)}"
    bar.close()
    assert screen.getvalue().endswith(line(6_000, 10_000) + ERASED)


def test_what_is_said_after_the_end_is_not_shown() -> None:
    screen = Terminal()
    bar, clock = bar_on(screen)
    clock.advance(10)
    bar.close()
    bar(1, 2)
    bar.close()
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("read", "about", "shown"),
    [
        (0, 0, ("0%", "0 of 0")),
        (0, 1_000, ("0%", "0 of 1,000")),
        (500, 1_000, ("50%", "500 of 1,000", "[============            ]")),
        (10_000_000, 10_000_000, ("100%", "10,000,000 of 10,000,000")),
        (2_000, None, ("2,000",)),
    ],
)
def test_it_says_how_many_of_how_many(read: int, about: int | None, shown: tuple[str, ...]) -> None:
    text = line(read, about)
    assert all(part in text for part in shown)
    assert len(text) < 80


def test_somebody_at_a_terminal_has_one(terminal: Terminal) -> None:
    with loading(Output()) as bar:
        assert bar is not None
    assert terminal.getvalue() == ""


def _dumb(monkeypatch: pytest.MonkeyPatch) -> Output:
    monkeypatch.setenv("TERM", "dumb")
    return Output()


def _piped(monkeypatch: pytest.MonkeyPatch) -> Output:
    watch(monkeypatch, io.StringIO())
    return Output()


def _for_machines(_monkeypatch: pytest.MonkeyPatch) -> Output:
    return Output(as_json=True)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("change", [_dumb, _piped, _for_machines])
def test_nobody_else_has_one(
    change: Callable[[pytest.MonkeyPatch], Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    with loading(change(monkeypatch)) as bar:
        assert bar is None


def test_commands_tell_it_how_far_they_are(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = log_in()["access_token"]
    annul("revoke", "token", "gone")
    monkeypatch.setattr("annul.cli.loading._PATIENCE", 0.0)
    assert annul("verify", stdin=token).code == 0
    assert annul("keys", "list").code == 0
    assert terminal.getvalue().count(line(1, 1)) == 2
    assert terminal.getvalue().endswith(ERASED)
