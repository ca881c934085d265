"""Two other libraries as oracles: they read what annul signs, and annul reads what they sign."""

from __future__ import annotations

import hmac
import json
from functools import cache
from typing import Any

import joserfc.errors
import jwt
import pytest
from joserfc import jwk as their_jwk
from joserfc import jwt as their_jwt

import annul
from annul.core.encoding import b64url_encode
from annul.core.issuer import Issuer
from tests.core.openssl import needs_openssl, openssl
from tests.core.sample_keys import MLDSA_ALGS, other_key, private_key

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
NOW = 4_000_000_000
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "ålice",
    "iat": NOW,
    "exp": NOW + 900,
    "jti": "4f1c",
    "client_id": "web",
    "roles": ["staff", {"of": 1.5}],
}

ALGS = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
# Each knows Ed25519 by one name: PyJWT by that of RFC 8037, joserfc by that of RFC 9864.
PYJWT_ALGS = [*ALGS, "EdDSA"]
JOSERFC_ALGS = [*ALGS, "Ed25519"]


def their(jwk: dict[str, str]) -> dict[str, str | list[str]]:
    return {**jwk}


@cache
def key_from_openssl(alg: str) -> annul.PrivateKey:
    return annul.PrivateKey.from_pem(openssl("genpkey", "-algorithm", "RSA"), alg=alg)


def issued(key: annul.PrivateKey) -> str:
    issuer = Issuer(key=key, issuer=ISSUER, audience=AUDIENCE, ttl=900, clock=lambda: NOW)
    return issuer.issue(
        subject="ålice",
        client_id="web",
        sid="s1",
        since=annul.Position(1, 7),
        scope="read write",
        claims={"roles": ["staff", {"of": 1.5}], "名": "\U0001f600"},
    ).text


def verifier(key: annul.PrivateKey, typ: str | None = "at+jwt") -> annul.Verifier:
    return annul.Verifier(
        jwks=annul.JWKS.from_json(annul.JWKS([key.public]).to_json()),
        policy=annul.Policy.foreign(
            issuer=ISSUER, audience=AUDIENCE, algorithms=(key.alg,), typ=typ
        ),
        denylist=annul.Denylist(),
        clock=lambda: NOW,
    )


# --- their reading of ours ------------------------------------------------------------


# They read the machine's clock, so their opinion of the times is not asked for.
NO_TIMES: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}


def decoded_by_pyjwt(token: str, key: Any, alg: str) -> dict[str, Any]:  # noqa: ANN401 - any key of theirs
    return dict(
        jwt.decode(token, key, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER, options=NO_TIMES)
    )


def read_by_pyjwt(token: str, jwks: str, alg: str) -> dict[str, Any]:
    found = jwt.PyJWKSet.from_json(jwks)[jwt.get_unverified_header(token)["kid"]]
    return decoded_by_pyjwt(token, found, alg)


def read_by_joserfc(token: str, jwks: str, alg: str) -> dict[str, Any]:
    keys = their_jwk.KeySet.import_key_set(json.loads(jwks))
    return dict(their_jwt.decode(token, keys, algorithms=[alg]).claims)


@pytest.mark.parametrize("alg", PYJWT_ALGS)
def test_pyjwt_reads_our_tokens_with_our_key_set(alg: str) -> None:
    token = issued(private_key(alg))
    mine = annul.JWKS([private_key(alg).public, other_key(alg).public])

    claims = read_by_pyjwt(token, mine.to_json(), alg)
    assert (claims["sub"], claims["sid"], claims["since"]) == ("ålice", "s1", [1, 7])
    assert (claims["roles"], claims["名"]) == (["staff", {"of": 1.5}], "\U0001f600")
    assert (claims["iat"], claims["exp"]) == (NOW, NOW + 900)
    with pytest.raises(jwt.InvalidSignatureError):
        decoded_by_pyjwt(token, other_key(alg).public.to_pem(), alg)


@pytest.mark.parametrize("alg", JOSERFC_ALGS)
def test_joserfc_reads_our_tokens_with_our_key_set(alg: str) -> None:
    token = issued(private_key(alg))
    mine = annul.JWKS([private_key(alg).public, other_key(alg).public])

    claims = read_by_joserfc(token, mine.to_json(), alg)
    assert (claims["sub"], claims["sid"], claims["since"]) == ("ålice", "s1", [1, 7])
    assert (claims["roles"], claims["名"]) == (["staff", {"of": 1.5}], "\U0001f600")
    wrong = their_jwk.import_key(their(other_key(alg).public.to_jwk()))
    with pytest.raises(joserfc.errors.BadSignatureError):
        their_jwt.decode(token, wrong, algorithms=[alg])


@needs_openssl
@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_key_made_by_openssl_signs_tokens_that_everybody_reads(alg: str) -> None:
    key = key_from_openssl(alg)
    token, jwks = issued(key), annul.JWKS([key.public]).to_json()

    assert read_by_pyjwt(token, jwks, alg) == read_by_joserfc(token, jwks, alg)
    assert decoded_by_pyjwt(token, key.public.to_pem(), alg)["sub"] == "ålice"
    assert annul.jws.verify(token, annul.JWKS.from_json(jwks), algorithms=(alg,))


