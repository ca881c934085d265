"""``annul keys``: signing keys as files, and in the keyring of a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from annul.cli.ids import CommandWithId
from annul.cli.inputs import key_from, passphrase_for, write_new
from annul.cli.opening import authority
from annul.cli.options import AUTHORITY, Invocation, uses
from annul.cli.output import when
from annul.cli.revocation import revoke_key, taking_back, unknown_key
from annul.core.jwk import PrivateKey
from annul.core.revocation import Reason
from annul.errors import InvalidRequest

__all__ = ["keys"]

Command = Callable[..., Any]

_TO_A_KEY = ("algorithm", "publish_for")
_out = click.option(
    "--out", metavar="FILE", help="A new file, readable by its owner only; stdout without it."
)
_encrypt = click.option(
    "--encrypt", is_flag=True, help="Encrypt it with a passphrase, asked for or from a file."
)


@click.group()
def keys() -> None:
    """Make, list, rotate, revoke, import, export keys."""


@keys.command()
@_out
@_encrypt
@uses("algorithm", "passphrase_file")
def new(run: Invocation, *, out: str | None, encrypt: bool) -> None:
    """Make a private key and print it as PEM, as openssl genpkey does.

    No store is touched; annul keys import adds it to one.
    """
    key = PrivateKey.generate(run.config.algorithm)
    pem = key.to_pem(password=_passphrase(run, "the new key", encrypt=encrypt))
    _hand_over(run, pem, out, kid=key.kid, alg=key.alg)


@keys.command("list")
@uses(*AUTHORITY, volatile=True)
def list_keys(run: Invocation) -> None:
    """List the keys of the store and where each is in its life."""
    with authority(run) as opened:
        found = [asdict(key) for key in opened.keys()]  # noqa: SIM118 - a verb
    if not run.out.as_json:
        # The keys of refresh tokens turn over by themselves, and nobody can do anything with them.
        found = [key for key in found if key["purpose"] == "token"]
    run.out.table(
        "keys",
        found,
        {
            "kid": "KEY (kid)",
            "alg": "ALG",
            "state": "STATE",
            "activates_at": "SIGNS FROM",
            "gone_at": "TRUSTED UNTIL",
        },
    )


@keys.command()
@uses(*AUTHORITY, *_TO_A_KEY, volatile=True)
def rotate(run: Invocation) -> None:
    """Make a new signing key.

    It is published at once and signs after --publish-for, so that no verifier meets a token of a
    key it has not heard of; the present key stays trusted until its last token has expired.
    """
    with authority(run, founds=True) as opened:
        kid = opened.rotate_keys(algorithm=run.config.algorithm)
        _show_key(run, opened.keys(), kid)


@keys.command(cls=CommandWithId)
@click.argument("kid")
@taking_back
@unknown_key
@uses(*AUTHORITY, volatile=True)
def revoke(run: Invocation, *, kid: str, reason: str | None, **options: Any) -> None:  # noqa: ANN401
    """Revoke a key: every token signed with it is refused, for good.

    Another key signs at once; one is made if there is none.
    """
    revoke_key(run, kid, reason=reason or Reason.KEY_COMPROMISE, **options)


@keys.command("import")
@click.argument("file", metavar="FILE|-")
@click.option("--algorithm", metavar="NAME", help="Which one an RSA key is for [RS256].")
@uses(*AUTHORITY, "publish_for", "passphrase_file", volatile=True)
def import_key(run: Invocation, *, file: str, algorithm: str | None) -> None:
    """Add a private key from a PEM file, as openssl genpkey writes it.

    It takes over like a rotated key.
    """
    pem = key_from(file)
    password = None
    if b"ENCRYPTED" in pem:
        password = passphrase_for("this key", run.config.passphrase_file, confirm=False)
    # Read before the store is opened: a bad file must not found one.
    PrivateKey.from_pem(pem, password=password, alg=algorithm)
    with authority(run, founds=True) as opened:
        kid = opened.import_key(pem, password=password, alg=algorithm)
        _show_key(run, opened.keys(), kid)


@keys.command(cls=CommandWithId)
@click.argument("kid")
@click.option("--public", is_flag=True, help="Only the public key, as openssl pkey -pubout.")
@_out
@_encrypt
@uses(*AUTHORITY, "passphrase_file", volatile=True)
def export(run: Invocation, *, kid: str, public: bool, out: str | None, encrypt: bool) -> None:
    """Print a private key of the store as PEM.

    Whoever has it can sign tokens that every verifier accepts.
    """
    password = None if public else _passphrase(run, "the exported key", encrypt=encrypt)
    with authority(run) as opened:
        if public:
            key = opened.jwks().get(kid)
            if key is None:
                raise InvalidRequest("the keyring has no key with this kid: see annul keys list")
            pem = key.to_pem()
        else:
            pem = opened.export_key(kid, password=password)
    _hand_over(run, pem, out, kid=kid)


def _passphrase(run: Invocation, what: str, *, encrypt: bool) -> bytes | None:
    # A configured passphrase is taken for a wish to encrypt: the other mistake shows a key.
    if not encrypt and run.config.passphrase_file is None:
        return None
    return passphrase_for(what, run.config.passphrase_file, confirm=True)


def _hand_over(run: Invocation, pem: bytes, out: str | None, **about: str) -> None:
    text = pem.decode("ascii")
    if out is not None:
        write_new(out, pem)
        run.out.fields({**about, "file": out})
    elif run.out.as_json:
        run.out.document({**about, "pem": text})
    else:
        run.out.lines([text.removesuffix("\n")])


def _show_key(run: Invocation, found: tuple[Any, ...], kid: str) -> None:
    key = next(key for key in found if key.kid == kid)
    result = asdict(key)
    shown = {name: result[name] for name in ("kid", "alg", "state")}
    run.out.fields(result, shown | {"signs from": when(key.activates_at)})
