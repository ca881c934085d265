"""Running the command line: in this process where that is enough, in one of its own where not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from annul.cli.app import app

SOURCE = Path(__file__).parents[2] / "src"
COMMAND = [sys.executable, "-m", "annul"]


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object of a command that was run with --json: its result or its error."""
        document = json.loads(self.out or self.err)
        assert isinstance(document, dict)
        return document


def annul(*words: str, stdin: str | bytes = "") -> Ran:
    """Run a command in this process."""
    result = CliRunner().invoke(app, list(words), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which a process finds this source, and no settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANNUL_")}
    return kept | {"PYTHONPATH": str(SOURCE)} | more


def process(*words: str, stdin: bytes = b"", **more: Any) -> Ran:  # noqa: ANN401 - for subprocess
    """Run a command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *words],
        input=stdin,
        capture_output=True,
        check=False,
        env=more.pop("env", environment()),
        timeout=30,
        **more,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def log_in(subject: str = "alice", *words: str) -> dict[str, Any]:
    """Log somebody in on the store of the working directory; return the grant."""
    ran = annul("login", subject, "--client", "web", "--json", *words)
    assert ran.code == 0, ran.err
    return ran.document
