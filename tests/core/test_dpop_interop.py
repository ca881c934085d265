"""Proofs made by others: joserfc as a client, with keys of each kind that it has."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import jwt
import pytest
from joserfc import jwk as their_jwk
from joserfc import jws as their_jws

from annul.core.dpop import DPoP
from annul.core.encoding import b64url_encode
from annul.errors import InvalidDPoPProof
from annul.testing import NOW
from tests.core.dpop_samples import CLIENT, TOKEN, URL, server
from tests.core.sample_keys import EC_ALGS, RSA_ALGS, private_key

TheirKey = their_jwk.ECKey | their_jwk.RSAKey | their_jwk.OKPKey


def their_key(alg: str) -> TheirKey:
    if alg.startswith("ES"):
        return their_jwk.ECKey.generate_key({"ES256": "P-256", "ES384": "P-384"}.get(alg, "P-521"))
    if alg == "Ed25519":
        return their_jwk.OKPKey.generate_key("Ed25519")
    return their_jwk.RSAKey.import_key(dict(private_key(alg).to_jwk()))


def claims() -> dict[str, Any]:
    ath = b64url_encode(sha256(TOKEN.encode()).digest())
    return {"jti": b64url_encode(bytes(12)), "htm": "GET", "htu": URL, "iat": int(NOW), "ath": ath}


def public(key: TheirKey) -> dict[str, Any]:
    kept = {"kty", "crv", "x", "y", "n", "e"}
    return {name: value for name, value in key.as_dict(private=False).items() if name in kept}


@pytest.mark.parametrize("alg", [*EC_ALGS, *RSA_ALGS, "Ed25519"])
def test_a_proof_of_joserfc_is_accepted_and_names_its_key_as_they_do(alg: str) -> None:
    key = their_key(alg)
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": public(key)}
    proof = their_jws.serialize_compact(header, json.dumps(claims()), key, algorithms=[alg])

    found = server().prove(proof, method="GET", url=URL, access_token=TOKEN)

    assert found.jkt == key.thumbprint()
    with pytest.raises(InvalidDPoPProof):
        server().prove(proof, method="POST", url=URL, access_token=TOKEN)


def test_a_proof_of_pyjwt_is_accepted() -> None:
    key = private_key("ES256")
    jwk = {name: key.public.to_jwk()[name] for name in ("kty", "crv", "x", "y")}
    header = {"typ": "dpop+jwt", "jwk": jwk}
    proof = jwt.encode(claims(), key.to_pem(), algorithm="ES256", headers=header)
    assert server().prove(proof, method="GET", url=URL, access_token=TOKEN).jkt == key.kid


def test_our_sample_proofs_are_proofs_for_others_too() -> None:
    proof = CLIENT.proof("GET", URL, access_token=TOKEN)
    header = jwt.get_unverified_header(proof)
    key = their_jwk.import_key(header["jwk"])
    found = their_jws.deserialize_compact(proof, key, algorithms=["Ed25519"])
    assert json.loads(found.payload) == {**claims(), "jti": json.loads(found.payload)["jti"]}
    assert key.thumbprint() == CLIENT.jkt


def test_a_proof_under_a_secret_is_refused_whoever_made_it() -> None:
    header = {"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": b64url_encode(b"s" * 32)}}
    for alg in ("HS256", "HS384", "HS512"):
        proof = jwt.encode(claims(), "s" * 64, algorithm=alg, headers=header)
        with pytest.raises(InvalidDPoPProof):
            DPoP(clock=lambda: NOW).prove(proof, method="GET", url=URL, access_token=TOKEN)
    proof = jwt.encode(claims(), "", algorithm="none", headers=header)
    with pytest.raises(InvalidDPoPProof):
        DPoP(clock=lambda: NOW).prove(proof, method="GET", url=URL, access_token=TOKEN)
