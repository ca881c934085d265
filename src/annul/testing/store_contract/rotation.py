"""Rotation: every row of the table in ``annul.core.session``, in one step each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Fingerprinter, Kind, Reason
from annul.core.session import Ended, Replayed, Retried, Rotated, Unknown
from annul.stores.base import Diverged
from annul.testing.samples import ISSUER, NOW, sample_draft, sample_session
from annul.testing.store_contract.bench import GRACE, LIFETIMES, REPLAY_EXPIRES_AT, scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench


class Rotation:
    """What ``rotate`` promises about generations, clients and keys."""

    # --- the current generation -------------------------------------------------------

    @scenario
    async def test_the_current_generation_advances(self, bench: Bench) -> None:
        session = await bench.begin()

        outcome = await bench.present(session, 0, at=NOW + 5.5, handle_key="key-7")

        assert isinstance(outcome, Rotated)
        assert not outcome.store_lost_data
        after = outcome.session
        assert (after.generation, after.handle_key) == (1, "key-7")
        assert (after.rotated_at, after.last_seen) == (NOW + 5.5, NOW + 5.5)
        assert after.confirmed
        for name in ("sid", "family", "since", "created_at", "ends_at", "claims", "client_id"):
            assert getattr(after, name) == getattr(session, name), name
        assert await bench.open().session(session.sid) == after
        assert await bench.open().family(session.family) == after
        assert await bench.log() == ()

    @scenario
    async def test_its_claims_are_as_of_the_head_of_the_log(self, bench: Bench) -> None:
        session = await bench.begin(claims={"role": "old"})
        assert session.as_of == session.since
        entry = await bench.revoke(Kind.CLAIMS, "alice")

        after = await bench.rotated(session)

        assert (after.as_of, after.since) == (entry.position, session.since)
        assert after.claims == {"role": "old"}
        assert await bench.store.session(session.sid) == after
        later = await bench.revoke(Kind.CLAIMS, "alice")
        retried = await bench.present(session, 0)
        assert isinstance(retried, Retried)
        assert retried.session.as_of == entry.position < later.position

    @scenario
    async def test_it_may_carry_other_claims_as_of_an_earlier_place(self, bench: Bench) -> None:
        session = await bench.begin(claims={"role": "old"})
        before = await bench.revoke(Kind.TOKEN, "x")
        await bench.revoke(Kind.CLAIMS, "alice")

        claims = {"role": "new", "many": {"a": [1, None]}}
        outcome = await bench.present(session, 0, claims=claims, as_of=before.position)

        assert isinstance(outcome, Rotated)
        assert (outcome.session.claims, outcome.session.as_of) == (claims, before.position)
        assert await bench.open().session(session.sid) == outcome.session

    @scenario
    async def test_claims_that_are_out_of_date_end_no_session(self, bench: Bench) -> None:
        session = await bench.begin()
        await bench.revoke(Kind.CLAIMS, "alice", expires_at=int(NOW) + 100)
        await bench.revoke(Kind.TOKEN, "head")

        assert await bench.store.sessions("alice", NOW) == (session,)
        assert await bench.store.count(Kind.CLAIMS, "alice", NOW) == 0
        assert await bench.store.prune(NOW + 101) == 1
        assert await bench.store.session(session.sid) == session

    @scenario
    async def test_it_advances_long_after_the_last_time(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin(), times=3)

        outcome = await bench.present(session, 3, at=NOW + 3599)

        assert isinstance(outcome, Rotated)
        assert outcome.session.generation == 4

    @scenario
    async def test_a_slow_clock_does_not_shorten_the_session(self, bench: Bench) -> None:
        session = await bench.begin(last_seen=NOW + 30)

        after = await bench.rotated(session, at=NOW)

        assert (after.last_seen, after.rotated_at) == (NOW + 30, NOW)

    @scenario
    async def test_a_generation_ahead_of_the_store_wins(self, bench: Bench) -> None:
        session = await bench.begin()

        outcome = await bench.present(session, 41, at=NOW)

        assert isinstance(outcome, Rotated)
        assert outcome.store_lost_data
        assert outcome.session.generation == 42
        assert await bench.store.session(session.sid) == outcome.session
        assert await bench.present(session, 41, at=NOW) == Retried(outcome.session)
        assert isinstance(await bench.present(session, 40, at=NOW), Replayed)

    # --- the one before ---------------------------------------------------------------

    @pytest.mark.parametrize("late", [0.0, 1.0, GRACE])
    @scenario
    async def test_a_retry_inside_the_window_gets_the_same_successor(
        self, bench: Bench, late: float
    ) -> None:
        session = await bench.rotated(await bench.begin(), at=NOW + 100)

        again = await bench.present(session, 0, at=NOW + 100 + late, handle_key="key-new")

        assert again == Retried(session)
        assert await bench.unchanged(session)

    @scenario
    async def test_retries_do_not_extend_the_window(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin())

        for late in (4.0, 8.0, GRACE):
            assert await bench.present(session, 0, at=NOW + late) == Retried(session)

        assert isinstance(await bench.present(session, 0, at=NOW + GRACE + 0.01), Replayed)

    @scenario
    async def test_a_session_bound_to_a_key_may_retry_without_limit(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin(jkt="thumb"))

        late = await bench.present(session, 0, at=NOW + 3000, jkt="thumb")

        assert late == Retried(session)
        assert await bench.unchanged(session)

    # --- replays ----------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("generation", "late"),
        [(0, 0.0), (0, 100.0), (1, 0.0), (2, GRACE + 0.01), (2, 3000.0)],
    )
    @scenario
    async def test_a_replay_ends_the_session_in_the_log(
        self, bench: Bench, generation: int, late: float
    ) -> None:
        session = await bench.rotated(await bench.begin(), times=3)
        await bench.revoke(Kind.TOKEN, "jti")
        mark = (await bench.store.snapshot()).watermark

        outcome = await bench.present(session, generation, at=NOW + late)

        assert isinstance(outcome, Replayed)
        assert outcome.session == session
        entry = outcome.revocation
        assert entry is not None
        assert await bench.open().changes(mark) == (entry,)
        assert (entry.kind, entry.id, entry.issuer) == (Kind.SESSION, session.sid, ISSUER)
        assert entry.fingerprint == Fingerprinter(ISSUER)(Kind.SESSION, session.sid)
        assert (entry.reason, entry.at) == (Reason.REFRESH_REUSE, NOW + late)
        assert (entry.tag, entry.expires_at) == (b"replayed replay!", REPLAY_EXPIRES_AT + LIFETIMES)
        assert entry.position == (mark.epoch, mark.seq + 1)
        assert (entry.actor, entry.lifts) == (None, ())

    @scenario
    async def test_after_a_replay_no_generation_is_good(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin(), times=2)
        replay = await bench.present(session, 0)
        assert isinstance(replay, Replayed)

        for generation in (0, 1, 2, 3):
            outcome = await bench.present(session, generation, tag=bytes([generation]) * 16)
            assert outcome == Ended(session, replay.revocation)

        assert await bench.log() == (replay.revocation,)
        assert await bench.store.session(session.sid) == session
        assert await bench.store.sessions("alice", NOW) == ()

    # --- not this client's, not this key's --------------------------------------------

    @pytest.mark.parametrize("generation", [0, 1, 2, 3, 9])
    @scenario
    async def test_another_client_learns_and_changes_nothing(
        self, bench: Bench, generation: int
    ) -> None:
        session = await bench.rotated(await bench.begin(), times=2)

        assert await bench.present(session, generation, client_id="other") == Unknown()

        assert await bench.unchanged(session)

    @scenario
    async def test_its_own_client_may_rotate(self, bench: Bench) -> None:
        session = await bench.begin()

        assert isinstance(await bench.present(session, 0, client_id="web"), Rotated)

    @pytest.mark.parametrize("jkt", [None, "other", "", "THUMB"])
    @pytest.mark.parametrize("generation", [0, 1, 2, 9])
    @scenario
    async def test_another_key_learns_and_changes_nothing(
        self, bench: Bench, jkt: str | None, generation: int
    ) -> None:
        session = await bench.rotated(await bench.begin(jkt="thumb"), times=2)

        assert await bench.present(session, generation, jkt=jkt) == Unknown()

        assert await bench.unchanged(session)

    @scenario
    async def test_a_key_is_no_obstacle_where_none_is_asked_for(self, bench: Bench) -> None:
        session = await bench.begin()

        assert isinstance(await bench.present(session, 0, jkt="thumb"), Rotated)

    @scenario
    async def test_an_unknown_family_changes_nothing(self, bench: Bench) -> None:
        session = await bench.begin()

        assert await bench.present(sample_session(), 0) == Unknown()

        assert await bench.unchanged(session)

    @scenario
    async def test_an_ended_session_is_unknown_to_another_client(self, bench: Bench) -> None:
        session = await bench.begin(jkt="thumb")
        await bench.revoke(Kind.ISSUER)

        assert await bench.present(session, 0, client_id="other", jkt="thumb") == Unknown()
        assert await bench.present(session, 0, client_id="web", jkt="other") == Unknown()

    # --- together ---------------------------------------------------------------------

    @scenario
    async def test_of_concurrent_callers_exactly_one_advances(self, bench: Bench) -> None:
        session = await bench.begin()
        handles = [bench.open() for _ in range(3)]

        outcomes = await asyncio.gather(
            *(
                bench.present(session, 0, store=handles[n % 3], handle_key=f"key-{n}")
                for n in range(12)
            )
        )

        (rotated,) = (outcome for outcome in outcomes if isinstance(outcome, Rotated))
        retried = [outcome for outcome in outcomes if isinstance(outcome, Retried)]
        assert len(retried) == 11
        for outcome in retried:
            assert outcome.session.generation == 1
            assert outcome.session.handle_key == rotated.session.handle_key
        assert await bench.unchanged(rotated.session)

    @scenario
    async def test_of_concurrent_replays_exactly_one_is_recorded(self, bench: Bench) -> None:
        session = await bench.rotated(await bench.begin(), times=2)
        handles = [bench.open() for _ in range(3)]

        outcomes = await asyncio.gather(
            *(
                bench.present(session, 0, store=handles[n % 3], tag=bytes([n]) * 16)
                for n in range(9)
            )
        )

        (replayed,) = (outcome for outcome in outcomes if isinstance(outcome, Replayed))
        assert await bench.log() == (replayed.revocation,)
        assert outcomes.count(Ended(session, replayed.revocation)) == 8

    @scenario
    async def test_what_was_revoked_does_not_rotate(self, bench: Bench) -> None:
        async def race(n: int) -> None:
            mine = bench.open()
            session = await bench.begin(subject=f"user-{n}")
            before = await bench.store.snapshot()
            revoking = asyncio.create_task(
                mine.append([sample_draft(Kind.SUBJECT, f"user-{n}")]),
            )
            during = await bench.present(session, 0, store=bench.open())
            await revoking
            after = await bench.present(session, session.generation, at=NOW)
            assert isinstance(during, Rotated | Ended)
            assert isinstance(after, Ended)
            assert not isinstance(await mine.changes(before.watermark), Diverged)

        await asyncio.gather(*(race(n) for n in range(4)))
