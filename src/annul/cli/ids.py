"""Ids as arguments: of those that annul makes, one in 64 begins with a dash."""

from __future__ import annotations

import re
from typing import Any

import click

__all__ = ["MARK", "CommandWithId"]

_ID = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]{20}(?:[A-Za-z0-9_-]{21})?")
"""128 or 256 bits as base64url, when it could be mistaken for options of one letter."""

MARK = "\0"
"""Stands before an id while it is told from options; no argument of a process can hold it."""


class CommandWithId(click.Command):
    """A command to which an id that begins with a dash is an id, and not a row of options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Fill in the parameters of the command."""
        marked = [MARK + word if _ID.fullmatch(word) else word for word in args]
        rest = super().parse_args(ctx, marked)
        ctx.params = {name: _unmarked(value) for name, value in ctx.params.items()}
        return rest


def _unmarked(value: Any) -> Any:  # noqa: ANN401 - whatever a parameter may be
    return value.removeprefix(MARK) if isinstance(value, str) else value
