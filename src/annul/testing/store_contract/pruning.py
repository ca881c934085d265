"""Pruning: by the store's time, which never goes back; and what is never pruned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Fingerprinter, Kind
from annul.core.session import Ended, Rotated, Unknown
from annul.stores.base import Covered, Diverged
from annul.testing.samples import NOW, sample_session
from annul.testing.store_contract.bench import LIFETIMES, scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench

_SOON = int(NOW) + 100
_MORTAL = [Kind.TOKEN, Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER]


class Pruning:
    """What ``prune`` promises."""

    @pytest.mark.parametrize("kind", _MORTAL)
    @scenario
    async def test_what_has_expired_is_dropped(self, bench: Bench, kind: Kind) -> None:
        await bench.revoke(kind, "gone", expires_at=_SOON)
        kept = await bench.revoke(kind, "kept", expires_at=_SOON + 1)
        head = await bench.revoke(Kind.TOKEN, "head")

        assert await bench.store.prune(_SOON + 1) == 1

        assert await bench.log() == (kept, head)
        assert await bench.store.prune(_SOON + 1) == 0

    @scenario
    async def test_an_entry_is_kept_in_its_last_second(self, bench: Bench) -> None:
        entry = await bench.revoke(Kind.TOKEN, "last", expires_at=_SOON)
        head = await bench.revoke(Kind.TOKEN, "head")

        assert await bench.store.prune(float(_SOON)) == 0
        assert await bench.log() == (entry, head)
        assert await bench.store.prune(_SOON + 0.001) == 1

    @pytest.mark.parametrize("kind", _MORTAL[1:])
    @scenario
    async def test_a_lasting_entry_outlives_the_longest_session(
        self, bench: Bench, kind: Kind
    ) -> None:
        entry = await bench.revoke(kind, "lasting", expires_at=_SOON, lasting=True)

        assert entry.expires_at == _SOON + LIFETIMES
        assert await bench.log() == (entry,)
        await bench.revoke(Kind.TOKEN, "head")
        assert await bench.store.prune(float(_SOON + LIFETIMES)) == 0
        assert await bench.store.prune(_SOON + LIFETIMES + 1) == 1

    @scenario
    async def test_nothing_is_born_expired_because_a_clock_is_slow(self, bench: Bench) -> None:
        await bench.store.prune(NOW + 5000)

        entry = await bench.revoke(Kind.TOKEN, "jti", at=NOW, expires_at=_SOON)

        assert entry.expires_at == _SOON + 5000
        await bench.revoke(Kind.TOKEN, "head")
        assert await bench.store.prune(_SOON + 5000.0) == 0

    @scenario
    async def test_lifetimes_are_those_that_any_authority_has_recorded(self, bench: Bench) -> None:
        other = bench.open()
        known = await other.identity()
        assert known is not None
        longer = replace(known, longest_token=known.longest_token + 50, longest_session=999_999)
        await other.found(longer, NOW)

        entry = await bench.revoke(Kind.SUBJECT, "alice", expires_at=_SOON, lasting=True)

        assert entry.expires_at == _SOON + longer.longest_token + longer.longest_session

    @scenario
    async def test_somebody_elses_cut_off_drops_no_session(self, bench: Bench) -> None:
        foreign = "https://foreign.example"
        mark = Fingerprinter(foreign)
        session = await bench.begin(auth_time=NOW - 5)
        for kind, value in ((Kind.SUBJECT, "alice"), (Kind.CLIENT, "web"), (Kind.ISSUER, "")):
            await bench.revoke(
                kind, value, issuer=foreign, fingerprint=mark(kind, value), expires_at=_SOON
            )
        head = await bench.revoke(Kind.TOKEN, "head")

        assert await bench.store.prune(_SOON + 50) == 3

        assert await bench.log() == (head,)
        assert await bench.store.session(session.sid) == session

    @scenario
    async def test_keys_and_blocks_are_kept_for_ever(self, bench: Bench) -> None:
        key = await bench.revoke(Kind.KEY, "kid")
        lifted = await bench.revoke(Kind.BLOCK, "alice")
        unblock = await bench.revoke(Kind.UNBLOCK, "alice")
        block = await bench.revoke(Kind.BLOCK, "alice")

        assert await bench.store.prune(NOW * 2) == 0

        assert await bench.log() == (key, lifted, unblock, block)
        late = sample_session(created_at=NOW * 2, last_seen=NOW * 2, ends_at=NOW * 3)
        assert await bench.store.begin(late) == Covered(block)

    @scenario
    async def test_the_time_to_prune_by_never_goes_back(self, bench: Bench) -> None:
        await bench.store.prune(_SOON + 1000)
        await bench.revoke(Kind.TOKEN, "already over", at=_SOON + 1000.0, expires_at=_SOON)
        head = await bench.revoke(Kind.TOKEN, "head")

        assert await bench.open().prune(NOW) == 1
        assert await bench.log() == (head,)

    @scenario
    async def test_a_reader_at_a_pruned_entry_has_diverged(self, bench: Bench) -> None:
        genesis = (await bench.store.snapshot()).watermark
        first = await bench.revoke(Kind.TOKEN, "first", expires_at=_SOON)
        second = await bench.revoke(Kind.TOKEN, "second")
        third = await bench.revoke(Kind.TOKEN, "third", expires_at=_SOON)
        head = await bench.revoke(Kind.TOKEN, "head")
        await bench.store.prune(_SOON + 1)

        for gone in (genesis, first.watermark, third.watermark):
            assert await bench.store.changes(gone) == Diverged(pruned=True)
        assert await bench.store.changes(second.watermark) == (head,)
        assert await bench.store.changes(head.watermark._replace(seq=99)) == Diverged(pruned=False)

    @scenario
    async def test_the_watermark_of_the_head_survives(self, bench: Bench) -> None:
        await bench.revoke(Kind.TOKEN, "first", expires_at=_SOON)
        head = await bench.revoke(Kind.TOKEN, "head", expires_at=_SOON)

        await bench.store.prune(_SOON + 1)

        assert (await bench.store.snapshot()).watermark == head.watermark
        assert await bench.store.changes(head.watermark) == ()
        after = await bench.revoke(Kind.TOKEN, "next")
        assert after.position.seq == head.position.seq + 1
        assert await bench.store.changes(head.watermark) == (after,)

    @scenario
    async def test_sessions_that_are_over_are_dropped(self, bench: Bench) -> None:
        over = await bench.begin(ends_at=float(_SOON))
        left = await bench.begin(ends_at=_SOON + 0.5)

        assert await bench.store.prune(float(_SOON)) == 0

        assert await bench.store.session(over.sid) is None
        assert await bench.store.family(over.family) is None
        assert await bench.present(over, 0) == Unknown()
        assert await bench.store.session(left.sid) == left
        assert await bench.store.sessions("alice", NOW) == (left,)

    @scenario
    async def test_pruning_brings_no_session_back_to_life(self, bench: Bench) -> None:
        ended = {
            kind: await bench.begin(subject=f"subject-{kind}", client_id=f"client-{kind}")
            for kind in (Kind.SESSION, Kind.SUBJECT, Kind.CLIENT)
        }
        for kind, session in ended.items():
            value = {
                Kind.SESSION: session.sid,
                Kind.SUBJECT: session.subject,
                Kind.CLIENT: session.client_id,
            }[kind]
            await bench.revoke(kind, value, expires_at=_SOON)
        untouched = await bench.begin()
        later = await bench.begin(subject=f"subject-{Kind.SUBJECT}")
        await bench.revoke(Kind.TOKEN, "the head stays")

        assert await bench.store.prune(_SOON + 50) == len(ended)

        for session in ended.values():
            assert isinstance(await bench.present(session, 0), Ended | Unknown)
        for session in (untouched, later):
            assert isinstance(await bench.present(session, 0), Rotated)

    @scenario
    async def test_many_entries_are_pruned_in_one_call(self, bench: Bench) -> None:
        for n in range(3):
            await bench.begin(ends_at=float(_SOON), sid=f"sid-{n}")
            await bench.revoke(Kind.SESSION, f"sid-{n}", expires_at=_SOON)
        head = await bench.revoke(Kind.TOKEN, "head")

        assert await bench.store.prune(_SOON + 1) == 3
        assert await bench.log() == (head,)
        assert await bench.store.count(Kind.ISSUER, "", NOW) == 0
