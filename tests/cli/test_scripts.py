"""Runs the scripts in ``scripts/``: what a person types, and what comes back.

A line ``$ annul …`` is a command; ``< file`` gives it a file as stdin, ``> file`` keeps its stdout,
and ``@file`` stands for what a file holds. The lines below it say how it ends::

    exit 1                     the exit code, 0 if there is no such line
    {"code": "revoked"}        what the JSON object holds at least: the result, or the error

In the JSON, ``"*"`` is anything, and arrays have exactly as many elements. ``#`` begins a comment.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import annul

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@dataclass
class Line:
    number: int
    words: list[str]
    code: int = 0
    holds: list[dict[str, Any]] = field(default_factory=list)


def lines_of(script: Path) -> Iterator[Line]:
    line = None
    for number, text in enumerate(script.read_text("utf-8").splitlines(), 1):
        if text.startswith("$ annul "):
            if line is not None:
                yield line
            line = Line(number, shlex.split(text.removeprefix("$ annul ")))
        elif text.startswith("exit ") and line is not None:
            line.code = int(text.removeprefix("exit "))
        elif text.startswith("{") and line is not None:
            line.holds.append(json.loads(text))
        elif text and not text.startswith("#"):
            pytest.fail(f"{script.name}:{number} is neither a command nor what comes back")
    assert line is not None
    yield line


def run(line: Line) -> None:
    words, stdin, kept = [], "", None
    rest = iter(line.words)
    for word in rest:
        if word == "<":
            stdin = Path(next(rest)).read_text("utf-8")
        elif word == ">":
            kept = Path(next(rest))
        elif word.startswith("@"):
            words.append(Path(word[1:]).read_text("utf-8").strip())
        else:
            words.append(word)
    ran = annul(*words, stdin=stdin)
    assert ran.code == line.code, ran.err
    if kept is not None:
        kept.write_text(ran.out, "utf-8")
    for expected in line.holds:
        missing = difference(expected, ran.document)
        assert missing is None, missing


def difference(expected: object, found: object, where: str = "") -> str | None:
    """Return where what was found does not hold what was expected, ``None`` if it does."""
    if expected == "*":
        return None
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                return f"{where}.{name} is missing"
            if (inner := difference(value, found[name], f"{where}.{name}")) is not None:
                return inner
        return None
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        differences = (difference(one, two, f"{where}[{n}]") for n, (one, two) in pairs)
        return next((each for each in differences if each is not None), None)
    return None if expected == found else f"{where} is {found!r}, not {expected!r}"


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_a_script_ends_as_it_says(script: Path) -> None:
    for line in lines_of(script):
        try:
            run(line)
        except AssertionError as error:
            raise AssertionError(f"{script.name}:{line.number}: {error}") from None


def test_a_script_can_fail() -> None:
    assert difference({"a": [1, {"b": "*"}]}, {"a": [1, {"b": 2}], "c": 3}) is None
    assert difference({"a": [1]}, {"a": [1, 2]}) is not None
    assert difference({"a": {"b": 1}}, {"a": {}}) is not None
    assert difference({"a": True}, {"a": "yes"}) is not None
