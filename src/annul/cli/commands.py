"""Every command of ``annul``, in the order in which one meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.cli.audit import audit
from annul.cli.demo import demo
from annul.cli.doctor import doctor
from annul.cli.follow import follow
from annul.cli.keys import keys
from annul.cli.replicas import replicas
from annul.cli.revocation import block, revoke, unblock
from annul.cli.sessions import login, logout, refresh, sessions
from annul.cli.stores import store
from annul.cli.tokens import inspect, verify

if TYPE_CHECKING:
    import click

__all__ = ["COMMANDS"]

_ALL: tuple[click.Command, ...] = (
    demo,
    login,
    refresh,
    verify,
    inspect,
    logout,
    sessions,
    revoke,
    block,
    unblock,
    keys,
    follow,
    replicas,
    store,
    audit,
    doctor,
)

COMMANDS: dict[str, click.Command] = {command.name or "": command for command in _ALL}
"""The commands by name."""
