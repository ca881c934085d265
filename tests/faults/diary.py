"""What the processes of a scene write down while it happens: one JSON object a line.

Instants are seconds of ``time.monotonic``, which is one clock for all processes of a machine. A
line is written by a single call, so that a process that is killed leaves whole lines behind, and
at most one that is cut short: whoever reads takes a line only once its end is there.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Line = dict[str, Any]


class Diary:
    """The diary of one process, to write in. Any thread may."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, **details: object) -> None:
        line = json.dumps({"what": what, **details}, separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


class Diaries:
    """All diaries in a folder whose names fit a pattern, to be read while they are written."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self._folder = folder
        self._pattern = pattern
        self._read: dict[Path, int] = {}

    def news(self) -> Iterator[tuple[str, Line]]:
        """Yield the lines that have come since, each with the name of who wrote it."""
        for path in sorted(self._folder.glob(self._pattern)):
            begin = self._read.get(path, 0)
            if path.stat().st_size == begin:
                continue
            with path.open("rb") as file:
                file.seek(begin)
                text = file.read()
            whole = text.rfind(b"\n") + 1
            self._read[path] = begin + whole
            for line in text[:whole].splitlines():
                yield path.stem, json.loads(line)
