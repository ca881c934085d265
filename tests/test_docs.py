"""The documentation is true: what it shows runs, and what it names or links is there."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import annul
import annul.testing
from annul.core.policy import Policy
from tests import doc_page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$")
_CODE = re.compile(r"`([^`]+)`")


def all_pages() -> list[str]:
    found = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def runs_something(name: str) -> bool:
    return any(block.lang in {"python", "console"} for block in doc_page.blocks(read(name)))


# --- what it shows runs ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in all_pages() if runs_something(n)])
def test_a_page_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    if missing := doc_page.missing(read(name)):
        pytest.skip(f"{', '.join(missing)} is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(doc_page.__file__)), str(ROOT / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run_text(text: str, folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    before = Path.cwd()
    os.chdir(folder)
    try:
        doc_page.run(page)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    "wrong",
    [
        "```python\nprint(1)  # 2\n```",
        "```python\nfor n in range(2):\n    print(n)\n# 0\n```",
        "```python\nraise ValueError\n```",
        "```console\n$ echo one\ntwo\n```",
        "```console\n$ false\n```",
        '```console title="Terminal 2"\n$ echo one\ntwo\n```',
    ],
)
def test_a_page_that_is_wrong_fails(wrong: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run_text(wrong + "\n", tmp_path)


def test_a_page_that_is_right_passes(tmp_path: Path) -> None:
    run_text(
        '```python title="mine.txt"\nhello\n```\n\n'
        '```console title="Terminal 2"\n$ cat mine.txt\nhello\n```\n\n'
        "```console\n$ cat mine.txt\nhe…\n```\n\n"
        "- in a list:\n\n"
        "    ```python\n    a = 1\n    ```\n\n"
        "```python\nfor n in range(a + 1):\n    print(n)\n# 0\n# 1\nprint(3)  # …\n```\n",
        tmp_path,
    )


# --- what it links is there -----------------------------------------------------------------


def prose(name: str) -> str:
    """Return a page without its fenced blocks."""
    kept, inside = [], False
    for line in read(name).splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


@cache
def anchors(name: str) -> frozenset[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    found: set[str] = set()
    for line in prose(name).splitlines():
        if match := _HEADING.match(line):
            words = re.sub(r"[^\w\s-]", "", match[1].replace("`", "")).strip().lower()
            found.add(re.sub(r"[-\s]+", "-", words))
    return frozenset(found)


@pytest.mark.parametrize("name", all_pages())
def test_internal_links_lead_somewhere(name: str) -> None:
    broken = []
    for target in _LINK.findall(prose(name)):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        path = ((ROOT / name).parent / place).resolve() if place else ROOT / name
        found = path.exists()
        if found and anchor:
            found = anchor in anchors(path.relative_to(ROOT).as_posix())
        if not found:
            broken.append(target)
    assert broken == []


# --- what is public is in it ----------------------------------------------------------------


@cache
def reference() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted((DOCS / "reference").glob("*.md")))


@cache
def mentioned() -> frozenset[str]:
    """Return every word that stands in code in the reference."""
    spans = _CODE.findall(re.sub(r"```.*?```", "", reference(), flags=re.DOTALL))
    return frozenset(word for span in spans for word in re.findall(r"\w+", span))


@cache
def sections() -> dict[str, str]:
    """Return the text below each heading that names something, by that name."""
    found: dict[str, str] = {}
    for part in re.split(r"^#{2,3} ", reference(), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        found |= dict.fromkeys(_CODE.findall(heading), body)
    return found


def public_methods() -> list[str]:
    return [
        f"{owner}.{name}"
        for owner in annul.__all__
        if isinstance(getattr(annul, owner), type)
        and not issubclass(getattr(annul, owner), (Exception, str, tuple))
        for name in vars(getattr(annul, owner))
        if not name.startswith("_")
    ]


def test_every_public_name_is_in_the_reference() -> None:
    names = {name for name in annul.__all__ if not name.startswith("_")}
    assert names - mentioned() == set()


def test_every_public_member_is_in_the_reference() -> None:
    assert [name for name in public_methods() if name.split(".")[1] not in mentioned()] == []


def test_every_name_for_tests_is_in_the_reference() -> None:
    words = set(re.findall(r"\w+", " ".join(_CODE.findall(prose("docs/reference/testing.md")))))
    assert set(annul.testing.__all__) - words == set()
    forge = annul.testing.TokenForge
    members = {*vars(forge), *vars(forge())}
    assert {name for name in members if not name.startswith("_")} - words == set()


def described() -> list[str]:
    """Return the callables that have a section of their own."""
    found = []
    for name in sections():
        value: object = annul
        for part in name.split("."):
            value = getattr(value, part, None)
        if callable(value) and "```text" in sections()[name]:
            found.append(name)
    return sorted(found)


@pytest.mark.parametrize("name", described())
def test_a_signature_in_the_reference_is_the_real_one(name: str) -> None:
    # The blocking verbs have the signatures of the asynchronous ones; tests/test_public_api.py.
    value: object = annul
    for part in re.sub(r"^Authority\b", "AsyncAuthority", name).split("."):
        value = getattr(value, part)
    assert callable(value)
    call = name.rpartition(".")[2]
    text = " ".join(sections()[name].partition("```text\n")[2].partition("```")[0].split())
    match = re.search(rf"(?:^|[ .]){call}\((.*?)\)(?: ->|$| …\.| \w+\.\w+\()", text)
    assert match, f"{name} has no signature"
    arguments = re.sub(r"=\([^)]*\)", "=", match[1]).split(",")
    shown = [part.partition("=")[0].strip() for part in arguments]
    real = [
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.name not in {"self", "cls"}
    ]
    assert [part for part in shown if part not in {"", "*"}] == real


def test_every_error_is_in_the_table_with_its_code_and_status() -> None:
    page = read("docs/reference/errors.md")
    rows = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", page, flags=re.MULTILINE))
    assert rows | {"AnnulError": "error"} == {
        name: getattr(annul, name).code for name in annul.errors.__all__
    }


def test_the_defaults_in_the_settings_are_the_real_ones() -> None:
    page = read("docs/reference/settings.md")
    authority = inspect.signature(annul.AsyncAuthority.open).parameters
    policy = inspect.signature(Policy.foreign).parameters
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]+) \| [^|]+ \|", page, flags=re.MULTILINE)
    assert len(rows) > 8
    replica = inspect.signature(annul.Replica.open).parameters
    for name, shown in rows:
        known = next(each[name] for each in (authority, replica, policy) if name in each)
        number = shown.partition("(")[0].replace(",", "").strip(" `")
        expected = "none" if known.default is None else known.default
        assert number == str(expected) or float(number) == expected, name
