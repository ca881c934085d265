"""How long a revocation takes: until another process refuses, and until nobody can accept.

    make bench ARGS=--revocation

A second process verifies one token again and again, pausing for 50 µs in between, and notes when it
was refused first, by the monotonic clock that all processes of a machine share. Run as a program,
this module is that process, or one with verifiers that only listen.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import annul

# Run as a script, so the project's own folder is not on the path yet.
sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.servers import RedisServer, redis_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Figure", "revocation"]

ISSUER, AUDIENCE = "https://auth.example", "https://api.example"
POLICY = annul.Policy(issuer=ISSUER, audience=AUDIENCE)
DELTA = 2.0
VERIFIERS, PER_PROCESS = 16, 4
_GLANCE = 0.00005


class Figure(NamedTuple):
    """What was measured, in milliseconds, and what it should be."""

    what: str
    milliseconds: float
    aim: float | None


def revocation(scale: int) -> list[Figure]:
    """Return the figures for each store that can be had here."""
    with tempfile.TemporaryDirectory() as folder:
        figures = _enforced("SQLite", f"sqlite:///{folder}/bench.db", 1000 // scale, aim=None)
    if binary := redis_binary():
        with tempfile.TemporaryDirectory() as folder:
            server = RedisServer(binary, Path(folder))
            server.start()
            try:
                url, kek = server.url, Path(folder) / "kek"
                figures += _enforced("Valkey", url, 1000 // scale, aim=3.0, kek_file=kek)
                figures += _awaited("Valkey", url, 200 // min(scale, 4), kek_file=kek)
            finally:
                server.kill()
    return figures


def _enforced(
    store: str, url: str, count: int, *, aim: float | None, kek_file: Path | None = None
) -> list[Figure]:
    """Time revocations until another process refuses."""
    from_call, from_return = [], []
    with _authority(url, kek_file) as authority, _process("watch", url) as watcher:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        for number in range(count):
            grant = authority.login(f"user-{number}", client_id="web")
            watcher.stdin.write(grant.access_token + "\n")
            watcher.stdin.flush()
            assert watcher.stdout.readline() == "accepted\n"
            called = time.monotonic()
            authority.revoke(annul.SubjectId(f"user-{number}"))
            returned = time.monotonic()
            refused = float(watcher.stdout.readline())
            from_call.append((refused - called) * 1000)
            # It may have been refused there before it was known here that it is on the disk.
            from_return.append(max(0.0, refused - returned) * 1000)
    return [
        *_figures(f"{store}: revoke called → refused elsewhere", from_call, None),
        *_figures(f"{store}: revoke returned → refused elsewhere", from_return, aim),
    ]


def _awaited(store: str, url: str, count: int, *, kek_file: Path) -> list[Figure]:
    """Time revocations that wait until nobody can accept, with many verifiers listening."""
    took, early, pauses = [], 0, random.Random(1)
    with ExitStack() as stack:
        authority = stack.enter_context(_authority(url, kek_file))
        for _ in range(VERIFIERS // PER_PROCESS):
            stack.enter_context(_process("listen", url))
        while authority.replica.listed_for < 1.1 * DELTA:
            time.sleep(0.1)
        for number in range(count):
            # At any moment of the verifiers' rounds, four of which they make per Δ.
            time.sleep(pauses.uniform(0, DELTA / 4))
            called = time.monotonic()
            receipt = authority.revoke(annul.SubjectId(f"user-{number}"), wait=True)
            took.append((time.monotonic() - called) * 1000)
            early += receipt.waited_ms < DELTA * 1000
            assert receipt.verifiers == VERIFIERS + 1
    what = f"{store}: revoke(wait=True), {VERIFIERS} verifiers, {early} of {count} by counting"
    return _figures(what, took, None)


def _figures(what: str, milliseconds: list[float], aim: float | None) -> list[Figure]:
    ordered = sorted(milliseconds)
    return [
        Figure(f"{what}, p50", ordered[len(ordered) // 2], None),
        Figure(f"{what}, p99", ordered[int(len(ordered) * 0.99)], aim),
    ]


@contextmanager
def _authority(url: str, kek_file: Path | None) -> Iterator[annul.Authority]:
    with annul.Authority.open(
        url, issuer=ISSUER, audience=AUDIENCE, max_staleness=DELTA, kek_file=kek_file
    ) as authority:
        yield authority


@contextmanager
def _process(what: str, url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, __file__, what, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


# --- the other processes --------------------------------------------------------------


def _watch(url: str) -> None:
    with annul.Replica.open(url, policy=POLICY, max_staleness=DELTA) as replica:
        print("ready", flush=True)
        for line in sys.stdin:
            token = line.strip()
            replica.verify(token)
            print("accepted", flush=True)
            try:
                while True:
                    replica.verify(token)
                    time.sleep(_GLANCE)
            except annul.Revoked:
                print(json.dumps(time.monotonic()), flush=True)


def _listen(url: str) -> None:
    with ExitStack() as stack:
        for _ in range(PER_PROCESS):
            replica = annul.Replica.open(url, policy=POLICY, max_staleness=DELTA)
            stack.enter_context(replica)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    {"watch": _watch, "listen": _listen}[sys.argv[1]](sys.argv[2])
