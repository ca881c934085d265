"""Thumbprints as the standards print them; a key is known by its own (RFC 7638)."""

from __future__ import annotations

from hashlib import sha256

import pytest

import annul
from annul.core.encoding import b64url_encode
from tests.core.sample_keys import EVERY_ALG, private_key

# JWK-06. RFC 7638 §3.1.
RSA_KEY = {
    "kty": "RSA",
    "n": (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
        "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW"
        "2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQ"
        "Fh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    ),
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
# RFC 8037 §A.1 and §A.2, with the thumbprint of §A.3.
OKP_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
OKP_SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
# RFC 7515 §A.3.1.
EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


@pytest.mark.parametrize(
    ("jwk", "thumbprint"),
    [
        (RSA_KEY, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (OKP_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (EC_KEY, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"),
    ],
    ids=["RSA", "OKP", "EC"],
)
def test_the_thumbprint_is_the_printed_one(jwk: dict[str, str], thumbprint: str) -> None:
    assert annul.PublicKey.from_jwk(jwk).thumbprint == thumbprint
    # Only the required members count.
    more = jwk | {"use": "sig", "kid": "another", "x5t": "AAAA", "extra": "é"}
    assert annul.PublicKey.from_jwk(more).thumbprint == thumbprint


def test_a_key_without_a_name_is_known_by_its_thumbprint() -> None:
    key = annul.PublicKey.from_jwk(OKP_KEY)

    assert key.kid == key.thumbprint
    assert not key.has_own_name
    assert annul.PublicKey.from_jwk(RSA_KEY).kid == "2011-04-29"


def test_the_seed_that_the_rfc_prints_belongs_to_its_public_key() -> None:
    key = annul.PrivateKey.from_jwk(OKP_KEY | {"d": OKP_SEED})

    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    # RFC 8037 §A.4, a signature over its own signing input.
    header, payload = (
        b64url_encode(b'{"alg":"EdDSA"}'),
        b64url_encode(b"Example of Ed25519 signing"),
    )
    assert b64url_encode(key.sign(f"{header}.{payload}".encode())) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_ml_dsa_keys_are_a_seed_and_name_their_algorithm_in_the_thumbprint() -> None:
    # RFC 9964: alg is required, priv is the 32-byte seed, and {alg, kty, pub} are hashed.
    mldsa = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.mldsa",
        reason="this cryptography has no ML-DSA",
    )
    seed = bytes(32)
    pub = mldsa.MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    jwk = {"kty": "AKP", "alg": "ML-DSA-44", "pub": b64url_encode(pub)}
    key = annul.PrivateKey.from_jwk(jwk | {"priv": b64url_encode(seed)})
    hashed = f'{{"alg":"ML-DSA-44","kty":"AKP","pub":"{jwk["pub"]}"}}'

    assert len(pub) == 1312
    assert key.alg == "ML-DSA-44"
    assert key.kid == b64url_encode(sha256(hashed.encode()).digest())
    assert key.public == annul.PublicKey.from_jwk(jwk)
    assert key.to_jwk()["priv"] == b64url_encode(seed)


@pytest.mark.parametrize("alg", ["ML-DSA-65", "ML-DSA-45", "ES256", "", None, 44])
def test_an_ml_dsa_key_must_name_the_parameter_set_that_it_is_of(alg: object) -> None:
    if "ML-DSA-44" not in EVERY_ALG:
        pytest.skip("this cryptography has no ML-DSA")
    jwk = private_key("ML-DSA-44").public.to_jwk()
    without = {name: jwk[name] for name in jwk if name != "alg"}

    for wrong in (jwk | {"alg": alg}, without):
        with pytest.raises(annul.InvalidKey):
            annul.PublicKey.from_jwk(wrong)
    for seed in (bytes(31), bytes(33), bytes(2560), bytes(32)):
        with pytest.raises(annul.InvalidKey):
            annul.PrivateKey.from_jwk(jwk | {"priv": b64url_encode(seed)})


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_private_and_public_part_have_one_thumbprint(alg: str) -> None:
    key = private_key(alg)

    assert annul.PrivateKey.from_jwk(key.to_jwk()).kid == key.kid
    assert annul.PrivateKey.from_pem(key.to_pem(), alg=alg).kid == key.kid
    assert annul.PublicKey.from_pem(key.public.to_pem()).thumbprint == key.kid
