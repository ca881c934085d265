"""The way of a revocation begins here: a target and a reason become one entry in the log.

The entry's expiry is computed from the longest lifetimes ever issued, so it outlives every token
it covers. One entry is written whatever it ends: what it covers is computed, never stored.
"""

from __future__ import annotations

import asyncio
from math import isfinite
from typing import TYPE_CHECKING

from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.core.revocation import (
    ClientId,
    Everything,
    Fingerprinter,
    KeyId,
    Kind,
    Reason,
    Revocation,
    RevocationReceipt,
    SessionId,
    SubjectId,
    Target,
    TokenId,
    identifier,
    remember_until,
)
from annul.errors import InvalidRequest, NotYetConfirmed, StoreUnavailable
from annul.stores.base import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from annul.authority.settings import Settings
    from annul.stores.base import Identity, Lease, Store

__all__ = ["Revocations"]

_TARGETS = (TokenId, SessionId, SubjectId, ClientId, KeyId, Everything)
_TAG_BYTES = 16
_FENCE_MARGIN = 0.1


class Revocations:
    """Writes entries to the log. ``observe`` is told what this process has just written."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        identity: Identity,
        observe: Callable[[Iterable[Revocation]], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._identity = identity
        self._observe = observe

    # --- drafts -----------------------------------------------------------------------

    def draft(
        self,
        kind: Kind,
        value: str,
        *,
        reason: str,
        actor: str | None = None,
        issuer: str | None = None,
        token_exp: float | None = None,
        idempotency_key: str | None = None,
    ) -> Draft:
        """Return an entry that is not in the log yet; ``InvalidRequest`` for bad arguments."""
        issuer = self._settings.issuer if issuer is None else identifier(issuer, "issuer")
        now = self._settings.clock()
        return Draft(
            tag=self._tag(idempotency_key),
            issuer=issuer,
            kind=kind,
            fingerprint=Fingerprinter(issuer)(kind, value),
            reason=Reason.of(reason),
            at=now,
            expires_at=remember_until(
                kind,
                now=now,
                token_exp=token_exp,
                longest_token=self._identity.longest_token,
                longest_session=self._identity.longest_session,
            ),
            id=value or None,
            actor=None if actor is None else identifier(actor, "actor"),
            lifts_all=kind is Kind.UNBLOCK,
        )

    def _tag(self, idempotency_key: str | None) -> bytes:
        if idempotency_key is None:
            return self._settings.entropy(_TAG_BYTES)
        try:
            tag = b64url_decode(idempotency_key)
        except (EncodingError, AttributeError):
            tag = b""
        if len(tag) != _TAG_BYTES:
            raise InvalidRequest("idempotency_key must be one that an earlier call gave back")
        return tag

    # --- writing ----------------------------------------------------------------------

    async def write(self, drafts: Sequence[Draft], *, sessions: int = 0) -> RevocationReceipt:
        """Append drafts, honour them in this process at once, and return the receipt of the last.

        Raises ``StoreUnavailable`` with the idempotency key if the store did not confirm.
        """
        key = b64url_encode(drafts[-1].tag)
        try:
            entries = (await self._store.append(drafts)).entries
        except StoreUnavailable as error:
            raise StoreUnavailable(str(error), idempotency_key=key) from error
        last = entries[-1]
        if (last.kind, last.fingerprint) != (drafts[-1].kind, drafts[-1].fingerprint):
            raise InvalidRequest("this idempotency_key belongs to another revocation")
        self._observe(entries)
        position = entries[-1].position
        return RevocationReceipt(
            epoch=position.epoch,
            seq=position.seq,
            sessions=sessions,
            idempotency_key=key,
        )

    async def preview(self, kind: Kind, value: str) -> RevocationReceipt:
        """Return what a revocation would end, without writing it."""
        sessions = await self._store.count(kind, value, self._settings.clock())
        return RevocationReceipt(epoch=None, seq=None, sessions=sessions, dry_run=True)

    async def confirm(self, receipt: RevocationReceipt, timeout: float) -> RevocationReceipt:
        """Wait until no verifier can still accept what the receipt's entry refuses.

        A verifier that is fresh without the entry began its lease renewal before the entry was
        appended, so it stops at the latest one horizon afterwards. Neither the lease table nor the
        store's clock is trusted for that.

        Raises ``NotYetConfirmed`` if that takes longer than ``timeout`` seconds.
        """
        if isinstance(timeout, bool) or not isfinite(timeout) or timeout < 0:
            raise InvalidRequest("timeout must be seconds, zero or more")
        identity = await self._store.identity()
        horizon = self._identity.horizon if identity is None else identity.horizon
        needed = horizon * 1.01 + _FENCE_MARGIN
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(min(needed, timeout))
        leases = await self._store.leases()
        laggards = tuple(lease.label for lease in leases if not _has(lease, receipt))
        receipt = RevocationReceipt(
            epoch=receipt.epoch,
            seq=receipt.seq,
            sessions=receipt.sessions,
            verifiers=len(leases) - len(laggards),
            waited_ms=(loop.time() - began) * 1000,
            laggards=laggards,
            idempotency_key=receipt.idempotency_key,
        )
        if timeout < needed:
            raise NotYetConfirmed(
                f"recorded, but verifiers may go on for {needed - timeout:.1f} s more",
                receipt=receipt,
            )
        return receipt


def _has(lease: Lease, receipt: RevocationReceipt) -> bool:
    return lease.watermark is not None and lease.watermark[:2] >= (receipt.epoch, receipt.seq)


def check_target(target: object) -> Target:
    """Return ``target`` if it is one; ``InvalidRequest`` shows what would be."""
    if not isinstance(target, _TARGETS):
        raise InvalidRequest(
            "say what to revoke: TokenId(jti), SessionId(sid), SubjectId(sub), ClientId(client_id),"
            " KeyId(kid) or Everything()"
        )
    return target
