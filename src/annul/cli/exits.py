"""Exit codes: one table, by whose fault it is, as in ``annul.errors``."""

from __future__ import annotations

from typing import NamedTuple

from annul.errors import AnnulError, Misconfigured, RequestRefused, TokenRejected, Unavailable

__all__ = [
    "BUG",
    "EXITS",
    "INTERRUPTED",
    "REFUSED",
    "USAGE",
    "Exit",
    "Interrupted",
    "exit_code",
    "sentence",
]


class Exit(NamedTuple):
    """One row: the code, what it means, and the errors that end with it."""

    code: int
    meaning: str
    errors: tuple[type[AnnulError], ...] = ()


REFUSED = 1
USAGE = 2
BUG = 70
INTERRUPTED = 130

EXITS = (
    Exit(0, "done; the token was accepted; every check was good"),
    Exit(REFUSED, "the token was refused, or a check failed", (TokenRejected,)),
    Exit(USAGE, "the command line cannot be understood"),
    Exit(3, "something is set up wrongly, and stays so until it is changed", (Misconfigured,)),
    Exit(4, "not available now; the same command may work later", (Unavailable,)),
    Exit(5, "the request was refused", (RequestRefused,)),
    Exit(BUG, "a mistake in annul"),
    Exit(INTERRUPTED, "interrupted with Ctrl-C; another signal: 128 and its number"),
)


_IN_OUR_WORDS = ("pass kek_file= or kek=", "give --kek-file or ANNUL_KEK")
"""What the library calls something for programmers, and what it is called here."""


class Interrupted(BaseException):
    """A signal asked the process to end; raised so that everything open is closed on the way."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.exit_code = 128 + signal


def exit_code(error: AnnulError) -> int:
    """Return the exit code for an error; an error that no row names is our own mistake."""
    for row in EXITS:
        if isinstance(error, row.errors):
            return row.code
    return BUG


def sentence(error: AnnulError) -> str:
    """Return what an error says to somebody on a command line."""
    # What a driver adds to a sentence of ours may end like a sentence of its own.
    return str(error).replace(*_IN_OUR_WORDS).removesuffix(".")
