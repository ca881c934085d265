"""A verifier with a clock to move and a denylist to add to, and revocations for it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from annul.core.denylist import Denylist
from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation
from annul.core.verifier import Verifier
from annul.testing import ISSUER, NOW, FixedClock
from tests.signing import KEYS, POLICY

if TYPE_CHECKING:
    from annul.core.policy import Policy


def revocation(kind: Kind, value: str, seq: int = 50, lifts: tuple[bytes, ...] = ()) -> Revocation:
    """Return an entry about ``value``; the same arguments give the same one."""
    return Revocation(
        position=Position(7, seq),
        tag=sha256(f"{kind} {value} {seq}".encode()).digest()[:16],
        issuer=ISSUER,
        kind=kind,
        fingerprint=Fingerprinter(ISSUER)(kind, value),
        reason=Reason.ADMIN,
        at=NOW,
        expires_at=None,
        lifts=lifts,
    )


class Judge:
    """A verifier, its clock, its denylist."""

    def __init__(self, *, policy: Policy = POLICY, cache_size: int = 100) -> None:
        self.clock = FixedClock(NOW)
        self.denylist = Denylist()
        self.verifier = Verifier(
            jwks=KEYS,
            policy=policy,
            denylist=self.denylist,
            clock=self.clock,
            cache_size=cache_size,
        )
        self.verify = self.verifier.verify

    @property
    def remembered(self) -> int:
        """How many tokens are remembered."""
        trust = self.verifier._trust
        return len(trust.young) + len(trust.old)
