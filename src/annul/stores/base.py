"""What a store is: the contract in prose, then the two Protocols.

One store holds the log of revocations, the sessions and the keys of one issuer, because ending a
session and recording why must commit together. Every verb is an *atomic outcome*: it happens
whole or not at all, and its return value says which. There is no get-then-set.

**The log.** ``seq`` is assigned in commit order: a reader that has seen n will never later find a
lower number that it has not seen. An ordinary database sequence does not give that (a lower number
may commit later). ``memory`` and ``sqlite`` assign it under the one write lock; ``redis`` in a
script, which runs alone. ``StoreContract`` tests it with concurrent writers.

**Watermarks.** ``(epoch, seq, tag)`` names one entry. ``changes`` answers with what comes after
exactly that entry, or ``Diverged`` if the store does not hold it: then either it was pruned, or the
store lost data, and the reader must take a snapshot and join it to what it knows. An empty log has
a watermark too: sequence 0 with a random tag.

**Epochs.** Positions compare by epoch first. A store opens a new epoch when it is founded; an
epoch number is at least the Unix time of its beginning. It opens another one when it has lost
entries, before anything is appended, or positions would be given out twice: ``append``, ``begin``
and ``rotate`` are told the furthest position that their caller has seen, every lease says the
furthest that its replica has, and a head behind one of them proves the loss (``stores.rules``).
The entries of earlier epochs that are left stay in the log.

**An acknowledgement is a fact about durability.** A verb that returns has been written to stable
storage as the backend defines it (each backend's docstring says how), and a backend that is set up
so that it cannot promise this raises ``UnsafeStore`` when opened for writing. A verb that raises
``StoreUnavailable`` may or may not have happened; ``append`` with the same ``tag`` completes it.

**Time.** Pruning goes by a high-water mark that never goes back. ``Renewal.store_time`` is the
store's clock, or that mark if it is ahead: then tokens may live again whose revocation has been
forgotten, and verifiers must not judge by an earlier time.

**Leases** have no time-out in the store. A replica is fresh because *it* wrote its lease and knows
when it began to; the table only tells others who is listening. ``beat`` counts its renewals, so
that somebody who looks twice can tell a silent lease, and each renewal is told which beat stood
there before: not the one it wrote last means that the table has lost something.

**Offers.** A replica that finds entries missing in the store gives them back through a bounded
inbox. It cannot append them, because it must not be able to revoke; an authority appends those
whose ``proof`` shows that an authority of this lineage wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from annul.core.session import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from annul.core.revocation import Kind, Position, Reason, Revocation, Watermark
    from annul.core.session import RotateOutcome, Session

__all__ = [
    "MOST_OFFERS",
    "Appended",
    "Began",
    "Covered",
    "Diverged",
    "Draft",
    "Identity",
    "Lease",
    "LogReader",
    "PublishedKeys",
    "Renewal",
    "Snapshot",
    "Store",
    "StoredRing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a store was founded as, and the limits it has promised to remember.

    ``lineage`` is a random id made with the store's first key. ``horizon`` is for how many seconds
    after its last proof of freshness any verifier of this store may still accept. ``longest_token``
    and ``longest_session`` are the longest lifetimes, in seconds, ever issued; all three only grow.
    """

    issuer: str
    lineage: str
    horizon: float
    longest_token: int
    longest_session: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A revocation before it has a position. ``tag`` is random and makes repeating it harmless.

    ``lifts_all`` is for an ``unblock``: it lifts every block standing against the fingerprint at
    the moment it is appended. ``lasting`` adds the store's ``longest_token`` and
    ``longest_session`` to ``expires_at``, as they are at that moment: another authority may have
    raised them meanwhile, and no session of any authority may outlive what ended it. If store time
    is ahead of ``at``, the difference is added too: nothing is born expired because the clock of
    an authority is slow. ``proof`` is kept as it is.
    """

    tag: bytes
    issuer: str
    kind: Kind
    fingerprint: bytes
    reason: Reason
    at: float
    expires_at: int | None
    id: str | None = None
    actor: str | None = None
    lifts_all: bool = False
    lasting: bool = False
    proof: bytes = b""


MOST_OFFERS = 10_000
"""How many entries an inbox holds; a replica offers the rest when there is room again."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The entries as they stand in the log, in the order of the drafts."""

    entries: tuple[Revocation, ...]


@dataclass(frozen=True, slots=True)
class Began:
    """The session exists, and ``session.since`` is the head of the log at that very moment."""

    session: Session


@dataclass(frozen=True, slots=True)
class Covered:
    """The session would have been dead at birth: ``revocation`` covers it. Nothing was written."""

    revocation: Revocation


