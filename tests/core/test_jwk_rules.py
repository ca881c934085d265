"""What a JWK says about itself is honoured: use, key_ops, alg, kid (RFC 7517 §4)."""

from __future__ import annotations

from typing import Any

import pytest

import annul
from tests.core.sample_keys import private_key


def public_jwk(alg: str = "ES256", /, **more: object) -> dict[str, Any]:
    return {**private_key(alg).public.to_jwk(), **more}


def refused(jwk: Any) -> bool:  # noqa: ANN401 - anything that JSON can say
    try:
        annul.PublicKey.from_jwk(jwk)
    except annul.InvalidKey:
        return True
    return False


@pytest.mark.parametrize("use", ["enc", "SIG", "", "sig ", None, 1, ["sig"], {"sig": 1}], ids=repr)
def test_a_key_for_another_use_is_refused(use: object) -> None:
    assert refused(public_jwk(use=use))


@pytest.mark.parametrize(
    ("operations", "usable"),
    [
        (["verify"], True),
        (["verify", "sign"], True),
        (["sign"], False),
        ([], False),
        (["verify", "verify"], False),
        (["encrypt"], False),
        (["verify", "encrypt"], False),
        (["verify", "deriveKey"], False),
        (["VERIFY"], False),
        ("verify", False),
        (None, False),
        ([["verify"]], False),
        ([1], False),
        ({"verify": 1}, False),
    ],
)
def test_key_ops_must_allow_verifying_and_nothing_strange(operations: object, usable: bool) -> None:
    # RFC 7517 §4.3: no duplicates, and in agreement with use.
    jwk = public_jwk(key_ops=operations)
    assert refused(jwk) != usable
    del jwk["use"]
    assert refused(jwk) != usable


def test_alg_narrows_a_key_to_one_algorithm() -> None:
    # JWS-10, RFC 8725 §3.1
    jwk = public_jwk("RS256")
    key = annul.PublicKey.from_jwk(jwk | {"alg": "PS512"})
    free = annul.PublicKey.from_jwk({name: jwk[name] for name in ("kty", "n", "e")})

    assert key.algorithms == ("PS512",)
    assert free.algorithms == ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    assert "alg" not in free.to_jwk()
    with pytest.raises(annul.AlgorithmNotAllowed):
        key.check("RS256")


@pytest.mark.parametrize(
    "alg",
    ["none", "HS256", "RSA-OAEP", "RS256", "ES384", "es256", "ECDH-ES", "", None, 1, ["ES256"]],
    ids=repr,
)
def test_an_alg_that_the_key_cannot_have_is_refused(alg: object) -> None:
    assert refused(public_jwk("ES256", alg=alg))


def test_a_foreign_name_is_kept_and_the_thumbprint_stays() -> None:
    key = annul.PublicKey.from_jwk(public_jwk(kid="2026-01"))

    assert key.kid == "2026-01"
    assert key.has_own_name
    assert key.thumbprint == private_key("ES256").kid
    assert key != private_key("ES256").public
    assert key.to_jwk()["kid"] == "2026-01"


# JWS-14
@pytest.mark.parametrize(
    "kid", ["", "x" * 257, "a\0", "a\nb", "\x7f", None, 1, True, ["a"], {"a": 1}], ids=repr
)
def test_a_kid_that_is_no_plausible_name_is_refused(kid: object) -> None:
    assert refused(public_jwk(kid=kid))
    if isinstance(kid, str):
        with pytest.raises(annul.InvalidKey):
            annul.PublicKey.from_pem(private_key("ES256").public.to_pem(), kid=kid)


@pytest.mark.parametrize("kid", ["x" * 256, "ключ", "a b", "../../etc/passwd", "' OR 1=1", "😀"])
def test_a_kid_is_only_ever_compared_so_any_readable_name_will_do(kid: str) -> None:
    assert annul.PublicKey.from_jwk(public_jwk(kid=kid)).kid == kid
