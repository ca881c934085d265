"""What it takes to read a log of a million again while a thread verifies, and who pauses for it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annul.core.denylist import Denylist
from annul.core.revocation import Kind
from annul.replica.archive import Archive
from annul.replica.freshness import Moment
from annul.replica.reading import Reading
from annul.stores import open_store
from annul.testing import sample_draft, sample_identity
from bench.pauses import ISSUER, gap_rows, gaps, row, verifying
from tests.servers import RedisServer, redis_binary

if TYPE_CHECKING:
    from annul.stores.base import Store

__all__ = ["resync"]

_AT_ONCE = 1000


def resync(_file: Path, count: int) -> list[Any]:
    """Read a tenth of ``count`` entries from a store of each kind, by a replica that has them all.

    They are tokens, so from some number of them on they go into a base, and then into the next.
    """
    count //= 10
    rows: list[Any] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = {"SQLite": f"sqlite:///{folder}/annul.db"}
        binary = redis_binary()
        if binary is not None:
            server = RedisServer(binary, folder / "valkey")
            server.start()
            stack.callback(server.kill)
            stores["Valkey"] = server.url
        for kind, url in stores.items():
            rows += _read_again(kind, url, count)
    return rows


def _read_again(kind: str, url: str, count: int) -> list[Any]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns
        return asyncio.run_coroutine_threadsafe(work, loop)

    store = open_store(url, issuer=ISSUER)
    run(_fill(store, count)).result()
    denylist = Denylist()
    verifier, tokens = verifying(denylist)
    reading = Reading(
        verifier=verifier,
        now=lambda: Moment(time.monotonic(), time.time()),
        archive=Archive(denylist, issuer=ISSUER),
    )
    rows = []
    for when in ("for the first time", "again"):
        work = run(reading._load(store))  # noqa: SLF001 - what a follower does after a gap
        start = time.perf_counter()
        found = gaps(verifier.verify, tokens, work.done, at_least=0.0)
        took = time.perf_counter() - start
        work.result()
        assert len(denylist) >= count, len(denylist)
        rows.append(row(f"{kind}: {count} entries read {when}, verifying", took, "s", "aim 10"))
        rows += gap_rows("while they are read", found)
    run(store.close()).result()
    loop.call_soon_threadsafe(loop.stop)
    return rows


async def _fill(store: Store, count: int) -> None:
    await store.found(sample_identity(issuer=ISSUER), time.time())
    now = time.time()
    for first in range(0, count, _AT_ONCE):
        await store.append(
            [
                sample_draft(Kind.TOKEN, f"jti-{n}", at=now, expires_at=int(now) + 90_000)
                for n in range(first, first + _AT_ONCE)
            ]
        )
    print(f"{count} entries written", file=sys.stderr)
