"""What ends a session: every kind of entry, every limit, and no entry that hides another."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind
from annul.core.session import Ended, Replayed, Retried, Rotated
from annul.testing.samples import NOW
from annul.testing.store_contract.bench import scenario
from annul.testing.store_contract.sessions import CUT_OFFS

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench


class Combining:
    """What ``rotate`` promises about sessions that are over."""

    @pytest.mark.parametrize("generation", [0, 1, 2, 3])
    @pytest.mark.parametrize("kind", [*CUT_OFFS, Kind.SESSION, Kind.BLOCK])
    @scenario
    async def test_a_revoked_session_has_ended(
        self, bench: Bench, kind: Kind, generation: int
    ) -> None:
        session = await bench.rotated(await bench.begin(), times=2)
        values = {**CUT_OFFS, Kind.SESSION: session.sid, Kind.BLOCK: session.subject}

        entry = await bench.revoke(kind, values[kind])

        assert await bench.present(session, generation) == Ended(session, entry)
        assert await bench.log() == (entry,)
        assert await bench.store.session(session.sid) == session

    @pytest.mark.parametrize("kind", list(CUT_OFFS))
    @scenario
    async def test_a_cut_off_before_the_session_does_not_reach_it(
        self, bench: Bench, kind: Kind
    ) -> None:
        await bench.revoke(kind, CUT_OFFS[kind], at=NOW + 1000)
        session = await bench.begin()

        assert isinstance(await bench.present(session, 0), Rotated)

    @pytest.mark.parametrize(("early", "late"), list(permutations(CUT_OFFS, 2)))
    @scenario
    async def test_an_older_cut_off_does_not_hide_a_newer_one(
        self, bench: Bench, early: Kind, late: Kind
    ) -> None:
        await bench.revoke(early, CUT_OFFS[early])
        session = await bench.begin()
        assert isinstance(await bench.present(session, 0), Rotated)

        cut = await bench.revoke(late, CUT_OFFS[late])

        outcome = await bench.present(session, 1)
        assert isinstance(outcome, Ended)
        assert outcome.revocation == cut

    @pytest.mark.parametrize("kind", list(CUT_OFFS))
    @scenario
    async def test_the_newest_of_several_cut_offs_counts(self, bench: Bench, kind: Kind) -> None:
        await bench.revoke(kind, CUT_OFFS[kind], at=NOW + 50, expires_at=int(NOW) + 999_999)
        session = await bench.begin()
        cut = await bench.revoke(kind, CUT_OFFS[kind], at=NOW + 10)

        outcome = await bench.present(session, 0)

        assert isinstance(outcome, Ended)
        assert outcome.revocation is not None
        assert outcome.revocation.position == cut.position
        later = await bench.begin()
        assert isinstance(await bench.present(later, 0), Rotated)

    @scenario
    async def test_an_unblock_does_not_undo_a_cut_off(self, bench: Bench) -> None:
        session = await bench.begin()
        cut = await bench.revoke(Kind.SUBJECT, "alice")
        block = await bench.revoke(Kind.BLOCK, "alice")
        assert await bench.present(session, 0) == Ended(session, block)

        await bench.revoke(Kind.UNBLOCK, "alice")

        assert await bench.present(session, 0) == Ended(session, cut)

    @scenario
    async def test_a_session_goes_on_after_an_unblock(self, bench: Bench) -> None:
        session = await bench.begin()
        await bench.revoke(Kind.BLOCK, "alice")
        await bench.revoke(Kind.UNBLOCK, "alice")

        assert isinstance(await bench.present(session, 0), Rotated)

    @scenario
    async def test_entries_of_a_foreign_issuer_end_nothing(self, bench: Bench) -> None:
        session = await bench.begin()
        for kind, value in CUT_OFFS.items():
            foreign = "https://foreign.example"
            await bench.revoke(kind, value, issuer=foreign, fingerprint=kind.encode().ljust(12))

        assert isinstance(await bench.present(session, 0), Rotated)

    # --- limits -----------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("after", "good"), [(3599.999, True), (3600.0, False), (9000.0, False)]
    )
    @scenario
    async def test_an_idle_session_ends(self, bench: Bench, after: float, *, good: bool) -> None:
        session = await bench.begin(idle_ttl=3600.0)

        outcome = await bench.present(session, 0, at=NOW + after)

        assert isinstance(outcome, Rotated) if good else outcome == Ended(session, None)
        assert (await bench.store.session(session.sid) == session) is not good

    @scenario
    async def test_using_a_session_keeps_it_from_idling(self, bench: Bench) -> None:
        session = await bench.begin(idle_ttl=100.0)
        for round_ in range(1, 4):
            session = await bench.rotated(session, at=NOW + 90 * round_)

        assert await bench.present(session, 3, at=NOW + 370) == Ended(session, None)

    @pytest.mark.parametrize(("after", "good"), [(99.999, True), (100.0, False), (5000.0, False)])
    @scenario
    async def test_a_session_ends_however_busy(
        self, bench: Bench, after: float, *, good: bool
    ) -> None:
        session = await bench.begin(ends_at=NOW + 100, last_seen=NOW + 99)

        outcome = await bench.present(session, 0, at=NOW + after)

        assert isinstance(outcome, Rotated) if good else outcome == Ended(session, None)

    @scenario
    async def test_past_a_limit_a_replay_is_only_the_end(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin(), times=3)

        for generation in (0, 2, 3, 4):
            outcome = await bench.present(session, generation, at=session.ends_at)
            assert outcome == Ended(session, None)

        assert await bench.unchanged(session)

    @scenario
    async def test_the_rows_of_the_table_in_one_life(self, bench: Bench) -> None:
        session = await bench.begin()

        kinds = [
            type(await bench.present(session, generation, at=NOW + at))
            for generation, at in [(0, 0), (0, 9), (1, 20), (1, 30), (2, 31), (1, 32), (3, 33)]
        ]

        assert kinds == [Rotated, Retried, Rotated, Retried, Rotated, Replayed, Ended]
