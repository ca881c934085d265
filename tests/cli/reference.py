"""The page of the command line, taken apart for the tests that compare it with the program."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annul.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_CODE = re.compile(r"`([^`\n]+)`")


@cache
def page() -> str:
    """Return the page without its examples."""
    return re.sub(r"```(?:console|toml).*?\n```\n", "", PAGE.read_text("utf-8"), flags=re.DOTALL)


def flags(text: str) -> list[str]:
    """Return the flags that a text names."""
    return _FLAG.findall(text)


def codes(text: str) -> list[str]:
    """Return what stands in code in a text."""
    return _CODE.findall(text)


@cache
def sections() -> dict[str, str]:
    """Return the text below each heading that is a command, by that command."""
    found = {}
    for part in re.split(r"^#{2,3} ", page(), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        if match := re.fullmatch(r"`annul ([a-z ]+)`", heading):
            assert match[1] not in found
            found[match[1]] = body
    return found


def part(heading: str) -> str:
    """Return the text below a heading, without what is below the next one."""
    match = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", page(), re.MULTILINE | re.DOTALL)
    assert match, heading
    return match[1]


def item(name: str, label: str) -> str:
    """Return the item of a command's section that begins with ``label``."""
    items = re.findall(rf"^- {label}: (.+(?:\n  .+)*)", sections()[name], flags=re.MULTILINE)
    assert len(items) == 1, f"{name} has {len(items)} items of {label}"
    return str(items[0])


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    marks = {number for number, line in enumerate(lines) if set(line) <= set("|-")}
    heads = marks | {number - 1 for number in marks}
    kept = [line for number, line in enumerate(lines) if number not in heads]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in kept]


def _commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path}{name} ")


COMMANDS = dict(_commands(app))
LEAVES = {name: each for name, each in COMMANDS.items() if not isinstance(each, click.Group)}
"""The commands that do something, by what is typed after ``annul``."""


def options(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by their flags."""
    found = (each for each in command.params if isinstance(each, click.Option))
    return {each.opts[0]: each for each in found}
