"""What the attacks have in common: trusted keys, tokens put together by hand, and a control."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from annul.core.encoding import b64url_encode
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from tests.judging import Judge
from tests.signing import AUDIENCE, sample_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from annul.core.jwk import PublicKey
    from annul.core.verifier import Verifier
    from annul.errors import AnnulError

__all__ = [
    "AUDIENCE",
    "compact",
    "genuine",
    "header_of",
    "refuses",
    "trusted",
    "verifier_of",
]


@cache
def trusted(alg: str) -> PrivateKey:
    """Return the key whose owner is trusted; all RSA algorithms have one modulus."""
    if alg.startswith(("RS", "PS")):
        return PrivateKey(_rsa(), alg=alg)
    return PrivateKey.generate(alg)


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def verifier_of(*keys: PublicKey, jwks: JWKS | None = None) -> Verifier:
    """Return a verifier of annul's own tokens that trusts ``keys`` and nothing else."""
    judge = Judge()
    judge.verifier.trust(JWKS(keys) if jwks is None else jwks)
    return judge.verifier


def header_of(key: PrivateKey, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the header of a genuine token of ``key``, with members changed."""
    return {"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **changed}


def compact(
    header: Mapping[str, Any] | bytes,
    payload: Mapping[str, Any] | bytes,
    signature: bytes | Callable[[bytes], bytes],
) -> str:
    """Return a compact JWS of exactly these parts; a callable signs the signing input."""
    parts = [
        b64url_encode(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    signing_input = ".".join(parts)
    if not isinstance(signature, bytes):
        signature = signature(signing_input.encode())
    return f"{signing_input}.{b64url_encode(signature)}"


def genuine(key: PrivateKey, **claims: Any) -> str:  # noqa: ANN401 - JSON values
    """Return a token that the owner of ``key`` has signed and that is good."""
    return compact(header_of(key), sample_claims(**claims), key.sign)


def refuses(
    verify: Callable[[str], object], attack: str, error: type[AnnulError], control: str
) -> None:
    """Assert that ``attack`` is refused with ``error`` where ``control`` is accepted."""
    verify(control)
    with pytest.raises(error) as caught:
        verify(attack)
    assert type(caught.value) is error
    # The attack has not spoiled anything for others either.
    verify(control)
