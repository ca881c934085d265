"""What a denylist is asked: the fingerprints of a token or a session, and when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from annul.core.revocation import Revocation

__all__ = ["Facts", "began_before"]


class _Facts(NamedTuple):
    token: bytes | None
    session: bytes | None
    subject: bytes | None
    client: bytes | None
    issuer: bytes
    key: bytes | None
    since: tuple[int, int] | None
    began_at: float | None
    as_of: tuple[int, int] | None = None


class Facts(_Facts):
    """What the denylist asks about a token or a session: fingerprints and where it began.

    ``since`` is the log position at which the session began, ``None`` for tokens of foreign
    issuers. ``began_at`` is wall time: for those, or for an authentication time that the caller
    supplied; ``None`` if the position alone decides. ``as_of`` is the position in the log at which
    the claims of a token were what they should be; a session has none.
    """

    # Not one of the facts: a note that find leaves here, so that who keeps them and asks again is
    # spared a look into millions of ids that has been made. No slot can be added to a tuple.
    absent_from: int | None = None


def began_before(facts: Facts, cutoff: Revocation) -> bool:
    """Whether a cut-off refuses what these facts are about."""
    if facts.since is not None and facts.since < cutoff.position:
        return True
    # Wall time has whole seconds in tokens, so an equal second counts as before: it errs
    # towards refusing.
    return facts.began_at is not None and int(facts.began_at) <= cutoff.at