def test_both_name_a_key_as_we_do() -> None:
    # RFC 7638: the name is computed from the key, so everybody computes the same.
    for alg in JOSERFC_ALGS:
        theirs = their_jwk.import_key(their(private_key(alg).public.to_jwk()))
        assert theirs.thumbprint() == private_key(alg).kid


# --- our reading of theirs ------------------------------------------------------------


@pytest.mark.parametrize("alg", PYJWT_ALGS)
def test_we_read_the_tokens_of_pyjwt(alg: str) -> None:
    key = private_key(alg)
    header = {"kid": key.kid, "typ": "at+jwt"}
    token = jwt.encode(CLAIMS, key.to_pem(), algorithm=alg, headers=header)

    assert dict(verifier(key).verify(token).claims) == CLAIMS
    with pytest.raises(annul.UnknownKey):
        verifier(other_key(alg)).verify(token)
    unnamed = jwt.encode(CLAIMS, other_key(alg).to_pem(), algorithm=alg)
    with pytest.raises(annul.BadSignature):
        verifier(key, typ=None).verify(unnamed)


@pytest.mark.parametrize("alg", JOSERFC_ALGS)
def test_we_read_the_tokens_of_joserfc(alg: str) -> None:
    key = private_key(alg)
    theirs = their_jwk.import_key(their(key.to_jwk()))
    header = {"alg": alg, "kid": key.kid, "typ": "at+jwt"}
    token = their_jwt.encode(header, dict(CLAIMS), theirs, algorithms=[alg])

    assert dict(verifier(key).verify(token).claims) == CLAIMS
    with pytest.raises(annul.UnknownKey):
        verifier(other_key(alg)).verify(token)


TheirKey = their_jwk.ECKey | their_jwk.RSAKey | their_jwk.OKPKey


def made_by_joserfc(alg: str) -> TheirKey:
    says: Any = {"use": "sig", "alg": alg}
    if alg == "ES384":
        return their_jwk.ECKey.generate_key("P-384", says)
    if alg == "PS256":
        return their_jwk.RSAKey.generate_key(2048, says)
    return their_jwk.OKPKey.generate_key("Ed25519", says)


@pytest.mark.parametrize("alg", ["ES384", "PS256", "Ed25519"])
def test_we_read_the_keys_and_the_key_sets_of_joserfc(alg: str) -> None:
    made = made_by_joserfc(alg)
    made.ensure_kid()
    public = annul.JWKS.from_json({"keys": [made.as_dict(private=False)]})
    private = annul.PrivateKey.from_jwk(made.as_dict(private=True))

    assert [key.kid for key in public] == [made.kid]
    assert private.public.thumbprint == made.thumbprint()
    header = {"alg": alg, "kid": str(made.kid)}
    token = their_jwt.encode(header, {"a": 1}, made, algorithms=[alg])
    assert json.loads(annul.jws.verify(token, public, algorithms=(alg,))) == {"a": 1}


@pytest.mark.parametrize("alg", ALGS)
def test_both_refuse_a_token_that_we_refuse_for_a_changed_claim(alg: str) -> None:
    key = private_key(alg)
    head, body, signature = issued(key).split(".")
    changed = f"{head}.{body[:-2]}{'A' if body[-2] != 'A' else 'g'}{body[-1]}.{signature}"

    with pytest.raises(annul.TokenRejected):
        annul.jws.verify(changed, annul.JWKS([key.public]), algorithms=(alg,))
    with pytest.raises(jwt.InvalidTokenError):
        decoded_by_pyjwt(changed, key.public.to_pem(), alg)
    with pytest.raises(joserfc.errors.JoseError):
        their_jwt.decode(
            changed, their_jwk.import_key(their(key.public.to_jwk())), algorithms=[alg]
        )


# --- what they can do and we must not -------------------------------------------------


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_token_signed_with_our_public_key_as_a_secret_is_refused(alg: str) -> None:
    # JWS-09: key confusion. They refuse to make one today, so it is made by hand.
    key = private_key("RS256")
    head, body, _ = jwt.encode(
        CLAIMS, "x" * 64, algorithm=alg, headers={"kid": key.kid, "typ": "at+jwt"}
    ).split(".")
    for secret in (
        key.public.to_pem(),
        json.dumps(key.public.to_jwk()).encode(),
        annul.JWKS([key.public]).to_json().encode(),
    ):
        mac = hmac.digest(secret, f"{head}.{body}".encode(), "sha" + alg[2:])
        with pytest.raises(annul.AlgorithmNotAllowed):
            verifier(key).verify(f"{head}.{body}.{b64url_encode(mac)}")


def test_an_unsigned_token_of_theirs_is_refused() -> None:
    # JWS-08
    token = jwt.encode(CLAIMS, "", algorithm="none", headers={"typ": "at+jwt"})
    with pytest.raises(annul.AlgorithmNotAllowed):
        verifier(private_key("ES256")).verify(token)


def test_an_algorithm_that_only_we_have_does_not_disturb_their_reading_of_a_set() -> None:
    mine = annul.JWKS(private_key(alg).public for alg in ("ES256", *MLDSA_ALGS))
    token = issued(private_key("ES256"))

    assert read_by_pyjwt(token, mine.to_json(), "ES256")["sub"] == "ålice"
    assert read_by_joserfc(token, mine.to_json(), "ES256")["sub"] == "ålice"
