"""One DPoP proof, judged by itself (RFC 9449 §4.3).

Anybody can make a proof, with a key of their own: it says that the sender has that key, and which
request it was meant for. Whether the key is the right one is the access token's to say.

The header selects the key here, which no access token may do, so the key is judged as an
attacker's: public members only, none of the weak ones, and exactly one algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature

from annul.core.encoding import EncodingError, b64url_encode, decode_segment, parse_object
from annul.core.htu import UnusableURL, normalize
from annul.core.jwk import PublicKey
from annul.core.jws import as_text, split
from annul.errors import (
    AlgorithmNotAllowed,
    InvalidDPoPProof,
    InvalidKey,
    InvalidRequest,
    Malformed,
    UseDPoPNonce,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from annul.core.algorithms import Checker
    from annul.core.dpop_nonces import DPoPNonces

__all__ = [
    "MAX_PROOF_LENGTH",
    "DPoPProof",
    "Expected",
    "ProofKey",
    "access_token_hash",
    "check_signature",
    "judge_claims",
    "parts_of",
    "read_key",
]

MAX_PROOF_LENGTH = 12_288
"""The longest proof that is looked at, in characters. One for ML-DSA-87 takes 11,000."""

MAX_JTI_LENGTH = 256

_NEVER_IN_A_PROOF = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DPoPProof:
    """A proof that has been checked: its sender has the key with the thumbprint ``jkt``.

    ``jti`` and ``issued_at`` are the proof's own, ``until`` the Unix time after which it is not
    accepted, and ``digest`` what a memory of used proofs knows it by. ``ath`` is the hash of the
    access token it was checked with, ``None`` at a token endpoint, where there is none yet.
    """

    jkt: str
    jti: str
    issued_at: float
    until: float
    ath: str | None = None
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # The thumbprint always has one length, so no two pairs give the same bytes. The URL is left
        # out: a client that uses a jti twice must not do so at another URL either.
        text = (self.jkt + self.jti).encode("utf-8")
        object.__setattr__(self, "digest", sha256(b"annul DPoP proof v1:" + text).digest())

    @property
    def binding(self) -> dict[str, str]:
        """What ``verify(token, binding=…)`` takes: ``{"jkt": …}``.

        Raises ``InvalidRequest`` unless the proof was checked with an access token: a proof that
        names none was made for another purpose (RFC 9449 §7.1).
        """
        if self.ath is None:
            raise InvalidRequest("this proof was not checked with an access token; give it one")
        return {"jkt": self.jkt}


class ProofKey(NamedTuple):
    """The key in the header of a proof: its thumbprint, and what checks its signatures."""

    jkt: str
    check: Checker


class Expected(NamedTuple):
    """What a proof has to say: the request it came with, and the server's rules.

    ``url`` is in normal form. ``now`` is a Unix time; ``max_age`` and ``ahead`` are seconds.
    """

    method: str
    url: str
    now: float
    max_age: float
    ahead: float
    nonces: DPoPNonces | None
    ath: str | None


def parts_of(proof: object) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the segments of a proof and its signing input; see ``jws.split``."""
    try:
        return split(as_text(proof), MAX_PROOF_LENGTH)
    except Malformed:
        raise InvalidDPoPProof(
            f"a proof is one compact JWS of at most {MAX_PROOF_LENGTH} characters"
        ) from None


def read_key(segment: bytes, algorithms: Collection[str]) -> ProofKey:
    """Judge the header of a proof, and return its key."""
    try:
        header = parse_object(decode_segment(segment))
    except EncodingError:
        raise InvalidDPoPProof("the header is not strict base64url and JSON") from None
    if header.get("typ") != "dpop+jwt":
        raise InvalidDPoPProof('typ must be "dpop+jwt"')
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise InvalidDPoPProof("alg is not one that is accepted here")
    if "crit" in header or header.get("b64", True) is not True:
        raise InvalidDPoPProof("the header uses extensions that are not supported")
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or not _NEVER_IN_A_PROOF.isdisjoint(jwk):
        raise InvalidDPoPProof("jwk must be a public key, without private members")
    try:
        key = PublicKey.from_jwk(jwk)
        return ProofKey(key.thumbprint, key.check(alg))
    except (InvalidKey, AlgorithmNotAllowed):
        raise InvalidDPoPProof("jwk is not a key that can be trusted with this alg") from None


def check_signature(key: ProofKey, signature: bytes, signing_input: bytes) -> None:
    """Raise ``InvalidDPoPProof`` unless the key of the header made the signature."""
    try:
        key.check(decode_segment(signature), signing_input)
    except (EncodingError, InvalidSignature):
        raise InvalidDPoPProof("the signature does not verify") from None


def judge_claims(segment: bytes, key: ProofKey, expected: Expected) -> DPoPProof:
    """Judge the claims of a proof whose signature is good, in the order of RFC 9449 §4.3."""
    try:
        claims = parse_object(decode_segment(segment))
    except EncodingError:
        raise InvalidDPoPProof("the payload is not strict base64url and JSON") from None
    jti, htu = claims.get("jti"), claims.get("htu")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_LENGTH:
        raise InvalidDPoPProof(f"jti must be a text of 1 to {MAX_JTI_LENGTH} characters")
    if claims.get("htm") != expected.method:
        raise InvalidDPoPProof("htm is not the method of this request")
    if not isinstance(htu, str) or not _is_target(htu, expected.url):
        raise InvalidDPoPProof("htu is not the URL of this request")
    if expected.nonces is not None and not expected.nonces.accepts(claims.get("nonce")):
        raise UseDPoPNonce("a recent nonce is needed", nonce=expected.nonces.current())
    issued_at = _check_times(claims, expected)
    ath = claims.get("ath")
    if expected.ath is not None and not (
        isinstance(ath, str) and compare_digest(ath.encode(), expected.ath.encode())
    ):
        raise InvalidDPoPProof("ath is not the hash of this access token")
    return DPoPProof(
        jkt=key.jkt,
        jti=jti,
        issued_at=issued_at,
        until=issued_at + expected.max_age,
        ath=expected.ath,
    )


def _is_target(htu: str, url: str) -> bool:
    if htu == url:
        return True
    try:
        return normalize(htu) == url
    except UnusableURL:
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_times(claims: dict[str, Any], expected: Expected) -> float:
    now, latest = expected.now, expected.now + expected.ahead
    issued_at: Any = claims.get("iat")
    if not _is_number(issued_at) or not now - expected.max_age <= issued_at <= latest:
        raise InvalidDPoPProof("iat is missing, too long ago or too far ahead")
    # A proof needs neither, but what it says about itself holds (RFC 7519 §4.1.4, §4.1.5).
    if "exp" in claims and not (_is_number(claims["exp"]) and now < claims["exp"]):
        raise InvalidDPoPProof("the proof has expired")
    if "nbf" in claims and not (_is_number(claims["nbf"]) and claims["nbf"] <= latest):
        raise InvalidDPoPProof("the proof is not valid yet")
    return float(issued_at)


def access_token_hash(token: object) -> str:
    """Return the ``ath`` of an access token (RFC 9449 §4.2). ``Malformed`` if it is none."""
    try:
        text = as_text(token).encode("ascii")
    except UnicodeEncodeError:
        raise Malformed("the token is not ASCII") from None
    return b64url_encode(sha256(text).digest())
