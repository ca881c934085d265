# ruff: noqa: INP001 - scripts of this repository, not a package
"""The rows about text: structure, base64url and headers. Each says what has to come out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from tools.vector_signing import b64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.vector_signing import Signer

__all__ = ["AUDIENCE", "ISSUER", "NOW", "Row", "claims", "rows_of_text", "shown", "syntax"]

NOW = 1_800_000_000
ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
_SHOWN = 60


class Row(NamedTuple):
    """One vector, before it is written down. Rows with ``at`` go through a policy."""

    id: str
    key: Mapping[str, Any]
    alg: str
    token: str
    expected: str
    reason: str
    at: float | None = None


def claims(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the claims of a good token; ``...`` leaves one out."""
    members: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": NOW + 900,
        "iat": NOW - 10,
        "jti": "t1",
        "client_id": "web",
        **changed,
    }
    return {name: value for name, value in members.items() if value is not ...}


def shown(value: object) -> str:
    """Return a value as it stands in the id of a row."""
    if value is ...:
        return "absent"
    text = repr(value)
    return text if len(text) < _SHOWN else f"{text[:12]} of {len(text)}"


def rows_of_text(key: Signer, other: Signer) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each file by its name."""
    yield "structure", list(_structure(key))
    yield "base64url", list(_base64url(key, other))
    yield "header", list(_header(key))


def _structure(key: Signer) -> Iterator[Row]:
    good = key.token(key.header(), b"payload")
    head, body, tail = good.split(".")
    inner = {"protected": head, "signature": tail}
    tokens = {
        "good": good,
        "empty text": "",
        "one dot": ".",
        "two dots": "..",
        "three dots": "...",
        "no signature segment": f"{head}.{body}",
        "only a header": head,
        "empty signature": f"{head}.{body}.",
        "empty header": f".{body}.{tail}",
        "empty payload": f"{head}..{tail}",
        "dot at the end": good + ".",
        "dot at the front": "." + good,
        "four segments": f"{good}.{tail}",
        "five segments, as in JWE": f"{good}.{body}.{tail}",
        "header and payload swapped": f"{body}.{head}.{tail}",
        "payload and signature swapped": f"{head}.{tail}.{body}",
        "space at the front": " " + good,
        "space at the end": good + " ",
        "newline at the end": good + "\n",
        "carriage return at the end": good + "\r",
        "NUL at the end": good + "\0",
        "space after a dot": f"{head}. {body}.{tail}",
        "byte order mark": "\ufeff" + good,
        "scheme in front": "Bearer " + good,
        "quoted": f'"{good}"',
        "percent-encoded": good.replace(".", "%2E"),
        "ideographic full stops": good.replace(".", "\u3002"),
        "upper case": good.upper(),
        "backwards": good[::-1],
        "twice": good + good,
        "JSON, flattened": json.dumps({"payload": body, **inner}),
        "JSON, general": json.dumps({"payload": body, "signatures": [inner]}),
        "JSON, no signatures": json.dumps({"payload": body, "signatures": []}),
        "many dots": "." * 2000,
    }
    for name, token in tokens.items():
        expected = "accept" if name == "good" else "reject"
        yield Row(f"structure: {name}", key.jwk, key.alg, token, expected, "RFC 7515 §7.1")


# --- base64url --------------------------------------------------------------------------

_STRANGE = {
    "!": "a character outside the alphabet",
    "=": "padding",
    "==": "padding twice",
    "+": "a plus",
    "/": "a slash",
    "\n": "a newline",
    " ": "a space",
    "\0": "NUL",
}


def _base64url(key: Signer, other: Signer) -> Iterator[Row]:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # Lengths of every remainder: lax decoders fail for some of them only.
    for length in (6, 7, 8):
        for segment in ("header", "payload"):
            parts = [b64(json.dumps(key.header()).encode()), b64(b"p" * length)]
            if segment == "header":
                parts[0] = b64(json.dumps(key.header(pad="p" * length)).encode())
            place = 0 if segment == "header" else 1
            spellings = {
                f"{why} {where}": text[:at] + strange + text[at:]
                for text in [parts[place]]
                for strange, why in _STRANGE.items()
                for where, at in (("inside", 4), ("at the end", len(text)))
            }
            last = parts[place][-1]
            if len(parts[place]) % 4:
                twin = alphabet[(alphabet.index(last) + 1) % 64]
                spellings["unused bits set"] = parts[place][:-1] + twin
            for name, text in spellings.items():
                written = [text if number == place else part for number, part in enumerate(parts)]
                start = ".".join(written)
                # Signed as it stands, so the only fault is the spelling.
                token = f"{start}.{b64(key.sign(start.encode('utf-8')))}"
                yield Row(
                    f"base64url: {segment} {len(parts[place]) % 4}, {name}",
                    key.jwk,
                    key.alg,
                    token,
                    "reject",
                    "RFC 7515 §2: base64url without anything else in it",
                )
    for signer in (key, other):
        good = signer.token(signer.header(), b"payload")
        start, _dot, signature = good.rpartition(".")
        spellings = {name: signature + strange for strange, name in _STRANGE.items()}
        spellings |= {
            f"{name}, inside": f"{signature[:8]}{strange}{signature[8:]}"
            for strange, name in _STRANGE.items()
        }
        spellings |= {"one character more": signature + "A", "one less": signature[:-1]}
        for name, text in spellings.items():
            yield Row(
                f"base64url: signature of {signer.alg}, {name}",
                signer.jwk,
                signer.alg,
                f"{start}.{text}",
                "reject",
                "RFC 7515 §2, RFC 4648 §3.3: nothing is skipped",
            )
        yield Row(f"base64url: {signer.alg} good", signer.jwk, signer.alg, good, "accept", "")


# --- headers ----------------------------------------------------------------------------

_TYPES: dict[str, list[Any]] = {
    "accept": ["at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "Application/AT+jwt"],
    "reject": [
        "JWT",
        "",
        "at",
        "jwt",
        "dpop+jwt",
        "secevent+jwt",
        "at+jwt ",
        "text/at+jwt",
        None,
        1,
        True,
        ["at+jwt"],
        {"at+jwt": 1},
        ...,
    ],
}
_REFUSED: dict[str, tuple[str, list[Any]]] = {
    "alg": (
        "RFC 8725 §3.1",
        ["none", "None", "", "HS256", "HS512", "ES256", "RS256", "ed25519", "Ed25519 ", "Ed448",
         None, True, 0, ["Ed25519"], {"Ed25519": 1}, ...],
    ),
    "crit": (
        "RFC 7515 §4.1.11",
        [["exp"], ["alg"], ["b64"], ["x"], [], None, "x", True, {}],
    ),
    "b64": ("RFC 7797 §6", [False, None, 0, "true", []]),
    "kid": (
        "RFC 7515 §4.1.4",
        ["", "unknown", "x" * 257, None, True, 0, "../../etc/passwd"],
    ),
}  # fmt: skip
_EXTRA: dict[str, Any] = {
    "jku": "https://evil.example/jwks.json",
    "x5u": "https://evil.example/chain.pem",
    "x5c": ["AAAA"],
    "x5t": "AAAA",
    "cty": "JWT",
    "nonce": "n",
    "trust": {"a": [1, {"b": None}]},
    "b64": True,
    "é": "ü",
}


def _header(key: Signer) -> Iterator[Row]:
    def row(name: str, header: object, expected: str, reason: str, *, claimed: bool = False) -> Row:
        payload = claims() if claimed else b"payload"
        token = key.token(header, payload)
        at = NOW if claimed else None
        return Row(f"header: {name}", key.jwk, key.alg, token, expected, reason, at)

    for name, (reason, values) in _REFUSED.items():
        for value in values:
            yield row(f"{name} {shown(value)}", key.header(**{name: value}), "reject", reason)
    for expected, types in _TYPES.items():
        for typ in types:
            yield row(f"typ {typ!r}", key.header(typ=typ), expected, "RFC 9068 §4", claimed=True)
    kids: list[Any] = [key.kid.lower(), key.kid + " ", key.kid + "\0", [key.kid], {"kid": key.kid}]
    for kid in kids:
        name = f"kid {shown(kid)}"
        yield row(name, key.header(kid=kid), "reject", _REFUSED["kid"][0])
    yield row("kid absent, one key", key.header(kid=...), "accept", "exactly one key is trusted")
    for name, value in _EXTRA.items():
        extra = key.header(**{name: value})
        yield row(f"{name} is not looked at", extra, "accept", "RFC 7515 §4: ignored")

    text = json.dumps(key.header())
    for name, written, expected in syntax(text):
        yield row(f"JSON, {name}", written, expected, "RFC 8259, RFC 7515 §4: strict JSON")


def syntax(text: str) -> Iterator[tuple[str, str | bytes, str]]:
    """Yield ways to write one more member, or the whole, and whether that is strict JSON."""
    start = text[:-1]
    good = {
        "white space": f" \t\r\n{text} \n",
        "escaped name": text.replace('"alg"', '"\\u0061lg"').replace('"iss"', '"i\\u0073s"'),
        "surrogate pair": start + ', "n": "\\ud83d\\ude00"}',
        "escaped NUL": start + ', "n": "\\u0000"}',
        "large number": start + ', "n": ' + "9" * 300 + "}",
        "vanishing number": start + ', "n": 1e-999}',
        "31 levels": start + ', "n": ' + "[" * 31 + "]" * 31 + "}",
        "brackets in a string": start + ', "n": "' + "[{" * 200 + '\\""}',
        "same name at another level": start + ', "n": {"alg": 1, "iss": 2}}',
        "names of two normal forms": start + ', "é": 1, "e\u0301": 2}',
    }
    bad = {
        "same name twice": start + ', "alg": "none", "iss": "x", "alg": "x", "iss": "y"}',
        "same name twice, escaped": start + ', "n": 1, "\\u006e": 2}',
        "same name twice below": start + ', "n": [{"a": {"b": 1, "b": 2}}]}',
        "NaN": start + ', "n": NaN}',
        "Infinity": start + ', "n": -Infinity}',
        "number out of range": start + ', "n": 1e400}',
        "number of 5,000 digits": start + ', "n": ' + "9" * 5000 + "}",
        "half a surrogate pair": start + ', "n": "\\ud83d"}',
        "the other half": start + ', "n": {"\\ude00": 1}}',
        "32 levels": start + ', "n": ' + "[" * 32 + "]" * 32 + "}",
        "2,000 levels": start + ', "n": ' + "[" * 2000 + "]" * 2000 + "}",
        "comma at the end": start + ",}",
        "comment": start + "/**/}",
        "single quotes": text.replace('"', "'"),
        "bare newline in a string": start + ', "n": "\n"}',
        "leading zero": start + ', "n": 01}',
        "hexadecimal": start + ', "n": 0x1}',
        "bad escape": start + ', "n": "\\x41"}',
        "short escape": start + ', "n": "\\u12"}',
        "byte order mark": "\ufeff" + text,
        "text after it": text + "x",
        "NUL after it": text + "\0",
        "another object after it": text + text,
        "an array around it": f"[{text}]",
        "a string": json.dumps(text),
        "null": "null",
        "nothing": "",
        "not closed": start,
        "no-break space in front": "\u00a0" + text,
    }
    octets = {
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32"),
        "Latin-1": start.encode() + b', "n": "\xe9"}',
        "overlong NUL": start.encode() + b', "n": "\xc0\x80"}',
        "surrogate in UTF-8": start.encode() + b', "n": "\xed\xa0\x80"}',
        "beyond Unicode": start.encode() + b', "n": "\xf4\x90\x80\x80"}',
    }
    yield from ((name, written, "accept") for name, written in good.items())
    yield from ((name, written, "reject") for name, written in bad.items())
    yield from ((name, raw, "reject") for name, raw in octets.items())
