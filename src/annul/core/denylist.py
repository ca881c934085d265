"""The denylist: what a verifier knows to be revoked, as a join-semilattice.

Joining is idempotent, commutative and associative, so entries may arrive twice, late or out of
order, and a store that lost some can be given them back. Nothing here depends on a clock except
``prune`` and the comparison of tokens that carry no log position.

::

    token, session    a set of ids               union
    subject, client,  a cut-off position each    the greatest position
    issuer, claims
    block             an observed-remove set     adds minus the blocks some unblock names
    key               a set of ids               union, never pruned

Every rule is asked on its own and any one of them refuses: there is no "most specific" rule
that could mask another one (CVE-2026-8922, CVE-2026-18218 elsewhere).

Ids of tokens and sessions can become millions. Those that have been there for a while may lie in a
*base* (``annul.core.base``), which takes a fortieth of the room and is asked last.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from annul.core.facts import Facts, began_before
from annul.core.revocation import Kind, Revocation, Watermark
from annul.core.steps import in_one_go

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from annul.core.base import Base

__all__ = ["Denylist", "Facts"]

_IDS = (Kind.TOKEN, Kind.SESSION, Kind.KEY)
_MANY = (Kind.TOKEN, Kind.SESSION)
_PIECE = 500
_CUTOFFS = (Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER, Kind.CLAIMS)


def _join(one: Revocation, two: Revocation) -> Revocation:
    """The least entry that refuses whatever either refuses, for as long as either does."""
    if one == two:
        return one
    winner = max(one, two, key=_order)
    if one.expires_at is None or two.expires_at is None:
        expires_at = None
    else:
        expires_at = max(one.expires_at, two.expires_at)
    at = max(one.at, two.at)
    if expires_at == winner.expires_at and at == winner.at:
        return winner
    return replace(winner, expires_at=expires_at, at=at)


def _order(entry: Revocation) -> tuple[object, ...]:
    # A total order, so that equal positions from a corrupted log still merge alike everywhere.
    # None comes before every text, the empty one included.
    actor, name = ((text is not None, text or "") for text in (entry.actor, entry.id))
    return (entry.position, entry.tag, entry.reason, actor, name)


class Denylist:
    """Everything known to be revoked, and how far the log has been read.

    ``apply`` and ``prune`` change it in place and are meant for one writer; ``find`` may run in
    any number of threads meanwhile. ``version`` moves after each change is visible: whoever reads
    the version *before* looking up can store it with the answer, and the answer is good for as
    long as the version is equal.

    Example: ``Verifier(jwks=jwks, policy=policy, denylist=Denylist())`` is a verifier for which
    nothing has been revoked.
    """

    __slots__ = (
        "_base",
        "_blocks",
        "_lifted",
        "_tables",
        "_unblocks",
        "pruned_by",
        "version",
        "watermark",
    )

    def __init__(self, entries: Iterable[Revocation] = ()) -> None:
        self._tables: dict[Kind, dict[bytes, Revocation]] = {
            kind: {} for kind in (*_IDS, *_CUTOFFS)
        }
        self._blocks: dict[bytes, dict[bytes, Revocation]] = {}
        self._unblocks: dict[bytes, Revocation] = {}
        self._lifted: set[tuple[bytes, bytes]] = set()
        self._base: Base | None = None
        self.version = 0
        self.pruned_by = 0.0
        self.watermark: Watermark | None = None
        self.apply(entries)

    def touch(self) -> None:
        """Make every answer that was kept be asked for again, whatever has changed."""
        self.version += 1

    # --- joining ----------------------------------------------------------------------

    def apply(self, entries: Iterable[Revocation]) -> int:
        """Join ``entries`` in; return how many of them told something new.

        The watermark is not moved: entries may come from anywhere, and only the reader of the log
        knows that it has seen everything before them.
        """
        news = 0
        for entry in entries:
            if entry.kind is Kind.BLOCK:
                news += self._apply_block(entry)
            elif entry.kind is Kind.UNBLOCK:
                news += self._apply_unblock(entry)
            else:
                news += self._apply_to_table(entry)
        if news:
            self.version += 1
        return news

    def _apply_to_table(self, entry: Revocation) -> bool:
        table = self._tables[entry.kind]
        known = table.get(entry.fingerprint)
        if known is not None:
            joined = _join(known, entry)
            if joined is known:
                return False
        elif self._base is not None and entry.kind in _MANY and self._base.covers(entry):
            return False
        else:
            joined = entry
        table[entry.fingerprint] = joined
        return True

    def _apply_block(self, entry: Revocation) -> bool:
        if (entry.fingerprint, entry.tag) in self._lifted:
            return False
        standing = self._blocks.get(entry.fingerprint, {})
        if entry.tag in standing:
            return False
        self._blocks[entry.fingerprint] = {**standing, entry.tag: entry}
        return True

    def _apply_unblock(self, entry: Revocation) -> bool:
        if entry.tag in self._unblocks:
            return False
        self._unblocks[entry.tag] = entry
        self._lifted.update((entry.fingerprint, tag) for tag in entry.lifts)
        standing = self._blocks.get(entry.fingerprint)
        if standing is not None:
            left = {tag: block for tag, block in standing.items() if tag not in entry.lifts}
            if left:
                self._blocks[entry.fingerprint] = left
            else:
                del self._blocks[entry.fingerprint]
        return True

    def merge(self, other: Denylist) -> Denylist:
        """Return the join of both: it refuses what either does, except blocks that were lifted."""
        merged = Denylist(self.recent())
        merged._base = self._base
        merged.apply(other)
        return merged

    def __iter__(self) -> Iterator[Revocation]:
        """Iterate over the entries that make up this value; applying them rebuilds it."""
        yield from self.recent()
        yield from () if self._base is None else self._base

    def recent(self) -> Iterator[Revocation]:
        """Iterate over the entries that are held with all their particulars.

        That is everything but what has gone into the base; the youngest ids may be in both.
        """
        yield from self.others()
        for entries in self.ids():
            yield from entries

    def others(self) -> Iterator[Revocation]:
        """Iterate over the entries that are about neither a token nor a session."""
        # Unblocks first: a block that they lift must not stand even for a moment.
        yield from list(self._unblocks.values())
        for kind, table in self._tables.items():
            if kind not in _MANY:
                yield from list(table.values())
        for standing in list(self._blocks.values()):
            yield from standing.values()

    def ids(self) -> tuple[list[Revocation], list[Revocation]]:
        """Return the entries about tokens and those about sessions, without the base's."""
        tokens, sessions = (list(self._tables[kind].values()) for kind in _MANY)
        return tokens, sessions

    @property
    def outside(self) -> int:
        """How many ids of tokens and sessions are held outside the base."""
        return sum(len(self._tables[kind]) for kind in _MANY)

    def __len__(self) -> int:
        """Return the number of entries held, lifted blocks not counted."""
        return (
            sum(map(len, self._tables.values()))
            + sum(map(len, self._blocks.values()))
            + len(self._unblocks)
            + (0 if self._base is None else len(self._base))
        )

    def __eq__(self, other: object) -> bool:
        """Two denylists are equal when they hold the same facts, however they were learnt."""
        if not isinstance(other, Denylist):
            return NotImplemented
        return (
            self._tables == other._tables
            and self._blocks == other._blocks
            and self._unblocks == other._unblocks
            and self._base == other._base
        )

    __hash__ = None  # type: ignore[assignment]  # a value that changes in place has no hash

    # --- asking -----------------------------------------------------------------------

    def find(self, facts: Facts) -> Revocation | None:
        """Return an entry that refuses a token (or ends a session) with these facts, if any."""
        tables = self._tables
        for kind, value in (
            (Kind.TOKEN, facts.token),
            (Kind.SESSION, facts.session),
            (Kind.KEY, facts.key),
        ):
            if value is not None and (hit := tables[kind].get(value)) is not None:
                return hit
        standing = None if facts.subject is None else self._blocks.get(facts.subject)
        if standing:
            return next(iter(standing.values()))
        for kind, value in (
            (Kind.SUBJECT, facts.subject),
            (Kind.CLIENT, facts.client),
            (Kind.ISSUER, facts.issuer),
        ):
            if (
                value is not None
                and (hit := tables[kind].get(value)) is not None
                and began_before(facts, hit)
            ):
                return hit
        # The base is taken after the tables have been asked: adopt does it the other way round.
        base = self._base
        if base is not None and facts.absent_from != base.generation:
            hit = base.find(facts.token, facts.session)
            if hit is not None:
                return hit
            facts.absent_from = base.generation
        # The mildest comes last: it ends neither the token's session nor anything else.
        if facts.as_of is not None and facts.subject is not None:
            hit = tables[Kind.CLAIMS].get(facts.subject)
            if hit is not None and facts.as_of < hit.position:
                return hit
        return None

    def blocks_of(self, subject: bytes) -> tuple[bytes, ...]:
        """Return the ids of the blocks that stand against a subject's fingerprint."""
        return tuple(self._blocks.get(subject, ()))

    def keys(self) -> frozenset[bytes]:
        """Return the fingerprints of all revoked keys."""
        return frozenset(self._tables[Kind.KEY])

    # --- the base ---------------------------------------------------------------------

    @property
    def base(self) -> Base | None:
        """The ids that have gone into a base, if there is one."""
        return self._base

    def adopt(self, base: Base) -> None:
        """Take ``base``, which has to refuse whatever the one before did, in its place.

        What it refuses beyond that is news. ``settle`` then lets go of what need not be held twice.
        """
        self._base = base
        self.version += 1

    def settle(self, entries: Iterable[Revocation]) -> None:
        """Let go of entries that the base covers, as far as they have not changed since."""
        base = self._base
        for entry in entries:
            table = self._tables[entry.kind]
            if base is not None and table.get(entry.fingerprint) is entry and base.covers(entry):
                del table[entry.fingerprint]

    # --- forgetting -------------------------------------------------------------------

    def prune(self, now: float) -> int:
        """Forget entries that expired before ``now`` (store time); return how many.

        Nothing they covered can be alive (see ``remember_until``), so no cached answer changes.
        ``pruned_by`` is the latest such time: an earlier one must not be judged by any more.
        """
        return in_one_go(self.pruning(now))

    def pruning(self, now: float) -> Generator[None, None, int]:
        """Do what ``prune`` does, pausing after each small piece."""
        self.pruned_by = max(self.pruned_by, now)
        gone = 0
        for table in self._tables.values():
            values = list(table)
            while values:
                yield
                # Few at a time in this list too: letting go of many objects at once takes long.
                piece = values[-_PIECE:]
                del values[-_PIECE:]
                for value in piece:
                    entry = table.get(value)
                    if entry is None:
                        continue  # settled meanwhile
                    if entry.expires_at is not None and entry.expires_at < now:
                        del table[value]
                        gone += 1
        if self._base is not None:
            left = self._base.without(now)
            gone += len(self._base) - len(left)
            self._base = left
        return gone
