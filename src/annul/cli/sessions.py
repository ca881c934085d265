"""``login``, ``refresh``, ``logout`` and ``sessions``: a session from its beginning to its end."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from annul.authority.sessions import check_names
from annul.cli.inputs import claims_from, token_argument, token_from
from annul.cli.opening import authority
from annul.cli.options import AUTHORITY, Invocation, uses
from annul.cli.receipts import show_receipt
from annul.core.issuer import check_claims, check_scope

if TYPE_CHECKING:
    from annul.authority.grants import Grant

__all__ = ["login", "logout", "refresh", "sessions"]

_PARTS = ("access_token", "refresh_token", "session_id", "jti")

_only = click.option(
    "--only", type=click.Choice(_PARTS), help="Print this and nothing else, for a pipe."
)


@click.command()
@click.argument("subject")
@click.option("--client", "client_id", required=True, help="The client (client_id).")
@click.option("--scope", default="", help="Scopes, separated by spaces.")
@click.option("--device", help="A label for the list of sessions.")
@click.option("--claim", "pairs", multiple=True, metavar="NAME=JSON", help="A claim of your own.")
@_only
@uses(*AUTHORITY, "algorithm", "access_ttl", "session_ttl", "idle_ttl", volatile=True)
def login(
    run: Invocation,
    *,
    subject: str,
    client_id: str,
    scope: str,
    device: str | None,
    pairs: tuple[str, ...],
    only: str | None,
) -> None:
    """Begin a session and print its tokens.

    annul asks for no password: whoever may run this has already decided that it is SUBJECT.
    The first login founds the store and makes its keys.
    """
    claims = check_claims(claims_from(pairs))
    # Judged before the store is opened as well: a mistake must not found one.
    check_scope(scope)
    check_names(subject, client_id)
    with authority(run, founds=True) as opened:
        grant = opened.login(
            subject, client_id=client_id, scope=scope, claims=claims, device=device
        )
    _show_grant(run, grant, only)


@click.command()
@token_argument
@click.option("--client", "client_id", help="The client that it must belong to.")
@_only
@uses(*AUTHORITY, "access_ttl", "grace", volatile=True)
def refresh(run: Invocation, *, token: str | None, client_id: str | None, only: str | None) -> None:
    """Exchange a refresh token for its successor.

    A fresh access token comes with it. The token comes from the argument or, better, from stdin. A
    token that was used up before ends the session: somebody has a copy.
    """
    text = token_from(token)
    with authority(run) as opened:
        grant = opened.refresh(text, client_id=client_id)
    _show_grant(run, grant, only)


@click.command()
@token_argument
@uses(*AUTHORITY, volatile=True)
def logout(run: Invocation, *, token: str | None) -> None:
    """End the session that a token belongs to.

    It may be an access or a refresh token. It must be genuine and may have expired. The session's
    other tokens die with it; other sessions of the same subject go on.
    """
    text = token_from(token)
    with authority(run) as opened:
        receipt = opened.logout(text)
    show_receipt(run, receipt, "logged out", counted=False)


@click.command()
@click.argument("subject")
@uses(*AUTHORITY, volatile=True)
def sessions(run: Invocation, *, subject: str) -> None:
    """List the live sessions of SUBJECT."""
    with authority(run) as opened:
        found = opened.sessions(subject)
    run.out.table(
        "sessions",
        [asdict(session) for session in found],
        {
            "session_id": "SESSION",
            "client_id": "CLIENT",
            "device": "DEVICE",
            "scope": "SCOPE",
            "created_at": "BEGAN",
            "last_seen": "LAST SEEN",
            "expires_at": "ENDS",
        },
    )


def _show_grant(run: Invocation, grant: Grant, only: str | None) -> None:
    result = asdict(grant)
    del result["cookie"]  # for browsers, which have no command line
    if only is None:
        run.out.fields(result)
    elif run.out.as_json:
        run.out.document({only: result[only]})
    else:
        run.out.lines([result[only]])
