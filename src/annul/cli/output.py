"""What the commands print: one result on stdout, notes and errors on stderr."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Output", "columns", "pretty", "printable", "when"]


def printable(value: object) -> str:
    """Return text that is safe on a terminal: what is not printable is shown as its escape.

    Names come from tokens and stores, so they may try to move the cursor or turn the text around.
    """
    return "".join(
        char if char.isprintable() else ascii(char)[1:-1]
        for char in ("" if value is None else str(value))
    )


def pretty(value: object) -> str:
    """Return JSON for people: indented, letters of every alphabet, nothing unprintable."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(printable(line) for line in text.split("\n"))


def when(moment: float | None) -> str:
    """Return a Unix time for people, in UTC to the second."""
    if moment is None:
        return "-"
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def columns(rows: Iterable[Sequence[object]]) -> list[str]:
    """Return rows as lines of aligned plain columns."""
    texts = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


class Output:
    """Where one command prints. ``as_json`` chooses machines over people.

    Notes are shown to people at once, and are ``notes`` in the one JSON object for machines.
    ``colour`` says whether people want colours here.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.defaulted: dict[str, str] = {}
        self._notes: list[str] = []

    @property
    def on_terminal(self) -> bool:
        """Whether a person is watching stdout."""
        return not self.as_json and sys.stdout.isatty()

    @property
    def colour(self) -> bool:
        """Whether to use colours: on a terminal, unless NO_COLOR or a dumb terminal says no."""
        return (
            self.on_terminal
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb"
        )

    def note(self, text: str) -> None:
        """Say something on the side."""
        if self.as_json:
            self._notes.append(text)
        else:
            click.echo(f"annul: {printable(text)}", err=True)

    @contextmanager
    def logged_as_notes(self) -> Iterator[None]:
        """Show what the authority has to say as notes, while the block runs.

        The rest of the library tells its callers by raising, and they tell it here.
        """
        handler, logger = _Notes(self), logging.getLogger("annul.authority")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(handler)

    def document(self, result: Mapping[str, Any]) -> None:
        """Print the JSON object of a command, with the notes and the defaults that were used."""
        aside: dict[str, Any] = {}
        if self.defaulted:
            aside["defaulted"] = self.defaulted
        if self._notes:
            aside["notes"] = self._notes
        click.echo(json.dumps({**result, **aside}))

    def fields(self, result: Mapping[str, Any], shown: Mapping[str, object] | None = None) -> None:
        """Print a result: JSON, or its members for people, one a line (``shown`` if given)."""
        if self.as_json:
            self.document(result)
            return
        rows = [
            (name, value) for name, value in (shown or result).items() if value not in (None, "")
        ]
        self.lines(columns(rows) if rows else [])

    def table(
        self, name: str, records: Sequence[Mapping[str, Any]], shown: Mapping[str, str]
    ) -> None:
        """Print a list: JSON under ``name``, or a table whose columns ``shown`` heads by member.

        The first column is the one that people copy. Members that end in ``_at`` or
        ``_seen`` are times.
        """
        if self.as_json:
            self.document({name: list(records)})
            return
        rows = [[_cell(member, record[member]) for member in shown] for record in records]
        if self.on_terminal and rows:
            self._for_a_terminal(list(shown.values()), rows)
        else:
            self.lines(columns([list(shown.values()), *rows]))

    @staticmethod
    def lines(lines: Iterable[str]) -> None:
        """Print lines for people on stdout."""
        for line in lines:
            click.echo(line)

    def _for_a_terminal(self, heads: list[str], rows: list[list[str]]) -> None:
        """Print a table, or where its words would not fit, every row as a list of its own."""
        from rich.cells import cell_len  # noqa: PLC0415 - 60 ms that only tables need
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        texts = [[printable(cell) for cell in row] for row in (heads, *rows)]
        natural = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
        words = [
            max(cell_len(word) for cell in column for word in cell.split(" "))
            for column in zip(*texts, strict=True)
        ]
        width, height = shutil.get_terminal_size()
        # Both, or a dumb terminal is taken to be of 80 columns.
        console = Console(width=width, height=height, no_color=not self.colour, highlight=False)
        # The first column is what the next command is given, so it is never broken.
        widths = _fitting([natural[0], *words[1:]], natural, width)
        if widths is None:
            for number, row in enumerate(rows):
                self.lines(
                    [*([""] if number else []), *columns(list(zip(heads, row, strict=True)))]
                )
            return
        table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
        for head, room in zip(heads, widths, strict=True):
            table.add_column(head, width=room)
        for row in texts[1:]:
            # Text, not markup: a device called "[red]" is a device called "[red]".
            table.add_row(*map(Text, row))
        console.print(table)


class _Notes(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__(logging.INFO)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.note(record.getMessage())


def _cell(member: str, value: object) -> str:
    if isinstance(value, int | float) and member.endswith(("_at", "_seen")):
        return when(value)
    return "-" if value is None or value == "" else str(value)


def _fitting(least: Sequence[int], natural: Sequence[int], room: int) -> list[int] | None:
    """Return widths of columns, one space apart, that fit into ``room``; ``None`` if none do."""
    widths = list(least)
    spare = room - sum(widths) - (len(widths) - 1)
    if spare < 0:
        return None
    for _ in range(spare):
        lacking = [wanted - width for wanted, width in zip(natural, widths, strict=True)]
        neediest = max(range(len(widths)), key=lacking.__getitem__)
        if lacking[neediest] == 0:
            break
        widths[neediest] += 1
    return widths
