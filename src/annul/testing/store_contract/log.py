"""The log: one order, the order of commits; and appending that may be repeated."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind, Reason
from annul.errors import AnnulError
from annul.stores.base import Began
from annul.testing.samples import NOW, sample_draft, sample_session
from annul.testing.store_contract.bench import scenario, tail

if TYPE_CHECKING:
    from annul.core.revocation import Revocation
    from annul.stores.base import Draft, Store
    from annul.testing.store_contract.bench import Bench

_SINGLES = 20
_WRITTEN = _SINGLES + _SINGLES // 5 * 3


class Log:
    """What ``append`` promises, and the order in which ``changes`` gives it back."""

    @scenario
    async def test_entries_follow_the_head_in_the_order_of_the_drafts(self, bench: Bench) -> None:
        head = (await bench.store.snapshot()).watermark
        drafts = [sample_draft(Kind.TOKEN, f"jti-{n}") for n in range(5)]

        appended = await bench.store.append(drafts)

        assert [entry.tag for entry in appended.entries] == [draft.tag for draft in drafts]
        assert [entry.position for entry in appended.entries] == [
            (head.epoch, head.seq + n) for n in range(1, 6)
        ]
        assert await bench.log() == appended.entries

    @pytest.mark.parametrize("kind", list(Kind))
    @scenario
    async def test_an_entry_says_what_its_draft_said(self, bench: Bench, kind: Kind) -> None:
        full = sample_draft(
            kind,
            'Grüße, "welt" \\ \N{RIGHT-TO-LEFT OVERRIDE} 🚪',
            reason=Reason.TOKEN_THEFT,
            actor="root@\N{GREEK SMALL LETTER OMEGA}",
            at=NOW + 0.123456,
        )
        bare = sample_draft(kind, "x", id=None, expires_at=None, issuer="https://foreign.example")

        mark = (await bench.store.snapshot()).watermark
        appended = await bench.store.append([full, bare])

        for draft, entry in zip([full, bare], appended.entries, strict=True):
            assert _told_by(entry) == _told_by(draft)
        assert await bench.open().changes(mark) == appended.entries
        assert await bench.log() == appended.entries

    @scenario
    async def test_appending_nothing_appends_nothing(self, bench: Bench) -> None:
        before = await bench.store.snapshot()

        assert (await bench.store.append([])).entries == ()
        assert await bench.store.snapshot() == before

    @scenario
    async def test_a_draft_is_not_repeated(self, bench: Bench) -> None:
        first = sample_draft(Kind.SUBJECT, "alice")
        (entry,) = (await bench.store.append([first])).entries
        await bench.revoke(Kind.SUBJECT, "bob")
        before = await bench.store.snapshot()

        again = await bench.open().append([first])

        assert again.entries == (entry,)
        assert await bench.store.snapshot() == before

    @scenario
    async def test_what_is_new_beside_a_repeated_draft_is_appended(self, bench: Bench) -> None:
        first, second = sample_draft(Kind.TOKEN, "a"), sample_draft(Kind.TOKEN, "b")
        (known,) = (await bench.store.append([first])).entries

        again = await bench.store.append([second, first, second])

        assert again.entries == (again.entries[0], known, again.entries[0])
        assert await bench.log() == (known, again.entries[0])

    @scenario
    async def test_a_repeated_cut_off_does_not_reach_later_logins(self, bench: Bench) -> None:
        cut = sample_draft(Kind.SUBJECT, "alice")
        await bench.store.append([cut])
        later = await bench.begin(subject="alice")

        await bench.store.append([cut])

        assert await bench.store.sessions("alice", NOW) == (later,)

    @scenario
    async def test_a_draft_that_cannot_be_stored_takes_the_others_with_it(
        self, bench: Bench
    ) -> None:
        good = [sample_draft(Kind.TOKEN, f"jti-{n}") for n in range(2)]
        lone_surrogate = sample_draft(Kind.TOKEN, "x", id="\ud800")

        drafts = [good[0], lone_surrogate, good[1]]

        try:
            await bench.store.append(drafts)
        except (AnnulError, ValueError):
            drafts = []

        assert [entry.tag for entry in await bench.log()] == [draft.tag for draft in drafts]

    @scenario
    async def test_a_reader_misses_nothing_while_many_write(self, bench: Bench) -> None:
        writers = [bench.open() for _ in range(4)]
        head = (await bench.store.snapshot()).watermark
        reading = asyncio.create_task(tail(bench.open(), head, 4 * _WRITTEN))

        written = await asyncio.gather(*(_write(writer) for writer in writers))
        seen = await reading

        positions = [entry.position for entry in seen]
        assert positions == sorted(positions)
        assert [position.seq for position in positions] == list(range(1, len(seen) + 1))
        appended = [entry for entries in written for entry in entries]
        assert {entry.tag: entry for entry in seen} == {entry.tag: entry for entry in appended}
        assert len(appended) == len(seen)

    @scenario
    async def test_drafts_of_one_append_stay_together(self, bench: Bench) -> None:
        writers = [bench.open() for _ in range(4)]

        async def write(store: Store) -> tuple[Revocation, ...]:
            drafts = [sample_draft(Kind.TOKEN, str(n)) for n in range(5)]
            return (await store.append(drafts)).entries

        for entries in await asyncio.gather(*(write(writer) for writer in writers)):
            first = entries[0].position.seq
            assert [entry.position.seq for entry in entries] == list(range(first, first + 5))

    @scenario
    async def test_a_login_reads_the_head_in_the_same_step(self, bench: Bench) -> None:
        async def live(store: Store) -> None:
            for _ in range(8):
                before = await store.begin(sample_session())
                (cut,) = (await store.append([sample_draft(Kind.SUBJECT, "alice")])).entries
                after = await store.begin(sample_session())
                assert isinstance(before, Began)
                assert isinstance(after, Began)
                assert before.session.since < cut.position <= after.session.since

        await asyncio.gather(*(live(bench.open()) for _ in range(4)))

        # A session is good exactly if it began at or past the last cut-off.
        last = max(entry.position for entry in await bench.log())
        alive = await bench.store.sessions("alice", NOW)
        assert alive
        assert all(session.since == last for session in alive)


async def _write(store: Store) -> list[Revocation]:
    entries: list[Revocation] = []
    for n in range(_SINGLES):
        entries += (await store.append([sample_draft(Kind.TOKEN, str(n))])).entries
        if n % 5 == 0:
            batch = [sample_draft(Kind.SESSION, str(m)) for m in range(3)]
            entries += (await store.append(batch)).entries
    return entries


def _told_by(told: Draft | Revocation) -> tuple[object, ...]:
    return (
        told.tag,
        told.issuer,
        told.kind,
        told.fingerprint,
        told.reason,
        told.at,
        told.expires_at,
        told.id,
        told.actor,
    )