@dataclass(frozen=True, slots=True)
class Diverged:
    """The store does not hold the watermark's entry. ``pruned`` if that is because it expired."""

    pruned: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every entry that the store holds, and the watermark of having read them all."""

    entries: tuple[Revocation, ...]
    watermark: Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A replica's registration: "I have applied up to ``watermark``".

    ``max_staleness`` is its Δ with its ``accept_for``, in seconds; ``label`` tells people which
    process it is; ``beat`` counts its renewals; ``highest`` is the furthest position ever seen.
    """

    id: str
    watermark: Watermark | None
    max_staleness: float
    label: str = ""
    beat: int = 0
    highest: Position = BEGINNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What a confirmed lease renewal brings back: where the log stood after it.

    ``previous`` is the beat of the lease that it replaced, ``None`` if there was none.
    """

    head: Watermark
    store_time: float
    keys_version: int
    horizon: float
    lineage: str
    previous: int | None = None


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """The public key set as JSON (``Keyring.published``), and the ring version it belongs to."""

    version: int
    jwks: str


@dataclass(frozen=True, slots=True)
class StoredRing:
    """A keyring as it is stored: sealed private keys, and the public set beside them."""

    version: int
    ring: str = field(repr=False)
    jwks: str


class LogReader(Protocol):
    """**Protocol:** what a replica may do. It writes nothing but its own lease."""

    async def identity(self) -> Identity | None:
        """Return what the store was founded as, or ``None`` if nobody has founded it yet."""
        ...

    async def renew(self, lease: Lease) -> Renewal | None:
        """Write the lease durably, then read the head. ``None`` if the store is not founded."""
        ...

    async def release(self, lease_id: str) -> None:
        """Remove a lease, unless it proves a loss (*Epochs*); the replica verifies no more."""
        ...

    async def offer(self, entries: Sequence[Revocation]) -> None:
        """Put entries that the store has lost into the inbox; at most ``MOST_OFFERS`` are kept."""
        ...

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        """Return the entries after a watermark, in order, at most ``limit`` of them."""
        ...

    async def snapshot(self) -> Snapshot:
        """Return all entries at one moment."""
        ...

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:  # noqa: ARG002 - all of it
        """Return the first ``limit`` entries after a position, or all, and a head read no later."""
        whole = await self.snapshot()
        return Snapshot(tuple(e for e in whole.entries if e.position > after), whole.watermark)

    async def published_keys(self) -> PublishedKeys:
        """Return the public keys. Version 0 and an empty set before the first key."""
        ...

    async def wait(self, timeout: float) -> None:
        """Return when something may have changed, at the latest after ``timeout`` seconds.

        Only a doorbell: it may ring for nothing and may miss a ring.
        """
        ...

    async def close(self) -> None:
        """Give up connections. Closing twice is harmless."""
        ...


class Store(LogReader, Protocol):
    """**Protocol:** what an authority may do besides."""

    async def found(self, identity: Identity, now: float) -> Identity:
        """Found the store if it is empty, and grow its limits to those of ``identity``.

        Returns what is recorded then. Raises ``WrongStore`` if it belongs to another issuer, and
        ``UnsafeStore`` if it would lose what it acknowledges.
        """
        ...

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        """Append all drafts, in order, or none. A draft whose tag is in the log is not repeated.

        ``floor`` is the furthest position the caller has seen; see *Epochs*.
        """
        ...

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        """Read the head of the log and create the session, in one step."""
        ...

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
        """Present a refresh token: the table of ``annul.core.session`` in one step.

        If the outcome is ``Rotated``, the session carries ``claims`` from then on, if some are
        given, and ``as_of``: by default the head of the log in the same step.

        If the outcome is ``Replayed``, a revocation of the session (``refresh_reuse``) with this
        tag and expiry, a lasting one, has been appended in the same transaction.
        """
        ...

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        """Return the sessions of a subject that are alive at ``now``, oldest first."""
        ...

    async def session(self, sid: str) -> Session | None:
        """Return one session, alive or not; ``None`` if the store does not have it."""
        ...

    async def family(self, digest: bytes) -> Session | None:
        """Return the session of a refresh family, alive or not."""
        ...

    async def count(self, kind: Kind, value: str, now: float) -> int:
        """Return how many live sessions a revocation of this kind would end; for dry runs."""
        ...

    async def ring(self) -> StoredRing | None:
        """Return the stored keyring, ``None`` before the first key."""
        ...

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        """Replace the ring if its version is still ``expected`` (0: none yet); say whether."""
        ...

    async def leases(self) -> tuple[Lease, ...]:
        """Return the lease table."""
        ...

    async def expel(self, lease: Lease) -> None:
        """Remove a lease that has fallen silent, unless it has been renewed since (``beat``)."""
        ...

    async def offers(self) -> tuple[Revocation, ...]:
        """Return what lies in the inbox."""
        ...

    async def settle(self, offers: Sequence[Revocation]) -> None:
        """Take these out of the inbox: they have been appended, or were not genuine."""
        ...

    async def prune(self, now: float) -> int:
        """Drop what has expired by store time; return how many entries.

        Sessions past their absolute limit go, and so do those that a dropped entry covers: no
        session comes back to life because the entry that ended it is forgotten.
        """
        ...
