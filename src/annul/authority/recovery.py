"""What an authority does for a store that has lost something: founds it again, and refills it.

Replicas never forget what the store has forgotten, and put it into the store's inbox. Only an
authority can append it again, and only what an authority of the same lineage has decided. An entry
that is given back stands at a new position: it may end a session that began since the loss, and
never too few. An unblock is not given back, because what it lifts cannot be proven; unblock again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from annul.core.events import StoreLost, StoreRestored
from annul.core.keyring import Purpose
from annul.core.proof import is_proven, proven_at
from annul.core.revocation import (
    LASTING,
    LONGEST_FOREIGN,
    Kind,
    remember_until,
)
from annul.stores.base import Draft

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.authority.beside import Beside
    from annul.authority.rotation import Rotation
    from annul.core.events import Event
    from annul.core.revocation import Revocation
    from annul.stores.base import Identity, Store

__all__ = ["Recovery"]

log = logging.getLogger("annul.authority")

_AT_ONCE = 500


class Recovery:
    """Looks whether the store has lost anything, and mends it. ``step`` is called now and then.

    ``may_found`` says whether an empty store may be founded again now: a database file that is not
    there may be on its way back.
    """

    def __init__(
        self,
        store: Store,
        rotation: Rotation,
        identity: Identity,
        replica: Beside,
        *,
        clock: Callable[[], float],
        may_found: Callable[[], bool],
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        self._store = store
        self._rotation = rotation
        self._identity = identity
        self._replica = replica
        self._clock = clock
        self._may_found = may_found
        self._tell = tell
        self._replaced = False

    async def step(self) -> int:
        """Mend what can be mended now; return how many entries were given back to the store."""
        identity = await self._store.identity()
        if identity is None:
            if not self._may_found():
                return 0
            log.error("the store is empty; founding it again as it was")
            self._say(StoreLost(at=self._clock(), what="the store is empty"))
            identity = await self._store.found(self._identity, self._clock())
        if identity.lineage != self._identity.lineage:
            if not self._replaced:
                log.error("another store stands in the place of the one that was opened; reopen it")
            self._replaced = True
            return 0
        known = _grown(identity, self._identity)
        if known != identity:
            # A backup that was put back; whoever was allowed more may still be there.
            log.error("the store had forgotten how long to remember; it is told again")
            known = await self._store.found(known, self._clock())
        self._identity = known
        await self._rotation.restore(self._replica.keys_version)
        offers = await self._store.offers()
        for begin in range(0, len(offers), _AT_ONCE):
            await self._take(offers[begin : begin + _AT_ONCE])
        return len(offers)

    async def _take(self, offers: tuple[Revocation, ...]) -> None:
        genuine = [entry for entry in offers if self._is_genuine(entry)]
        drafts = [draft for entry in genuine if not self._is_over(draft := self._draft(entry))]
        if len(genuine) < len(offers):
            log.error(
                "%d entries in the inbox were not decided by an authority of this store",
                len(offers) - len(genuine),
            )
        for entry in genuine:
            # The ring, too, may be older than this.
            if entry.kind is Kind.KEY and entry.id and entry.issuer == self._identity.issuer:
                await self._rotation.revoke(entry.id)
        if drafts:
            appended = await self._store.append(drafts, floor=self._replica.highest)
            self._replica.observe(appended.entries)
            log.warning("gave %d entries back to the store", len(drafts))
            self._say(StoreRestored(at=self._clock(), entries=len(drafts)))
        await self._store.settle(offers)

    def _say(self, event: Event) -> None:
        if self._tell is not None:
            self._tell(event)

    def _is_genuine(self, entry: Revocation) -> bool:
        ring = self._rotation.ring
        return entry.kind is not Kind.UNBLOCK and is_proven(
            entry, lambda kid: ring.find_secret(Purpose.FEED, kid)
        )

    def _is_over(self, draft: Draft) -> bool:
        # What has been pruned must not come back: at a new position it would end sessions of today.
        if draft.expires_at is None:
            return False
        identity = self._identity
        lifetimes = identity.longest_token + identity.longest_session if draft.lasting else 0
        return draft.expires_at + lifetimes < self._clock() + self._replica.store_ahead

    def _draft(self, entry: Revocation) -> Draft:
        # Until when it is remembered is worked out again, for whoever offers it may be wrong.
        own, at = entry.issuer == self._identity.issuer, proven_at(entry)
        return Draft(
            tag=entry.tag,
            issuer=entry.issuer,
            kind=entry.kind,
            fingerprint=entry.fingerprint,
            reason=entry.reason,
            at=at,
            expires_at=remember_until(
                entry.kind,
                now=at,
                token_exp=None if own else at + LONGEST_FOREIGN,
                longest_token=0,
                longest_session=0 if own else LONGEST_FOREIGN,
            ),
            id=entry.id,
            actor=entry.actor,
            lasting=entry.kind in LASTING,
            proof=entry.proof,
        )


def _grown(one: Identity, two: Identity) -> Identity:
    """Return the first identity with the larger limits of both: they only ever grow."""
    return replace(
        one,
        horizon=max(one.horizon, two.horizon),
        longest_token=max(one.longest_token, two.longest_token),
        longest_session=max(one.longest_session, two.longest_session),
    )
