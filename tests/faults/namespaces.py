"""Two machines with a link that can be cut: network namespaces, for whoever is root.

Each has an address of its own that this process reaches over a link of its own, so whoever looks
on from here sees both. Between them there is one more link, and that is the one that is cut.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.redis_nodes import Place

if TYPE_CHECKING:
    from collections.abc import Iterator


class Machines:
    """Two namespaces, ``left`` and ``right``."""

    def __init__(self) -> None:
        self._id = os.getpid() % 0xFFFF
        net = f"10.{self._id >> 8}.{self._id & 0xFF}"
        self._names = [f"annul{self._id}{side}" for side in "lr"]
        self._hosts = [f"{net}.{number}" for number in (129, 130)]
        self._over = [f"{net}.{number}" for number in (65, 69)]
        self._here = [f"{net}.{number}" for number in (66, 70)]
        self._between = [f"{net}.{number}" for number in (73, 74)]

    @property
    def left(self) -> Place:
        return self._place(0)

    @property
    def right(self) -> Place:
        return self._place(1)

    def _place(self, side: int) -> Place:
        return Place(self._hosts[side], ("ip", "netns", "exec", self._names[side]))

    def create(self) -> None:
        for side, name in enumerate(self._names):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "addr", "add", f"{self._hosts[side]}/32", "dev", "lo")
            mine, theirs = f"an{self._id:x}{side}", f"up{side}"
            _ip("link", "add", mine, "type", "veth", "peer", "name", theirs, "netns", name)
            _ip("addr", "add", f"{self._here[side]}/30", "dev", mine)
            _ip("link", "set", mine, "up")
            _ip("-n", name, "addr", "add", f"{self._over[side]}/30", "dev", theirs)
            _ip("-n", name, "link", "set", theirs, "up")
            _ip("route", "add", f"{self._hosts[side]}/32", "via", self._over[side])
        left, right = self._names
        _ip("-n", left, "link", "add", "cut", "type", "veth", "peer", "name", "cut", "netns", right)
        for side, name in enumerate(self._names):
            _ip("-n", name, "addr", "add", f"{self._between[side]}/30", "dev", "cut")
        self.join()

    def cut(self) -> None:
        """Let nothing pass between the two any more."""
        _ip("-n", self._names[0], "link", "set", "cut", "down")

    def join(self) -> None:
        """Let everything pass between the two."""
        for name in self._names:
            _ip("-n", name, "link", "set", "cut", "up")
        for side, name in enumerate(self._names):
            other = 1 - side
            route = f"{self._hosts[other]}/32", "via", self._between[other]
            # The address that others know it by is the one to speak from.
            _ip("-n", name, "route", "replace", *route, "src", self._hosts[side])

    def remove(self) -> None:
        for name in self._names:
            # With its name goes what is in it, links included, once nobody runs there any more.
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def machines() -> Iterator[Machines]:
    """Make two machines and take them down again; skips where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    two = Machines()
    try:
        try:
            two.create()
        except RuntimeError as error:
            pytest.skip(f"network namespaces cannot be made here: {error}")
        yield two
    finally:
        two.remove()
