"""A program that adds to an audit log, for tests that do it in processes of their own.

``python -m tests.audit.writing FILE NAME`` logs the lines of its input in, one at a time, and says
each one again when it is on the disk.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from annul import events
from annul.audit import AuditLog

ROOT = Path(__file__).parents[2]


class Writer:
    """A process that adds lines; killed when the block ends."""

    def __init__(self, path: Path, name: str) -> None:
        python_path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.audit.writing", str(path), name],
            cwd=ROOT,
            env=dict(os.environ) | {"PYTHONPATH": python_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, *subjects: str) -> None:
        """Have lines added, without waiting."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{subject}\n" for subject in subjects))
        self._process.stdin.flush()

    def hear(self) -> str:
        """Return the next subject whose line is on the disk."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def kill(self) -> list[str]:
        """End it as kill -9 does; return what it has still said."""
        self._process.kill()
        assert self._process.stdout is not None
        rest = self._process.stdout.read().split("\n")
        self._process.wait()
        return [line for line in rest[:-1] if line]

    def __enter__(self) -> Self:
        assert self.hear() == "ready"
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


async def write(path: Path, name: str) -> None:
    log = AuditLog(path)
    print("ready", flush=True)  # noqa: T201 - how it answers
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        subject = line.rstrip("\n")
        await log.record(events.Login(at=1.0, subject=subject, client_id="web", session_id=name))
        print(subject, flush=True)  # noqa: T201 - (the same)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2]))
