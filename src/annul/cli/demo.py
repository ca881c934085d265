"""``annul demo``: revocable tokens, told to a person watching a terminal, and checked by itself."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from shutil import which
from typing import Any

import click

from annul.cli import exits
from annul.cli.demo_stage import Stage, set_up
from annul.cli.demo_story import STORY, Check, Event, Note, Shown, Step
from annul.cli.options import as_json
from annul.cli.output import Output, printable
from annul.cli.settings import redact

__all__ = ["demo"]

_PAUSE = 0.3
"""Seconds before each step on a terminal, so that the eye can follow."""

_NEXT = (
    ("login alice --client web", "the same with a store of your own, ./annul.db"),
    ("doctor", "whether that store is as it should be"),
    ("--help", "every command"),
)


def _what_next() -> str:
    """Return what to type next, under the name by which this program can be called from here."""
    name, called = "annul", Path(sys.argv[0])
    found = which(name)
    if called.name == name and (found is None or not called.samefile(found)):
        name = os.path.relpath(called)
    width = max(len(words) for words, _ in _NEXT) + len(name) + 6
    lines = (f"  {name} {words}".ljust(width) + what for words, what in _NEXT)
    return "\n".join(["What to type next:", *lines])


@click.command()
@click.option("--store", metavar="URL", help="An empty store to play on, instead of a new one.")
@click.option(
    "--allow-volatile-store",
    is_flag=True,
    help="Accept a store that can lose revocations.",
)
@as_json
def demo(*, store: str | None, allow_volatile_store: bool, as_json: bool) -> int:
    """Watch tokens being taken back.

    A store is made in a temporary folder, or an empty one is used, and a second process verifies.
    Every step checks itself: the exit code is 0 only if all went as told. No setting of yours is
    read, and nothing is left behind but what a store named with --store has been given.
    """
    out = Output(as_json=as_json)
    began = time.perf_counter()
    told = _Told(out)
    with set_up(store, allow_volatile=allow_volatile_store) as stage:
        told.opening(stage)
        for number, step in enumerate(STORY, 1):
            told.begin(number, step)
            for event in step.play(stage):
                told.add(event)
    return told.end(store, time.perf_counter() - began)


class _Told:
    """The story as it was told: shown to people as it happens, kept for machines."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._steps: list[dict[str, Any]] = []
        self._checks = 0
        self._failed = 0
        self._url = ""

    def opening(self, stage: Stage) -> None:
        self._url = redact(stage.url)
        self._line(self._style("annul: JSON Web Tokens that can be taken back", bold=True))
        self._line(f"The store is {self._url}; nothing else is needed.")

    def begin(self, number: int, step: Step) -> None:
        self._steps.append({"name": step.name, "title": step.title, "ok": True, "checks": []})
        if self._out.on_terminal:
            time.sleep(_PAUSE)
        self._line("")
        self._line(self._style(f"{number}. {step.title}", bold=True))

    def add(self, event: Event) -> None:
        match event:
            case Note(text):
                self._line(f"   {text}")
            case Shown(name, value, words):
                self._show(name, value, words)
            case Check():
                self._check(event)

    def end(self, store: str | None, seconds: float) -> int:
        code = exits.REFUSED if self._failed else 0
        if self._out.as_json:
            self._out.document(
                {
                    "ok": not self._failed,
                    "store": self._url,
                    "seconds": round(seconds, 3),
                    "steps": self._steps,
                }
            )
            return code
        self._line("")
        if self._failed:
            self._line(
                self._style(f"{self._failed} of {self._checks} checks went otherwise.", fg="red")
            )
        else:
            verdict = f"All {self._checks} checks went as told"
            self._line(self._style(f"{verdict}, in {seconds:.1f} s.", fg="green"))
        if store is not None:
            self._line(f"What was written stays in {self._url}; empty it before another run.")
        self._line("")
        self._line(_what_next())
        return code

    def _check(self, check: Check) -> None:
        self._checks += 1
        step = self._steps[-1]
        step["checks"].append(
            {
                "what": check.what,
                "expected": check.expected,
                "actual": check.actual,
                "ok": check.good,
                "ms": None if check.ms is None else round(check.ms, 2),
            }
        )
        took = "" if check.ms is None else f", {check.ms:.1f} ms later"
        if check.good:
            mark = self._style(self._sign("✓", "ok"), fg="green")
            self._line(f"   {mark} {check.what}: {check.actual}{took}")
            return
        self._failed += 1
        step["ok"] = False
        mark = self._style(self._sign("✗", "FAILED"), fg="red")
        self._line(f"   {mark} {check.what}: {check.actual}{took}, expected {check.expected}")

    def _show(self, name: str, value: dict[str, Any], words: dict[str, str]) -> None:
        self._steps[-1][name] = value
        self._line(f"   {name}")
        for member, content in value.items():
            text = f"     {member:<9} {json.dumps(content)}"
            if member in words:
                text = f"{text:<44} {self._style('← ' + words[member], fg='cyan')}"
            self._line(text)

    def _line(self, text: str) -> None:
        if not self._out.as_json:
            click.echo(text)

    def _style(self, text: str, **how: Any) -> str:  # noqa: ANN401 - click.style's own
        return click.style(text, **how) if self._out.colour else printable(text)

    def _sign(self, nice: str, plain: str) -> str:
        encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
        return nice if self._out.on_terminal and encoding == "utf8" else plain
