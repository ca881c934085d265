"""Disks that are small enough to be filled up."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 16


class SmallDisk:
    """A file system of a few megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Use up all that is free, to the last byte."""
        size = _BLOCK
        with self._filler.open("wb", buffering=0) as file:
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    size //= 2

    def make_room(self) -> None:
        """Give back what was used up."""
        self._filler.unlink()


@contextlib.contextmanager
def small_disk(megabytes: int = 16) -> Iterator[SmallDisk]:
    """Give a small disk, and take it away again. Skips where none can be mounted."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("there is no mount program here")
    with tempfile.TemporaryDirectory(prefix="annul-disk-") as name:
        options = f"size={megabytes}m,mode=0700"
        done = subprocess.run(
            [mount, "-t", "tmpfs", "-o", options, "annul", name], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("only root can mount a small disk")
        try:
            yield SmallDisk(Path(name))
        finally:
            subprocess.run([umount, "--lazy", name], check=True)
