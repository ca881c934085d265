"""One SQLite file and the connection to it: opening, transactions, and the bell beside it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from annul.errors import AnnulError, Misconfigured, StoreUnavailable, UnsafeStore, WrongStore
from annul.stores import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bell", "DatabaseFile", "explain", "path_from_url"]

_APPLICATION_ID = 0x616E6E6C  # "annl"
_BUSY_TIMEOUT = 5.0
_READ_ONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BROKEN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def path_from_url(url: str) -> str:
    """Return the path in ``sqlite:///relative.db`` or ``sqlite:////absolute.db``."""
    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.netloc or parts.query or parts.fragment or not path or "\0" in path:
        raise Misconfigured(
            "write three slashes and a path, sqlite:///annul.db, or four for an absolute one"
        )
    if path == ":memory:":
        raise Misconfigured("for a store in memory use memory://")
    return path


def explain(error: sqlite3.Error | OSError, path: str) -> AnnulError:
    """Return the error of ours that says what to do about one of SQLite's or the system's."""
    if isinstance(error, OSError):
        kind = Misconfigured if isinstance(error, PermissionError) else StoreUnavailable
        return kind(f"cannot use {path}: {os.strerror(error.errno or 0).lower()}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _READ_ONLY:
        return Misconfigured(f"cannot write {path}: give this process a writable file and folder")
    if code in _BUSY:
        return StoreUnavailable(f"{path} was locked for {_BUSY_TIMEOUT:g} s by another process")
    if code == sqlite3.SQLITE_FULL:
        return StoreUnavailable(f"the disk of {path} is full: free some space, nothing was lost")
    if code in _BROKEN:
        return WrongStore(f"{path} is not a sound SQLite database: restore it or name another file")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreUnavailable(f"SQLite could not use {path} ({name})")


class DatabaseFile:
    """The connection to one database file. Used by one thread at a time.

    SQLite keeps in memory which locks this process holds on a file, and a forked child inherits
    that memory without the locks: it would wait for ever for some and believe itself safe by
    others. So every connection is closed before a fork, and opened again when it is needed.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._busy = threading.Lock()
        with _files_lock:
            _files.add(self)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give a connection on which all reads see one moment; ``None`` if nobody founded it."""
        with self._busy, self._reading() as db:
            yield db

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        db = self._connect()
        if db is None:
            yield None
            return
        self._check_same_file()
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Give a connection that holds the write lock; commit when the block ends well.

        The commit counts only if the path still names the file that was written: a deleted or
        renamed file takes commits without complaint, and they are lost.
        """
        with self._busy, self._writing(create=create) as db:
            yield db

    @contextlib.contextmanager
    def _writing(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        db = self._connect(create=create)
        if db is None:
            raise StoreUnavailable(f"{self.path} is not there: an authority has to open it first")
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            self._check_same_file()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._check_same_file()

    def close(self) -> None:
        """Close the connection, if there is one."""
        with self._busy:
            self._close()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- around a fork ------------------------------------------------------------------

    def before_fork(self) -> None:
        """Wait until nothing is going on, close, and keep everybody out."""
        self._busy.acquire()
        self._close()

    def after_fork_in_parent(self) -> None:
        """Let everybody in again."""
        self._busy.release()

    def after_fork_in_child(self) -> None:
        """Begin with a lock that no thread of the parent can be waiting for."""
        self._busy = threading.Lock()

    def _check_same_file(self) -> None:
        try:
            now = Path(self.path).stat()
        except FileNotFoundError:
            now = None
        if now is None or (now.st_dev, now.st_ino) != self._inode:
            self._close()
            raise StoreUnavailable(
                f"{self.path} was replaced or removed while in use: put it back, or start anew"
            )

    def _connect(self, *, create: bool = False) -> sqlite3.Connection | None:
        if self._db is not None:
            return self._db
        if not Path(self.path).exists():
            if not create:
                return None
            self._create()
        if not os.access(self.path, os.R_OK | os.W_OK):
            # Before SQLite makes files beside it that are just as read-only, and stay so.
            raise Misconfigured(f"cannot write {self.path}: give this process a writable file")
        # mode=rw: SQLite itself must never make a file, it would be readable by everybody.
        uri = f"file:{_quote(self.path)}?mode=rw"
        db = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT, check_same_thread=False
        )
        try:
            if not self._prepare(db, create=create):
                db.close()
                return None
        except BaseException:
            db.close()
            raise
        found = Path(self.path).stat()
        self._inode = (found.st_dev, found.st_ino)
        self._db = db
        return db

    def _create(self) -> None:
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise Misconfigured(
                f"cannot create {self.path}: {os.strerror(error.errno or 0).lower()};"
                " make the folder and give this process the right to write there"
            ) from None

    def _prepare(self, db: sqlite3.Connection, *, create: bool) -> bool:
        """Check that the database is ours, make its tables if asked, and set durability."""
        # In one transaction: another process may be making the tables at this very moment.
        db.execute("BEGIN")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.execute("ROLLBACK")
        if tables and application != _APPLICATION_ID:
            raise WrongStore(f"{self.path} holds somebody else's tables; name another file")
        if version > sql.SCHEMA_VERSION:
            raise WrongStore(
                f"{self.path} was made by a newer annul (schema {version}, this one knows"
                f" {sql.SCHEMA_VERSION}): upgrade annul"
            )
        if not tables and not create:
            return False
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise UnsafeStore(f"{self.path} cannot use a write-ahead log; use a local file system")
        db.execute("PRAGMA synchronous = FULL")
        if version < sql.SCHEMA_VERSION:
            self._migrate(db)
        return True

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster while this one waited for the lock.
            (version,) = db.execute("PRAGMA user_version").fetchone()
            for statements in sql.MIGRATIONS[version:]:
                for statement in statements:
                    db.execute(statement)
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {max(version, sql.SCHEMA_VERSION)}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


_files: weakref.WeakSet[DatabaseFile] = weakref.WeakSet()
_files_lock = threading.Lock()
_quiet: list[DatabaseFile] = []


def _before_fork() -> None:
    _files_lock.acquire()
    _quiet[:] = _files
    for file in _quiet:
        file.before_fork()


def _after_fork_in_parent() -> None:
    for file in _quiet:
        file.after_fork_in_parent()
    _quiet.clear()
    _files_lock.release()


def _after_fork_in_child() -> None:
    global _files_lock  # noqa: PLW0603 - the old one may have waiters that do not exist here
    for file in _quiet:
        file.after_fork_in_child()
    _quiet.clear()
    _files_lock = threading.Lock()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)


def _quote(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


class Bell:
    """A file beside the database whose bytes change with every commit.

    It is a separate file because closing the database or its shared memory a second time in a
    process would drop the locks that SQLite holds on it there.
    """

    _SIZE = 8

    def __init__(self, path: str) -> None:
        self._path = path + "-bell"
        self._fd: int | None = None

    def ring(self) -> None:
        """Change the bytes. A bell that cannot be written only makes readers slower."""
        fd = self._open()
        if fd is not None:
            with contextlib.suppress(OSError):
                os.pwrite(fd, os.urandom(self._SIZE), 0)

    def read(self) -> bytes:
        """Return the bytes as they are now; always empty if there is no bell."""
        fd = self._open()
        if fd is None:
            return b""
        try:
            return os.pread(fd, self._SIZE, 0)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int | None:
        if self._fd is None:
            # Only beside an existing database: a reader must not litter an empty folder.
            if not Path(self._path.removesuffix("-bell")).exists():
                return None
            with contextlib.suppress(OSError):
                self._fd = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        return self._fd
