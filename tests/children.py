"""Programs that tests run in processes of their own: one line in, one line of JSON out.

``python -m tests.children replica URL`` verifies the tokens it is given; ``… authority URL KEK``
refreshes the refresh token it is given in many threads at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import annul
from tests.stage import AUDIENCE, DELTA, ISSUER, POLICY, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
THREADS = 16


class Child:
    """A process that answers; killed when the block ends."""

    def __init__(self, *words: str) -> None:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.children", *words],
            cwd=ROOT,
            env=dict(os.environ) | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> None:
        """Send a line without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:  # noqa: ANN401 - whatever the program says
        """Return the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended"
        return json.loads(line)

    def ask(self, line: str) -> Any:  # noqa: ANN401 - whatever the program says
        """Send a line and return the answer."""
        self.tell(line)
        return self.hear()

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        assert self.hear() == "ready"
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


# --- what the process does ------------------------------------------------------------------


def say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def lines() -> Iterator[str]:
    say("ready")
    for line in sys.stdin:
        yield line.rstrip("\n")


def replica(url: str) -> None:
    with annul.Replica.open(url, policy=POLICY, max_staleness=DELTA) as follower:
        for token in lines():
            say(outcome(follower.verify, token))


def authority(url: str, kek_file: str) -> None:
    with annul.Authority.open(
        url, issuer=ISSUER, audience=AUDIENCE, max_staleness=DELTA, kek_file=kek_file
    ) as opened:
        for token in lines():
            say(at_once(partial(successor, opened, token)))


def successor(opened: annul.Authority, token: str) -> str:
    """Return the next refresh token, or the code of the error."""
    try:
        return opened.refresh(token).refresh_token
    except annul.AnnulError as error:
        return error.code


def verify_in_worker(url: str, token: str) -> str:
    """Return what a replica says that a worker of a pool opens for itself."""
    with annul.Replica.open(url, policy=POLICY, max_staleness=DELTA) as follower:
        return outcome(follower.verify, token)


def at_once(work: Callable[[], str]) -> list[str]:
    """Return what many threads get that do the same at the same time."""
    gate = threading.Barrier(THREADS)

    def go() -> str:
        gate.wait()
        return work()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(go) for _ in range(THREADS)]]


if __name__ == "__main__":
    programs: dict[str, Callable[..., None]] = {"replica": replica, "authority": authority}
    programs[sys.argv[1]](*sys.argv[2:])
