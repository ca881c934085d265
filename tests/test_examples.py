"""Every example runs as it stands, in an empty folder, and says what it is there to show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
LONGEST = 80

# What each example prints, line by line; "…" stands for anything.
SHOWN = {
    "login_logout.py": [
        "the laptop speaks for alice and may read write",
        "the session after a refresh: accepted",
        "device: Laptop",
        "device: Phone",
        "the phone after its logout: refused, because of logout",
        "the laptop meanwhile: accepted",
        "the laptop after the password change: refused, because of password_changed",
        "the laptop after a new login: accepted",
    ],
    "two_processes.py": [
        "before: good, speaks for alice",
        "after: refused: revoked",
        "that was … ms after revoke had returned; promised are 2,000",
    ],
    "own_rsa_key.py": [
        "annul accepts it: True",
        "the key comes back unchanged: True",
        "PyJWT accepts it: True",
        "annul refuses it after the logout",
        "PyJWT goes on: True",
    ],
    "foreign_issuer.py": [
        "a good token: accepted for u-17",
        "for another API: claim_mismatch",
        "expired: expired",
        "by another key: unknown_key",
        "after the logout: revoked",
        "another session: accepted for u-17",
    ],
}
NEEDS = {"own_rsa_key.py": "openssl"}


def test_every_example_is_in_the_table() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < LONGEST


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_an_example_runs_and_says_what_it_shows(name: str, tmp_path: Path) -> None:
    program = NEEDS.get(name)
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    patterns = [".*".join(map(re.escape, line.split("…"))) for line in SHOWN[name]]
    assert len(printed) == len(patterns), printed
    for line, pattern in zip(printed, patterns, strict=True):
        assert re.fullmatch(pattern, line), line
