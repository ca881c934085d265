"""What ten million revoked ids take: room, look-ups, loading, and pauses while they are woven.

    python bench/size.py            ten million
    python bench/size.py --quick    a tenth of them

Set and dict are Python's own, of the same fingerprints, measured in the same run. Each structure is
made in a process of its own, so that what one leaves behind is not counted for the next. Times of
look-ups are the least of several rounds, because a shared machine only ever adds to them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from annul.core.base import Base
from annul.core.id_table import EMPTY, RECORD_BYTES, IdTable
from annul.core.id_weaving import make_index
from annul.core.revocation import FINGERPRINT_BYTES, Reason, Watermark
from annul.core.segments import Segment
from annul.core.snapshot import Snapshot, encode
from annul.core.steps import in_one_go
from annul.replica.disk import Draft, SnapshotFile
from bench.pauses import ISSUER, NOW, judging, pauses, row
from bench.resync import resync

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED = 500_000


def main() -> int:
    """Run everything and print a table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the ids")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    count = 1_000_000 if options.quick else 10_000_000
    if options.part:
        name, file = options.part
        print(json.dumps(PARTS[name](Path(file), count)))
        return 0
    return show_sizes(quick=options.quick, as_json=options.json)


def show_sizes(*, quick: bool, as_json: bool) -> int:
    """Measure, and print what came out."""
    rows = sizes(quick=quick)
    if as_json:
        print(json.dumps({"rows": rows}, indent=1))
    for what, figure, unit, aim in () if as_json else rows:
        print(f"{what:<70} {figure:>10.2f} {unit:<6} {aim}")
    return 0


def sizes(*, quick: bool) -> list[tuple[str, float, str, str]]:
    """Run the parts, each in a process of its own, and return their rows."""
    rows: list[tuple[str, float, str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            command = [sys.executable, __file__, "--part", part, f"{folder}/snapshot"]
            done = subprocess.run(
                command + ["--quick"] * quick, stdout=subprocess.PIPE, text=True, check=True
            )
            rows += [tuple(row) for row in json.loads(done.stdout)]
    return rows


def fingerprints(count: int) -> list[bytes]:
    """Return sorted fingerprints, the same every time."""
    source = random.Random(7)
    return sorted(source.randbytes(FINGERPRINT_BYTES) for _ in range(count))


def make(file: Path, count: int) -> list[Any]:
    """Write the snapshot that the other parts read."""
    marks = bytes(number % 8 << 4 for number in range(256)) * (count // 256 + 1)
    records = bytearray(RECORD_BYTES * count)
    records[FINGERPRINT_BYTES::RECORD_BYTES] = marks[:count]
    for number, each in enumerate(fingerprints(count)):
        at = number * RECORD_BYTES
        records[at : at + FINGERPRINT_BYTES] = each
    segments = [Segment(NOW + 3600 * each, count // 8) for each in range(1, 9)]
    table = IdTable(records, in_one_go(make_index(records)), segments)
    snapshot = Snapshot(
        issuer=ISSUER,
        lineage="bench",
        watermarks=(Watermark(NOW, count, b"tag"),),
        pruned_by=float(NOW),
        base=Base(table, EMPTY, issuer=ISSUER),
        others=(),
    )
    with Draft(file) as draft:
        draft.write(encode(snapshot))
        draft.publish()
    return [row("the file, per id", file.stat().st_size / count, "bytes", "aim 16")]


# --- room and look-ups --------------------------------------------------------------------------


def base(file: Path, count: int) -> list[Any]:
    """Load the snapshot and look ids up in it."""
    before = memory()
    start = time.perf_counter()
    mapped = SnapshotFile(file).read(issuer=ISSUER, lineage="bench")
    took = time.perf_counter() - start
    assert mapped is not None
    found = mapped.snapshot.base
    rows = [
        row(f"loading {count} ids, checked", took, "s", "aim 5"),
        row("base: resident memory, mapped file included, per id", per(before, count), "bytes", ""),
        row("base: of that its own", per(before, count, "RssAnon"), "bytes", ""),
    ]
    table = found.tokens
    known = [
        table.fingerprint(place)
        for place in random.Random(1).sample(range(count), min(ASKED, count))
    ]
    assert all(table.find(each) >= 0 for each in known[:1000])
    rows += asked("base", table.find, known)
    rows += asked("base, and its entry", lambda each: found.find(each, None), known)
    return rows


def python_set(_file: Path, count: int) -> list[Any]:
    """Hold the same ids in a set."""
    before, start = memory(), time.perf_counter()
    held = set(fingerprints(count))
    took = time.perf_counter() - start
    gc.collect()
    rows = [
        row(f"set: making it of {count} ids", took, "s", ""),
        row("set: resident memory per id", per(before, count), "bytes", ""),
    ]
    known = random.Random(1).sample(list(held), min(ASKED, count))
    return rows + asked("set", held.__contains__, known)


def python_dict(_file: Path, count: int) -> list[Any]:
    """Hold the same ids in a dict, with a reason."""
    before, start = memory(), time.perf_counter()
    held = dict.fromkeys(fingerprints(count), Reason.LOGOUT)
    took = time.perf_counter() - start
    gc.collect()
    rows = [
        row(f"dict: making it of {count} ids", took, "s", ""),
        row("dict: resident memory per id", per(before, count), "bytes", ""),
    ]
    known = random.Random(1).sample(list(held), min(ASKED, count))
    return rows + asked("dict", held.get, known)


def asked(what: str, ask: Callable[[bytes], object], known: list[bytes]) -> list[Any]:
    unknown = [os.urandom(12) for _ in known]
    rows = []
    for kind, ids in (("hit", known), ("miss", unknown)):
        for name, batch in (
            ("hot", ids[:1] * 50_000),
            ("20,000 in random order", ids[:20_000] * 2),
            (f"{len(ids):,} in random order", ids),
        ):
            random.Random(2).shuffle(batch)
            rounds = []
            for _ in range(9):
                fresh = [bytes(bytearray(each)) for each in batch]  # no hash is remembered
                gc.collect()
                start = time.perf_counter()
                for each in fresh:
                    ask(each)
                rounds.append((time.perf_counter() - start) / len(batch))
            rows.append(row(f"{what}: {kind}, {name}", min(rounds) * 1e9, "ns", "aim 1000"))
    return rows


# --- measuring ----------------------------------------------------------------------------------


def memory() -> dict[str, int]:
    """Return the kilobytes that this process has resident, by kind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        line.split(":")[0]: int(line.split()[1])
        for line in lines
        if line.startswith(("VmRSS", "Rss"))
    }


def per(before: dict[str, int], count: int, kind: str = "VmRSS") -> float:
    return (memory()[kind] - before[kind]) * 1024 / count


PARTS: dict[str, Callable[[Path, int], list[Any]]] = {
    "make": make,
    "base": base,
    "set": python_set,
    "dict": python_dict,
    "judging": judging,
    "pauses": pauses,
    "resync": resync,
}

if __name__ == "__main__":
    raise SystemExit(main())
