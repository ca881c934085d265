"""A disk that is full, or read-only: a real one, in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import COMMAND, environment

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "-r"]
ON_A_DISK = 'set -u; mount -t tmpfs -o "size=$1" none disk && cd disk || exit 99; '
FILL = "cat /dev/zero > filler 2>/dev/null; "


def on_a_disk(size: str, script: str, folder: Path) -> list[str]:
    """Run a shell script in a small file system; return its lines. ``annul`` is the command."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not here")
    (folder / "disk").mkdir()
    function = f"annul() {{ '{COMMAND[0]}' -m annul \"$@\" 2>&1; }}; "
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", ON_A_DISK + function + script, "sh", size],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    if done.returncode == 99 or "unshare:" in done.stderr:
        pytest.skip("no file system can be mounted here")
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_disk_too_small_for_a_store(empty_folder: Path) -> None:
    lines = on_a_disk("64k", "annul login alice --client web --json; echo $?", empty_folder)
    assert '"code": "store_unavailable"' in lines[0]
    assert lines[1:] == ["4"]


def test_a_disk_that_becomes_full(empty_folder: Path) -> None:
    lines = on_a_disk(
        "2m",
        "annul login alice --client web --device laptop --json >/dev/null;"
        + FILL
        + "annul login alice --client web --device phone --json; echo $?;"
        "annul revoke subject alice --json; echo $?;"
        "annul doctor --json >/dev/null; echo $?;"
        "rm filler; annul sessions alice --json; echo $?",
        empty_folder,
    )
    assert '"code": "store_unavailable"' in lines[0]
    assert '"code": "store_unavailable"' in lines[2]
    assert (lines[1], lines[3], lines[4], lines[6]) == ("4", "4", "1", "0")
    # Nothing was lost, and nothing was half done.
    assert lines[5].count('"device"') == 1


def test_a_disk_that_becomes_read_only(empty_folder: Path) -> None:
    lines = on_a_disk(
        "2m",
        "annul login alice --client web --only access_token > token 2>/dev/null;"
        "mount -o remount,ro none .;"
        "annul login alice --client web --json; echo $?;"
        "tail -1 token | annul verify --json; echo $?;"
        "annul keys new --out key.pem --json; echo $?;"
        "annul login alice --client web --store sqlite:///other.db --json; echo $?;"
        "mount -o remount,rw none .; tail -1 token | annul verify --json; echo $?",
        empty_folder,
    )
    codes = ["misconfigured", "misconfigured", "invalid_key", "misconfigured"]
    assert [f'"code": "{code}"' in line for code, line in zip(codes, lines[::2], strict=False)] == [
        True
    ] * 4
    assert lines[1::2] == ["3", "3", "3", "3", "0"]
    assert '"accepted": true' in lines[8]
