"""Failovers to a synchronous standby under load, one after the other, and what became of it all.

``run(50)`` is for long runs; the suite plays a few. In every other round the primary is killed;
in the others it hangs, and comes back while its standby has already been promoted.
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.errors import StoreUnavailable, UnsafeStore
from annul.stores.base import Diverged, Lease
from annul.testing import NOW, sample_draft, sample_identity
from tests.postgres_cluster import running_cluster
from tests.stores.postgres_bench import another
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.revocation import Revocation, Watermark
    from annul.stores.base import Draft
    from annul.stores.postgres import PostgresStore
    from tests.postgres_cluster import PostgresCluster

__all__ = ["run"]

_WRITERS = 4
_ENOUGH = 100
"""How many acknowledgements there are, of all writers together, before the next fault."""
_PATIENCE = 120.0
_REFUSALS = (StoreUnavailable, UnsafeStore)


class _History:
    """What writers and readers were told. ``acknowledged`` is in the order of the answers."""

    def __init__(self) -> None:
        self.acknowledged: list[Revocation] = []
        self.unanswered: list[Draft] = []
        self.renewals = 0
        self.stale = 0
        self.over = False

    async def write(self, url: str) -> None:
        """Append for as long as the history lasts; what gets no answer is left as it is."""
        async with another(url) as store:
            while not self.over:
                draft = sample_draft(Kind.TOKEN, str(len(self.acknowledged)))
                try:
                    self.acknowledged += (await store.append([draft])).entries
                except _REFUSALS:
                    self.unanswered.append(draft)
                    await asyncio.sleep(0)

    async def read(self, url: str) -> None:
        """Renew a lease again and again, and read up to the head that each renewal brings.

        An entry that was acknowledged before a renewal began, and cannot be read after it, is one
        that a verifier would miss while it calls itself fresh.
        """
        known: set[bytes] = set()
        mark: Watermark | None = None
        async with another(url) as store:
            while not self.over:
                before = list(self.acknowledged)
                lease = Lease(id="reader", watermark=mark, max_staleness=2.0, beat=self.renewals)
                try:
                    renewal = await store.renew(lease)
                    assert renewal is not None
                    mark = await _read_on(store, mark, known)
                except _REFUSALS:
                    await asyncio.sleep(0)
                    continue
                self.renewals += 1
                self.stale += sum(entry.tag not in known for entry in before)


async def _read_on(
    store: PostgresStore, mark: Watermark | None, known: set[bytes]
) -> Watermark | None:
    changes = Diverged(pruned=False) if mark is None else await store.changes(mark, 100_000)
    if isinstance(changes, Diverged):
        snapshot = await store.snapshot()
        known.update(entry.tag for entry in snapshot.entries)
        return snapshot.watermark
    known.update(entry.tag for entry in changes)
    return changes[-1].watermark if changes else mark


async def _until(happened: Callable[[], object]) -> None:
    await asyncio.to_thread(eventually, happened, within=_PATIENCE)


async def _more(history: _History, number: int, since: int | None = None) -> None:
    """Wait for so many more acknowledgements."""
    enough = number + (len(history.acknowledged) if since is None else since)
    await _until(lambda: len(history.acknowledged) >= enough)


async def _fail_over(cluster: PostgresCluster, history: _History, *, hang: bool) -> float:
    """Take the primary away, promote the standby; return for how long nothing was confirmed."""
    old, new = sorted(cluster.nodes, key=lambda name: cluster.nodes[name] is not cluster.primary)
    confirmed, refused = len(history.acknowledged), len(history.unanswered)
    begun = time.monotonic()
    if hang:
        cluster.nodes[old].freeze()
        confirmed = len(history.acknowledged)
        await asyncio.to_thread(cluster.promote, new, old)
        cluster.nodes[old].thaw()
        # There are two primaries now, until somebody has met the old one in vain.
        await _until(lambda: len(history.unanswered) > refused)
    else:
        cluster.nodes[old].kill()
        await asyncio.to_thread(cluster.promote, new, old)
    await asyncio.to_thread(cluster.follow, old)
    await asyncio.to_thread(cluster.wait_for, old, old)
    await _more(history, _WRITERS, since=confirmed)
    return time.monotonic() - begun


async def _play(cluster: PostgresCluster, times: int) -> dict[str, float]:
    url = cluster.store_url(timeout="1")
    history = _History()
    outages: list[float] = []
    async with another(url) as store:
        await store.found(sample_identity(), NOW)
        load = [asyncio.ensure_future(history.write(url)) for _ in range(_WRITERS)]
        load.append(asyncio.ensure_future(history.read(url)))
        try:
            for number in range(times):
                await _more(history, _ENOUGH)
                outages.append(await _fail_over(cluster, history, hang=number % 2 == 1))
        finally:
            history.over = True
            await asyncio.gather(*load)
    async with another(url) as store:
        kept = (await store.snapshot()).entries
        # Repeating what was not answered completes it, and never makes it twice.
        repeated = (await store.append(history.unanswered)).entries
        final = (await store.snapshot()).entries
    by_tag = {entry.tag: entry for entry in kept}
    positions = [entry.position for entry in final]
    acknowledged = [*history.acknowledged, *repeated]
    return {
        "failovers": times,
        "acknowledged": len(history.acknowledged),
        "lost": sum(by_tag.get(entry.tag) != entry for entry in history.acknowledged),
        "unanswered": len(history.unanswered),
        "entries twice": len(final) - len({entry.tag for entry in acknowledged}),
        "positions twice": sum(one >= next_one for one, next_one in pairwise(positions)),
        "epochs": len({position.epoch for position in positions}),
        "renewals": history.renewals,
        "stale renewals": history.stale,
        "longest outage": round(max(outages, default=0.0), 2),
        "mean outage": round(sum(outages) / max(1, len(outages)), 2),
    }


def run(times: int) -> dict[str, float]:
    """Play this many failovers on servers of its own, and return the figures.

    ``lost``, ``entries twice``, ``positions twice`` and ``stale renewals`` must be 0, and there is
    an epoch for each failover besides the first. Outages are in seconds, and include making the old
    primary a standby again: before that nothing is acknowledged.
    """
    with running_cluster("ab") as cluster:
        cluster.wait_for("b", streaming="b")
        return asyncio.run(_play(cluster, times))
