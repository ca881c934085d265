"""The chain of an audit log: what is done to a line shows, what was cut short is explained."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from annul.audit import check
from annul.audit.chain import BEGINNING, Place, compose, digest, torn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = 9


def lines_of(count: int = LINES, after: Place = BEGINNING) -> list[bytes]:
    found = []
    for number in range(count):
        line, after = compose(after, {"at": float(number), "event": "login", "subject": "alice"})
        found.append(line)
    return found


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path


def changed(line: bytes) -> bytes:
    return line.replace(b"alice", b"mallory")


TAMPERING: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line is edited": lambda lines: [*lines[:3], changed(lines[3]), *lines[4:]],
    "the first line is edited": lambda lines: [changed(lines[0]), *lines[1:]],
    "white space is added": lambda lines: [*lines[:3], b" " + lines[3], *lines[4:]],
    "a line is removed": lambda lines: [*lines[:3], *lines[4:]],
    "two lines change places": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "a line stands twice": lambda lines: [*lines[:4], lines[3], *lines[4:]],
    "a line is put in": lambda lines: [
        *lines[:3],
        compose(Place(3, digest(lines[2][:-1])), {"at": 9.0, "event": "block"})[0],
        *lines[3:],
    ],
    "the first lines are gone, and the next says it is the first": lambda lines: [
        lines[3].replace(b'"seq":4', b'"seq":1'),
        *lines[4:],
    ],
    "something else is put in": lambda lines: [*lines[:3], b"# nothing\n", *lines[3:]],
    "an empty line is put in": lambda lines: [*lines[:3], b"\n", *lines[3:]],
    "a name stands twice": lambda lines: [
        *lines[:3],
        lines[3].replace(b"{", b'{"event":"logout",', 1),
        *lines[4:],
    ],
}


@pytest.mark.parametrize("what", TAMPERING)
def test_it_shows_when(what: str, tmp_path: Path) -> None:
    log = written(tmp_path / "log", TAMPERING[what](lines_of()))
    found = check([log])
    assert not found.is_good
    assert found.file == str(log)
    assert found.line is not None
    assert found.line <= 5


@pytest.mark.parametrize("kept", range(1, LINES))
def test_a_log_that_was_cut_off_shows_by_a_head_noted_earlier(kept: int, tmp_path: Path) -> None:
    lines = lines_of()
    whole, cut = written(tmp_path / "whole", lines), written(tmp_path / "cut", lines[:kept])
    head = check([whole]).head
    assert check([cut]).is_good, "nothing in it can tell"
    assert check([whole], head=check([cut]).head).is_good
    assert not check([cut], head=head).is_good


def test_a_log_that_was_written_anew_shows_by_a_head_noted_earlier(tmp_path: Path) -> None:
    log = written(tmp_path / "log", lines_of(4))
    head = check([log]).head
    written(log, lines_of(3) + lines_of(6, Place(3, digest(lines_of(3)[2][:-1])))[1:])
    anew = [compose(BEGINNING, {"at": 5.0, "event": "login", "subject": "bob"})[0]]
    assert not check([written(log, anew)], head=head).is_good


def test_a_good_log_says_what_is_in_it_and_the_hash_is_what_sha256sum_says(tmp_path: Path) -> None:
    lines = lines_of()
    found = check([written(tmp_path / "log", lines)])
    assert (found.is_good, found.first, found.last, found.pieces) == (True, 1, LINES, 0)
    assert found.head == hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest()
    assert json.loads(lines[1])["prev"] == hashlib.sha256(lines[0].rstrip(b"\n")).hexdigest()
    assert check([written(tmp_path / "empty", [])]).last == 0


# --- several files --------------------------------------------------------------------------


def test_files_may_be_given_in_any_order_and_must_not_have_gaps(tmp_path: Path) -> None:
    lines = lines_of()
    files = [
        written(tmp_path / name, part)
        for name, part in (("log.3", lines[:3]), ("log.6", lines[3:6]), ("log", lines[6:]))
    ]
    assert check(files).is_good
    assert check(list(reversed(files))).last == LINES
    without_the_second = check([files[0], files[2]])
    assert (without_the_second.is_good, without_the_second.file) == (False, str(files[2]))
    archived = check(files[1:])
    assert (archived.is_good, archived.first, archived.last) == (True, 4, LINES)
    # The first file may be in an archive; the head of it can still be held against the rest.
    assert not check(files[1:], head=check(files[:1]).head).is_good
    assert check(files, head=check(files[:1]).head).is_good


# --- what was cut short ---------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 7, 40, 90])
def test_a_piece_of_a_line_is_explained_by_the_next_line(length: int, tmp_path: Path) -> None:
    lines = lines_of(3)
    place = Place(3, digest(lines[2][:-1]))
    piece = lines_of(1, place)[0][:length]
    healed, after = compose(place, torn(piece, 3.0))
    log = written(tmp_path / "log", [*lines, piece, b"\n", healed, *lines_of(2, after)])
    found = check([log])
    assert (found.is_good, found.pieces, found.last) == (True, 1, 6)


def test_a_piece_that_is_explained_wrongly_or_not_at_all_shows(tmp_path: Path) -> None:
    lines = lines_of(3)
    place = Place(3, digest(lines[2][:-1]))
    for piece, explained in ((b'{"seq":4,', b'{"seq":4'), (lines[1][:-1], b"")):
        healed, after = compose(place, torn(explained, 3.0))
        log = written(tmp_path / "log", [*lines, piece, b"\n", healed, *lines_of(1, after)])
        found = check([log])
        assert (found.is_good, found.line) == (False, 4)
    unexplained = check([written(tmp_path / "log", [*lines, b'{"seq":4,\n'])])
    assert (unexplained.is_good, unexplained.line) == (False, 4)


def test_an_unfinished_end_is_said_and_is_no_fault(tmp_path: Path) -> None:
    lines = lines_of(3)
    found = check([written(tmp_path / "log", [*lines[:2], lines[2][:20]])])
    assert (found.is_good, found.unfinished, found.last) == (True, True, 2)
    # In an earlier file it is one: that file was gone on from.
    more = written(tmp_path / "more", lines_of(1, Place(2, digest(lines[1][:-1]))))
    assert not check([tmp_path / "log", more]).is_good


@pytest.mark.parametrize(
    "junk", [b"\0" * 100, b"\xff\xfe\n" * 3, b"[]\n", b"{" * 5000 + b"\n", b"x" * 3_000_000 + b"\n"]
)
def test_whatever_else_is_in_a_file_is_said_and_not_believed(junk: bytes, tmp_path: Path) -> None:
    log = written(tmp_path / "log", [*lines_of(2), junk, b"\n", *lines_of(1)])
    found = check([log])
    assert (found.is_good, found.last, found.line) == (False, 2, 3)


def test_what_an_event_says_cannot_pass_for_the_place_of_its_line() -> None:
    line, place = compose(BEGINNING, {"event": "login", "seq": 7, "prev": "x"})
    assert json.loads(line) == {"event": "login", "seq": 1, "prev": BEGINNING.hash}
    assert place.seq == 1
