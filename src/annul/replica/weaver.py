"""Runs the process that weaves what was learnt into a large base (``annul.replica.merge``)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

__all__ = ["Weaver"]

_LONGEST = 1800.0  # on a busy machine a process that nobody waits for gets little


class Weaver:
    """Has one process at a time, which ends at the latest when nobody waits for it any more."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    async def weave(self, old: int, new: int, learnt: bytes) -> None:
        """Weave a snapshot ``learnt`` and the file ``old`` into the file ``new``, both descriptors.

        Raises ``OSError`` if that could not be done.
        """
        # Descriptors of its own, because it may go on for a moment when nobody waits any more.
        files = os.dup(old), os.dup(new)
        try:
            await asyncio.to_thread(self._weave, *files, learnt)
        finally:
            if self._process is not None:
                self._process.kill()

    def _weave(self, old: int, new: int, learnt: bytes) -> None:
        try:
            said = self._run(old, new, learnt)
        finally:
            os.close(old)
            os.close(new)
        if said is not None:
            raise ChildProcessError(f"the process that merges has failed: {said}")

    def _run(self, old: int, new: int, learnt: bytes) -> str | None:
        """Run the process to its end; return what it says if it fails."""
        if not sys.executable:
            return "this Python does not know its own program"
        self._process = subprocess.Popen(  # noqa: S603 - our own program and two numbers
            # -P: a module of our name in the current directory is not ours.
            [sys.executable, "-P", "-m", "annul.replica.merge", str(old), str(new)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(old, new),
        )
        with self._process as process:
            try:
                _, said = process.communicate(learnt, timeout=_LONGEST)
            except subprocess.TimeoutExpired:
                return "it takes too long"
            finally:
                process.kill()
        if not process.returncode:
            return None
        return (said.decode("utf-8", "replace").splitlines() or ["killed"])[-1]
