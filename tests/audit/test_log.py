"""Writing an audit log: acknowledged lines stay, whoever writes, whoever dies, whatever is full."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul import events
from annul.audit import AuditLog, check, rotate
from annul.audit import log as log_module
from annul.audit.files import write_whole
from tests.audit.writing import Writer

if TYPE_CHECKING:
    from pathlib import Path


def login(subject: str, at: float = 1.0) -> events.Login:
    return events.Login(at=at, subject=subject, client_id="web", session_id="s")


def add(log: AuditLog, *subjects: str) -> None:
    async def go() -> None:
        await asyncio.gather(*(log.record(login(subject)) for subject in subjects))

    asyncio.run(go())


def subjects_in(*paths: Path) -> list[str]:
    lines = [line for path in paths for line in path.read_bytes().split(b"\n")]
    records = [
        json.loads(line) for line in lines if line.startswith(b'{"seq"') and line[-1:] == b"}"
    ]
    return [record["subject"] for record in records if "subject" in record]


def test_a_line_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    synced: list[int] = []
    log = AuditLog(tmp_path / "log", fsync=lambda fd: synced.append(os.fstat(fd).st_size))
    add(log, "alice")
    assert synced == [(tmp_path / "log").stat().st_size]
    add(log, *(f"user {number}" for number in range(200)))
    assert synced[-1] == (tmp_path / "log").stat().st_size
    assert len(synced) < 100, "those that come together share one"
    found = check([tmp_path / "log"])
    assert (found.is_good, found.last) == (True, 201)


def test_the_file_is_its_owners_only_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for subject in ("alice", "bob", "carol"):
        add(AuditLog(path), subject)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert subjects_in(path) == ["alice", "bob", "carol"]
    assert check([path]).last == 3


@pytest.mark.parametrize("content", [b"hello\n", b"hello", b"[1]\n[2]\n", b'{"seq":1}\n', b"\n\n"])
def test_a_file_that_is_something_else_is_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(annul.Misconfigured):
        AuditLog(path)
    assert path.read_bytes() == content


def test_a_place_where_no_log_can_be_kept_is_misconfigured(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.touch()
    open_to_all.chmod(0o666)
    for wrong in (tmp_path, tmp_path / "none" / "log", open_to_all, "/dev/null"):
        with pytest.raises(annul.Misconfigured):
            AuditLog(wrong)
    nonsense: Any = 7
    with pytest.raises(annul.Misconfigured):
        AuditLog(nonsense)


# --- several, and deaths --------------------------------------------------------------------


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Writer(path, "one") as one, Writer(path, "two") as two:
        names = [[f"{who} {number}" for number in range(50)] for who in ("one", "two")]
        one.tell(*names[0])
        two.tell(*names[1])
        assert [[each.hear() for _ in range(50)] for each in (one, two)] == names
    found = check([path])
    assert (found.is_good, found.last, found.pieces) == (True, 100, 0)
    assert sorted(subjects_in(path)) == sorted([*names[0], *names[1]])


def test_what_was_acknowledged_before_a_kill_is_there_and_the_next_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    acknowledged: list[str] = []
    for life in range(2):
        with Writer(path, "one") as one, Writer(path, "two") as two:
            two.tell(*(f"two {life}.{number}" for number in range(10)))
            one.tell(*(f"one {life}.{number}" for number in range(500)))
            acknowledged += [one.hear() for _ in range(20)]
            acknowledged += one.kill()
            acknowledged += [two.hear() for _ in range(10)]
    found = check([path])
    assert found.is_good
    assert set(acknowledged) <= set(subjects_in(path))


@pytest.mark.parametrize("piece", [b"{", b'{"seq":3,"prev":"12', b"\0\0\0", b"junk\nand junk"])
def test_a_piece_at_the_end_is_kept_and_explained(tmp_path: Path, piece: bytes) -> None:
    path = tmp_path / "log"
    add(AuditLog(path), "alice", "bob")
    with path.open("ab") as file:
        file.write(piece)
    add(AuditLog(path), "carol")
    found = check([path])
    assert (found.is_good, found.pieces) == (True, 1)
    assert piece in path.read_bytes()
    assert subjects_in(path) == ["alice", "bob", "carol"]


def test_a_first_line_that_was_cut_short_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"seq":1,"prev"')
    path.chmod(0o600)
    add(AuditLog(path), "alice")
    assert (check([path]).is_good, check([path]).pieces, subjects_in(path)) == (True, 1, ["alice"])


def test_a_line_that_lacks_only_its_end_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    add(AuditLog(path), "alice", "bob")
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    add(AuditLog(path), "carol")
    found = check([path])
    assert (found.is_good, found.pieces, found.last) == (True, 0, 3)


def test_a_forked_child_adds_lines_of_its_own_and_none_of_its_parents(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log")
    add(log, "alice")
    child = multiprocessing.get_context("fork").Process(target=add, args=(log, "child"))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    add(log, "bob")
    assert subjects_in(log.path) == ["alice", "child", "bob"]
    assert check([log.path]).is_good


# --- a disk that refuses --------------------------------------------------------------------


class Disk:
    """A disk with so much room left, through which the log writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 10**9
        monkeypatch.setattr(log_module, "write_whole", self.write)

    def write(self, fd: int, data: bytes) -> int:
        written = write_whole(fd, data[: self.room])
        self.room -= written
        return written


