"""The process that merges: two snapshots in, one out, or nothing and an exit code."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Watermark
from annul.replica.disk import SnapshotFile
from annul.testing import ISSUER
from tests.core.snapshots import snapshot_of, written
from tests.judging import revocation

if TYPE_CHECKING:
    from pathlib import Path

MARK = Watermark(7, 90, b"tag")
ENTRIES = [revocation(Kind.TOKEN, "t", 10), revocation(Kind.SESSION, "s", 11)]
GOOD = written(snapshot_of(Denylist(ENTRIES), MARK))


def merging(old: bytes, learnt: bytes, folder: Path) -> tuple[int, bytes]:
    """Run it as a program; return its exit code and what it wrote."""
    held, new = folder / "held", folder / "new"
    held.write_bytes(old)
    with held.open("rb") as first, new.open("w+b") as second:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "annul.replica.merge",
                str(first.fileno()),
                str(second.fileno()),
            ],
            input=learnt,
            pass_fds=(first.fileno(), second.fileno()),
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    return done.returncode, new.read_bytes()


def test_what_is_merged_has_the_ids_of_both_and_the_rest_of_what_was_learnt(
    tmp_path: Path,
) -> None:
    expired, news = replace(ENTRIES[0], expires_at=5), revocation(Kind.TOKEN, "new", 91)
    cut = revocation(Kind.CLIENT, "web", 92)
    held = written(snapshot_of(Denylist([expired, *ENTRIES[1:]]), MARK))
    learnt = replace(snapshot_of(Denylist([news, cut]), cut.watermark), pruned_by=6.0)

    code, data = merging(held, written(learnt), tmp_path)

    assert code == 0
    place = tmp_path / "new"
    place.chmod(0o600)
    mapped = SnapshotFile(place).read(issuer=ISSUER, lineage="line")
    assert mapped is not None
    found = mapped.snapshot
    assert {each.fingerprint for each in found.base} == {
        news.fingerprint,
        ENTRIES[1].fingerprint,
    }
    assert (found.others, found.watermarks, found.pruned_by) == ((cut,), (cut.watermark,), 6.0)
    mapped.close()
    assert written(found) == data


@pytest.mark.parametrize(("old", "learnt"), [(GOOD, b"?"), (b"?", GOOD), (GOOD[:-1], GOOD)])
def test_it_fails_rather_than_merge_what_is_damaged(
    tmp_path: Path, old: bytes, learnt: bytes
) -> None:
    assert merging(old, learnt, tmp_path) == (1, b"")
