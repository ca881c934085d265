"""Attacks on the choice of algorithm: the token names one, and the library believes it."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import annul
from annul.errors import AlgorithmNotAllowed, BadSignature, InvalidKey, Malformed, Misconfigured
from tests.advisories.forgery import (
    AUDIENCE,
    compact,
    genuine,
    header_of,
    refuses,
    trusted,
    verifier_of,
)
from tests.signing import sample_claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.jwk import PublicKey

SYMMETRIC = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def raw(key: PublicKey, encoding: Encoding, form: PublicFormat) -> bytes:
    return bytes(key._key.public_bytes(encoding, form))


def jwk_text(key: PublicKey) -> bytes:
    return json.dumps(key.to_jwk()).encode()


# What people have handed to an HMAC as its secret, by the advisory that did it. Every one of
# these is public, so whoever takes it for a secret lets everybody sign.
SECRETS: dict[str, Callable[[PublicKey], bytes]] = {
    "cve_2015_9235_pem": lambda key: key.to_pem(),
    "dsa_3293_der": lambda key: raw(key, Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "cve_2017_11424_pkcs1_pem": lambda key: raw(key, Encoding.PEM, PublicFormat.PKCS1),
    "cve_2023_48223_pkcs1_pem_stripped": lambda key: raw(
        key, Encoding.PEM, PublicFormat.PKCS1
    ).strip(),
    "cve_2022_29217_openssh": lambda key: raw(key, Encoding.OpenSSH, PublicFormat.OpenSSH),
    "cve_2026_34950_leading_space": lambda key: b"\n " + key.to_pem(),
    "cve_2026_114615_prefixed": lambda key: b"# our key\n" + key.to_pem(),
    "ghsa_xgmm_8j9v_c9wx_jwk_text": jwk_text,
    "cve_2026_102273_jwk_in_a_set": lambda key: b'{"keys":[' + jwk_text(key) + b"]}",
    "cve_2026_102266_empty": lambda _key: b"",
}


@pytest.mark.parametrize("alg", SYMMETRIC)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_nothing_public_is_an_hmac_secret(secret: Callable[[PublicKey], bytes], alg: str) -> None:
    key = trusted("RS256")
    text = secret(key.public)

    attack = compact(
        header_of(key, alg=alg),
        sample_claims(sub="admin"),
        lambda data: hmac.digest(text, data, SYMMETRIC[alg]),
    )

    refuses(verifier_of(key.public).verify, attack, AlgorithmNotAllowed, genuine(key))


def test_cve_2024_33663_an_openssh_ecdsa_key_is_no_hmac_secret() -> None:
    key = trusted("ES256")
    text = raw(key.public, Encoding.OpenSSH, PublicFormat.OpenSSH)

    attack = compact(
        header_of(key, alg="HS256"), sample_claims(), lambda data: hmac.digest(text, data, "sha256")
    )

    refuses(verifier_of(key.public).verify, attack, AlgorithmNotAllowed, genuine(key))


def test_cve_2026_44699_a_key_without_alg_is_not_an_empty_hmac_key() -> None:
    key = trusted("RS256")
    jwk = {name: value for name, value in key.public.to_jwk().items() if name != "alg"}
    verify = verifier_of(jwks=annul.JWKS.from_json({"keys": [jwk]})).verify

    attack = compact(
        header_of(key, alg="HS256"), sample_claims(), lambda data: hmac.digest(b"", data, "sha256")
    )

    refuses(verify, attack, AlgorithmNotAllowed, genuine(key))


def test_cve_2026_114616_a_symmetric_key_in_the_set_is_never_used() -> None:
    key = trusted("ES256")
    empty = {"kty": "oct", "k": "", "kid": "s", "alg": "HS256"}
    verify = verifier_of(jwks=annul.JWKS.from_json({"keys": [empty, key.public.to_jwk()]})).verify

    attack = compact(
        header_of(key, alg="HS256", kid="s"),
        sample_claims(),
        lambda data: hmac.digest(b"", data, "sha256"),
    )

    refuses(verify, attack, AlgorithmNotAllowed, genuine(key))


# --- no signature at all ----------------------------------------------------------------


@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "", None, False, 0, ["none"]],
    ids=[
        "cve_2015_2964",
        "cve_2020_15957",
        "cve_2021_22160",
        "cve_2021_44878",
        "cve_2018_1000531",
        "cve_2024_48916",
        "cve_2018_1000125",
        "cve_2025_61152",
        "ghsa_4rr6_gf59_ggw5",
    ],
)
@pytest.mark.parametrize("signed", [False, True])
def test_a_token_without_an_algorithm_is_refused(alg: Any, signed: bool) -> None:  # noqa: ANN401
    key = trusted("ES256")

    attack = compact(header_of(key, alg=alg), sample_claims(), key.sign if signed else b"")

    refuses(verifier_of(key.public).verify, attack, AlgorithmNotAllowed, genuine(key))


def test_cve_2026_28802_an_empty_signature_is_no_signature() -> None:
    key = trusted("ES256")

    attack = compact(header_of(key), sample_claims(), b"")

    refuses(verifier_of(key.public).verify, attack, BadSignature, genuine(key))


def test_cve_2022_23540_there_is_no_default_algorithm_to_fall_back_to() -> None:
    key = trusted("RS256")
    jwks = annul.JWKS([key.public])

    for algorithms in ((), ("none",), ("HS256",), ("RS256", "HS256")):
        with pytest.raises(Misconfigured):
            annul.jws.verify(genuine(key), jwks, algorithms=algorithms)
        with pytest.raises(Misconfigured):
            annul.Policy.foreign(issuer="i", audience=AUDIENCE, algorithms=algorithms)

    assert annul.jws.verify(genuine(key), jwks, algorithms=("RS256",))


@pytest.mark.parametrize("alg", ["RS256", "ES256", "Ed25519"])
def test_cve_2021_29451_a_signature_belongs_to_one_payload(alg: str) -> None:
    key = trusted(alg)
    token = genuine(key)
    head, _payload, signature = token.split(".")

    other = genuine(key, sub="admin").split(".")[1]

    refuses(verifier_of(key.public).verify, f"{head}.{other}.{signature}", BadSignature, token)


# --- the wrong one of our algorithms ----------------------------------------------------


@pytest.mark.parametrize("alg", ["RS384", "PS256", "ES256", "ES512", "Ed25519", "EdDSA"])
def test_cve_2023_48238_the_header_does_not_choose_the_algorithm(alg: str) -> None:
    key = trusted("RS256")

    # The owner of the key has even signed with that algorithm where the key could be used so.
    signer = trusted(alg) if alg in {"RS384", "PS256"} else key
    attack = compact(header_of(key, alg=alg), sample_claims(), signer.sign)

    refuses(verifier_of(key.public).verify, attack, AlgorithmNotAllowed, genuine(key))


def test_cve_2021_46743_a_ring_of_several_kinds_keeps_them_apart() -> None:
    one, two = trusted("RS256"), trusted("ES256")
    verify = verifier_of(one.public, two.public).verify

    for signer, named in ((one, two), (two, one)):
        attack = compact(header_of(signer, kid=named.kid), sample_claims(), signer.sign)
        refuses(verify, attack, AlgorithmNotAllowed, genuine(named))


def test_cve_2026_22817_a_jwk_without_alg_still_decides_by_its_type() -> None:
    key = trusted("ES256")
    jwk = {name: value for name, value in key.public.to_jwk().items() if name != "alg"}
    verify = verifier_of(jwks=annul.JWKS.from_json({"keys": [jwk]})).verify

    for alg in ("HS256", "RS256", "ES384", "Ed25519"):
        attack = compact(header_of(key, alg=alg), sample_claims(), key.sign)
        refuses(verify, attack, AlgorithmNotAllowed, genuine(key))


def test_ghsa_jq35_7prp_9v3f_the_list_of_algorithms_binds_the_key_too() -> None:
    key, other = trusted("RS256"), trusted("PS256")
    jwks = annul.JWKS([other.public])

    # The list allows what the header says; the key was made for something that it does not allow.
    attack = compact(header_of(other, alg="RS256"), sample_claims(), key.sign)

    with pytest.raises(AlgorithmNotAllowed):
        annul.jws.verify(attack, jwks, algorithms=("RS256",))
    with pytest.raises(AlgorithmNotAllowed):
        annul.jws.verify(genuine(other), jwks, algorithms=("RS256",))
    assert annul.jws.verify(genuine(other), jwks, algorithms=("PS256",))


def test_ghsa_5739_39v2_5754_no_unprotected_header_is_read() -> None:
    key = trusted("ES256")
    head, payload, signature = genuine(key).split(".")
    signatures: list[dict[str, Any]] = [
        {"header": {"alg": "none"}, "signature": ""},
        {"protected": head, "header": {"alg": "none"}, "signature": signature},
    ]

    for one in signatures:
        for document in ({"payload": payload, **one}, {"payload": payload, "signatures": [one]}):
            refuses(verifier_of(key.public).verify, json.dumps(document), Malformed, genuine(key))


def test_cve_2022_23539_a_key_of_another_type_or_too_weak_is_not_a_key() -> None:
    weak = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - weak is what it has to be

    with pytest.raises(InvalidKey):
        annul.PrivateKey(weak, alg="RS256")
    with pytest.raises(InvalidKey):
        annul.PublicKey(weak.public_key())
    with pytest.raises(InvalidKey):
        annul.PublicKey.from_pem(trusted("ES256").public.to_pem(), alg="RS256")

    strong = annul.PublicKey.from_pem(trusted("RS256").public.to_pem(), alg="RS256")
    assert strong == trusted("RS256").public
