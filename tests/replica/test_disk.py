"""The snapshot file: whole or not there, of this user and this store, and never in the way."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Watermark
from annul.errors import InvalidRequest, Misconfigured
from annul.replica.archive import Archive
from annul.replica.disk import Draft, Mapped, SnapshotFile
from annul.testing import ISSUER
from tests.core.snapshots import snapshot_of, written
from tests.judging import revocation

if TYPE_CHECKING:
    from pathlib import Path

MARK = Watermark(7, 90, b"tag")
ENTRIES = [
    revocation(Kind.TOKEN, "t", 10),
    revocation(Kind.SESSION, "s", 11),
    revocation(Kind.SUBJECT, "alice", 12),
]
GOOD = written(snapshot_of(Denylist(ENTRIES), MARK))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "denylist.snapshot"


@pytest.fixture
def file(place: Path) -> SnapshotFile:
    place.parent.mkdir()
    return SnapshotFile(place)


def read(file: SnapshotFile, lineage: str = "line") -> Mapped | None:
    return file.read(issuer=ISSUER, lineage=lineage)


def write(file: SnapshotFile, data: bytes = GOOD) -> None:
    with file.draft() as draft:
        draft.write([data])
        draft.publish()


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


# --- writing --------------------------------------------------------------------------


def test_what_was_written_is_read(file: SnapshotFile, place: Path) -> None:
    write(file)

    mapped = read(file)

    assert mapped is not None
    assert mapped.snapshot.watermarks == (MARK,)
    assert len(mapped.snapshot.base) == 2
    mapped.close()
    assert names(place) == [place.name]


def test_nobody_else_may_read_it(file: SnapshotFile, place: Path) -> None:
    before = os.umask(0)
    try:
        write(file)
    finally:
        os.umask(before)

    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_what_is_mapped_stays_as_it_was_when_the_file_is_replaced(file: SnapshotFile) -> None:
    write(file)
    mapped = read(file)
    assert mapped is not None

    write(file, written(snapshot_of(Denylist())))

    assert len(list(mapped.snapshot.base)) == 2
    mapped.close()
    assert len(list(mapped.snapshot.base)) == 2
    again = read(file)
    assert again is not None
    assert len(again.snapshot.base) == 0
    again.close()


def test_whoever_still_looks_something_up_can_do_so_when_the_map_is_let_go(
    file: SnapshotFile,
) -> None:
    write(file)
    mapped = read(file)
    assert mapped is not None
    base = mapped.snapshot.base
    write(file, written(snapshot_of(Denylist())))

    assert list(mapped.leaving()) == [None]
    mapped.close()

    assert len(list(base)) == 2
    assert base.find(ENTRIES[0].fingerprint, None) is not None


def test_a_draft_that_is_not_published_leaves_what_was_there(
    file: SnapshotFile, place: Path
) -> None:
    write(file)

    with file.draft() as draft:
        draft.write([b"half of"])
        assert place.read_bytes() == GOOD

    assert place.read_bytes() == GOOD
    assert names(place) == [place.name]


def test_a_draft_without_a_place_has_no_name(tmp_path: Path) -> None:
    with Draft(None) as draft:
        draft.write([GOOD])
        draft.publish()
        mapped = Mapped(draft.file.fileno(), ISSUER)

    assert len(mapped.snapshot.base) == 2
    mapped.close()
    assert list(tmp_path.iterdir()) == []


def test_a_draft_of_a_process_that_was_killed_is_removed_one_day(
    file: SnapshotFile, place: Path
) -> None:
    dead, at_work, other = (
        place.parent / name
        for name in (f".{place.name}.1.draft", f".{place.name}.2.draft", "other.draft")
    )
    for path in (dead, at_work, other):
        path.write_bytes(b"")
    os.utime(dead, (0, time.time() - 7200))
    os.utime(other, (0, 0))

    assert read(file) is None

    assert names(place) == sorted([at_work.name, other.name])


# --- not to be used -------------------------------------------------------------------


def damaged() -> dict[str, bytes]:
    middle = len(GOOD) // 2
    return {
        "nothing in it": b"",
        "cut short": GOOD[:-1],
        "longer": GOOD + b"\0",
        "a bit is another": GOOD[:middle] + bytes([GOOD[middle] ^ 1]) + GOOD[middle + 1 :],
        "something else": b"PK\3\4" + bytes(1000),
        "of another issuer": written(replace(snapshot_of(Denylist()), issuer="https://other")),
        "of another lineage": written(snapshot_of(Denylist(ENTRIES), lineage="other")),
    }


@pytest.mark.parametrize("why", list(damaged()))
def test_one_that_cannot_be_used_is_set_aside(file: SnapshotFile, place: Path, why: str) -> None:
    place.write_bytes(damaged()[why])
    place.chmod(0o600)

    assert read(file) is None

    assert names(place) == [f"{place.name}.aside"]
    assert read(file) is None
    write(file)
    mapped = read(file)
    assert mapped is not None
    mapped.close()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_one_that_others_may_write_is_not_believed(
    file: SnapshotFile, place: Path, mode: int
) -> None:
    write(file)
    place.chmod(mode)

    assert read(file) is None
    assert names(place) == [f"{place.name}.aside"]


def test_a_folder_in_its_place_is_no_snapshot(file: SnapshotFile, place: Path) -> None:
    place.mkdir()

    assert read(file) is None


def test_a_missing_one_is_nothing_special(file: SnapshotFile, place: Path) -> None:
    assert read(file) is None
    assert names(place) == []
    assert SnapshotFile(None).read(issuer=ISSUER, lineage="line") is None


@pytest.mark.parametrize("path", [b"bytes", 5, object()])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(Misconfigured):
        SnapshotFile(path)  # type: ignore[arg-type]  # what a caller may get wrong


def test_a_folder_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        SnapshotFile(tmp_path / "nowhere" / "file")


def test_an_empty_file_is_not_mapped(tmp_path: Path) -> None:
    with Draft(tmp_path / "x") as draft, pytest.raises(InvalidRequest):
        Mapped(draft.file.fileno(), ISSUER)


# --- nowhere to write -----------------------------------------------------------------


def test_a_folder_that_has_gone_costs_the_snapshot_and_nothing_else(
    file: SnapshotFile, place: Path
) -> None:
    write(file)
    denylist = Denylist(ENTRIES)
    denylist.watermark = MARK
    archive = Archive(denylist, issuer=ISSUER, path=place)
    away = place.parent.rename(place.parent.parent / "away")

    asyncio.run(archive.renew("line"))

    assert archive.is_behind
    assert len(denylist) == len(ENTRIES)
    assert (away / place.name).read_bytes() == GOOD
