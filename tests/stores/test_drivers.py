"""A store whose driver is not installed says which extra to install, and nothing else breaks."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys

for name in {missing!r}:
    sys.modules[name] = None  # what an import finds that finds nothing

import annul

try:
    annul.open_store({url!r}, issuer=None)
except annul.MissingDependency as error:
    assert {extra!r} in str(error), error
else:
    raise SystemExit("it was opened")
annul.open_store("sqlite:///annul.db", issuer=None)
"""


@pytest.mark.parametrize(
    ("url", "missing", "extra"),
    [
        ("redis://localhost/0", ["redis"], "annul[redis]"),
        ("postgresql://localhost/annul", ["psycopg"], "annul[postgres]"),
    ],
)
def test_a_missing_driver_is_said(url: str, missing: list[str], extra: str) -> None:
    program = PROGRAM.format(url=url, missing=missing, extra=extra)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
