"""JSON Web Signature, compact form (RFC 7515): split, judge the header, check, sign.

The header is only ever *compared* with what the caller trusts. It selects no algorithm and
brings no key: ``jwk``, ``jku``, ``x5u`` and ``x5c`` are not read at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature

from annul.core.algorithms import ALGORITHMS
from annul.core.encoding import (
    TO_STANDARD,
    EncodingError,
    b64url_bytes,
    decode_segment,
    parse_object,
)
from annul.errors import (
    AlgorithmNotAllowed,
    BadSignature,
    Malformed,
    Misconfigured,
    UnknownKey,
    WrongType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from annul.core.jwk import PrivateKey, PublicKey
    from annul.core.jwks import JWKS

__all__ = ["MAX_HEADER_LENGTH", "MAX_TOKEN_LENGTH", "sign", "verify"]

MAX_TOKEN_LENGTH = 65_536
"""The longest token that is looked at, in characters."""

MAX_HEADER_LENGTH = 16_384
"""The longest encoded header that is looked at, in characters."""

MAX_KID_LENGTH = 256


class TrustedHeader(NamedTuple):
    """A header that names a trusted key and its algorithm: all that is needed to check."""

    key: PublicKey
    check: Callable[[bytes, bytes], None]


def as_text(token: object) -> str:
    """Return ``token`` as plain ``str``; ``Malformed`` for what cannot be a token at all.

    A subclass of ``str`` is copied into a plain one, because it could compare and hash as it
    pleases and so be mistaken for another token.
    """
    # By the real type: a proxy only claims to be a str, and fails where one is needed.
    kind = type(token)
    if issubclass(kind, str):
        return token if kind is str else str.__str__(token)  # type: ignore[return-value]
    if issubclass(kind, bytes):
        try:
            return bytes.decode(token, "ascii")  # type: ignore[arg-type]
        except UnicodeDecodeError:
            raise Malformed("the token is not ASCII") from None
    raise Malformed("a token is a str, three base64url segments joined by dots")


def split(token: str, max_length: int = MAX_TOKEN_LENGTH) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the header, payload and signature segments and the signing input.

    The segments are mapped with ``TO_STANDARD``, ready for ``decode_segment``. RFC 7515 §7.1:
    exactly two periods; JWE and the JSON serialization are not signed tokens in compact form.
    """
    if len(token) > max_length:
        raise Malformed("the token is too long")
    try:
        text = token.encode("ascii")
    except UnicodeEncodeError:
        raise Malformed("the token is not ASCII") from None
    try:
        # At most three splits, however many dots there are: CVE-2025-30204 elsewhere.
        header, payload, signature = text.translate(TO_STANDARD).split(b".", 3)
    except ValueError:
        raise Malformed("a signed token has exactly three segments") from None
    return header, payload, signature, text[: len(header) + 1 + len(payload)]


def judge_header(
    segment: bytes,
    jwks: JWKS,
    algorithms: Collection[str],
    media_types: Collection[str | None] | None = None,
) -> TrustedHeader:
    """Compare a header with what is trusted, in the order ``alg``, ``typ``, ``crit``, ``kid``.

    ``media_types`` are the full media types that ``typ`` may name, with ``None`` among them if it
    may be absent; without ``media_types`` it is not looked at.
    """
    if len(segment) > MAX_HEADER_LENGTH:
        raise Malformed("the header is too long")
    try:
        header = parse_object(decode_segment(segment))
    except EncodingError:
        raise Malformed("the header is not strict base64url and JSON") from None

    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise AlgorithmNotAllowed("the header's alg is not one the policy trusts")
    if media_types is not None and _stated_type(header) not in media_types:
        raise WrongType("the header's typ is missing or names another kind of token")
    # RFC 7515 §4.1.11: extensions that are not understood make the token invalid, and annul
    # understands none. b64 (RFC 7797) would need crit; without it, it is a contradiction.
    if "crit" in header or header.get("b64", True) is not True:
        raise Malformed("the header uses extensions that are not supported")

    kid = header.get("kid")
    if "kid" in header and not _plausible(kid):
        raise UnknownKey("the header's kid is not a usable key id")
    key = jwks.select(kid)
    return TrustedHeader(key, key.check(alg))


def _stated_type(header: dict[str, Any]) -> str | None:
    if "typ" not in header:
        return None
    typ = header["typ"]
    if not isinstance(typ, str) or not typ.isascii():
        raise WrongType("the header's typ is not a media type")
    return media_type(typ)


def media_type(typ: str) -> str:
    """Return ``typ`` as a full media type in lower case (RFC 7515 §4.1.9)."""
    typ = typ.lower()
    return typ if "/" in typ else "application/" + typ


def _plausible(kid: object) -> bool:
    return (
        isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID_LENGTH
        and not any(char < " " or char == "\x7f" for char in kid)
    )


def verify(token: str | bytes, jwks: JWKS, *, algorithms: Collection[str]) -> bytes:
    """Return the payload of a JWS that is signed with a key in ``jwks``.

    For signed objects that are not access tokens: no claim, no type, no revocation is looked at.
    For access tokens use ``Verifier``.

    Raises ``Malformed``, ``AlgorithmNotAllowed``, ``UnknownKey`` or ``BadSignature``, and
    ``Misconfigured`` if ``algorithms`` is empty or names one that annul does not have.

    Example: ``jws.verify(text, JWKS.from_json(document), algorithms=("ES256", "RS256"))``.
    """
    check_algorithms(algorithms)
    if not hasattr(jwks, "select"):
        raise Misconfigured("jwks is a JWKS: JWKS.from_json(text)")
    header, payload, signature, signing_input = split(as_text(token))
    try:
        raw_payload, raw_signature = decode_segment(payload), decode_segment(signature)
    except EncodingError:
        raise Malformed("a segment is not canonical base64url") from None
    trusted = judge_header(header, jwks, algorithms)
    try:
        trusted.check(raw_signature, signing_input)
    except InvalidSignature:
        raise BadSignature("the signature does not verify") from None
    return raw_payload


def check_algorithms(algorithms: Collection[str]) -> tuple[str, ...]:
    """Return ``algorithms`` as a tuple, or raise ``Misconfigured`` if it cannot be trusted.

    Symmetric algorithms and ``none`` do not exist here (RFC 8725 §3.1, §3.2).
    """
    if isinstance(algorithms, str):
        raise Misconfigured(f"algorithms must be a tuple of names: write ({algorithms!r},)")
    try:
        names = tuple(algorithms)
        unknown = [name for name in names if name not in ALGORITHMS]
    except TypeError:
        raise Misconfigured('algorithms must be a tuple of names: ("ES256",)') from None
    if not names or unknown:
        what = f"{unknown[0]!r} is not" if unknown else "an empty list is not"
        raise Misconfigured(
            f"{what} a signature algorithm of annul; use some of {', '.join(ALGORITHMS)}"
        )
    return names


def sign(header: bytes, payload: bytes, key: PrivateKey) -> str:
    """Return the compact JWS of ``payload`` under an already encoded header segment."""
    signing_input = header + b"." + b64url_bytes(payload)
    return (signing_input + b"." + b64url_bytes(key.sign(signing_input))).decode("ascii")
