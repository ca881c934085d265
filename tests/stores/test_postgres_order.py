"""Numbers are given out in the order of commits, whoever commits, and whenever one looks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from annul.core.revocation import Kind, Position, Watermark
from annul.core.session import Ended, Rotated
from annul.stores.base import Began, Diverged, Lease
from annul.stores.postgres_wire import COMMIT, Statement
from annul.testing import NOW, sample_draft, sample_session
from tests.stores.postgres_bench import another, backends, play

if TYPE_CHECKING:
    from annul.core.revocation import Revocation
    from annul.stores.postgres import PostgresStore
    from annul.stores.postgres_wire import Wire
    from tests.postgres_server import PostgresServer

WRITERS, EACH = 8, 60


async def write(url: str, name: int) -> list[Revocation]:
    entries: list[Revocation] = []
    async with another(url) as store:
        for turn in range(EACH):
            drafts = [sample_draft(Kind.TOKEN, f"{name}-{turn}") for _ in range(1 + turn % 3)]
            entries += (await store.append(drafts)).entries
            if turn % 7 == name % 7:
                await store.begin(sample_session())
    return entries


def test_a_follower_sees_every_entry_of_eight_writers_in_order(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url()

    async def follow(
        store: PostgresStore, mark: Watermark, until: asyncio.Event
    ) -> list[Revocation]:
        seen: list[Revocation] = []
        while True:
            over = until.is_set()
            news = await store.changes(mark, 5)
            assert not isinstance(news, Diverged)
            seen += news
            if news:
                mark = news[-1].watermark
            elif over:
                return seen

    async def story(store: PostgresStore) -> None:
        done = asyncio.Event()
        genesis = (await store.snapshot()).watermark
        async with another(url) as reader:
            following = asyncio.ensure_future(follow(reader, genesis, done))
            written = await asyncio.gather(*(write(url, name) for name in range(WRITERS)))
            done.set()
            seen = await following
        appended = sorted((e for entries in written for e in entries), key=lambda e: e.position)
        assert len(appended) == WRITERS * EACH * 2
        assert [entry.position.seq for entry in seen] == list(range(1, len(appended) + 1))
        assert seen == appended
        assert (await store.snapshot()).entries == tuple(appended)

    play(url, story)


def test_who_appends_waits_for_whoever_has_counted_and_not_committed(
    postgres_server: PostgresServer,
) -> None:
    # What an ordinary sequence would get wrong: 2 could be read while 1 is still to come.
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        counted, go_on = asyncio.Event(), asyncio.Event()
        tag = b"the slow one".ljust(16)

        async def slowly(wire: Wire) -> None:
            await wire.exchange(
                Statement("BEGIN"),
                Statement("SELECT seq FROM identity FOR UPDATE"),
                Statement(
                    "INSERT INTO log SELECT epoch, seq + 1, $1, issuer, 'token', $1, 'admin', 1,"
                    " NULL, NULL, NULL, '', '' FROM identity",
                    (tag,),
                ),
                Statement("UPDATE identity SET seq = seq + 1, tag = $1", (tag,)),
            )
            counted.set()
            await go_on.wait()
            await wire.exchange(COMMIT)

        async with another(url) as slow, another(url) as reader:
            writing = asyncio.ensure_future(slow._link.use(slowly, timeout=20.0))
            await counted.wait()
            second = asyncio.ensure_future(store.append([sample_draft(Kind.TOKEN, "second")]))
            await backends(postgres_server, "wait_event_type = 'Lock'")
            assert (await reader.snapshot()).entries == ()
            go_on.set()
            await writing
            (entry,) = (await second).entries
            assert [e.position.seq for e in (await reader.snapshot()).entries] == [1, 2]
            assert entry.position.seq == 2

    play(url, story)


def test_two_authorities_that_lost_the_same_entries_open_one_epoch(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        head = (await store.snapshot()).watermark
        floor = Position(head.epoch, 7)
        async with another(url) as other:
            appended = await asyncio.gather(
                *(
                    each.append([sample_draft(Kind.TOKEN, "jti")], floor=floor)
                    for each in (store, other) * 4
                )
            )
        entries = sorted(e.position for a in appended for e in a.entries)
        (epoch,) = {position.epoch for position in entries}
        assert epoch > head.epoch
        assert [position.seq for position in entries] == list(range(1, 9))

    play(url, story)


def test_a_cut_off_reaches_every_session_that_was_rotated_beside_it(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url()

    async def race(turn: int) -> None:
        async with another(url) as one, another(url) as two:
            began = await one.begin(sample_session(subject=f"user {turn}"))
            assert isinstance(began, Began)
            session = began.session
            cutting = asyncio.ensure_future(
                two.append([sample_draft(Kind.SUBJECT, session.subject)])
            )
            outcomes = [await rotated(one, session.family, number) for number in range(4)]
            await cutting
            assert isinstance(await rotated(one, session.family, 4), Ended)
            kinds = [type(outcome) for outcome in outcomes]
            assert kinds == sorted(kinds, key=lambda kind: kind is Ended)

    async def rotated(store: PostgresStore, family: bytes, generation: int) -> object:
        outcome = await store.rotate(
            family,
            generation,
            client_id=None,
            jkt=None,
            handle_key="key",
            now=NOW,
            grace=10.0,
            replay_tag=b"replay".ljust(16),
            replay_expires_at=int(NOW) + 9999,
        )
        assert isinstance(outcome, Rotated | Ended)
        return outcome

    async def story(_store: PostgresStore) -> None:
        await asyncio.gather(*(race(turn) for turn in range(8)))

    play(url, story)


def test_a_renewal_never_misses_what_was_acknowledged_before_it_began(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        acknowledged = Position(0, 0)
        stop = asyncio.Event()

        async def renewing() -> None:
            async with another(url) as reader:
                beat = 0
                while not stop.is_set():
                    beat, known = beat + 1, acknowledged
                    lease = Lease(id="a", watermark=None, max_staleness=2.0, beat=beat)
                    renewal = await reader.renew(lease)
                    assert renewal is not None
                    assert renewal.head.position >= known
                    assert renewal.previous == (beat - 1 or None)

        reader = asyncio.ensure_future(renewing())
        for turn in range(200):
            appended = await store.append([sample_draft(Kind.TOKEN, str(turn))])
            acknowledged = appended.entries[0].position
        stop.set()
        await reader

    play(url, story)


def test_a_renewal_reads_the_head_after_its_lease_can_be_seen(
    postgres_server: PostgresServer,
) -> None:
    # Otherwise somebody who looks into the table does not see a reader without the entry, and that
    # reader does not see the entry.
    url = postgres_server.store_url(timeout="30")
    schema = url.partition("schema=")[2].partition("&")[0]

    async def story(store: PostgresStore) -> None:
        postgres_server.run(
            f"CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';"
            f"CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {schema}.leases"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.slow()"
        )
        with contextlib.closing(postgres_server.connect()) as holder:
            holder.execute("SELECT pg_advisory_lock(42)")
            async with another(url) as reader:
                lease = Lease(id="a", watermark=None, max_staleness=2.0)
                renewing = asyncio.ensure_future(reader.renew(lease))
                await backends(postgres_server, "wait_event = 'advisory'")
                appended = await store.append([sample_draft(Kind.TOKEN, "jti")])
                assert await store.leases() == ()
                holder.execute("SELECT pg_advisory_unlock(42)")
                renewal = await renewing
        assert renewal is not None
        assert renewal.head == appended.entries[0].watermark

    play(url, story)


def test_a_watermark_beyond_all_numbers_is_only_unknown(postgres_server: PostgresServer) -> None:
    async def story(store: PostgresStore) -> None:
        head = (await store.snapshot()).watermark
        far = Watermark(head.epoch, 2**62, b"?" * 16)
        assert await store.changes(far) == Diverged(pruned=False)

    play(postgres_server.store_url(), story)
