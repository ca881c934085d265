"""A small mutation fuzzer: samples in, changed samples through a target, findings out.

It needs nothing but Python. Where atheris is installed, ``--atheris`` hands the same target to it,
which is guided by coverage and finds more; everything after the flag goes to atheris.

A target takes bytes, returns what was made of them, and raises only ``AnnulError``. It asserts
whatever else has to hold. Inputs are drawn from a seed, so a run can be had again.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import random
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import annul

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["SLOWEST", "Finding", "Fuzzer", "run"]

SLOWEST = 0.05
"""The longest that one input may take, in seconds."""

_LONGEST = 20_000
_KEPT = 2_000
_SAME = 5
_WORDS = [
    b".", b"=", b"-", b"_", b"{", b"}", b"[", b"]", b'"', b"\\", b":", b",", b"0", b"-1", b"NaN",
    b"1e400", b"null", b"true", b"\0", b"\n", b" ", b"\xff", b"\\ud800", b"\xed\xa0\x80", b"v1.",
    b"\xef\xbb\xbf", b"AQAB", b'"alg"', b'"none"', b'"kid"', b'"crit"', b'"kty"', b"-----BEGIN ",
    b"-----END ",
]  # fmt: skip


class Finding(NamedTuple):
    """An input that broke the contract, and how."""

    kind: str
    data: bytes


class Fuzzer:
    """Mutates a corpus that grows by whatever comes out in a way that has not been seen."""

    def __init__(
        self,
        target: Callable[[bytes], object],
        samples: Sequence[bytes],
        *,
        seed: int = 0,
        patience: float = SLOWEST,
    ) -> None:
        self._target = target
        self._patience = patience
        self._random = random.Random(seed)
        self._samples = list(samples)
        self._kept: list[bytes] = []
        self.outcomes: dict[str, int] = {}
        self.findings: list[Finding] = []
        self.slowest = 0.0

    def attempt(self, data: bytes) -> None:
        """Run the target once and note what came of it."""
        start = time.perf_counter()
        kind = self._outcome(data)
        took = time.perf_counter() - start
        if took > self._patience:
            # Twice more: a busy machine is no finding.
            for _ in range(2):
                start = time.perf_counter()
                self._outcome(data)
                took = min(took, time.perf_counter() - start)
            if took > self._patience:
                self._note(f"slow: {took:.3f} s", data)
        self.slowest = max(self.slowest, took)
        if kind not in self.outcomes and len(self._kept) < _KEPT:
            self._kept.append(data)
        self.outcomes[kind] = self.outcomes.get(kind, 0) + 1

    def _outcome(self, data: bytes) -> str:
        try:
            self._target(data)
        except annul.AnnulError as error:
            # The message tells paths through the code apart; it is not printed.
            return f"{error.code}: {error}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
            self._note(kind, data)
            return kind
        return "accepted"

    def _note(self, kind: str, data: bytes) -> None:
        if sum(finding.kind == kind for finding in self.findings) < _SAME:
            self.findings.append(Finding(kind, data))

    def mutant(self) -> bytes:
        """Return a sample, changed once or a few times."""
        pick = self._random
        data = pick.choice(self._kept if self._kept and pick.random() < 0.3 else self._samples)
        for _ in range(pick.choice((1, 1, 1, 2, 3, 8))):
            data = self._changed(data)
        return data[:_LONGEST]

    def _changed(self, data: bytes) -> bytes:
        pick = self._random
        if pick.random() < 0.2:
            return self._inside(data)
        at, to = sorted((pick.randint(0, len(data)), pick.randint(0, len(data))))
        to = min(to, at + pick.choice((1, 2, 4, 16, 10_000)))
        start, piece, rest = data[:at], data[at:to], data[to:]
        match pick.randrange(7):
            case 0 if piece:
                piece = bytes([piece[0] ^ 1 << pick.randrange(8)]) + piece[1:]
            case 1:
                piece = b""
            case 2:
                piece *= pick.choice((2, 3, 50))
            case 3:
                piece = pick.choice(_WORDS) + piece
            case 4:
                piece = pick.choice(_WORDS)
            case 5:
                piece = pick.randbytes(pick.randint(0, 4))
            case _:
                other = pick.choice(self._samples)
                rest = other[pick.randint(0, len(other)) :]
        return start + piece + rest

    def _inside(self, data: bytes) -> bytes:
        """Change what a base64url segment holds, so that the layer below is reached."""
        parts = data.split(b".")
        if self._random.random() < 0.1:
            self._random.shuffle(parts)
            return b".".join(parts)
        number = self._random.randrange(len(parts))
        padded = parts[number] + b"=" * (-len(parts[number]) % 4)
        try:
            inner = base64.urlsafe_b64decode(padded)
        except ValueError:
            return data
        at = self._random.randint(0, len(inner))
        word = self._random.choice(_WORDS)
        inner = inner[:at] + word + inner[at + self._random.choice((0, 1, len(word))) :]
        parts[number] = base64.urlsafe_b64encode(inner).rstrip(b"=")
        return b".".join(parts)

    def go(self, *, runs: int, seconds: float) -> int:
        """Run until either is used up; return how often the target was called."""
        for sample in self._samples:
            self.attempt(sample)
        done = len(self._samples)
        end = time.monotonic() + seconds
        while done < runs and time.monotonic() < end:
            self.attempt(self.mutant())
            done += 1
        return done


def run(
    target: Callable[[bytes], object], samples: Sequence[bytes], *, patience: float = SLOWEST
) -> None:
    """Read the command line and fuzz; end with 1 if anything was found."""
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").strip())
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--runs", type=int, default=10**12, help="how many inputs at most")
    parser.add_argument("--seed", type=int, default=0, help="where the inputs come from (0)")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage, if installed")
    options, rest = parser.parse_known_args()
    if options.atheris:
        _with_atheris(target, rest)
        return
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    fuzzer = Fuzzer(target, samples, seed=options.seed, patience=patience)
    done = fuzzer.go(runs=options.runs, seconds=options.seconds)
    accepted = fuzzer.outcomes.get("accepted", 0)
    print(
        f"{done} inputs, {accepted} accepted, {len(fuzzer.outcomes)} outcomes,"
        f" slowest {fuzzer.slowest * 1000:.1f} ms, {len(fuzzer.findings)} findings"
    )
    for finding in fuzzer.findings:
        print(f"{finding.kind}\n    {base64.b64encode(finding.data).decode()}")
    sys.exit(bool(fuzzer.findings))


def _with_atheris(target: Callable[[bytes], object], arguments: Sequence[str]) -> None:
    try:
        import atheris  # type: ignore[import-untyped] # noqa: PLC0415 - only where it is asked for
    except ImportError:
        sys.exit("atheris is not installed; leave --atheris out")

    def once(data: bytes) -> None:
        with contextlib.suppress(annul.AnnulError):
            target(data)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()
