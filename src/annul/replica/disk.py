"""Snapshots on disk: mapped for reading, replaced as a whole for writing.

A file is written beside its place under another name, flushed, and then renamed, so that whoever
reads sees the one before or the new one. It is never written to again; what has been mapped stays
as it was even when its name is gone.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from annul.core.snapshot import Snapshot, decode
from annul.errors import AnnulError, InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Draft", "Mapped", "SnapshotFile"]

log = logging.getLogger("annul.replica")

_ASIDE = ".aside"
_DRAFT = ".draft"
_OLD_DRAFT = 3600.0
_PIECE = 1 << 22
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Mapped:
    """A snapshot whose tables lie in a mapped file; its descriptor is for the one who merges."""

    def __init__(self, file: int, issuer: str, *, only_base: bool = False) -> None:
        size = os.fstat(file).st_size
        if size == 0:
            raise InvalidRequest("an empty file is no snapshot")
        # The tables keep the map open for as long as somebody may look something up in it.
        self._memory = mmap.mmap(file, size, access=mmap.ACCESS_READ)
        self.snapshot: Snapshot = decode(self._memory, issuer=issuer, only_base=only_base)
        self.file = os.dup(file)

    def close(self) -> None:
        """Give up the descriptor. The tables can be used on.

        If the file has no name any more, and no map either, this takes as long as it is large.
        """
        os.close(self.file)

    def leaving(self) -> Iterator[None]:
        """Let go of the map, pausing after each small piece; ``close`` is for after that.

        Unmapping all of it at once, or the last map of a file without a name, would hold every
        other thread up. Somebody who still looks something up in it only waits for memory.
        """
        for start in range(0, len(self._memory), _PIECE):
            size = min(_PIECE, len(self._memory) - start)
            self._memory.madvise(mmap.MADV_DONTNEED, start, size)
            yield
        del self.snapshot, self._memory


class Draft:
    """A file in the making. Unless it is published, nothing is left of it."""

    def __init__(self, place: Path | None) -> None:
        self._place = place
        self._name: str | None = None
        self._pid = os.getpid()
        if place is None:
            self.file: BinaryIO = tempfile.TemporaryFile(prefix="annul-")  # noqa: SIM115 - closed by close
        else:
            # The name is random and the rights are 0600; several processes may have one place.
            number, self._name = tempfile.mkstemp(
                prefix=f".{place.name}.", suffix=_DRAFT, dir=place.parent
            )
            self.file = os.fdopen(number, "w+b")

    def write(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Write the pieces and flush them to the disk."""
        for piece in pieces:
            self.file.write(piece)
        self.file.flush()
        os.fsync(self.file.fileno())

    def publish(self) -> None:
        """Put what was written in the place of what is there, if it is to have a place."""
        if self._place is None or self._name is None:
            return
        Path(self._name).replace(self._place)
        self._name = None
        folder = os.open(self._place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.file.close()
        # In a forked child this is the parent's draft.
        if self._name is not None and self._pid == os.getpid():
            with contextlib.suppress(OSError):
                Path(self._name).unlink()


class SnapshotFile:
    """The place of the last good snapshot, ``None`` if none is kept."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        if path is not None and not isinstance(path, str | os.PathLike):
            raise Misconfigured("snapshot_file must be a path")
        self.path = None if path is None else Path(path).absolute()
        if self.path is not None and not self.path.parent.is_dir():
            raise Misconfigured(f"there is no folder {self.path.parent} for the snapshot file")

    def read(self, *, issuer: str, lineage: str) -> Mapped | None:
        """Return the last good snapshot of this issuer and lineage, if there is one.

        One that cannot be used is logged and set aside. It is no use to anybody, and nothing is
        lost with it: everything in it can be read from the store.
        """
        if self.path is None:
            return None
        _tidy(self.path)
        try:
            with self.path.open("rb") as file:
                _check_rights(file)
                mapped = Mapped(file.fileno(), issuer)
            if mapped.snapshot.lineage != lineage:
                mapped.close()
                raise InvalidRequest("this snapshot is of a store that was founded at another time")
        except FileNotFoundError:
            return None
        except (OSError, AnnulError) as error:
            log.warning("cannot use %s, reading everything from the store: %s", self.path, error)
            with contextlib.suppress(OSError):
                self.path.replace(f"{self.path}{_ASIDE}")
            return None
        return mapped

    def draft(self) -> Draft:
        """Begin a file that can be published here."""
        return Draft(self.path)


def _tidy(place: Path) -> None:
    """Remove drafts of processes that were ended while they wrote."""
    latest = time.time() - _OLD_DRAFT
    with contextlib.suppress(OSError):
        for draft in place.parent.iterdir():
            ours = draft.name.startswith(f".{place.name}.") and draft.name.endswith(_DRAFT)
            if ours and draft.stat().st_mtime < latest:
                draft.unlink()


def _check_rights(file: BinaryIO) -> None:
    # Whoever can write it can leave a revocation out of it.
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequest("this is not a file")
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY_WRITE:
        raise InvalidRequest("others than this process's user may write this file")
