"""``revoke``, ``block`` and ``unblock``: taking back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

import annul
from annul.cli.ids import CommandWithId
from annul.cli.inputs import token_from
from annul.cli.opening import authority
from annul.cli.options import AUTHORITY, Invocation, uses
from annul.cli.receipts import show_receipt
from annul.core.handle import looks_like_handle
from annul.core.revocation import Reason, Target
from annul.errors import InvalidRequest, NotYetConfirmed, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["block", "revoke", "revoke_key", "taking_back", "unblock", "unknown_key"]

_TARGETS: dict[str, type[Any]] = {
    "token": annul.TokenId,
    "session": annul.SessionId,
    "subject": annul.SubjectId,
    "client": annul.ClientId,
    "key": annul.KeyId,
    "all": annul.Everything,
}
_REASONS = tuple(sorted(reason.value for reason in Reason))
_JWT_DOTS = 2
_HANDLE_DOTS = 4

_reason = click.option(
    "--reason",
    type=click.Choice(_REASONS),
    metavar="REASON",
    help=f"Why, for the log: {', '.join(_REASONS)}.",
)
_actor = click.option("--actor", help="Who asked, for the log.")


unknown_key = click.option(
    "--unknown", is_flag=True, help="Revoke a key that the keyring does not know."
)


def taking_back(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of everything that revokes."""
    for option in (
        click.option(
            "--idempotency-key",
            metavar="KEY",
            help="Complete a call that was not confirmed, with the key that it printed.",
        ),
        click.option("--dry-run", is_flag=True, help="Only count the sessions it would end."),
        click.option(
            "--timeout",
            type=float,
            default=10.0,
            show_default=True,
            metavar="SECONDS",
            help="How long --wait waits.",
        ),
        click.option("--wait", is_flag=True, help="Return when no verifier can still accept."),
        _actor,
        _reason,
    ):
        command = option(command)
    return command


@click.command(cls=CommandWithId)
@click.argument("kind", type=click.Choice(tuple(_TARGETS)))
@click.argument("identifier", required=False, metavar="[ID]")
@taking_back
@click.option("--yes", is_flag=True, help="Do not ask before revoking everything.")
@unknown_key
@uses(*AUTHORITY, volatile=True)
def revoke(
    run: Invocation,
    *,
    kind: str,
    identifier: str | None,
    reason: str | None,
    yes: bool,
    unknown: bool,
    **options: Any,  # noqa: ANN401 - those of taking_back
) -> None:
    """Take something back, everywhere.

    \b
    token ID     one access token: its jti, or - for the token itself on stdin
    session ID   one session (sid), with all its tokens
    subject ID   every session of a subject; later logins are good
    client ID    every session through a client; later logins are good
    key ID       every token signed with a key (kid), for good
    all          every session there is; later logins are good
    """  # noqa: D301 - click's own mark, not a backslash
    if (identifier is None) is not (kind == "all"):
        needs = "takes no ID" if kind == "all" else "needs an ID"
        raise click.UsageError(f"revoke {kind} {needs}", click.get_current_context())
    if kind == "all" and not (yes or options["dry_run"]) and sys.stdin.isatty():
        click.confirm("End every session of this issuer?", abort=True, err=True)
    if kind == "key":
        why = reason or Reason.KEY_COMPROMISE
        revoke_key(run, str(identifier), reason=why, unknown=unknown, **options)
        return
    if identifier == "-":
        identifier = token_from(identifier)
    with authority(run) as opened:
        target = _target(opened, kind, identifier)
        _revoke(run, opened, target, reason=reason or Reason.ADMIN, **options)


def revoke_key(run: Invocation, kid: str, *, unknown: bool, **options: Any) -> None:  # noqa: ANN401
    """Revoke a signing key; also ``annul keys revoke``."""
    with authority(run) as opened:
        if kid not in {key.kid for key in opened.keys()}:  # noqa: SIM118 - a verb
            # Repeating what was not confirmed may find the key out of the ring already.
            if not unknown and options["idempotency_key"] is None:
                raise InvalidRequest(
                    "the keyring has no key with this kid, see annul keys list; --unknown refuses"
                    " it all the same, and for good"
                )
            run.out.note("the keyring has no such key; it can never be imported now")
        _revoke(run, opened, annul.KeyId(kid), **options)


def _target(opened: annul.Authority, kind: str, identifier: str | None) -> Target:
    make = _TARGETS[kind]
    if identifier is None:
        return make()  # type: ignore[no-any-return]  # one of the targets
    jwt = identifier.startswith("eyJ") and identifier.count(".") == _JWT_DOTS
    if jwt and kind == "token":
        return annul.TokenId(opened.replica.verify_ended(identifier).jti or "")
    if jwt or (looks_like_handle(identifier) and identifier.count(".") == _HANDLE_DOTS):
        # Taken for an id it would revoke nothing, and put a token into the log.
        raise InvalidRequest(
            "this is a token, not an id: annul logout ends its session, and annul inspect shows"
            " its ids"
        )
    return make(identifier)  # type: ignore[no-any-return]  # one of the targets


def _revoke(
    run: Invocation,
    opened: annul.Authority,
    target: Target,
    *,
    wait: bool,
    timeout: float,
    dry_run: bool,
    **options: Any,  # noqa: ANN401 - passed on
) -> None:
    if wait and not dry_run and run.out.on_terminal:
        run.out.note(f"waiting, at most {timeout:g} s, until no verifier can still accept")
    try:
        receipt = opened.revoke(target, wait=wait, timeout=timeout, dry_run=dry_run, **options)
    except NotYetConfirmed as error:
        raise NotYetConfirmed(f"{error}; do not repeat it", receipt=error.receipt) from error
    except StoreUnavailable as error:
        key = error.idempotency_key
        if key is None:
            raise
        raise StoreUnavailable(
            f"{error}; it may have happened: repeat it with --idempotency-key {key}",
            idempotency_key=key,
        ) from error
    kind = str(target.kind)
    show_receipt(
        run,
        receipt,
        f"{'everything' if kind == 'issuer' else kind} revoked",
        counted=kind not in {"token", "key"},
        kind=kind,
        id=target.id or None,
    )


@click.command()
@click.argument("subject")
@_reason
@_actor
@uses(*AUTHORITY, volatile=True)
def block(run: Invocation, *, subject: str, reason: str | None, actor: str | None) -> None:
    """Disable SUBJECT until unblock.

    Every token and every login of SUBJECT is refused, later ones too.
    """
    with authority(run) as opened:
        receipt = opened.block(subject, reason=reason or Reason.USER_DISABLED, actor=actor)
    show_receipt(run, receipt, "blocked", counted=False, kind="block", id=subject)


@click.command()
@click.argument("subject")
@_reason
@_actor
@uses(*AUTHORITY, volatile=True)
def unblock(run: Invocation, *, subject: str, reason: str | None, actor: str | None) -> None:
    """Enable SUBJECT again.

    Sessions that were only blocked are good again; revoke the subject to end them.
    """
    with authority(run) as opened:
        receipt = opened.unblock(subject, reason=reason or Reason.ADMIN, actor=actor)
    show_receipt(run, receipt, "unblocked", counted=False, kind="unblock", id=subject)
