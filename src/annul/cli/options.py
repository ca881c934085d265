"""Options that many commands share, made from the table of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from annul.cli.output import Output
from annul.cli.settings import SETTINGS, Configuration, load, redact

__all__ = ["AUTHORITY", "VERIFIER", "Invocation", "as_json", "uses"]

VERIFIER = ("store", "issuer", "audience", "max_staleness", "ready_timeout")
"""The settings of a command that verifies."""

AUTHORITY = ("store", "issuer", "audience", "kek_file", "audit_file")
"""The settings of a command that signs or takes back."""

_SHOWN_WHEN_DEFAULTED = ("store", "issuer", "audience")

Command = Callable[..., Any]

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for machines.")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command being run: its settings, and where it prints.

    ``allow_volatile_store`` comes only from its own flag: a switch that gives up durability must
    not sit in a file that somebody copies.
    """

    config: Configuration
    out: Output
    allow_volatile_store: bool = False


def uses(*names: str, volatile: bool = False) -> Callable[[Command], Command]:
    """Give a command the flags of these settings, ``--config`` and ``--json``.

    The command is called with an ``Invocation`` and its own parameters. Settings without a flag
    here still come from the environment and from TOML.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(
            *,
            config: str | None,
            as_json: bool,
            allow_volatile_store: bool = False,
            **given: Any,  # noqa: ANN401 - a command's own parameters
        ) -> Any:  # noqa: ANN401 - an exit code, or nothing
            flags = {name: value for name in names if (value := given.pop(name)) is not None}
            out = Output(as_json=as_json)
            settings = load(flags, config)
            for name in _SHOWN_WHEN_DEFAULTED:
                if name in names and name in settings.defaulted:
                    out.defaulted[name] = _shown(settings, name)
            if out.defaulted and not as_json:
                used = ", ".join(f"{name} {value}" for name, value in out.defaulted.items())
                out.note(f"using {used} (defaults)")
            with out.logged_as_notes():
                return command(Invocation(settings, out, allow_volatile_store), **given)

        dressed: Command = as_json(run)
        dressed = click.option(
            "--config", metavar="FILE", help="TOML file; by default annul.toml if there is one."
        )(dressed)
        if volatile:
            dressed = click.option(
                "--allow-volatile-store",
                is_flag=True,
                help="Accept a store that can lose revocations: tests and demonstrations.",
            )(dressed)
        for name in reversed(names):
            dressed = _flag(name)(dressed)
        return dressed

    return decorate


def _flag(name: str) -> Callable[[Command], Command]:
    words = SETTINGS[name].metadata
    several = name == "audience"

    def read(_context: click.Context, _parameter: click.Parameter, value: Any) -> Any:  # noqa: ANN401
        if value is None or value == ():
            return None
        try:
            return words["read"](value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    default = SETTINGS[name].default
    suffix = "" if default is None else f" [{_plain(default)}]"
    return click.option(
        "--" + name.replace("_", "-"),
        name,
        metavar=words["metavar"],
        multiple=several,
        callback=read,
        help=f"{words['help'][0].upper()}{words['help'][1:]}{suffix}",
    )


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(settings: Configuration, name: str) -> str:
    value = getattr(settings, name)
    return redact(value) if name == "store" else _plain(value)
