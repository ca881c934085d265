"""Every requirement that the conformance page names is proven by a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "conformance.md"

_ROW = re.compile(r"^\| `([A-Z]+-\d\d)` \| ([^|]+) \| (?:`([^`|]+)`|(.+)) \|$")

# How many requirements each family has. A row says which test proves one, or why none can.
FAMILIES = {
    "BEAR": 6,
    "CK": 4,
    "CSRF": 4,
    "DPOP": 17,
    "FGP": 1,
    "MTLS": 4,
    "RT": 10,
    "SEEN": 20,
    "SESS": 6,
}


@cache
def rows() -> list[tuple[str, str]]:
    """Return the id and the test of each row; the test is empty where a reason stands instead."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            match = _ROW.match(line)
            assert match, f"not a row of this page: {line}"
            assert match[3] or match[4].startswith("not applicable, because "), line
            found.append((match[1], match[3] or ""))
    return found


@cache
def functions_of(name: str) -> frozenset[str]:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


@pytest.mark.parametrize("test", sorted({test for _id, test in rows() if test}))
def test_the_test_of_a_row_is_there(test: str) -> None:
    name, _, function = test.partition("::")
    assert function in functions_of(name)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_requirement_of_a_family_has_a_row(family: str) -> None:
    named = {found for found, _test in rows() if found.startswith(f"{family}-")}
    assert named == {f"{family}-{number:02}" for number in range(1, FAMILIES[family] + 1)}


def test_every_row_belongs_to_a_family_that_is_counted() -> None:
    assert {found.partition("-")[0] for found, _test in rows()} <= set(FAMILIES)


def test_no_row_stands_twice() -> None:
    assert len(rows()) == len(set(rows()))
