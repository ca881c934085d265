"""The command line: the only reader of the environment, and nobody imports it.

The rules of what it prints:

- Results go to stdout, everything else to stderr. With ``--json`` a result is one JSON object on
  stdout, and an error is one on stderr with ``code``, ``message`` and ``exit_code``.
- On stderr a line for people begins with ``annul: ``, has no capital and no full stop, and says
  what to do. There is no traceback for anything a person can get wrong.
- Tables are for terminals; into a pipe they go as plain columns without colour.
- A token, key or passphrase is printed only by the command whose job that is, and on stdout. What
  was typed is not repeated in an error, because it may be a token.
- A passphrase comes from a prompt or a file, never from an argument: arguments are seen by ``ps``.
- Nothing hangs waiting for an answer unless stdin is a terminal.
- The exit codes are in ``annul.cli.exits``.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line of ``sys.argv`` and exit with its code."""
    try:
        import click  # noqa: F401, PLC0415 - it comes with an extra, and this says which
    except ImportError:
        # The code of Misconfigured in annul.cli.exits, which needs no click but nothing else here.
        print('annul: the command line is an extra: pip install "annul[server]"', file=sys.stderr)
        sys.exit(3)
    try:
        from annul.cli.app import run  # noqa: PLC0415 - needs click

        run()
    except KeyboardInterrupt:
        # Before or after the command itself, which ends the same way.
        sys.exit(130)
