"""``annul audit``: reading an audit log again, and going on in a new file."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from annul.audit import check, rotate
from annul.cli import exits
from annul.cli.options import uses
from annul.errors import InvalidRequest

if TYPE_CHECKING:
    from annul.audit import Checked
    from annul.cli.options import Invocation

__all__ = ["audit"]

_HASH = re.compile(r"[0-9a-f]{64}")


@click.group()
def audit() -> None:
    """Check an audit log, or go on in a new file."""


@audit.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--head", metavar="HASH", help="The hash of a line, noted elsewhere: it has to be in the log."
)
@uses()
def verify(run: Invocation, *, files: tuple[str, ...], head: str | None) -> int:
    """Say whether every line follows from the one before it.

    Give all files of a log, in any order. Note the head that is printed somewhere else: with --head
    it shows later that nothing up to there was cut off or written anew.
    """
    if head is not None and _HASH.fullmatch(head) is None:
        raise InvalidRequest("--head is what annul audit verify has printed: 64 hexadecimal digits")
    found = check([Path(name) for name in files], head=head)
    if run.out.as_json:
        run.out.document({"good": found.is_good, **asdict(found)})
    else:
        run.out.fields({}, _shown(found))
    if found.unfinished:
        run.out.note("the last line is unfinished: cut short, or just being written")
    return 0 if found.is_good else exits.REFUSED


def _shown(found: Checked) -> dict[str, object]:
    shown: dict[str, object] = {"log": "good" if found.is_good else "BROKEN"}
    if found.why is not None:
        where = f"{found.file} line {found.line}: " if found.file is not None else ""
        shown["because"] = where + found.why
    shown["good lines"] = f"{found.first} to {found.last}" if found.last else "none"
    if found.pieces:
        shown["cut short"] = f"{found.pieces} writes"
    if found.last:
        shown["head"] = found.head
    return shown


@audit.command("rotate")
@click.argument("file")
@uses()
def rotate_file(run: Invocation, *, file: str) -> None:
    """Go on in a new file that follows from the old one.

    The old file gets the number of its last line as a suffix. Processes that are adding to the log
    notice by themselves.
    """
    old = rotate(Path(file), at=time.time())
    run.out.fields({"file": file, "old": str(old)})
