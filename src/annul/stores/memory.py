"""The store in this process's memory: the contract, readable as code. For tests and demos.

``memory://`` and ``memory://name`` are shared by everything in the process that names the same
name, and forgotten when the last of them is closed. Nothing survives the process, which
is why nothing here needs a lease: verifier and store live and die together.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from annul.core.claims import Clock, system_clock
from annul.core.denylist import Denylist
from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation, Watermark
from annul.core.session import BEGINNING, Replayed, Rotated, Session, Unknown, decide
from annul.errors import Misconfigured, WrongStore
from annul.stores.base import (
    Appended,
    Began,
    Covered,
    Draft,
    Identity,
    Lease,
    Store,
    StoredRing,
)
from annul.stores.memory_log import MemoryLog
from annul.stores.rules import behind, epoch_after, expiry_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from annul.core.session import RotateOutcome

__all__ = ["MemoryStore", "from_url"]

_GENESIS_BYTES = 16


def from_url(
    url: str,
    *,
    issuer: str | None,
    allow_volatile: bool = False,
    clock: Clock = system_clock,
) -> MemoryStore:
    """Return a handle on the state that ``memory://name`` names for this issuer."""
    del allow_volatile  # memory promises nothing beyond the process, and says so
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query:
        raise Misconfigured("a memory store is memory:// or memory://name")
    return MemoryStore(parts.netloc, issuer=issuer, clock=clock)


