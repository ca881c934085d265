"""What a refusal by PostgreSQL means for us: one table from its SQLSTATEs to our tree."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from annul.errors import Misconfigured, StoreUnavailable, WrongStore

if TYPE_CHECKING:
    from annul.errors import AnnulError

__all__ = [
    "READ_ONLY",
    "UNCONFIRMED",
    "UNFOUNDED",
    "Refusal",
    "explain",
    "is_unfounded",
    "lost",
    "refused_at_the_door",
]


class Refusal(Exception):
    """An error that the server has answered with; never leaves the backend."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(state, text)
        self.state = state
        self.text = text


UNFOUNDED = "42P01"
"""There are no tables, or nothing in them: nobody has founded the store, or it was lost."""

UNCONFIRMED = "01000"
"""Committed with a warning: a standby that should have it has not said so."""

READ_ONLY = "25006"
"""The server takes no writes: it is a standby, or somebody has made it read-only."""

_TLS = "TLS"

_MEANINGS: dict[str, tuple[type[AnnulError], str]] = {
    UNCONFIRMED: (
        StoreUnavailable,
        "{place} has committed, but not as safely as it should ({detail}): not acknowledged",
    ),
    UNFOUNDED: (
        StoreUnavailable,
        "{place} holds no store in this schema: nobody has founded it yet, or it was lost",
    ),
    "42703": (WrongStore, "this schema at {place} holds somebody else's tables; name another"),
    "42P07": (WrongStore, "this schema at {place} holds somebody else's tables; name another"),
    "42501": (Misconfigured, "{place} does not let this user do that: {detail}"),
    "28P01": (Misconfigured, "{place} refuses this user name and password"),
    "28000": (Misconfigured, "{place} does not admit this user: {detail}"),
    "3D000": (Misconfigured, "there is no such database as {place}: create it, or name another"),
    _TLS: (Misconfigured, "{place} could not be reached over TLS as the URL asks: {detail}"),
    READ_ONLY: (
        StoreUnavailable,
        "{place} takes no writes, and must not be read: if it is a standby, name the primary too",
    ),
    "53100": (StoreUnavailable, "the disk of {place} is full: free some space, nothing was lost"),
    "53200": (StoreUnavailable, "{place} is out of memory and has refused an operation"),
    "53300": (StoreUnavailable, "{place} has no connection left: raise max_connections"),
    "40001": (StoreUnavailable, "{place} gave an operation up for a concurrent one: repeat it"),
    "40P01": (StoreUnavailable, "{place} gave an operation up for a concurrent one: repeat it"),
    "55P03": (StoreUnavailable, "{place} was busy with another writer for too long"),
    "57014": (StoreUnavailable, "{place} did not finish an operation in time"),
    "25P03": (StoreUnavailable, "{place} did not hear from this process in time"),
    "57P01": (StoreUnavailable, "{place} is shutting down, or has ended this connection"),
    "57P02": (StoreUnavailable, "{place} is recovering from a crash"),
    "57P03": (StoreUnavailable, "{place} is starting up or shutting down"),
}

# The server's reasons for letting nobody in reach us only as text, and libpq has some of its own:
# libpq would add the SQLSTATE, but psycopg cannot ask it to. A text that is not known, in another
# language perhaps, counts as a server that cannot be reached: nobody is let in by it.
_AT_THE_DOOR: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), state)
    for pattern, state in (
        (r"password authentication failed|no password supplied", "28P01"),
        (r'FATAL:  database ".*" does not exist', "3D000"),
        (r"permission denied for database", "42501"),
        (r'FATAL:  role ".*" does not exist|no pg_hba\.conf entry|authentication failed', "28000"),
        (r"too many clients|too many connections|connection slots are reserved", "53300"),
        (r"starting up|shutting down|recovery mode|not (yet )?accepting connections", "57P03"),
        (r"certificate|SSL error|not support SSL|SSL was required|root\.crt", _TLS),
    )
)


def refused_at_the_door(text: str) -> Refusal | None:
    """Return what the text of a failed connection stands for; ``None`` if nobody answered."""
    for pattern, state in _AT_THE_DOOR:
        if pattern.search(text):
            return Refusal(state, text.rpartition("FATAL:")[2].strip().partition("\n")[0])
    return None


def is_unfounded(error: StoreUnavailable) -> bool:
    """Whether this is what ``explain`` made of a store that nobody has founded."""
    return isinstance(error.__cause__, Refusal) and error.__cause__.state == UNFOUNDED


def explain(refusal: Refusal, place: str) -> AnnulError:
    """Return the error of ours for an answer that is an error."""
    unknown = (StoreUnavailable, "{place} refused an operation: {detail} ({state})")
    kind, sentence = _MEANINGS.get(refusal.state, unknown)
    return kind(sentence.format(place=place, detail=refusal.text, state=refusal.state))


def lost(error: Exception, place: str) -> StoreUnavailable:
    """Return the error for a connection that gave no answer, whatever became of the request."""
    # The driver names the address again, in other words.
    why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else ""
    detail = f": {why}" if why else ""
    return StoreUnavailable(f"{place} did not answer in time, or could not be reached{detail}")
