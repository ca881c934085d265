"""Which keys a verifier trusts: those that were published last, less the revoked and the gone."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from annul.core.encoding import parse_object
from annul.core.jwks import JWKS
from annul.core.revocation import Fingerprinter, Kind
from annul.stores.base import PublishedKeys

if TYPE_CHECKING:
    from annul.core.verifier import Verifier

__all__ = ["TrustedKeys"]


class TrustedKeys:
    """The keys of one verifier. ``fixed`` ones were given to it and are not the store's."""

    def __init__(self, verifier: Verifier, *, fixed: bool) -> None:
        self.fixed = fixed
        self._verifier = verifier
        self._fingerprint = Fingerprinter(verifier.policy.issuer)
        self._published = PublishedKeys(0, "")
        self._gone_at: dict[str, float] = {}
        # All of what was published: a clock that was wrong for a while takes no key for good.
        self._whole = verifier.jwks

    @property
    def version(self) -> int:
        """The version of the newest keyring that was seen."""
        return self._published.version

    def forget_version(self) -> None:
        """Take whatever version comes next: the store has been founded anew."""
        self._published = PublishedKeys(0, "")

    def take(self, published: PublishedKeys, now: float) -> bool:
        """Trust a published set; say no to one that is older than one seen before."""
        if published.version < self._published.version:
            return False
        if published != self._published:
            document = parse_object(published.jwks.encode("utf-8"))
            self._gone_at = document.get("gone_at", {})
            self._published = published
            self._whole = JWKS.from_json(document)
            self.drop(now)
        return True

    def drop(self, now: float) -> None:
        """Trust no longer what has been revoked, or is gone by now."""
        revoked = self._verifier.denylist.keys()
        gone = {
            key.kid
            for key in self._whole
            if self._fingerprint(Kind.KEY, key.kid) in revoked
            or self._gone_at.get(key.kid, inf) <= now
        }
        left = self._whole.without(gone) if gone else self._whole
        if left != self._verifier.jwks:
            self._verifier.trust(left)
