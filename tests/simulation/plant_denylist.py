"""Planted bugs in what a verifier knows: rules, blocks, what is remembered, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import annul.authority.revocation as revoking
import annul.authority.sessions as presenting
import annul.core.verifier as verifying
from annul.core.denylist import Denylist
from annul.core.revocation import CLOCK_SKEW, MAX_LEEWAY, Kind, remember_until
from annul.core.verifier import Verifier
from annul.errors import Expired
from annul.replica.follower import Follower
from tests.simulation.planted import bug, swap
from tests.simulation.store_model import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.claims import VerifiedToken
    from annul.core.facts import Facts
    from annul.core.jwks import JWKS
    from annul.core.revocation import Revocation
    from annul.core.verifier import _Trust
    from annul.replica.freshness import Moment
    from annul.stores.base import Renewal
    from tests.simulation.virtual_time import World


@bug
def cutoffs_by_wall_time(_world: World) -> Iterator[None]:
    """Sessions and cut-offs are compared by the clocks of two authorities, which differ."""
    state_facts = Verifier._state_facts

    def by_time(self: Verifier, trust: _Trust, verified: VerifiedToken) -> Facts:
        facts = state_facts(self, trust, verified)
        return facts._replace(since=None, began_at=verified._claims["iat"])

    with swap(Verifier, "_state_facts", by_time):
        yield


@bug
def one_rule_masks_another(_world: World) -> Iterator[None]:
    """Where the subject has a cut-off, that of the client is not asked (CVE-2026-8922)."""
    find = Denylist.find

    def masked(self: Denylist, facts: Facts) -> Revocation | None:
        if facts.subject is not None and facts.subject in self._tables[Kind.SUBJECT]:
            facts = facts._replace(client=None)
        return find(self, facts)

    with swap(Denylist, "find", masked):
        yield


@bug
def block_as_a_last_stamp(_world: World) -> Iterator[None]:
    """A block stands if it is younger, by a clock, than the last unblock."""
    find = Denylist.find

    def by_stamp(self: Denylist, facts: Facts) -> Revocation | None:
        hit = find(self, facts)
        if hit is not None and hit.kind is Kind.BLOCK:
            lifts = [u.at for u in self._unblocks.values() if u.fingerprint == hit.fingerprint]
            if max(lifts, default=0) >= hit.at:
                return None
        return hit

    with swap(Denylist, "find", by_stamp):
        yield


@bug
def unblock_lifts_what_it_does_not_know(_world: World) -> Iterator[None]:
    """An unblock lifts every block of its subject, also one that was set after it."""
    apply_block = Denylist._apply_block

    def lifted(self: Denylist, entry: Revocation) -> bool:
        if any(lift.fingerprint == entry.fingerprint for lift in self._unblocks.values()):
            return False
        return apply_block(self, entry)

    with swap(Denylist, "_apply_block", lifted):
        yield


@bug
def unblock_does_nothing(_world: World) -> Iterator[None]:
    """Whoever was blocked once stays out for ever."""

    def keep(_self: Denylist, _entry: Revocation) -> bool:
        return False

    with swap(Denylist, "_apply_unblock", keep):
        yield


# --- what is remembered of a token --------------------------------------------------------------


@bug
def version_read_after_the_lookups(_world: World) -> Iterator[None]:
    """An entry that came during the look-ups is taken for one that was looked up."""
    judge = Verifier._judge

    def late(
        self: Verifier, trust: _Trust, verified: VerifiedToken, version: int
    ) -> Revocation | None:
        hit = judge(self, trust, verified, version)
        if hit is None:
            verifying._set_version(verified, self.denylist.version)
        return hit

    with swap(Verifier, "_judge", late):
        yield


@bug
def cached_answer_not_judged_again(_world: World) -> Iterator[None]:
    """A token that was good once is good until it expires."""
    judge = Verifier._judge

    def once(
        self: Verifier, trust: _Trust, verified: VerifiedToken, version: int
    ) -> Revocation | None:
        if verified._facts is not None:
            return None
        return judge(self, trust, verified, version)

    with swap(Verifier, "_judge", once):
        yield


@bug
def cache_outlives_exp(_world: World) -> Iterator[None]:
    """A cached token is not asked for its time any more (CVE-2026-107719)."""
    verify = Verifier.verify

    def timeless(self: Verifier, token: str, binding: None = None) -> VerifiedToken:
        known = self._trust.young.get(token)
        try:
            return verify(self, token, binding)
        except Expired:
            if known is not None:
                return known
            raise

    with swap(Verifier, "verify", timeless):
        yield


@bug
def cache_without_the_key_set(_world: World) -> Iterator[None]:
    """A revoked key is only taken out of the key set, and what it has verified stays cached."""
    trust, state_facts = Verifier.trust, Verifier._state_facts

    def keep(self: Verifier, jwks: JWKS) -> None:
        before = self._trust
        trust(self, jwks)
        self._trust.young, self._trust.old = before.young, before.old
        self._trust.marks = before.marks | self._trust.marks

    def keyless(self: Verifier, trusted: _Trust, verified: VerifiedToken) -> Facts:
        return state_facts(self, trusted, verified)._replace(key=None)

    with swap(Verifier, "trust", keep), swap(Verifier, "_state_facts", keyless):
        yield


# --- how long an entry is remembered ------------------------------------------------------------


def _remembering(until: Any) -> Any:  # noqa: ANN401 - a patch
    return swap(revoking, "remember_until", until)


@bug
def revoked_key_is_forgotten(_world: World) -> Iterator[None]:
    """An entry about a key expires with the tokens it had signed; a thief can sign more."""

    def until(kind: Kind, *, now: float, **more: Any) -> int | None:  # noqa: ANN401 - as in the code
        if kind is Kind.KEY:
            return int(now + more["longest_token"]) + MAX_LEEWAY + 2 * CLOCK_SKEW
        return remember_until(kind, now=now, **more)

    with _remembering(until):
        yield


@bug
def leeway_forgotten(_world: World) -> Iterator[None]:
    """An entry expires with its token, which policies with leeway accept for longer."""

    def until(kind: Kind, **more: Any) -> int | None:  # noqa: ANN401 - as in the code
        end = remember_until(kind, **more)
        return None if end is None else end - MAX_LEEWAY - 2 * CLOCK_SKEW

    with _remembering(until), swap(presenting, "remember_until", until):
        yield


@bug
def pruned_by_the_local_clock(_world: World) -> Iterator[None]:
    """A verifier whose clock is an hour ahead forgets what it will need."""
    publish = Follower._publish

    def prune(self: Follower, started: Moment, renewal: Renewal) -> None:
        store_time = self._denylist.pruned_by
        self._denylist.prune(self._now().wall)
        self._denylist.pruned_by = store_time
        publish(self, started, renewal)

    with swap(Follower, "_publish", prune):
        yield


@bug
def pruned_session_lives_again(_world: World) -> Iterator[None]:
    """The entry that ended a session is forgotten before the session, which is kept."""
    prune = Node.prune

    def until(kind: Kind, *, now: float, **more: Any) -> int | None:  # noqa: ANN401 - as in the code
        end = remember_until(kind, now=now, **more)
        return end if end is None or kind is Kind.TOKEN else int(now) + 30

    async def keep(self: Node, now: float) -> int:
        state = self.state
        sessions, families = dict(state.sessions), dict(state.families)
        gone = await prune(self, now)
        state.sessions, state.families = sessions, families
        return gone

    with (
        _remembering(until),
        swap(presenting, "remember_until", until),
        swap(revoking, "LASTING", frozenset()),
        swap(Node, "prune", keep),
    ):
        yield
