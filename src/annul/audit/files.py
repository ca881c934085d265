"""The files of an audit log: opened for adding, locked, read from their end, and replaced."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from annul.audit.chain import BEGINNING, MOST_BYTES, Place, compose, place_of
from annul.core.encoding import EncodingError
from annul.errors import InvalidRequest, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["End", "adding_to", "check_file", "end_of", "rotate", "sync_folder", "write_whole"]

_BLOCK = 65_536
_FIRST = b'{"seq":1,'
_LOCK_TRIES, _LOCK_PAUSE = 500, 0.01
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class End(NamedTuple):
    """How a file ends.

    ``place`` is that of its last line, ``piece`` what stands after that line and is none, and
    ``lead`` what has to be written before the next line can begin.
    """

    place: Place
    piece: bytes | None
    lead: bytes


@contextlib.contextmanager
def adding_to(path: Path, *, opened: Callable[[int | None], object]) -> Iterator[int]:
    """Open the file for adding, making it if there is none, and hold its lock while the block runs.

    ``opened`` is told the descriptor, and ``None`` when it is closed again: the child of a fork has
    to let go of it. Raises ``OSError``; ``TimeoutError`` if somebody holds the lock for very long.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        opened(fd)
        try:
            _lock(fd)
            try:
                if _is_at(fd, path):
                    yield fd
                    return
            finally:
                # Said, because a child that was forked just now holds the same lock open.
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            opened(None)
            os.close(fd)


def _lock(fd: int) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        else:
            return
    raise TimeoutError("somebody else has been adding to it for too long")


def _is_at(fd: int, path: Path) -> bool:
    """Whether the file is still the one of that name, and was not replaced while we waited."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), path.stat())
    return False


def end_of(fd: int) -> End:
    """Return how a file ends. Raises ``EncodingError`` if it does not end like an audit log."""
    size, room = os.fstat(fd).st_size, _BLOCK
    while True:
        start = max(0, size - room)
        lines = os.pread(fd, size - start, start).split(b"\n")
        # Backwards; the first one may be only the end of a line.
        for index in range(len(lines) - 1, -1 if start == 0 else 0, -1):
            with contextlib.suppress(EncodingError):
                return _end(place_of(lines[index]), lines[index + 1 :])
        if start == 0:
            return _end_of_none(lines)
        if room > 2 * MOST_BYTES:
            raise EncodingError("no line of an audit log")
        room *= 4


def _end(place: Place, rest: list[bytes]) -> End:
    """Return the end of a file in which ``rest`` comes after the last line, split at line feeds."""
    if not rest or rest == [b""]:
        # All of the line has been written, perhaps but for its end.
        return End(place, None, b"" if rest else b"\n")
    if rest[-1] == b"":
        return End(place, b"\n".join(rest[:-1]), b"")
    return End(place, b"\n".join(rest), b"\n")


def _end_of_none(lines: list[bytes]) -> End:
    (piece,) = lines if len(lines) == 1 else (None,)
    if piece == b"":
        return End(BEGINNING, None, b"")
    # The first write of all may have been cut short; whatever else this is, it is not ours.
    if piece is None or not piece.startswith(_FIRST[: len(piece)]):
        raise EncodingError("no line of an audit log")
    return End(BEGINNING, piece, b"\n")


def write_whole(fd: int, data: bytes) -> int:
    """Write as much as can be written; return how many bytes were. Raises nothing for the disk."""
    written = 0
    with contextlib.suppress(OSError):
        while written < len(data):
            written += os.write(fd, data[written:])
    return written


def sync_folder(path: Path) -> None:
    """Make names in the folder of ``path`` last."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def check_file(path: Path) -> None:
    """Raise ``Misconfigured`` unless an audit log can be kept at ``path``."""
    try:
        found = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise Misconfigured(f"the folder of the audit log {path} is not there") from None
        return
    except OSError as error:
        raise _unusable(path, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise Misconfigured(f"the audit log {path} is not an ordinary file")
    if found.st_mode & _OTHERS_WRITE:
        raise Misconfigured(f"others may write the audit log {path}: chmod 600")


def _unusable(path: Path, error: OSError) -> Misconfigured:
    why = os.strerror(error.errno or 0).lower()
    return Misconfigured(f"cannot keep the audit log {path}: {why}")


def rotate(path: Path, *, at: float) -> Path:
    """Go on in a new file, and return the name of the old one: the log's with its last number.

    The new file's first line names the old one and follows from its last line. There is always a
    file of the log's name, so processes that are adding to it miss nothing. ``at`` is Unix time.
    Raises ``InvalidRequest`` if there is nothing to rotate, ``Misconfigured`` if it cannot be done.
    """
    check_file(path)
    if not path.exists():
        raise InvalidRequest(f"there is no audit log {path}")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with adding_to(path, opened=lambda _: None) as fd:
            place, piece, lead = end_of(fd)
            if not place.seq or piece or lead:
                raise InvalidRequest(f"{path} has no whole last line to go on from")
            old = path.with_name(f"{path.name}.{place.seq}")
            line, _ = compose(place, {"at": at, "event": "continued", "file": old.name})
            new = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                if write_whole(new, line) < len(line):
                    raise Unavailable(f"there is no room for a new file beside {path}")
                os.fsync(new)
            finally:
                os.close(new)
            os.link(path, old)
            draft.replace(path)
            sync_folder(path)
    except EncodingError:
        raise InvalidRequest(f"{path} does not end like an audit log") from None
    except OSError as error:
        raise _unusable(path, error) from None
    finally:
        draft.unlink(missing_ok=True)
    return old
