"""``annul store``: what concerns the store itself and not what is in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from annul.cli.options import uses
from annul.errors import InvalidRequest
from annul.stores import file_of, grants_of

if TYPE_CHECKING:
    from annul.cli.options import Invocation

__all__ = ["store"]

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@click.group()
def store() -> None:
    """Say what a store needs."""


@store.command()
@click.option(
    "--user",
    metavar="NAME",
    default="annul_verifier",
    show_default=True,
    help="The user or role that the verifiers have.",
)
@uses("store")
def grants(run: Invocation, *, user: str) -> None:
    """Print what the verifiers' own credential has to be allowed, and nothing else.

    SQL for PostgreSQL, a line of the ACL file for Redis and Valkey. No store is touched.
    """
    if _NAME.fullmatch(user) is None:
        raise InvalidRequest(
            "--user is a name of small letters, digits and _, such as annul_verifier"
        )
    text = grants_of(run.config.store, user)
    if text is None:
        run.out.note(_why_none(run.config.store))
    elif text.startswith("user "):
        run.out.note("add a password (>…) to the line, and load it: ACL LOAD")
    else:
        run.out.note(f"run this when the first authority has opened the store; {user} must exist")
    if run.out.as_json:
        run.out.document({"user": user, "grants": text})
    elif text is not None:
        run.out.lines(text.splitlines())


def _why_none(url: str) -> str:
    file = file_of(url)
    if file is None:
        return "a store in memory is reached by its own process only: there is nothing to grant"
    return (
        "file permissions decide: whoever verifies has to be able to read and write"
        f" {file} and its folder, and can do with the store what an authority can"
    )
