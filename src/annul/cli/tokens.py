"""``verify`` and ``inspect``: one proves what a token says, the other only reads it."""

from __future__ import annotations

from typing import Any

import click

from annul.cli.inputs import token_argument, token_from
from annul.cli.opening import replica
from annul.cli.options import VERIFIER, Invocation, as_json, uses
from annul.cli.output import Output, columns, pretty, when
from annul.core.encoding import EncodingError, decode_segment, parse_object
from annul.core.handle import looks_like_handle
from annul.core.jws import split
from annul.core.policy import LATEST
from annul.errors import Malformed

__all__ = ["inspect", "verify"]

_DATES = ("iat", "nbf", "exp", "auth_time")


@click.command()
@token_argument
@uses(*VERIFIER)
def verify(run: Invocation, *, token: str | None) -> None:
    """Verify an access token, and print what it says.

    Revocations included. Uses only the public side of the store: the key set and the log of
    revocations. A token that is refused exits with 1 and its code; a store that cannot be followed
    exits with 4, because nobody can tell then.
    """
    text = token_from(token)
    with replica(run) as verifier:
        verified = verifier.verify(text)
        staleness = verifier.staleness
    result: dict[str, Any] = {
        "subject": verified.subject,
        "client_id": verified.client_id,
        "session_id": verified.session_id,
        "jti": verified.jti,
        "scopes": sorted(verified.scopes),
        "expires_at": verified.expires_at,
        "staleness_ms": round(staleness * 1000, 1),
        "claims": dict(verified.claims),
    }
    if run.out.as_json:
        run.out.document({"accepted": True, **result})
        return
    shown = result | {
        "accepted": f"yes, as of {staleness * 1000:.0f} ms ago",
        "scopes": " ".join(result["scopes"]) or "-",
        "expires_at": when(verified.expires_at),
    }
    order = ("accepted", *(name for name in result if name not in ("claims", "staleness_ms")))
    run.out.lines(columns([(name, shown[name]) for name in order]))
    run.out.lines(["claims", pretty(result["claims"])])


@click.command()
@token_argument
@as_json
def inspect(*, token: str | None, as_json: bool) -> None:
    """Decode a token WITHOUT VERIFYING IT.

    For a person who is looking for a mistake. Whatever it shows may be forged. The signature is not
    shown, so the output is no token.
    """
    out = Output(as_json=as_json)
    text = token_from(token)
    if looks_like_handle(text):
        out.note("NOT VERIFIED: this looks like a refresh token; those are opaque")
        out.fields({"verified": False, "kind": "refresh_token"})
        return
    try:
        header, payload, _signature, _input = split(text)
        parts = {
            "header": parse_object(decode_segment(header)),
            "claims": parse_object(decode_segment(payload)),
        }
    except EncodingError as error:
        raise Malformed(f"this is not a signed token: {error}") from None
    out.note("NOT VERIFIED: anybody may have written this; annul verify says whether it is good")
    if out.as_json:
        out.document({"verified": False, "kind": "access_token", **parts})
        return
    for name, part in parts.items():
        out.lines([f"{name} (NOT VERIFIED)", pretty(part)])
    claims = parts["claims"]
    dates = [(name, when(claims[name])) for name in _DATES if _is_date(claims.get(name))]
    out.lines(columns(dates) if dates else [])


def _is_date(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= LATEST
