# ruff: noqa: INP001 - scripts of this repository, not a package
"""The rows about claims: all correctly signed, judged at ``NOW`` by a policy without leeway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.vector_rows import AUDIENCE, ISSUER, NOW, Row, claims, shown, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.vector_signing import Signer

__all__ = ["rows_of_claims"]

_LAST = 253_402_300_799

_ACCEPTED: dict[str, list[Any]] = {
    "aud": [AUDIENCE, [AUDIENCE], ["x", AUDIENCE], [AUDIENCE, AUDIENCE], ["", AUDIENCE]],
    "exp": [NOW + 1, NOW + 0.5, float(NOW + 5), _LAST],
    "iat": [NOW, NOW - 0.25, 0],
    "nbf": [NOW, 0, NOW - 0.5],
    "auth_time": [0, NOW - 3600, 1.5],
    "sub": ["żółw 😀", "x" * 1024, "a\tb", "0"],
    "sid": ["s1"],
    "scope": ["read write", "", ["read"], 5],
    "roles": [["staff", {"a": [1, None, True]}], None],
    "act": [{"sub": "app", "act": {"sub": "other"}}],
    "since": [[1, 2], "not ours"],
}
_REFUSED: dict[str, list[Any]] = {
    "iss": [
        ...,
        None,
        "",
        1,
        [ISSUER],
        {ISSUER: 1},
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER[:-1],
        ISSUER + ".evil.example",
        f" {ISSUER}",
    ],
    "aud": [
        ...,
        None,
        "",
        1,
        True,
        [],
        [""],
        [1],
        [[AUDIENCE]],
        [AUDIENCE, None],
        [AUDIENCE, 1],
        {AUDIENCE: 1},
        AUDIENCE + "/",
        AUDIENCE.upper(),
        AUDIENCE[:-1],
        f"{AUDIENCE} x",
    ],
    "exp": [
        ...,
        None,
        "",
        str(NOW + 900),
        True,
        [],
        {},
        NOW,
        NOW - 1,
        NOW - 0.001,
        0,
        -1,
        _LAST + 1,
        10**18,
        10**300,
    ],
    "iat": [..., None, "", str(NOW), True, [], NOW + 1, NOW + 0.5, -1, _LAST + 1],
    "nbf": [None, "", str(NOW), True, [NOW], NOW + 1, NOW + 0.001, -1, _LAST + 1],
    "auth_time": [None, "", True, [], -1, _LAST + 1],
    "sub": [..., None, "", 1, True, ["alice"], {"a": 1}, "x" * 1025],
    "jti": [..., None, "", 1, ["t1"], "x" * 1025],
    "sid": [None, "", 1, ["s1"], "x" * 1025],
    "client_id": [None, "", 1, ["web"], "x" * 1025],
    "cnf": [None, {}, [], "x", {"jkt": "x"}, {"jkt": None}, {"x5t#S256": "x", "jkt": "y"}],
}


def rows_of_claims(key: Signer) -> Iterator[Row]:
    """Yield every row about claims."""
    yield _row(key, "good", claims(), "accept", "")
    for expected, table in (("accept", _ACCEPTED), ("reject", _REFUSED)):
        for name, values in table.items():
            for value in values:
                yield _row(
                    key, f"{name} {shown(value)}", claims(**{name: value}), expected, _why(name)
                )
    text = json.dumps(claims())
    for name, written, expected in syntax(text):
        yield _row(key, f"JSON, {name}", written, expected, "RFC 8259, RFC 7519 §4: strict JSON")


def _row(key: Signer, name: str, payload: object, expected: str, reason: str) -> Row:
    token = key.token(key.header(), payload)
    return Row(f"claims: {name}", key.jwk, key.alg, token, expected, reason, NOW)


def _why(name: str) -> str:
    sections = {
        "iss": "RFC 7519 §4.1.1",
        "sub": "RFC 7519 §4.1.2",
        "aud": "RFC 7519 §4.1.3",
        "exp": "RFC 7519 §4.1.4",
        "nbf": "RFC 7519 §4.1.5",
        "iat": "RFC 7519 §4.1.6",
        "jti": "RFC 7519 §4.1.7",
        "cnf": "RFC 7800 §3.1: no binding is shown",
        "client_id": "RFC 9068 §2.2",
    }
    return sections.get(name, "a claim that nothing depends on, or that revocation does")
