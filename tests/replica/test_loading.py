"""The whole log is read in pages: all of it, with room made in between, and somebody is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.revocation import Kind
from annul.core.session import BEGINNING
from annul.replica.archive import Archive
from annul.stores import open_store
from annul.stores.base import LogReader, Snapshot
from annul.testing import sample_draft
from tests.replica.recording import Recording
from tests.stage import DELTA, ISSUER, POLICY, Stage, await_fresh
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from annul.core.revocation import Position
    from annul.stores.base import Store

    Between = Callable[[Snapshot], Awaitable[Snapshot]]

PAGE = 10
FEW = 60


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annul.replica.reading._PAGE", PAGE)


def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a base be made from ``FEW`` ids on."""
    defaults = {"path": None, "many": FEW}
    monkeypatch.setattr(Archive.__init__, "__kwdefaults__", defaults)


def fill(stage: Stage, count: int, name: str = "jti") -> None:
    async def append(store: Store) -> None:
        await store.append([sample_draft(Kind.TOKEN, f"{name} {n}") for n in range(count)])

    stage.ask(append)


class Paged(Recording):
    """A reader to which something happens before each page after the first."""

    def __init__(self, reader: LogReader, between: Between) -> None:
        super().__init__(reader, [], set())
        self._between = between

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        page = await super().page(after, limit)
        return page if after == BEGINNING else await self._between(page)


def test_whoever_wants_to_know_is_told_how_far_it_has_read(stage: Stage) -> None:
    stage.authority()
    fill(stage, 35)
    told: list[tuple[int, int | None]] = []
    replica = stage.replica(progress=lambda *numbers: told.append(numbers))
    assert told == [(10, 35), (20, 35), (30, 35), (35, 35)]
    assert len(replica._denylist) == 35
    assert replica.counters.loads == 1


def test_an_authority_tells_it_as_well(stage: Stage) -> None:
    stage.authority()
    fill(stage, 15)
    told: list[tuple[int, int | None]] = []
    stage.authority(progress=lambda *numbers: told.append(numbers))
    assert told == [(10, 15), (15, 15)]


def test_how_much_there_is_in_an_older_epoch_cannot_be_known(timed_stage: Stage) -> None:
    stage = timed_stage
    stage.authority()
    fill(stage, 12, "old")

    async def lose(store: Store) -> None:
        head = (await store.snapshot()).watermark
        seen = annul.Position(head.epoch, head.seq + 5)
        await store.append([sample_draft(Kind.TOKEN, "new")], floor=seen)

    stage.ask(lose)
    told: list[tuple[int, int | None]] = []
    stage.replica(progress=lambda *numbers: told.append(numbers))
    assert told == [(10, None), (13, 13)]


def test_what_is_appended_while_it_reads_is_known_when_it_answers(timed_stage: Stage) -> None:
    stage = timed_stage
    stage.authority()
    fill(stage, 25)
    late: list[bool] = []

    async def append(page: Snapshot) -> Snapshot:
        if not late:
            late.append(True)
            store = open_store(stage.url, issuer=ISSUER)
            await store.append([sample_draft(Kind.TOKEN, "late")])
            await store.close()
        return page

    replica = annul.Replica(
        lambda: Paged(open_store(stage.url, issuer=ISSUER), append),
        policy=POLICY,
        max_staleness=DELTA,
    )
    with replica:
        await_fresh(replica)
        assert late
        assert set(replica._denylist) == set(stage.entries())


def test_a_store_that_loses_its_end_meanwhile_is_read_again(timed_stage: Stage) -> None:
    stage = timed_stage
    stage.authority()
    fill(stage, 25)
    back: list[bool] = []

    async def go_back(page: Snapshot) -> Snapshot:
        if back:
            return page
        back.append(True)
        earlier = page.watermark._replace(seq=page.watermark.seq - 20)
        return Snapshot((), earlier)  # as from a server that has not got everything

    replica = annul.Replica(
        lambda: Paged(open_store(stage.url, issuer=ISSUER), go_back),
        policy=POLICY,
        max_staleness=DELTA,
    )
    with replica:
        await_fresh(replica)
        assert back
        assert replica.counters.renewals_failed == 1
        assert len(replica._denylist) == 25


def test_room_is_made_while_it_reads(file_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch)
    stage = file_stage
    stage.authority()
    fill(stage, 4 * FEW)
    ready = threading.Event()
    outside: list[int] = []
    replicas: list[annul.Replica] = []

    def look(_read: int, _about: int | None) -> None:
        assert ready.wait(10)
        outside.append(replicas[0]._denylist.outside)

    replicas.append(
        annul.Replica(
            lambda: open_store(stage.url, issuer=ISSUER),
            policy=POLICY,
            max_staleness=DELTA,
            progress=look,
        )
    )
    ready.set()
    with replicas[0] as replica:
        await_fresh(replica)
        assert max(outside) < 2 * FEW
        assert replica._denylist.base is not None
        assert len(replica._denylist.base) >= 2 * FEW
        known = {entry.fingerprint for entry in replica._denylist}
        assert known == {entry.fingerprint for entry in stage.entries()}


def test_a_base_that_cannot_be_made_keeps_nobody_from_reading_on(
    file_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    few(monkeypatch)
    monkeypatch.setattr("annul.replica.disk.tempfile.tempdir", str(file_stage.folder / "absent"))
    file_stage.authority()
    fill(file_stage, 3 * FEW)
    replica = file_stage.replica()
    eventually(lambda: len(replica._denylist) == 3 * FEW)
    assert replica.fresh


def test_an_authority_starts_from_its_own_snapshot_file(file_stage: Stage) -> None:
    path = file_stage.folder / "snapshot"
    told: list[tuple[int, int | None]] = []
    with file_stage.authority(snapshot_file=path) as first:
        first.revoke(annul.TokenId("gone"))
    assert path.exists()
    second = file_stage.authority(snapshot_file=path, progress=lambda *n: told.append(n))
    assert told == []  # the log was not read as a whole
    assert second.replica.counters.loads == 0
    assert len(second.replica._denylist) == 1


def test_a_folder_that_is_not_there_is_misconfigured_for_an_authority_too(stage: Stage) -> None:
    with pytest.raises(annul.Misconfigured):
        stage.authority(snapshot_file=stage.folder / "absent" / "snapshot")
