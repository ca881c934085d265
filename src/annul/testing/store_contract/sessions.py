"""Sessions: how they begin, who is alive, and what a revocation would end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind, Position
from annul.stores.base import Began, Covered
from annul.testing.samples import NOW, sample_session
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench

CUT_OFFS = {Kind.SUBJECT: "alice", Kind.CLIENT: "web", Kind.ISSUER: ""}
"""The cut-offs that reach a sample session, and what they name."""


class Sessions:
    """What ``begin``, ``sessions``, ``session``, ``family`` and ``count`` promise."""

    # --- beginning --------------------------------------------------------------------

    @scenario
    async def test_a_session_is_kept_as_it_began(self, bench: Bench) -> None:
        await bench.revoke(Kind.TOKEN, "jti")
        head = await bench.revoke(Kind.TOKEN, "jti")
        wanted = sample_session(
            subject="Zoë 🚪",
            client_id='we"b\\',
            created_at=NOW + 0.1,
            last_seen=NOW + 0.30000000000000004,
            idle_ttl=1e9 / 3,
            scope="read write",
            claims={"roles": ["staff"], "deep": {"é": [1, 2.5, None, True, "\N{SNOWMAN}"]}},
            device="Firefox on Linux",
            auth_time=NOW + 7.25,
            jkt="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
            generation=3,
            handle_key="key-9",
        )

        began = await bench.store.begin(wanted)

        assert isinstance(began, Began)
        session = began.session
        assert session.since == session.as_of == head.position
        for name in type(wanted).__dataclass_fields__:
            if name not in {"since", "as_of"}:
                assert getattr(session, name) == getattr(wanted, name), name
        assert await bench.open().session(session.sid) == session
        assert await bench.open().family(session.family) == session
        assert await bench.open().sessions("Zoë 🚪", NOW) == (session,)

    @scenario
    async def test_a_session_begins_at_the_head_whatever_it_claims(self, bench: Bench) -> None:
        head = (await bench.store.snapshot()).watermark

        session = await bench.begin(since=Position(2**40, 99))

        assert session.since == head.position

    @scenario
    async def test_a_blocked_subject_cannot_begin(self, bench: Bench) -> None:
        block = await bench.revoke(Kind.BLOCK, "alice")
        refused = sample_session()

        assert await bench.open().begin(refused) == Covered(block)

        assert await bench.store.session(refused.sid) is None
        assert await bench.store.family(refused.family) is None
        assert await bench.store.sessions("alice", NOW) == ()
        await bench.begin(subject="bob")
        await bench.revoke(Kind.UNBLOCK, "alice")
        await bench.begin(subject="alice")

    @pytest.mark.parametrize("kind", list(CUT_OFFS))
    @scenario
    async def test_a_login_after_a_cut_off_is_good(self, bench: Bench, kind: Kind) -> None:
        await bench.revoke(kind, CUT_OFFS[kind], at=NOW + 1000)

        session = await bench.begin()

        assert await bench.store.sessions("alice", NOW) == (session,)

    @pytest.mark.parametrize("kind", list(CUT_OFFS))
    @pytest.mark.parametrize(
        ("auth_time", "good"),
        [(NOW - 100, False), (NOW, False), (NOW + 0.9, False), (NOW + 1, True), (NOW + 100, True)],
    )
    @scenario
    async def test_an_authentication_before_a_cut_off_does_not_outlive_it(
        self, bench: Bench, kind: Kind, auth_time: float, *, good: bool
    ) -> None:
        cut = await bench.revoke(kind, CUT_OFFS[kind], at=NOW + 0.5)
        session = sample_session(auth_time=auth_time)

        outcome = await bench.store.begin(session)

        if good:
            assert isinstance(outcome, Began)
        else:
            assert outcome == Covered(cut)
        assert (await bench.store.session(session.sid) is not None) is good

    @scenario
    async def test_a_session_that_was_revoked_ahead_cannot_begin(self, bench: Bench) -> None:
        ahead = await bench.revoke(Kind.SESSION, "stolen")

        assert await bench.store.begin(sample_session(sid="stolen")) == Covered(ahead)

    # --- listing ----------------------------------------------------------------------

    @scenario
    async def test_sessions_are_listed_oldest_first(self, bench: Bench) -> None:
        second = await bench.begin(created_at=NOW - 20)
        third = await bench.begin(created_at=NOW - 10)
        first = await bench.begin(created_at=NOW - 30)
        await bench.begin(subject="alic")
        await bench.begin(subject="alice2")

        assert await bench.open().sessions("alice", NOW) == (first, second, third)
        assert await bench.store.sessions("nobody", NOW) == ()

    @scenario
    async def test_a_session_past_a_limit_is_not_listed(self, bench: Bench) -> None:
        idle = await bench.begin(last_seen=NOW - 10, idle_ttl=20.0, created_at=NOW - 2)
        short = await bench.begin(ends_at=NOW + 5, created_at=NOW - 1)

        assert await bench.store.sessions("alice", NOW + 4.5) == (idle, short)
        assert await bench.store.sessions("alice", NOW + 5) == (idle,)
        assert await bench.store.sessions("alice", NOW + 9.5) == (idle,)
        assert await bench.store.sessions("alice", NOW + 10) == ()
        assert await bench.store.session(idle.sid) == idle

    @pytest.mark.parametrize("kind", [*CUT_OFFS, Kind.BLOCK])
    @scenario
    async def test_an_ended_session_is_not_listed(self, bench: Bench, kind: Kind) -> None:
        session = await bench.begin()

        await bench.revoke(kind, CUT_OFFS.get(kind, "alice"))

        assert await bench.open().sessions("alice", NOW) == ()
        assert await bench.store.session(session.sid) == session
        assert await bench.store.family(session.family) == session

    @scenario
    async def test_one_session_ends_and_the_others_go_on(self, bench: Bench) -> None:
        first, second = await bench.begin(created_at=NOW - 1), await bench.begin()

        await bench.revoke(Kind.SESSION, second.sid)

        assert await bench.store.sessions("alice", NOW) == (first,)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (Kind.TOKEN, "alice"),
            (Kind.KEY, "alice"),
            (Kind.UNBLOCK, "alice"),
            (Kind.SUBJECT, "web"),
            (Kind.CLIENT, "alice"),
            (Kind.SESSION, "alice"),
        ],
    )
    @scenario
    async def test_an_entry_about_something_else_ends_nothing(
        self, bench: Bench, kind: Kind, value: str
    ) -> None:
        session = await bench.begin()

        await bench.revoke(kind, value)

        assert await bench.store.sessions("alice", NOW) == (session,)

    @scenario
    async def test_what_the_store_does_not_have_is_none(self, bench: Bench) -> None:
        await bench.begin()

        assert await bench.store.session("nobody's") is None
        assert await bench.store.family(b"n" * 32) is None

    # --- counting ---------------------------------------------------------------------

    @scenario
    async def test_counting_says_what_a_revocation_would_end(self, bench: Bench) -> None:
        one = await bench.begin()
        await bench.begin()
        await bench.begin(client_id="cli")
        await bench.begin(subject="bob")
        await bench.begin(subject="carol", ends_at=NOW)
        gone = await bench.begin(subject="alice")
        await bench.revoke(Kind.SESSION, gone.sid)

        counted = {
            (kind, value): await bench.open().count(kind, value, NOW)
            for kind, value in [
                (Kind.SESSION, one.sid),
                (Kind.SESSION, gone.sid),
                (Kind.SESSION, "none"),
                (Kind.SUBJECT, "alice"),
                (Kind.SUBJECT, "carol"),
                (Kind.BLOCK, "bob"),
                (Kind.CLIENT, "web"),
                (Kind.CLIENT, "cli"),
                (Kind.ISSUER, ""),
                (Kind.TOKEN, "jti"),
                (Kind.KEY, "kid"),
                (Kind.UNBLOCK, "alice"),
            ]
        }

        assert list(counted.values()) == [1, 0, 0, 3, 0, 1, 3, 1, 4, 0, 0, 0]
        assert len(await bench.log()) == 1

    # --- blocks -----------------------------------------------------------------------

    @scenario
    async def test_an_unblock_lifts_exactly_the_standing_blocks(self, bench: Bench) -> None:
        session = await bench.begin()
        first = await bench.revoke(Kind.BLOCK, "alice")
        await bench.revoke(Kind.BLOCK, "bob")
        second = await bench.revoke(Kind.BLOCK, "alice")
        assert await bench.store.sessions("alice", NOW) == ()

        unblock = await bench.revoke(Kind.UNBLOCK, "alice")

        assert sorted(unblock.lifts) == sorted([first.tag, second.tag])
        assert await bench.store.sessions("alice", NOW) == (session,)
        assert (await bench.log())[-1] == unblock

        third = await bench.revoke(Kind.BLOCK, "alice")
        assert await bench.store.begin(sample_session()) == Covered(third)
        assert (await bench.revoke(Kind.UNBLOCK, "alice")).lifts == (third.tag,)
        assert (await bench.revoke(Kind.UNBLOCK, "alice")).lifts == ()
        assert isinstance(await bench.store.begin(sample_session(subject="bob")), Covered)

    @scenario
    async def test_a_repeated_block_does_not_stand_again(self, bench: Bench) -> None:
        session = await bench.begin()
        block = await bench.revoke(Kind.BLOCK, "alice")
        await bench.revoke(Kind.UNBLOCK, "alice")

        await bench.revoke(Kind.BLOCK, "alice", tag=block.tag)

        assert await bench.store.sessions("alice", NOW) == (session,)

    @scenario
    async def test_an_unblock_without_an_order_to_lift_lifts_nothing(self, bench: Bench) -> None:
        await bench.revoke(Kind.BLOCK, "alice")

        assert (await bench.revoke(Kind.UNBLOCK, "alice", lifts_all=False)).lifts == ()

        assert isinstance(await bench.store.begin(sample_session()), Covered)
