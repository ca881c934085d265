"""A lease stands in the table for as long as its replica may answer, and no longer than needed."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import annul
from annul.authority.fence import safe_after
from annul.stores import open_store
from tests.stage import ACCEPTED, DELTA, ISSUER, POLICY, Stage, await_fresh, await_outcome, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.revocation import Revocation, Watermark
    from annul.stores.base import Diverged, Lease, LogReader, Renewal, Store


class Faulty:
    """Opens stores whose log cannot be read while ``broken``, though leases can be written."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.broken = threading.Event()
        self.refused = threading.Event()

    def open(self) -> LogReader:
        faulty = self
        store = open_store(self._url, issuer=ISSUER)

        class Reader(type(store)):  # type: ignore[misc]  # whichever store it is
            """A store that sometimes does not say what has changed."""

            async def changes(
                self, after: Watermark, limit: int = 1000
            ) -> tuple[Revocation, ...] | Diverged:
                if faulty.broken.is_set():
                    faulty.refused.set()
                    raise annul.StoreUnavailable("the log cannot be read")
                found: tuple[Revocation, ...] | Diverged = await super().changes(after, limit)
                return found

        store.__class__ = Reader
        return store


@contextmanager
def replica_of(faulty: Faulty, max_staleness: float) -> Iterator[annul.Replica]:
    replica = annul.Replica(faulty.open, policy=POLICY, max_staleness=max_staleness)
    await_fresh(replica)
    with replica:
        yield replica


def lease_ids(stage: Stage) -> set[str]:
    async def look(store: Store) -> tuple[Lease, ...]:
        return await store.leases()

    return {lease.id for lease in stage.ask(look)}


def test_a_replica_that_cannot_read_stands_in_the_table_while_it_may_answer(stage: Stage) -> None:
    delta = 2.0
    authority = stage.authority(max_staleness=delta)
    before = lease_ids(stage)
    faulty = Faulty(stage.url)
    with replica_of(faulty, delta) as replica:
        grant = authority.login("alice", client_id="web")
        (own,) = lease_ids(stage) - before
        faulty.broken.set()
        authority.revoke(annul.SubjectId("somebody"))
        assert faulty.refused.wait(10)
        # It follows no more, and still answers from what it knows.
        seen = set()
        while outcome(replica.verify, grant.access_token) == ACCEPTED:
            listed = own in lease_ids(stage)
            if outcome(replica.verify, grant.access_token) == ACCEPTED:
                seen.add(listed)
        assert seen == {True}


def test_counting_does_not_overlook_a_replica_that_cannot_read(stage: Stage) -> None:
    delta = 1.0
    authority = stage.authority(max_staleness=delta)
    faulty = Faulty(stage.url)
    with replica_of(faulty, delta) as replica:
        grant = authority.login("alice", client_id="web")
        await_outcome(replica.verify, grant.access_token, ACCEPTED)
        eventually(lambda: authority.replica.listed_for > safe_after(delta))
        faulty.broken.set()
        authority.revoke(annul.SubjectId("somebody"))
        assert faulty.refused.wait(10)
        authority.revoke(annul.SubjectId("alice"), wait=True)
        assert outcome(replica.verify, grant.access_token) != ACCEPTED


def test_a_replica_that_recovers_goes_on_with_the_same_lease(stage: Stage) -> None:
    authority = stage.authority()
    before = lease_ids(stage)
    faulty = Faulty(stage.url)
    with replica_of(faulty, DELTA) as replica:
        ours = lease_ids(stage) - before
        grant = authority.login("alice", client_id="web")
        faulty.broken.set()
        authority.logout(grant.access_token)
        assert faulty.refused.wait(10)
        faulty.broken.clear()
        eventually(lambda: outcome(replica.verify, grant.access_token) == "revoked")
        assert lease_ids(stage) - before == ours


def test_one_whose_following_is_cancelled_answers_no_more_before_its_lease_goes(
    stage: Stage,
) -> None:
    # So it is when a process ends in which other threads go on for a while.
    authority = stage.authority(max_staleness=60.0)
    before = lease_ids(stage)
    replica = stage.replica(max_staleness=60.0)
    grant = authority.login("alice", client_id="web")
    assert outcome(replica.verify, grant.access_token) == ACCEPTED
    replica._stop()
    eventually(lambda: lease_ids(stage) == before)
    assert outcome(replica.verify, grant.access_token) == "replica_stale"


def test_what_came_with_a_renewal_is_told_long_before_the_next_round(stage: Stage) -> None:
    # Somebody may be waiting to hear that this replica knows it.
    delta = 20.0
    authority = stage.authority(max_staleness=delta)
    before = lease_ids(stage)
    store = open_store(stage.url, issuer=ISSUER)
    receipts: list[annul.RevocationReceipt] = []

    class Late(type(store)):  # type: ignore[misc]  # whichever store it is
        """A store in which something is revoked while the first renewal is on its way."""

        async def renew(self, lease: Lease) -> Renewal | None:
            if not receipts:
                receipts.append(await authority._authority.revoke(annul.SubjectId("alice")))
            renewal: Renewal | None = await super().renew(lease)
            return renewal

    store.__class__ = Late
    with annul.Replica(lambda: store, policy=POLICY, max_staleness=delta) as replica:
        await_fresh(replica)

        def told() -> bool:
            leases = stage.ask(lambda store: store.leases())
            (mark,) = (lease.watermark for lease in leases if lease.id not in before)
            return mark is not None and mark.seq == receipts[0].seq

        eventually(told, within=delta / 8)


def test_a_silent_lease_that_is_removed_is_written_anew_by_the_next_renewal(stage: Stage) -> None:
    stage.authority()
    before = lease_ids(stage)
    replica = stage.replica()

    async def expel_all(store: Store) -> None:
        for lease in await store.leases():
            await store.expel(lease)

    ours = lease_ids(stage) - before
    stage.ask(expel_all)
    eventually(lambda: ours <= lease_ids(stage))
    await_fresh(replica)


def test_a_lease_that_was_given_up_is_never_taken_up_again(stage: Stage) -> None:
    authority = stage.authority()
    faulty = Faulty(stage.url)
    with replica_of(faulty, DELTA) as replica:
        (before, _) = replica.own_lease
        faulty.broken.set()
        authority.revoke(annul.SubjectId("somebody"))
        # Only once it may not answer any more does it give its lease back.
        eventually(lambda: before not in lease_ids(stage))
        assert not replica.fresh
        faulty.broken.clear()
        await_fresh(replica)

        # So a message of that kind that was held up on its way takes nothing away.
        (after, _) = replica.own_lease
        assert after != before
        assert after in lease_ids(stage)
        assert before not in lease_ids(stage)
