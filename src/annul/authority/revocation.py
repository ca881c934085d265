"""The way of a revocation begins here: a target and a reason become one entry in the log.

The entry's expiry is computed from the longest lifetimes ever issued, so it outlives every token
it covers. One entry is written whatever it ends: what it covers is computed, never stored.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from annul.authority.witness import event_of
from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.core.keyring import Purpose
from annul.core.proof import prove
from annul.core.revocation import (
    LASTING,
    LONGEST_FOREIGN,
    ClientId,
    Everything,
    Fingerprinter,
    KeyId,
    Kind,
    Reason,
    RevocationReceipt,
    SessionId,
    SubjectId,
    Target,
    TokenId,
    has_controls,
    identifier,
    remember_until,
)
from annul.errors import InvalidRequest, StoreUnavailable
from annul.stores.base import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from annul.authority.beside import Beside
    from annul.authority.rotation import Rotation
    from annul.authority.settings import Settings
    from annul.authority.witness import Witness
    from annul.core.events import Event
    from annul.stores.base import Store

__all__ = ["Revocations"]

_TARGETS = (TokenId, SessionId, SubjectId, ClientId, KeyId, Everything)
_TAG_BYTES = 16


class Revocations:
    """Writes entries to the log, and tells the replica beside it what it has just written."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rotation: Rotation,
        replica: Beside,
        witness: Witness,
    ) -> None:
        self._store = store
        self._witness = witness
        self._settings = settings
        self._rotation = rotation
        self._replica = replica

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
        own = self._settings.issuer
        issuer = own if issuer is None else identifier(issuer, "issuer")
        now = self._rotation.now()
        if issuer != own and token_exp is None:
            # Nobody here knows how long somebody else's tokens and sessions live.
            token_exp = now + LONGEST_FOREIGN
        draft = Draft(
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
                # Our own lifetimes are added by the store, which knows the longest.
                longest_token=0,
                longest_session=0 if issuer == own else LONGEST_FOREIGN,
            ),
            # For people only, and not every store can keep every character.
            id=None if not value or has_controls(value) else value,
            actor=None if actor is None else identifier(actor, "actor"),
            lifts_all=kind is Kind.UNBLOCK,
            lasting=kind in LASTING,
        )
        key_id, key = self._rotation.ring.secret(Purpose.FEED, now)
        return replace(draft, proof=prove(draft, key_id, key))

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

    async def write(
        self,
        drafts: Sequence[Draft],
        *,
        sessions: int | None = None,
        events: Sequence[Event] | None = None,
    ) -> RevocationReceipt:
        """Append drafts, honour them in this process at once, and return the receipt of the last.

        Each is an event, unless ``events`` says what all of it is.
        Raises ``StoreUnavailable`` with the idempotency key if the store did not confirm.
        """
        with repeatable(drafts[-1]):
            entries = (await self._store.append(drafts, floor=self._replica.highest)).entries
        last = entries[-1]
        if (last.kind, last.fingerprint) != (drafts[-1].kind, drafts[-1].fingerprint):
            raise InvalidRequest("this idempotency_key belongs to another revocation")
        self._replica.observe(entries)
        if events is None:
            own, now = self._settings.issuer, self._rotation.now()
            events = [
                event_of(draft, entry.position, own, now)
                for entry, draft in zip(entries, drafts, strict=True)
            ]
        await self._witness.record(*events)
        position = entries[-1].position
        return RevocationReceipt(
            epoch=position.epoch,
            seq=position.seq,
            sessions=sessions,
            idempotency_key=b64url_encode(drafts[-1].tag),
        )

    async def preview(self, draft: Draft) -> RevocationReceipt:
        """Return what a revocation would end, without writing it."""
        sessions = 0
        if draft.issuer == self._settings.issuer:
            sessions = await self._store.count(draft.kind, draft.id or "", draft.at)
        return RevocationReceipt(epoch=None, seq=None, sessions=sessions, dry_run=True)

    async def count_few(self, draft: Draft) -> int | None:
        """Return how many sessions a revocation is about to end, ``None`` if that takes long.

        An alarm must not wait until everybody's sessions have been looked through.
        """
        if draft.issuer != self._settings.issuer or draft.kind in {Kind.TOKEN, Kind.KEY}:
            return 0
        if draft.kind in {Kind.CLIENT, Kind.ISSUER}:
            return None
        return await self._store.count(draft.kind, draft.id or "", draft.at)


@contextmanager
def repeatable(draft: Draft) -> Iterator[None]:
    """Put into errors of the store what it takes to repeat this very revocation."""
    try:
        yield
    except StoreUnavailable as error:
        key = b64url_encode(draft.tag)
        raise StoreUnavailable(str(error), idempotency_key=key) from error


def check_timeout(timeout: object) -> float:
    """Return how long to wait, in seconds, or raise ``InvalidRequest``."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout < inf:
        raise InvalidRequest("timeout must be seconds, zero or more")
    return timeout


def check_target(target: object) -> Target:
    """Return ``target`` if it is one; ``InvalidRequest`` shows what would be."""
    if not isinstance(target, _TARGETS):
        raise InvalidRequest(
            "say what to revoke: TokenId(jti), SessionId(sid), SubjectId(sub), ClientId(client_id),"
            " KeyId(kid) or Everything()"
        )
    return target
