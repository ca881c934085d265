"""Many ids go into a base, woven by another process; few never start one."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Position, Revocation
from annul.replica.archive import Archive
from annul.replica.disk import SnapshotFile
from annul.testing import ISSUER
from tests.judging import revocation
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 40
KINDS = (Kind.TOKEN, Kind.SESSION)


class Kept:
    """A denylist and its archive, small enough to be full soon."""

    def __init__(self, path: Path | None) -> None:
        self.denylist = Denylist()
        self.archive = Archive(self.denylist, issuer=ISSUER, path=path, many=MANY)
        self.known: list[Revocation] = []
        self.path = path

    def learn(self, count: int, until: int | None = 500) -> None:
        start = len(self.known)
        news = [
            replace(revocation(KINDS[n % 2], f"id {n}", n), expires_at=until)
            for n in range(start, start + count)
        ]
        self.known += news
        self.denylist.apply(news)
        self.denylist.watermark = news[-1].watermark

    def renew(self) -> None:
        asyncio.run(self.archive.renew("line"))

    @property
    def started(self) -> bool:
        """Whether it has ever started another process."""
        return self.archive._weaver._process is not None

    def refuses_all(self) -> bool:
        return all(self.denylist.find(asking(entry)) is not None for entry in self.known)

    def on_disk(self) -> set[bytes]:
        assert self.path is not None
        mapped = SnapshotFile(self.path).read(issuer=ISSUER, lineage="line")
        assert mapped is not None
        mapped.close()
        return {entry.fingerprint for entry in mapped.snapshot.base}

    def marks(self) -> set[bytes]:
        return {entry.fingerprint for entry in self.known}


def asking(entry: Revocation) -> Facts:
    value, none = entry.fingerprint, b"nobody knows"
    token, session = (value, none) if entry.kind is Kind.TOKEN else (none, value)
    return Facts(token, session, None, None, none, None, Position(1, 1), None)


@pytest.fixture(params=["kept on disk", "not kept"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "snapshot" if request.param == "kept on disk" else None)
    yield made
    if made.archive._mapped is not None:
        made.archive._mapped.close()


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "snapshot")
    yield made
    if made.archive._mapped is not None:
        made.archive._mapped.close()


def test_few_ids_stay_in_dicts_and_start_nothing(kept: Kept) -> None:
    for _ in range(3):
        kept.learn(MANY // 4)
        assert not kept.archive.is_full
        kept.renew()

    assert kept.denylist.base is None
    assert not kept.started
    assert kept.denylist.outside == len(kept.known)


def test_a_snapshot_of_few_has_them_all(saved: Kept) -> None:
    saved.learn(MANY // 2)
    saved.denylist.apply([revocation(Kind.SUBJECT, "alice", 99)])
    assert saved.archive.is_behind
    saved.renew()

    assert not saved.archive.is_behind
    assert saved.on_disk() == saved.marks()


def test_many_ids_go_into_a_base_and_the_youngest_stay_as_well(kept: Kept) -> None:
    kept.learn(MANY * 2)
    assert kept.archive.is_full
    kept.renew()

    assert not kept.archive.is_full
    assert not kept.started
    assert kept.denylist.base is not None
    assert len(kept.denylist.base) == MANY * 2
    assert list(kept.denylist.recent()) == [
        *kept.known[::2][-MANY // 10 :],
        *kept.known[1::2][-MANY // 10 :],
    ]
    assert kept.refuses_all()


def test_another_process_weaves_what_was_learnt_into_a_large_base(kept: Kept) -> None:
    kept.learn(MANY * 2)
    kept.renew()
    first = kept.denylist.base
    kept.learn(MANY * 2)
    kept.renew()

    assert kept.started
    assert kept.denylist.base is not None
    assert kept.denylist.base is not first
    assert len(kept.denylist.base) == MANY * 4
    assert kept.refuses_all()
    if kept.path is not None:
        assert kept.on_disk() == kept.marks()


def test_the_map_of_the_base_before_goes_while_its_file_is_still_held(kept: Kept) -> None:
    # Whoever lets go of a file without a name last waits until all of its memory is freed.
    kept.learn(MANY * 2)
    kept.renew()
    before = kept.archive._mapped
    assert before is not None
    file, still_held = before.file, []
    weakref.finalize(before._memory, lambda: still_held.append(os.fstat(file).st_size > 0))
    del before
    kept.learn(MANY * 2)
    kept.renew()

    assert still_held == [True]


def test_what_has_expired_is_left_out_of_the_next_base(kept: Kept) -> None:
    kept.learn(MANY * 3, until=100)
    kept.learn(MANY, until=900)
    kept.renew()
    kept.denylist.prune(101)
    assert kept.archive.is_full
    kept.renew()

    assert kept.started
    assert kept.denylist.base is not None
    assert (len(kept.denylist.base), kept.denylist.base.forgotten) == (MANY, 0)
    kept.known = kept.known[MANY * 3 :]
    assert kept.refuses_all()


def test_a_large_snapshot_is_restored_as_a_base_and_woven_on(saved: Kept) -> None:
    saved.learn(MANY * 2)
    saved.renew()
    again = Kept(saved.path)
    again.known = saved.known

    others = asyncio.run(again.archive.restore("line"))

    assert others == ()
    assert again.archive.next_mark() == saved.denylist.watermark
    assert (again.denylist.outside, len(again.denylist)) == (0, MANY * 2)
    again.learn(MANY)
    assert again.refuses_all()
    again.renew()
    assert again.started
    assert again.refuses_all()
    assert again.on_disk() == again.marks()
    assert again.archive._mapped is not None
    again.archive._mapped.close()


def test_a_small_snapshot_grows_without_another_process(saved: Kept) -> None:
    saved.learn(MANY // 2)
    saved.renew()
    again = Kept(saved.path)
    again.known = saved.known
    asyncio.run(again.archive.restore("line"))
    again.learn(MANY // 4)
    again.renew()

    assert not again.started
    assert again.refuses_all()
    assert again.on_disk() == again.marks()
    assert again.archive._mapped is not None
    again.archive._mapped.close()


def test_it_is_restored_once(saved: Kept) -> None:
    saved.learn(5)
    saved.renew()
    again = Kept(saved.path)
    asyncio.run(again.archive.restore("line"))
    while again.archive.next_mark() is not None:
        pass

    assert asyncio.run(again.archive.restore("line")) == ()
    assert again.archive.next_mark() is None


def test_a_merge_that_fails_leaves_everything_as_it_was(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.learn(MANY * 2)
    kept.renew()
    base, before = kept.denylist.base, None if kept.path is None else kept.on_disk()
    kept.learn(MANY * 2)
    for program in ("", "/nonexistent/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", program)
        kept.renew()
        assert kept.denylist.base is base
        assert kept.refuses_all()
        assert before is None or kept.on_disk() == before
    monkeypatch.undo()
    kept.renew()

    assert kept.denylist.base is not base
    assert kept.refuses_all()


def test_what_is_learnt_during_a_merge_is_not_lost(kept: Kept) -> None:
    kept.learn(MANY * 2)
    kept.renew()
    kept.learn(MANY * 2)
    longer = replace(kept.known[-MANY], expires_at=10_000)

    async def both() -> None:
        work = asyncio.create_task(kept.archive.renew("line"))
        await asyncio.to_thread(eventually, lambda: kept.started)
        with kept.archive.lock:
            kept.learn(3)
            kept.denylist.apply([longer])
        await work

    asyncio.run(both())

    assert kept.refuses_all()
    kept.denylist.prune(9_000)
    assert kept.denylist.find(asking(longer)) is not None


def test_leaving_ends_the_process_and_says_so(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.learn(MANY * 2)
    kept.renew()
    kept.learn(MANY * 2)
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    endless.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(endless))
    kept.archive._next = 0.0
    left: list[bool] = []

    async def leave() -> None:
        kept.archive.consider("line")
        await asyncio.to_thread(eventually, lambda: kept.started)
        await kept.archive.leave("line", lambda: left.append(True))

    asyncio.run(leave())

    assert left == [True]
    process = kept.archive._weaver._process
    assert process is not None
    assert process.wait(timeout=10) == -signal.SIGKILL
    assert kept.refuses_all()


@pytest.mark.parametrize("count", [10, 20_000])
def test_pruning_in_pieces_is_pruning(count: int) -> None:
    entry = revocation(Kind.TOKEN, "x")
    denylist = Denylist(
        replace(entry, fingerprint=number.to_bytes(12, "big"), expires_at=number)
        for number in range(count)
    )
    archive = Archive(denylist, issuer=ISSUER)

    async def prune() -> None:
        archive.prune_soon(count // 2)
        if archive._pruning is not None:
            await archive._pruning

    asyncio.run(prune())

    assert (archive._pruning is None) is (count < 100)
    assert len(denylist) == count - count // 2
    assert denylist.pruned_by == count // 2
