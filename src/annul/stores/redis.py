"""The store in Redis (6.2 or newer) or Valkey: one server, or several under Sentinel or Cluster.

An acknowledgement means: the server has written the operation to its append-only file and synced
that file before it answered (``appendonly yes``, ``appendfsync always``), and it evicts nothing
(``noeviction``). With several servers all of them have done so, whichever is promoted next.
``found`` refuses servers that are set up otherwise, and later writes notice within a second if
that is changed. ``seq`` is in commit order because a script assigns it, and scripts run one after
the other; a server that has been promoted opens a new epoch before it gives out a position.

Every verb that writes is one script and one round trip. Commands are sent once: an operation whose
answer did not come is ``StoreUnavailable``, and repeating it is up to the caller.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annul.core.claims import Clock, system_clock
from annul.core.revocation import Fingerprinter, Kind, Position
from annul.core.session import BEGINNING, Ended, Replayed, Retried, Rotated, Session, Unknown
from annul.errors import StoreUnavailable
from annul.stores import redis_rows as rows
from annul.stores import redis_scripts as scripts
from annul.stores.base import Appended, Began, Covered, Draft, Identity, Lease, Store, StoredRing
from annul.stores.redis_commit import Commits
from annul.stores.redis_errors import refusal
from annul.stores.redis_log import RedisLog
from annul.stores.redis_url import Address, address_from_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from annul.core.revocation import Revocation
    from annul.core.session import RotateOutcome

__all__ = ["RedisStore", "from_url"]

log = logging.getLogger("annul.stores")

_PAGE = 250


def from_url(
    url: str,
    *,
    issuer: str | None,
    allow_volatile: bool = False,
    clock: Clock = system_clock,
) -> RedisStore:
    """Return the store at ``redis://host:6379/0``; see ``address_from_url`` for the options."""
    del clock  # the server has one of its own, and that is store time
    return RedisStore(address_from_url(url), issuer=issuer, allow_volatile=allow_volatile)