class MemoryStore(MemoryLog, Store):
    """A handle on a store in memory, for an authority."""

    async def found(self, identity: Identity, now: float) -> Identity:
        state = self._open()
        with state.lock:
            known = state.identity
            if known is None:
                state.head = state.genesis = Watermark(int(now), 0, identity.lineage.encode())
                state.identity = identity
                return identity
            if known.issuer != identity.issuer:
                raise WrongStore("this store belongs to another issuer; give it a name of its own")
            state.identity = replace(
                known,
                horizon=max(known.horizon, identity.horizon),
                longest_token=max(known.longest_token, identity.longest_token),
                longest_session=max(known.longest_session, identity.longest_session),
            )
            return state.identity

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        state = self._open()
        with state.lock:
            self._open_epoch_if_behind(floor)
            entries = tuple(self._append(draft) for draft in drafts)
        self._ring_bells()
        return Appended(entries)

    def _append(self, draft: Draft) -> Revocation:
        state = self._open()
        known = state.tags.get(draft.tag)
        if known is not None:
            return known
        lifts = state.denylist.blocks_of(draft.fingerprint) if draft.lifts_all else ()
        position = Position(state.head.epoch, state.head.seq + 1)
        now = max(state.time, self._clock())
        entry = Revocation(
            position=position,
            tag=draft.tag,
            issuer=draft.issuer,
            kind=draft.kind,
            fingerprint=draft.fingerprint,
            reason=draft.reason,
            at=draft.at,
            expires_at=expiry_of(draft, self._founded(), now),
            id=draft.id,
            actor=draft.actor,
            lifts=lifts,
            proof=draft.proof,
        )
        state.log.append(entry)
        state.tags[entry.tag] = entry
        state.denylist.apply([entry])
        state.head = entry.watermark
        return entry

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        state = self._open()
        with state.lock:
            self._open_epoch_if_behind(floor)
            born = replace(session, since=state.head.position, as_of=state.head.position)
            covered_by = self._covering(born)
            if covered_by is not None:
                return Covered(covered_by)
            state.sessions[born.sid] = born
            state.families[born.family] = born.sid
            return Began(born)

    async def rotate(
        self,
        family: bytes,
        generation: int,
        *,
        client_id: str | None,
        jkt: str | None,
        handle_key: str,
        now: float,
        grace: float,
        replay_tag: bytes,
        replay_expires_at: int,
        floor: Position = BEGINNING,
        claims: Mapping[str, Any] | None = None,
        as_of: Position | None = None,
    ) -> RotateOutcome:
        state = self._open()
        with state.lock:
            self._open_epoch_if_behind(floor)
            session = state.sessions.get(state.families.get(family, ""))
            if session is None:
                return Unknown()
            outcome = decide(
                session,
                generation,
                covered_by=self._covering(session),
                client_id=client_id,
                jkt=jkt,
                handle_key=handle_key,
                now=now,
                grace=grace,
                as_of=as_of or state.head.position,
                claims=claims,
            )
            if isinstance(outcome, Rotated):
                state.sessions[session.sid] = outcome.session
            elif isinstance(outcome, Replayed):
                entry = self._append(
                    Draft(
                        tag=replay_tag,
                        issuer=self._founded().issuer,
                        kind=Kind.SESSION,
                        fingerprint=self._fingerprinter()(Kind.SESSION, session.sid),
                        reason=Reason.REFRESH_REUSE,
                        at=now,
                        expires_at=replay_expires_at,
                        id=session.sid,
                        lasting=True,
                    )
                )
                outcome = Replayed(session, entry)
        if isinstance(outcome, Replayed):
            self._ring_bells()
        return outcome

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        state = self._open()
        with state.lock:
            found = [s for s in self._alive(now) if s.subject == subject]
        return tuple(sorted(found, key=lambda session: (session.created_at, session.sid)))

    async def session(self, sid: str) -> Session | None:
        return self._open().sessions.get(sid)

    async def family(self, digest: bytes) -> Session | None:
        state = self._open()
        return state.sessions.get(state.families.get(digest, ""))

    async def count(self, kind: Kind, value: str, now: float) -> int:
        state = self._open()
        with state.lock:
            return sum(_ends(kind, value, session) for session in self._alive(now))

    async def ring(self) -> StoredRing | None:
        return self._open().stored_ring

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        state = self._open()
        with state.lock:
            current = 0 if state.stored_ring is None else state.stored_ring.version
            if current != expected:
                return False
            state.stored_ring = ring
        self._ring_bells()
        return True

    async def prune(self, now: float) -> int:
        state = self._open()
        with state.lock:
            state.time = max(state.time, now)
            expired = Denylist(
                entry
                for entry in state.log
                if entry.expires_at is not None and entry.expires_at < state.time
            )
            over = [
                session
                for session in state.sessions.values()
                if state.time >= session.ends_at
                or expired.find(session.facts(self._fingerprinter())) is not None
            ]
            for session in over:
                del state.sessions[session.sid]
                del state.families[session.family]
            # The head stays, so that its watermark can still be recognised.
            kept = [
                entry
                for entry in state.log
                if entry.expires_at is None
                or entry.expires_at >= state.time
                or entry.watermark == state.head
            ]
            gone = len(state.log) - len(kept)
            if gone:
                kept_tags = {entry.tag for entry in kept}
                dropped = [entry for entry in state.log if entry.tag not in kept_tags]
                of_now = (e.position for e in dropped if e.position.epoch == state.head.epoch)
                state.pruned = max([state.pruned, *(position.seq for position in of_now)])
                state.log = kept
                state.tags = {entry.tag: entry for entry in kept}
                state.denylist.prune(state.time)
            return gone

    async def expel(self, lease: Lease) -> None:
        state = self._open()
        with state.lock:
            known = state.leases.get(lease.id)
            is_same = known is not None and known.beat == lease.beat
            if is_same and not self._proves_a_loss(lease):
                del state.leases[lease.id]

    async def offers(self) -> tuple[Revocation, ...]:
        state = self._open()
        with state.lock:
            return tuple(sorted(state.offers.values(), key=lambda entry: entry.position))

    async def settle(self, offers: Sequence[Revocation]) -> None:
        state = self._open()
        with state.lock:
            for entry in offers:
                state.offers.pop(entry.tag, None)

    # --- inside ------------------------------------------------------------------------

    def _open_epoch_if_behind(self, floor: Position) -> None:
        state = self._open()
        leased = max((lease.highest for lease in state.leases.values()), default=BEGINNING)
        now = max(state.time, self._clock())
        for seen in (floor, leased):
            if behind(state.head.position, seen, now):
                epoch = epoch_after(state.head.position, seen, now)
                state.head = state.genesis = Watermark(epoch, 0, os.urandom(_GENESIS_BYTES))
                state.pruned = 0

    def _founded(self) -> Identity:
        identity = self._open().identity
        if identity is None:
            raise WrongStore("this store has not been founded; an authority does that")
        return identity

    def _fingerprinter(self) -> Fingerprinter:
        return Fingerprinter(self._founded().issuer)

    def _covering(self, session: Session) -> Revocation | None:
        return self._open().denylist.find(session.facts(self._fingerprinter()))

    def _alive(self, now: float) -> list[Session]:
        return [
            session
            for session in self._open().sessions.values()
            if session.within_limits(now) and self._covering(session) is None
        ]


def _ends(kind: Kind, value: str, session: Session) -> bool:
    match kind:
        case Kind.SESSION:
            return session.sid == value
        case Kind.SUBJECT | Kind.BLOCK:
            return session.subject == value
        case Kind.CLIENT:
            return session.client_id == value
        case Kind.ISSUER:
            return True
        case _:
            return False
