"""What a large base costs tokens that were verified before: judging again, and pauses.

A pause counts as ours if the system has not taken the processor away from the thread meanwhile. On
a machine that is shared that is not quite all: it may also be late in giving it back.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import annul
from annul.core.base import Base
from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Position, Reason, Revocation, Watermark
from annul.replica.archive import Archive
from annul.replica.disk import SnapshotFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["ISSUER", "NOW", "gap_rows", "gaps", "judging", "learnt", "pauses", "row", "verifying"]

ISSUER, AUDIENCE = "https://auth.example", "https://api.example"
NOW = 1_800_000_000
LEARNT = 100_000
_SHORT = 0.00002


def row(what: str, figure: float, unit: str, aim: str) -> tuple[str, float, str, str]:
    return what, figure, unit, aim


# --- tokens that were verified before -----------------------------------------------------------


def judging(file: Path, _count: int) -> list[Any]:
    """Verify tokens again: when nothing has changed, and when each has to be judged again."""
    denylist = Denylist()
    verifier, tokens = verifying(denylist, 20_000)
    mapped = SnapshotFile(file).read(issuer=ISSUER, lineage="bench")
    assert mapped is not None
    base = mapped.snapshot.base
    random.Random(3).shuffle(tokens)

    def timed(what: str, before: Callable[[], object]) -> Any:  # noqa: ANN401 - a row
        rounds = []
        for _ in range(7):
            fresh = [token.encode().decode() for token in tokens]
            before()
            gc.collect()
            start = time.perf_counter()
            for token in fresh:
                verifier.verify(token)
            rounds.append((time.perf_counter() - start) / len(tokens))
        return row(f"verified again, 20,000 tokens, {what}", min(rounds) * 1e9, "ns", "")

    rows = [
        timed("nothing changed", lambda: None),
        timed("judged again, without a base", denylist.touch),
        timed("judged again, a base that is new", lambda: denylist.adopt(another(base))),
        timed("judged again, the same base", denylist.touch),
    ]
    mapped.close()
    return rows


def another(base: Base) -> Base:
    return Base(base.tokens, base.sessions, issuer=ISSUER)


# --- pauses -------------------------------------------------------------------------------------


def pauses(file: Path, count: int) -> list[Any]:
    """Weave what was learnt into the base while a thread verifies, and measure its gaps."""
    denylist = Denylist()
    archive = Archive(denylist, issuer=ISSUER, path=file)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine returns
        return asyncio.run_coroutine_threadsafe(work, loop)

    run(archive.restore("bench")).result()
    denylist.watermark = Watermark(NOW, count, b"tag")
    denylist.apply(learnt(LEARNT + 30_000))
    verifier, tokens = verifying(denylist)
    rows = gap_rows(
        "nothing else going on", gaps(verifier.verify, tokens, lambda: True, at_least=3.0)
    )
    held = denylist.base
    work = run(archive.renew("bench"))
    start = time.perf_counter()
    found = gaps(verifier.verify, tokens, work.done)
    took = time.perf_counter() - start
    work.result()
    assert denylist.base is not held
    assert denylist.outside < 40_000, denylist.outside
    rows += [row(f"weaving {LEARNT} ids into {count}", took, "s", "")]
    rows += gap_rows("while they are woven and adopted", found)
    del held
    # Then an hour passes: an eighth of the base and all that was learnt expires.
    denylist.apply(learnt(LEARNT))

    work = run(archive.prune(NOW + 3601))
    rows += gap_rows("while they are pruned", gaps(verifier.verify, tokens, work.done))
    work.result()
    # What remains expires up to a half, and is left out of the next base.
    denylist.prune(NOW + 5 * 3600)
    work = run(archive.renew("bench"))
    rows += gap_rows("while half of the base is left out", gaps(verifier.verify, tokens, work.done))
    work.result()
    return rows


def learnt(count: int) -> list[Revocation]:
    return [
        Revocation(
            position=Position(NOW, number),
            tag=os.urandom(16),
            issuer=ISSUER,
            kind=Kind.TOKEN if number % 2 else Kind.SESSION,
            fingerprint=os.urandom(12),
            reason=Reason.LOGOUT,
            at=float(NOW),
            expires_at=NOW + 1 + number % 3600,
        )
        for number in range(count)
    ]


def verifying(denylist: Denylist, count: int = 2000) -> tuple[annul.Verifier, list[str]]:
    """Return a verifier with this denylist, and tokens that it has verified once."""
    key = annul.PrivateKey.generate("ES256")
    issuer = annul.Issuer(key=key, issuer=ISSUER, audience=AUDIENCE, ttl=3600, clock=lambda: NOW)
    verifier = annul.Verifier(
        jwks=annul.JWKS([key.public]),
        policy=annul.Policy(issuer=ISSUER, audience=AUDIENCE),
        denylist=denylist,
        clock=lambda: NOW,
    )
    tokens = [
        issuer.issue(
            subject=f"user-{number}", client_id="web", since=Position(NOW, 0), sid=f"sid-{number}"
        ).text
        for number in range(count)
    ]
    for token in tokens:
        verifier.verify(token)
    return verifier, tokens


class Gaps(NamedTuple):
    """Times between two verifications of one thread that lie further apart than ``_SHORT``.

    ``waited`` are those of them in which the system has not taken the processor away.
    """

    asked: int
    found: list[float]
    waited: list[float]

    @property
    def nearly_all(self) -> float:
        """The time that 9,999 of 10,000 verifications do not take."""
        rank = self.asked // 10_000
        return self.found[-rank - 1] if rank < len(self.found) else _SHORT


def gaps(
    verify: Callable[[str], object],
    tokens: list[str],
    done: Callable[[], bool],
    *,
    at_least: float = 0.5,
) -> Gaps:
    """Verify until ``done``."""
    asked, found, waited = 0, [], []
    clock, usage, thread = time.perf_counter, resource.getrusage, resource.RUSAGE_THREAD
    displaced = usage(thread).ru_nivcsw
    last = begin = clock()
    while not done() or clock() - begin < at_least:
        for token in tokens:
            verify(token)
            now = clock()
            if now - last > _SHORT:
                found.append(now - last)
                before, displaced = displaced, usage(thread).ru_nivcsw
                if displaced == before:
                    waited.append(now - last)
                now = clock()
            last = now
        asked += len(tokens)
    return Gaps(asked, sorted(found), sorted(waited))


def gap_rows(what: str, gaps: Gaps) -> list[Any]:
    """Return the longest gap and what nearly all stay below."""
    late = sum(gap > 0.005 for gap in gaps.found)
    longest = ", ".join(f"{gap * 1e3:.1f}" for gap in gaps.found[-5:])
    print(f"{what}: {late} gaps over 5 ms, longest {longest} ms", file=sys.stderr)
    return [
        row(f"longest pause, {what}", max(gaps.found, default=_SHORT) * 1e3, "ms", ""),
        row(
            "  the processor not taken away", max(gaps.waited, default=_SHORT) * 1e3, "ms", "aim 5"
        ),
        row("  99.99 % of the verifications", gaps.nearly_all * 1e3, "ms", ""),
    ]