async def gives_out(log: AuditLog) -> bool:
    try:
        await log.ready()
    except annul.AuditUnavailable:
        return False
    return True


@pytest.mark.parametrize("room", [0, 1, 100, 150, 300, 500])
def test_what_a_full_disk_did_not_take_is_owed_and_written_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    path = tmp_path / "log"
    log, disk = AuditLog(path), Disk(monkeypatch)
    add(log, "alice")
    disk.room = room
    add(log, "bob", "carol", "dora", "ed")
    assert not asyncio.run(gives_out(log))
    disk.room = room // 3  # and once more, in the middle of explaining it
    add(log, "fred")
    assert not asyncio.run(gives_out(log))
    disk.room = 10**9
    assert asyncio.run(gives_out(log))
    assert subjects_in(path) == ["alice", "bob", "carol", "dora", "ed", "fred"]
    assert check([path]).is_good


def test_a_disk_that_does_not_sync_has_acknowledged_nothing(tmp_path: Path) -> None:
    failing = threading.Event()

    def fsync(fd: int) -> None:
        if failing.is_set():
            raise OSError(5, "it failed")
        os.fsync(fd)

    log = AuditLog(tmp_path / "log", fsync=fsync)
    add(log, "alice")
    failing.set()
    add(log, "bob")
    assert not asyncio.run(gives_out(log))
    failing.clear()
    assert asyncio.run(gives_out(log))
    # It may have been written the first time: better twice than not at all.
    assert set(subjects_in(log.path)) == {"alice", "bob"}
    assert check([log.path]).is_good


# --- rotation and tampering while it runs ---------------------------------------------------


def test_a_new_file_goes_on_where_the_old_one_ends_under_the_writers_hands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with Writer(path, "one") as one:
        one.tell(*(f"one {number}" for number in range(30)))
        for _ in range(10):
            one.hear()
        first = rotate(path, at=5.0)
        for _ in range(20):
            one.hear()
        second = rotate(path, at=6.0)
        one.tell("last")
        assert one.hear() == "last"
    files = [first, second, path]
    found = check(files)
    assert (found.is_good, found.first, found.last) == (True, 1, 33)
    assert [check([file]).is_good for file in files] == [True] * 3
    assert len(subjects_in(*files)) == 31
    assert first.name == f"log.{check([first]).last}"


def test_what_cannot_be_rotated_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(annul.InvalidRequest):
        rotate(path, at=1.0)
    log = AuditLog(path)
    with pytest.raises(annul.InvalidRequest):
        rotate(path, at=1.0)
    add(log, "alice")
    (tmp_path / "log.1").touch()
    with pytest.raises(annul.Misconfigured):
        rotate(path, at=1.0)
    assert subjects_in(path) == ["alice"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log", "log.1"]


@pytest.mark.parametrize("how", ["removed", "moved", "cut", "edited", "emptied"])
def test_what_is_done_to_the_file_behind_its_back_shows(tmp_path: Path, how: str) -> None:
    path = tmp_path / "log"
    log = AuditLog(path)
    add(log, "alice", "bob", "carol")
    head = check([path]).head
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "removed":
        path.unlink()
    elif how == "moved":
        path.rename(tmp_path / "away")
    else:
        left = {"cut": lines[:2], "edited": [*lines[:2], lines[2].replace(b"carol", b"dora")]}
        path.write_bytes(b"".join(left.get(how, [])))
    add(log, "ed")
    found = check([path])
    assert subjects_in(path)[-1] == "ed"
    assert not (found.is_good and found.first == 1)
    if how == "moved":
        assert check([path, tmp_path / "away"], head=head).is_good
