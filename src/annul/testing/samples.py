"""Values that tests begin from. Each call gives new random ids; keywords replace any field."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annul.core.revocation import Fingerprinter, Kind, Reason
from annul.core.session import Session
from annul.stores.base import Draft, Identity

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ISSUER", "NOW", "sample_draft", "sample_identity", "sample_session"]

ISSUER = "https://auth.example"

NOW = 4_000_000_000.0
"""The present in samples. It is ahead of real clocks, so that those of stores do not interfere."""

_HOUR = 3600
_KEPT_FOR_EVER = {Kind.KEY, Kind.BLOCK, Kind.UNBLOCK}


def sample_identity(**fields: Any) -> Identity:  # noqa: ANN401 - the fields of Identity
    """Return what an authority of ``ISSUER`` founds a store as, with a lineage of its own."""
    identity = Identity(
        issuer=ISSUER,
        lineage=os.urandom(16).hex(),
        horizon=2.0,
        longest_token=900,
        longest_session=24 * _HOUR,
    )
    return replace(identity, **fields)


def sample_draft(
    kind: Kind,
    value: str = "",
    *,
    entropy: Callable[[int], bytes] = os.urandom,
    **fields: Any,  # noqa: ANN401 - the fields of Draft
) -> Draft:
    """Return a revocation of ``value``, made at ``NOW`` and remembered for two days."""
    draft = Draft(
        tag=entropy(16),
        issuer=ISSUER,
        kind=kind,
        fingerprint=Fingerprinter(ISSUER)(kind, value),
        reason=Reason.ADMIN,
        at=NOW,
        expires_at=None if kind in _KEPT_FOR_EVER else int(NOW) + 48 * _HOUR,
        id=value or None,
        lifts_all=kind is Kind.UNBLOCK,
    )
    return replace(draft, **fields)


def sample_session(
    *,
    entropy: Callable[[int], bytes] = os.urandom,
    **fields: Any,  # noqa: ANN401 - the fields of Session
) -> Session:
    """Return a session of alice through the client web, begun at ``NOW``.

    It is good for a day, and for an hour without a refresh.
    """
    session = Session(
        sid=entropy(16).hex(),
        family=entropy(32),
        subject="alice",
        client_id="web",
        created_at=NOW,
        last_seen=NOW,
        idle_ttl=float(_HOUR),
        ends_at=NOW + 24 * _HOUR,
        handle_key="key-1",
    )
    return replace(session, **fields)
