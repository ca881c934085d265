"""A watch: a connection that lasts ends when its token does, whatever ends it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import annul
from tests.stage import DELTA, POLICY, Stage, await_entry, await_fresh, clock_of_now

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 10.0
CALM = 30.0

ENDINGS: dict[str, Callable[[annul.Authority, annul.VerifiedToken], object]] = {
    "token": lambda authority, token: authority.revoke(annul.TokenId(token.jti or "")),
    "session": lambda authority, token: authority.revoke(annul.SessionId(token.session_id or "")),
    "subject": lambda authority, token: authority.revoke(annul.SubjectId(token.subject)),
    "block": lambda authority, token: authority.block(token.subject),
    "client": lambda authority, token: authority.revoke(annul.ClientId(token.client_id or "")),
    "key": lambda authority, token: authority.revoke(annul.KeyId(token.key_id)),
    "issuer": lambda authority, _token: authority.revoke(annul.Everything()),
}


async def stay(watch: annul.Watch, then: Callable[[], object] = lambda: None) -> None:
    """Be a connection: do one thing, and stay for as long as one may."""
    async with watch:
        await asyncio.to_thread(then)
        await asyncio.sleep(PATIENCE)


def ended_with(watch: annul.Watch, then: Callable[[], object] = lambda: None) -> annul.AnnulError:
    """Return what ends a connection after ``then`` has been done."""
    with pytest.raises(annul.AnnulError) as caught:
        asyncio.run(stay(watch, then))
    assert watch.reason is caught.value
    return caught.value


def calm(stage: Stage) -> annul.Authority:
    """Return an authority whose verifier goes stale on no machine, however busy that is."""
    return stage.authority(max_staleness=CALM)


def calm_replica(stage: Stage) -> annul.Replica:
    return stage.replica(max_staleness=CALM)


# --- what ends it ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", ENDINGS)
def test_a_connection_ends_when_its_token_is_revoked_in_whatever_way(
    stage: Stage, what: str
) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    token = authority.login("alice", client_id="web").access_token
    verified = replica.verify(token)
    error = ended_with(replica.watch(token), lambda: ENDINGS[what](authority, verified))
    with pytest.raises(type(error)):
        replica.verify(token)


def test_what_this_process_revokes_ends_a_connection_to_it(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token
    error = ended_with(authority.watch(token), lambda: authority.logout(token))
    assert error.code == "revoked"


def test_a_connection_ends_when_its_token_expires_and_no_earlier(timed_stage: Stage) -> None:
    clock = clock_of_now()
    token = (
        timed_stage.authority(clock=clock, max_staleness=2.0)
        .login("alice", client_id="web")
        .access_token
    )
    policy = annul.Policy(issuer=POLICY.issuer, audience=POLICY.audience, leeway=30)
    replica = timed_stage.replica(policy, clock=clock, max_staleness=2.0)
    # The leeway is almost over. What is left is less than the window, which has to stay open.
    clock.set(replica.verify(token).expires_at + 30 - DELTA / 4)
    await_fresh(replica)
    with replica.watch(token) as watch:
        assert not watch.wait(DELTA / 2)
        clock.advance(DELTA / 4)
        assert watch.wait(PATIENCE)
        assert isinstance(watch.reason, annul.Expired)


def test_a_connection_ends_when_the_replica_is_closed(stage: Stage) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    token = authority.login("alice", client_id="web").access_token
    error = ended_with(replica.watch(token), replica.close)
    assert isinstance(error, annul.ReplicaStale)
    assert error.cause == "closed"


def test_a_bad_token_is_refused_before_anything_is_watched(stage: Stage) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    grant = authority.login("alice", client_id="web")
    with pytest.raises(annul.Malformed):
        replica.watch("not a token")
    authority.logout(grant.access_token)
    with pytest.raises(annul.Revoked):
        authority.watch(grant.access_token)


def test_a_token_revoked_before_the_block_begins_never_gets_in(stage: Stage) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    token = authority.login("alice", client_id="web").access_token
    watches = [replica.watch(token), replica.watch(token)]
    await_entry(replica, authority.logout(token).seq)
    with pytest.raises(annul.Revoked), watches[0]:
        pytest.fail("it got in")
    assert ended_with(watches[1]).code == "revoked"
    assert len(replica._vigil.watches) == 0


# --- what does not --------------------------------------------------------------------------


def test_others_stay(stage: Stage) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    tokens = [authority.login(name, client_id="web").access_token for name in ("alice", "bob")]

    async def story() -> list[annul.AnnulError | None]:
        with replica.watch(tokens[0]) as ends, replica.watch(tokens[1]) as stays:
            await asyncio.to_thread(authority.revoke, annul.SubjectId("alice"))
            await asyncio.wait_for(ends.ended(), PATIENCE)
            return [ends.reason, stays.reason]

    ended, stayed = asyncio.run(story())
    assert ended is not None
    assert ended.code == "revoked"
    assert stayed is None


def test_a_body_that_ends_by_itself_ends_as_it_would_have(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token

    async def story(error: Exception | None) -> str:
        async with authority.watch(token):
            if error is not None:
                raise error
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        return "done"

    assert asyncio.run(story(None)) == "done"
    with pytest.raises(KeyError):
        asyncio.run(story(KeyError("its own")))
    assert len(authority.replica._vigil.watches) == 0


def test_somebody_elses_cancellation_is_not_mistaken_for_the_watchs_own(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token

    async def story() -> None:
        task = asyncio.create_task(stay(authority.watch(token)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await stay(authority.watch(token))

    asyncio.run(story())


def test_a_body_may_say_goodbye(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token
    said = []

    async def story() -> None:
        async with authority.watch(token) as watch:
            try:
                await asyncio.to_thread(authority.logout, token)
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                assert watch.reason is not None
                said.append(watch.reason.code)
                raise

    with pytest.raises(annul.Revoked):
        asyncio.run(story())
    assert said == ["revoked"]


# --- renewing -------------------------------------------------------------------------------


def test_a_connection_outlives_its_token_by_a_new_one_of_the_same_session(stage: Stage) -> None:
    authority = calm(stage)
    grant = authority.login("alice", client_id="web")
    with authority.watch(grant.access_token) as watch:
        after = authority.refresh(grant.refresh_token)
        assert watch.renew(after.access_token).jti == after.jti
        authority.revoke(annul.TokenId(grant.jti))
        assert not watch.wait(DELTA / 4)
        assert watch.check().jti == watch.token.jti == after.jti
        authority.revoke(annul.TokenId(after.jti))
        assert watch.wait(PATIENCE)
        with pytest.raises(annul.Revoked):
            watch.check()


def test_a_token_of_another_session_does_not_renew(stage: Stage) -> None:
    authority = calm(stage)
    own, other = (authority.login("alice", client_id="web") for _ in range(2))
    with authority.watch(own.access_token) as watch:
        with pytest.raises(annul.ClaimMismatch) as caught:
            watch.renew(other.access_token)
        assert caught.value.claim == "sid"
        with pytest.raises(annul.Malformed):
            watch.renew("not a token")
        assert watch.token.session_id == own.session_id
        assert watch.reason is None


def test_a_watch_that_has_ended_is_not_renewed(stage: Stage) -> None:
    authority = calm(stage)
    grant = authority.login("alice", client_id="web")
    after = authority.refresh(grant.refresh_token)
    with authority.watch(grant.access_token) as watch:
        authority.revoke(annul.TokenId(grant.jti))
        assert watch.wait(PATIENCE)
        with pytest.raises(annul.Revoked):
            watch.renew(after.access_token)


# --- threads, loops and blocks --------------------------------------------------------------


def test_watches_of_several_loops_and_threads_all_end(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token
    inside, codes = threading.Barrier(5), []

    async def on_a_loop() -> None:
        async with authority.watch(token):
            await asyncio.to_thread(inside.wait, PATIENCE)
            await asyncio.sleep(PATIENCE)

    def with_a_loop() -> None:
        with pytest.raises(annul.Revoked) as caught:
            asyncio.run(on_a_loop())
        codes.append(caught.value.code)

    def without() -> None:
        with authority.watch(token) as watch:
            inside.wait(PATIENCE)
            assert watch.wait(PATIENCE)
            assert watch.reason is not None
            codes.append(watch.reason.code)

    threads = [threading.Thread(target=work) for work in (with_a_loop, without) * 2]
    for thread in threads:
        thread.start()
    inside.wait(PATIENCE)
    authority.revoke(annul.Everything())
    for thread in threads:
        thread.join(PATIENCE)
    assert codes == ["revoked"] * 4


def test_many_of_one_loop_end_together(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token

    async def story() -> list[Any]:
        tasks = [asyncio.create_task(stay(authority.watch(token))) for _ in range(1200)]
        await asyncio.sleep(0)
        await asyncio.to_thread(authority.revoke, annul.ClientId("web"))
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert {error.code for error in asyncio.run(story())} == {"revoked"}


def test_a_watch_is_for_one_block_and_only_inside_it(stage: Stage) -> None:
    authority = calm(stage)
    token = authority.login("alice", client_id="web").access_token
    watch = authority.watch(token)
    with pytest.raises(annul.InvalidRequest):
        watch.wait(0)
    with watch, pytest.raises(annul.InvalidRequest):
        watch.__enter__()


def test_tokens_that_come_while_their_client_is_revoked_all_end(stage: Stage) -> None:
    authority, replica = calm(stage), calm_replica(stage)
    token = authority.login("alice", client_id="web").access_token
    found: list[annul.AnnulError | bool] = []
    revoking = threading.Event()

    def come_and_stay() -> None:
        revoking.wait(PATIENCE)
        for _ in range(300):
            try:
                with replica.watch(token) as watch:
                    found.append(watch.wait(PATIENCE))
            except annul.Revoked as error:
                found.append(error)
                return

    threads = [threading.Thread(target=come_and_stay) for _ in range(4)]
    for thread in threads:
        thread.start()
    revoking.set()
    authority.revoke(annul.ClientId("web"))
    for thread in threads:
        thread.join(2 * PATIENCE)
    assert False not in found
