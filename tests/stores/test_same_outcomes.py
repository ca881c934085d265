"""Whatever is done to them, every store answers as the one in memory does.

The rules of the denylist and of rotation exist once as Python and once as Lua. Random sequences of
verbs are played to both, and each single answer must be the same.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annul.core.revocation import Kind
from annul.stores import open_store
from annul.stores.base import Lease, StoredRing
from annul.testing import ISSUER, NOW, sample_draft, sample_identity, sample_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from annul.core.revocation import Watermark
    from annul.stores.base import Store
    from tests.postgres_server import PostgresServer
    from tests.servers import RedisServer

Step = tuple[str, dict[str, Any]]

_CUT_OFFS = (Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER)
_KEPT_FOR_EVER = (Kind.KEY, Kind.BLOCK, Kind.UNBLOCK)
_PEOPLE = ("alice", "bob")
_CLIENTS = ("web", "cli")
_SESSIONS = 4

# --- what can be done -----------------------------------------------------------------

drafts = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(Kind)),
        "who": st.integers(0, 3),
        "tag": st.integers(0, 30),
        "late": st.sampled_from([-3.0, 0.0, 0.5, 3.0]),
        "lifts_all": st.booleans(),
    }
)

steps = st.one_of(
    st.tuples(st.just("append"), st.fixed_dictionaries({"drafts": st.lists(drafts, max_size=3)})),
    st.tuples(
        st.just("begin"),
        st.fixed_dictionaries(
            {
                "subject": st.sampled_from(_PEOPLE),
                "client_id": st.sampled_from(_CLIENTS),
                "authenticated": st.sampled_from([None, -20.0, -0.5, 0.0, 0.9, 20.0]),
                "jkt": st.sampled_from([None, None, "thumb"]),
                "idle_ttl": st.sampled_from([30.0, 1000.0]),
                "lasts": st.sampled_from([25.0, 100.0]),
            }
        ),
    ),
    st.tuples(
        st.just("rotate"),
        st.fixed_dictionaries(
            {
                "which": st.integers(0, _SESSIONS),
                "back": st.sampled_from([0, 0, 0, 1, 1, 2, -2]),
                "client_id": st.sampled_from([None, None, "web", "cli"]),
                "jkt": st.sampled_from([None, "thumb", "thumb", "other"]),
            }
        ),
    ),
    st.tuples(
        st.just("look"),
        st.fixed_dictionaries({"kind": st.sampled_from(list(Kind)), "who": st.integers(0, 3)}),
    ),
    st.tuples(st.just("read"), st.fixed_dictionaries({"which": st.integers(0, 20)})),
    st.tuples(st.just("prune"), st.just({})),
    st.tuples(
        st.just("swap"),
        st.fixed_dictionaries({"expected": st.integers(0, 3), "version": st.integers(1, 3)}),
    ),
    st.tuples(st.just("lease"), st.fixed_dictionaries({"name": st.sampled_from("abc")})),
)

plays = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0, 9.0, 10.0, 40.0]), steps), max_size=30)

# --- how it is done -------------------------------------------------------------------


class Player:
    """Plays steps to one store. All randomness is in the steps, so two players do the same."""

    def __init__(self, store: Store, *, remembered: int) -> None:
        self._store = store
        self._remembered = remembered
        self._now = NOW
        self._numbers = itertools.count()
        self._begun: list[bytes] = []
        self._generations: dict[bytes, int] = {}
        self._marks: list[Watermark] = []

    def _entropy(self, size: int) -> bytes:
        return next(self._numbers).to_bytes(size, "big")

    def _name(self, kind: Kind, who: int) -> str:
        if kind is Kind.SESSION:
            return bytes([who]).rjust(16, b"\0").hex()
        names = _CLIENTS if kind is Kind.CLIENT else _PEOPLE
        return "" if kind is Kind.ISSUER else names[who % len(names)]

    async def play(self, moves: Sequence[tuple[float, Step]]) -> list[object]:
        await self._store.found(sample_identity(lineage="the same"), NOW)
        answers: list[object] = []
        for passes, (name, arguments) in moves:
            self._now += passes
            answers.append((name, await getattr(self, f"_{name}")(**arguments)))
        answers.append(await self._store.snapshot())
        return answers

    async def _append(self, drafts: list[dict[str, Any]]) -> object:
        made = [
            sample_draft(
                kind := drawn["kind"],
                self._name(kind, drawn["who"]),
                # Repeated tags, but each of them always for the same kind of entry.
                tag=kind.encode().ljust(14) + bytes([0, drawn["tag"]]),
                at=self._now + drawn["late"],
                expires_at=None if kind in _KEPT_FOR_EVER else int(self._now) + self._remembered,
                lifts_all=kind is Kind.UNBLOCK and drawn["lifts_all"],
            )
            for drawn in drafts
        ]
        appended = await self._store.append(made)
        self._marks += [entry.watermark for entry in appended.entries]
        return appended

    async def _begin(
        self,
        *,
        authenticated: float | None,
        lasts: float,
        **fields: Any,  # noqa: ANN401 - the fields of Session
    ) -> object:
        number = len(self._begun)
        family = bytes([number]) * 32
        self._begun.append(family)
        self._generations[family] = 0
        return await self._store.begin(
            sample_session(
                sid=bytes([number]).rjust(16, b"\0").hex(),
                family=family,
                created_at=self._now,
                last_seen=self._now,
                ends_at=self._now + lasts,
                auth_time=None if authenticated is None else self._now + authenticated,
                claims={"number": number, "deep": [{"é": None}]},
                **fields,
            )
        )

    async def _rotate(self, *, which: int, back: int, **who: str | None) -> object:
        family = self._begun[which] if which < len(self._begun) else b"?" * 32
        generation = max(0, self._generations.get(family, 0) - back)
        outcome = await self._store.rotate(
            family,
            generation,
            handle_key=f"key-{int(self._now) % 3}",
            now=self._now,
            grace=9.5,
            replay_tag=self._entropy(16),
            replay_expires_at=int(self._now) + self._remembered,
            client_id=who["client_id"],
            jkt=who["jkt"],
        )
        session = getattr(outcome, "session", None)
        if session is not None:
            self._generations[family] = session.generation
        return outcome

    async def _look(self, *, kind: Kind, who: int) -> object:
        name = self._name(kind, who)
        family = bytes([who]) * 32
        return (
            await self._store.count(kind, name, self._now),
            await self._store.sessions(_PEOPLE[who % 2], self._now),
            await self._store.session(self._name(Kind.SESSION, who)),
            await self._store.family(family),
        )

    async def _read(self, *, which: int) -> object:
        if which >= len(self._marks):
            return await self._store.snapshot()
        mark = self._marks[which]
        return (
            await self._store.changes(mark, 3),
            await self._store.changes(mark._replace(seq=mark.seq + 1)),
        )

    async def _prune(self) -> object:
        # What stands at the head is not dropped, so something lasting stands there.
        await self._store.append([sample_draft(Kind.KEY, "kid", tag=self._entropy(16))])
        return await self._store.prune(self._now)

    async def _swap(self, *, expected: int, version: int) -> object:
        ring = StoredRing(version, f"ring {version}", f"jwks {version}")
        return (
            await self._store.swap_ring(expected, ring),
            await self._store.ring(),
            await self._store.published_keys(),
        )

    async def _lease(self, *, name: str) -> object:
        mark = self._marks[-1] if self._marks else None
        renewal = await self._store.renew(Lease(id=name, watermark=mark, max_staleness=2.0))
        assert renewal is not None
        table = {lease.id: lease for lease in await self._store.leases()}
        await self._store.release("b")
        # The store's time is its own.
        return renewal.head, renewal.keys_version, renewal.horizon, renewal.lineage, table


def answers_of(url: str, moves: Sequence[tuple[float, Step]], *, remembered: int) -> list[object]:
    async def play() -> list[object]:
        store = open_store(url, issuer=ISSUER)
        try:
            return await Player(store, remembered=remembered).play(moves)
        finally:
            await store.close()

    return asyncio.run(play())


@pytest.fixture
def next_redis(redis_server: RedisServer) -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"{redis_server.url}?prefix=play-{next(numbers)}"


@pytest.fixture
def next_sqlite(tmp_path: Path) -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"sqlite:///{tmp_path}/play-{next(numbers)}.db"


# What is remembered for less than a session lasts is what a wrong clock would make of it.
remembered_for = st.sampled_from([15, 150])
each_play_has_a_store_of_its_own = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@settings(each_play_has_a_store_of_its_own, max_examples=120)
@given(moves=plays, remembered=remembered_for)
def test_redis_answers_as_memory_does(
    next_redis: Callable[[], str], moves: list[tuple[float, Step]], remembered: int
) -> None:
    expected = answers_of("memory://", moves, remembered=remembered)

    assert answers_of(next_redis(), moves, remembered=remembered) == expected


@settings(each_play_has_a_store_of_its_own, max_examples=60)
@given(moves=plays, remembered=remembered_for)
def test_sqlite_answers_as_memory_does(
    next_sqlite: Callable[[], str], moves: list[tuple[float, Step]], remembered: int
) -> None:
    expected = answers_of("memory://", moves, remembered=remembered)

    assert answers_of(next_sqlite(), moves, remembered=remembered) == expected


@settings(each_play_has_a_store_of_its_own, max_examples=25)
@given(moves=plays, remembered=remembered_for)
def test_postgres_answers_as_memory_does(
    postgres_server: PostgresServer, moves: list[tuple[float, Step]], remembered: int
) -> None:
    expected = answers_of("memory://", moves, remembered=remembered)

    assert answers_of(postgres_server.store_url(), moves, remembered=remembered) == expected
