"""The ``annul`` command: its subcommands, and what becomes of every error and signal."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NoReturn

import click

import annul
from annul.cli import exits
from annul.cli.commands import COMMANDS
from annul.cli.ids import MARK
from annul.cli.output import printable
from annul.errors import AnnulError, ClaimMismatch, ReplicaStale, Revoked

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "run"]

_LONGEST_REPEATED = 24
_TOKEN = re.compile(r"(?:eyJ|v1\.)[\w-]+\.[\w.-]+", re.ASCII)

# Python prints warnings that nobody handles; what the library has to say comes here as an error,
# or as a note of the command that is running.
logging.getLogger("annul").addHandler(logging.NullHandler())


class App(click.Group):
    """The group whose ``main`` turns every way of ending into a sentence and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - (the same)
    ) -> NoReturn:
        """Run, and exit with a code of ``annul.cli.exits``."""
        del standalone_mode  # there is one way to end
        words = list(sys.argv[1:] if args is None else args)
        problem = _Problem(words)
        try:
            self._main_shell_completion(extra, prog_name or "annul", complete_var)
            with self.make_context(prog_name or "annul", words, **extra) as context:
                code = self.invoke(context)
            sys.stdout.flush()
        except AnnulError as error:
            code = exits.exit_code(error)
            problem.say(error.code, exits.sentence(error), code, **_details(error))
        except click.exceptions.Exit as done:
            code = done.exit_code
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(exits.USAGE)
        except click.ClickException as error:
            problem.say("usage", problem.without_words(_usage(error)), exits.USAGE)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(exits.INTERRUPTED)
        except exits.Interrupted as error:
            sys.exit(error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Nobody reads any more. What is still buffered must not complain at the exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                sys.exit(128 + signal.SIGPIPE)
            why = os.strerror(error.errno or 0).lower()
            problem.say("misconfigured", f"the system refused: {why}", 3)
        except Exception:  # noqa: BLE001 - the edge: whatever it is, it gets a code of its own
            traceback.print_exc()
            problem.say("bug", "this is a mistake in annul, please report it", exits.BUG)
        sys.exit(code if isinstance(code, int) else 0)

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the commands in the order in which one meets them."""
        return list(self.commands)


class _Problem:
    """Says one error, to people or to machines, without repeating what may be secret."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._for_machines = "--json" in words[: words.index("--") if "--" in words else None]

    def say(self, code: str, message: str, exit_code: int, **details: object) -> NoReturn:
        # A token given as the name of a file is quoted like any name.
        message = _TOKEN.sub("***", message)
        if self._for_machines:
            text = json.dumps({"code": code, "message": message, "exit_code": exit_code, **details})
        else:
            text = f"annul: {printable(message)}"
        with suppress(OSError):
            click.echo(text, err=True)
        sys.exit(exit_code)

    def without_words(self, message: str) -> str:
        """Return a message without the long words of the command line.

        click quotes what it cannot use, and that may be a token in the wrong place.
        """
        for word in self._words:
            for part in (word, word.partition("=")[2]):
                if len(part) > _LONGEST_REPEATED and not part.startswith("--"):
                    message = message.replace(part, "***")
        return message


def _usage(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".").replace("\n", " ").replace(MARK, "")
    text = text[:1].lower() + text[1:]
    if isinstance(error, click.NoSuchOption):
        text += " (write -- before an argument that begins with a dash)"
    context = getattr(error, "ctx", None)
    return f"{text}; see {context.command_path} --help" if context is not None else text


def _details(error: AnnulError) -> dict[str, object]:
    """Return the fields that a machine needs to act on an error."""
    details: dict[str, object] = {}
    if isinstance(error, ClaimMismatch) and error.claim:
        details["claim"] = error.claim
    if isinstance(error, ReplicaStale):
        details["cause"] = error.cause
    if isinstance(error, Revoked) and error.revocation is not None:
        details["kind"] = str(error.revocation.kind)
        details["reason"] = str(error.revocation.reason)
    key = getattr(error, "idempotency_key", None)
    if key is not None:
        details["idempotency_key"] = key
    receipt = getattr(error, "receipt", None)
    if receipt is not None:
        details["receipt"] = {
            "epoch": receipt.epoch,
            "seq": receipt.seq,
            "laggards": list(receipt.laggards),
            "idempotency_key": receipt.idempotency_key,
        }
    return details


def run() -> NoReturn:
    """Run the command line of this process."""
    _open_what_is_closed()
    # A terminal that cannot show a letter gets its escape instead of an exception.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_interrupted)
    app.main(prog_name="annul")


def _open_what_is_closed() -> None:
    """Take a closed stdin for an empty one; what goes to a closed stdout or stderr is dropped.

    Otherwise the next file that is opened, such as a store, would get its number.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            mode = "w" if number else "r"
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - it stays open


def _raise_interrupted(number: int, _frame: object) -> NoReturn:
    raise exits.Interrupted(number)


def _epilog() -> str:
    rows = "\n".join(f"{row.code:>5}  {row.meaning}" for row in exits.EXITS)
    return (
        f"\b\nExit codes:\n{rows}\n\n"
        "\b\nSettings: a flag, else ANNUL_NAME in the environment, else annul.toml.\n"
        "Try annul demo, or annul COMMAND --help."
    )


app = App(
    name="annul",
    help="JSON Web Tokens that can be taken back.",
    epilog=_epilog(),
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app = click.version_option(annul.__version__, prog_name="annul")(app)