class RedisStore(RedisLog, Store):
    """The store in Redis or Valkey, for an authority."""

    def __init__(
        self, address: Address, *, issuer: str | None = None, allow_volatile: bool = False
    ) -> None:
        super().__init__(address, issuer=issuer)
        self._fingerprint: Fingerprinter | None = None
        self._commits = Commits(self._link, allow_volatile=allow_volatile)

    async def found(self, identity: Identity, now: float) -> Identity:
        await self._commits.check()
        fields = await self._commits.run(
            scripts.FOUND,
            identity.issuer,
            identity.lineage,
            repr(identity.horizon),
            str(identity.longest_token),
            str(identity.longest_session),
            str(int(now)),
            identity.lineage.encode().hex(),
            str(self._commits.nodes),
        )
        return rows.identity_from(fields)

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        arguments = []
        for draft in drafts:
            mode = "lifts_all" if draft.lifts_all else "lasting" if draft.lasting else ""
            arguments += [rows.entry_text(draft), mode]
        answer = await self._commits.run(
            scripts.APPEND, self._issuer or "", rows.id_of(floor), *arguments
        )
        return Appended(tuple(rows.entry_from(*entry) for entry in answer))

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        fingerprint = await self._fingerprinter()
        outcome, *rest = await self._commits.run(
            scripts.BEGIN,
            self._issuer or "",
            rows.id_of(floor),
            fingerprint(Kind.ISSUER, "").hex(),
            rows.begun_text(session, fingerprint),
        )
        if outcome == b"covered":
            return Covered(rows.covering_from(rest[0]))
        head = Position(int(rest[0]), int(rest[1]))
        return Began(replace(session, since=head, as_of=head))

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
        everything = await self._mark(Kind.ISSUER, "")
        asked = {
            "family": family.hex(),
            "generation": str(generation),
            "successor": str(generation + 1),
            "client_id": client_id,
            "jkt": jkt,
            "handle_key": handle_key,
            "now": repr(now),
            "grace": repr(grace),
            "replay_tag": replay_tag.hex(),
            "replay_expires_at": str(replay_expires_at),
            "claims": None if claims is None else rows.claims_text(claims),
            "as_of_epoch": None if as_of is None else str(as_of.epoch),
            "as_of_seq": None if as_of is None else str(as_of.seq),
        }
        outcome, *rest = await self._commits.run(
            scripts.ROTATE, self._issuer or "", rows.id_of(floor), everything, rows.text_of(asked)
        )
        if outcome == b"unknown":
            return Unknown()
        session = rows.session_from(rest[0])
        match outcome:
            case b"rotated":
                return Rotated(await self._confirm(session), store_lost_data=rest[1] == b"1")
            case b"retried":
                return Retried(session)
            case b"replayed":
                return Replayed(session, rows.entry_from(*rest[1]))
            case _:
                return Ended(session, rows.covering_from(rest[1]) if rest[1:] else None)

    async def _confirm(self, session: Session) -> Session:
        """Record that somebody has heard of this rotation, so that its predecessor's time runs."""
        try:
            mark = await self._mark(Kind.SESSION, session.sid)
            await self._link.call(scripts.CONFIRM, mark, str(session.generation))
        except StoreUnavailable:
            # The rotation itself is acknowledged. Until the successor is presented, its
            # predecessor counts as a retry, as after any outage.
            log.debug("a rotation stays unconfirmed: the store did not answer")
            return session
        return replace(session, confirmed=True)

    # --- looking sessions up ----------------------------------------------------------

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        members = f"subject:{await self._mark(Kind.SUBJECT, subject)}"
        found = [
            rows.session_from(text)
            async for _count, texts in self._alive(members, now, texts=True)
            for text in texts
        ]
        return tuple(sorted(found, key=lambda session: (session.created_at, session.sid)))

    async def session(self, sid: str) -> Session | None:
        return await self._session_at(await self._mark(Kind.SESSION, sid))

    async def family(self, digest: bytes) -> Session | None:
        (mark,) = await self._read(("HGET", self._key("families"), digest.hex()))
        return None if mark is None else await self._session_at(mark.decode())

    async def _session_at(self, mark: str) -> Session | None:
        (text,) = await self._read(("HGET", self._key("sessions"), mark))
        return None if text is None else rows.session_from(text)

    async def count(self, kind: Kind, value: str, now: float) -> int:
        match kind:
            case Kind.SESSION:
                session = await self.session(value)
                alive = () if session is None else await self.sessions(session.subject, now)
                return sum(other.sid == value for other in alive)
            case Kind.SUBJECT | Kind.BLOCK:
                members = f"subject:{await self._mark(Kind.SUBJECT, value)}"
            case Kind.CLIENT:
                members = f"client:{await self._mark(Kind.CLIENT, value)}"
            case Kind.ISSUER:
                members = "since"
            case _:
                return 0
        return sum([count async for count, _texts in self._alive(members, now)])

    async def _alive(
        self, members: str, now: float, *, texts: bool = False
    ) -> AsyncIterator[tuple[int, list[bytes]]]:
        """Yield how many sessions are alive, page by page, and their texts if asked for.

        ``members`` is what the members of the index begin with, up to a colon. In pages, because
        looking through everybody's sessions in one script would hold up everybody else.
        """
        everything = await self._mark(Kind.ISSUER, "")
        begin = f"[{members}:"
        while begin:
            more, count, found = await self._link.call(
                scripts.LIST,
                self._issuer or "",
                everything,
                repr(now),
                begin,
                f"({members};",  # the character after the colon
                str(_PAGE),
                "1" if texts else "",
            )
            yield count, found
            begin = more.decode()

    # --- leases and offers ------------------------------------------------------------

    async def expel(self, lease: Lease) -> None:
        await self._link.call(scripts.EXPEL, lease.id, str(lease.beat))

    async def offers(self) -> tuple[Revocation, ...]:
        (lines,) = await self._read(("HVALS", self._key("inbox")))
        return tuple(sorted(map(rows.covering_from, lines), key=lambda entry: entry.position))

    async def settle(self, offers: Sequence[Revocation]) -> None:
        if offers:
            tags = (entry.tag.hex() for entry in offers)
            await self._link.send(("HDEL", self._key("inbox"), *tags))

    # --- keys and housekeeping --------------------------------------------------------

    async def ring(self) -> StoredRing | None:
        _, (found,) = await self._look((), ("HMGET", self._key("ring"), "version", "ring", "jwks"))
        version, ring, jwks = found
        return None if version is None else StoredRing(int(version), ring.decode(), jwks.decode())

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        swapped = await self._commits.run(
            scripts.SWAP_RING,
            self._issuer or "",
            str(expected),
            str(ring.version),
            ring.ring,
            ring.jwks,
        )
        return bool(swapped)

    async def prune(self, now: float) -> int:
        # In batches, each whole in itself, so that a long sleep does not end in a long script.
        issuer = self._issuer or ""
        dropped, todo, finished = 0, b"more", ""
        while todo != b"done":
            gone, todo, *covering = await self._link.call(
                scripts.PRUNE, issuer, repr(now), str(_PAGE), finished
            )
            dropped += gone
            if todo == b"covered":
                finished = covering[0].decode()
                begin = b"[since:"
                while begin:
                    begin = await self._link.call(
                        scripts.DROP_COVERED, issuer, finished, begin.decode(), str(_PAGE)
                    )
        return dropped

    # --- inside -----------------------------------------------------------------------

    async def _fingerprinter(self) -> Fingerprinter:
        """Return what makes the fingerprints of this store's issuer, and learn who that is."""
        if self._fingerprint is None:
            if self._issuer is None:
                identity = await self.identity()
                if identity is None:
                    raise refusal("UNFOUNDED", self._link.address.place)
                self._issuer = identity.issuer
            self._fingerprint = Fingerprinter(self._issuer)
        return self._fingerprint

    async def _mark(self, kind: Kind, value: str) -> str:
        return (await self._fingerprinter())(kind, value).hex()
