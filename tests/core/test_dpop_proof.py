"""Each member of a proof matters: one changed at a time, and correctly signed again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from annul.core.dpop import DPoP
from annul.core.encoding import b64url_decode, b64url_encode
from annul.errors import InvalidDPoPProof
from annul.testing import NOW, OMIT, FixedClock, ProofForge
from tests.core.dpop_samples import CLIENT, CLIENT_KEY, STRANGER_KEY, TOKEN, URL, server
from tests.core.sample_keys import EVERY_ALG, private_key

if TYPE_CHECKING:
    from annul.core.jwk import PrivateKey

PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": CLIENT_KEY.public.to_jwk()["x"]}


def prove(proof: str, dpop: DPoP | None = None, **changed: Any) -> str:  # noqa: ANN401
    asked = {"method": "GET", "url": URL, "access_token": TOKEN, **changed}
    return (dpop or server()).prove(proof, **asked).jkt


def made(**changed: Any) -> str:  # noqa: ANN401
    return CLIENT.proof("GET", URL, access_token=TOKEN, **changed)


def test_the_proof_that_the_changes_begin_from_is_accepted() -> None:
    assert prove(made()) == CLIENT.jkt


# --- header ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typ",
    [OMIT, None, "JWT", "at+jwt", "DPOP+JWT", "application/dpop+jwt", "dpop+jwt ", ["dpop+jwt"], 1],
    ids=repr,
)
def test_a_proof_of_another_type_is_refused(typ: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(header={"typ": typ}))


@pytest.mark.parametrize(
    "alg",
    [OMIT, None, "none", "None", "HS256", "HS512", "ES256K", "ES256", "RS256", "", 5, ["Ed25519"]],
    ids=repr,
)
def test_a_proof_under_an_alg_that_is_not_the_keys_is_refused(alg: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(header={"alg": alg}))


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_every_algorithm_can_sign_a_proof_and_none_replaces_another(alg: str) -> None:
    client = ProofForge(key=private_key(alg), clock=lambda: NOW)
    proof = client.proof("GET", URL, access_token=TOKEN, header={"jwk": bare(client.key)})
    assert prove(proof) == client.jkt
    others = tuple(name for name in EVERY_ALG if name != alg)
    with pytest.raises(InvalidDPoPProof):
        prove(proof, DPoP(algorithms=others, clock=FixedClock(NOW)))
    for other in others:
        changed = client.proof("GET", URL, access_token=TOKEN, header={"alg": other})
        with pytest.raises(InvalidDPoPProof):
            prove(changed)


def bare(key: PrivateKey) -> dict[str, str]:
    """Return the public key as others write it: only what a thumbprint is made of."""
    names = {"kty", "crv", "x", "y", "n", "e", "pub"} | ({"alg"} if "ML" in key.alg else set())
    return {name: value for name, value in key.public.to_jwk().items() if name in names}


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"])
def test_a_private_member_in_the_key_is_refused_whatever_it_holds(name: str) -> None:
    for value in ("AAAA", "", None, CLIENT_KEY.to_jwk()["d"]):
        with pytest.raises(InvalidDPoPProof):
            prove(made(header={"jwk": PUBLIC | {name: value}}))


@pytest.mark.parametrize("alg", ["ES256", "RS256", "Ed25519", "ML-DSA-44"])
def test_a_whole_private_key_in_the_header_is_refused(alg: str) -> None:
    if alg not in EVERY_ALG:
        pytest.skip("this cryptography has no ML-DSA")
    client = ProofForge(key=private_key(alg), clock=lambda: NOW)
    proof = client.proof("GET", URL, access_token=TOKEN, header={"jwk": client.key.to_jwk()})
    with pytest.raises(InvalidDPoPProof):
        prove(proof)


@pytest.mark.parametrize(
    "jwk",
    [
        OMIT,
        None,
        "",
        [],
        {},
        [PUBLIC],
        json.dumps(PUBLIC),
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct"},
        {**PUBLIC, "x": "A" * 43},
        {**PUBLIC, "x": PUBLIC["x"] + "="},
        {**PUBLIC, "x": STRANGER_KEY.public.to_jwk()["x"]},
        {**PUBLIC, "crv": "X25519"},
        {**PUBLIC, "use": "enc"},
        {**PUBLIC, "alg": "ES256"},
        {**PUBLIC, "key_ops": ["sign"]},
        {"kid": CLIENT_KEY.kid},
    ],
    ids=repr,
)
def test_a_header_without_the_public_key_that_signed_is_refused(jwk: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(header={"jwk": jwk}))


def with_signature(start: str, signature: bytes) -> str:
    return f"{start}.{b64url_encode(signature)}"


def test_a_key_that_is_too_short_is_refused_though_its_signature_is_good() -> None:
    short = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - the point
    n = short.public_key().public_numbers().n
    jwk = {"kty": "RSA", "n": b64url_encode(n.to_bytes(128, "big")), "e": "AQAB"}
    start = made(header={"alg": "RS256", "jwk": jwk}).rpartition(".")[0]
    signature = short.sign(start.encode(), padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidDPoPProof):
        prove(with_signature(start, signature))


def test_a_key_under_which_anybody_can_sign_is_refused() -> None:
    # The identity of Ed25519, with itself and zero as the signature of whatever is asked.
    identity = bytes([1]) + bytes(31)
    anything = identity + bytes(32)
    ed25519.Ed25519PublicKey.from_public_bytes(identity).verify(anything, b"whatever")
    start = made(header={"jwk": {**PUBLIC, "x": b64url_encode(identity)}}).rpartition(".")[0]
    with pytest.raises(InvalidDPoPProof):
        prove(with_signature(start, anything))


def test_a_curve_for_another_purpose_is_refused() -> None:
    point = ec.generate_private_key(ec.SECP256K1()).public_key().public_numbers()
    x, y = (b64url_encode(part.to_bytes(32, "big")) for part in (point.x, point.y))
    for crv, alg in (("secp256k1", "ES256K"), ("secp256k1", "ES256"), ("P-256", "ES256")):
        jwk = {"kty": "EC", "crv": crv, "x": x, "y": y}
        with pytest.raises(InvalidDPoPProof):
            prove(made(header={"alg": alg, "jwk": jwk}))


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}], ids=repr)
def test_extensions_of_the_header_are_refused(extension: dict[str, object]) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(header=extension))


def test_a_key_that_the_header_only_points_to_is_not_used() -> None:
    strangers = {"kid": "k", "jku": "https://evil.example/keys", "x5c": ["AAAA"]}
    assert prove(made(header=strangers)) == CLIENT.jkt
    with pytest.raises(InvalidDPoPProof):
        prove(made(header=strangers | {"jwk": OMIT}))


# --- signature ------------------------------------------------------------------------------


def test_a_signature_of_another_key_is_refused() -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(key=STRANGER_KEY))


def test_a_header_that_was_seen_before_does_not_stand_in_for_a_signature() -> None:
    dpop = server()
    header, payload, signature = made().split(".")
    assert prove(f"{header}.{payload}.{signature}", dpop) == CLIENT.jkt
    _, other, _ = made(key=STRANGER_KEY).split(".")
    for forged in (f"{header}.{other}.{signature}", f"{header}.{other}.", f"{header}.{payload}.AA"):
        with pytest.raises(InvalidDPoPProof):
            prove(forged, dpop)


def test_many_keys_are_more_than_are_kept_and_each_is_good() -> None:
    dpop = server()
    for number in range(1030):
        proof = made(header={"kid": str(number)})
        assert prove(proof, dpop) == CLIENT.jkt
    assert len(dpop._keys) <= 1024


@pytest.mark.parametrize("length", [12_288, 12_289])
def test_a_proof_of_any_length_is_measured_before_it_is_looked_at(length: int) -> None:
    # Base64url has no length of one more than a multiple of four, so some paddings do not fit.
    proofs = (
        made(claims={"more": "x" * size, "mo": "y" * extra})
        for size in range(8_600, 8_960)
        for extra in range(2)
    )
    proof = next(proof for proof in proofs if len(proof) == length)
    if length <= 12_288:
        assert prove(proof) == CLIENT.jkt
        return
    with pytest.raises(InvalidDPoPProof):
        prove(proof)


# --- claims ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "jti",
    [OMIT, None, "", 5, True, ["a"], {"a": 1}, "x" * 257],
    ids=lambda jti: repr(jti)[:20],
)
def test_a_proof_without_a_usable_id_is_refused(jti: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(claims={"jti": jti}))


def test_an_id_may_be_as_long_as_256_characters() -> None:
    assert prove(made(claims={"jti": "x" * 256})) == CLIENT.jkt


@pytest.mark.parametrize(
    "htm", [OMIT, None, "get", "Get", "POST", "GET ", "", 5, ["GET"]], ids=repr
)
def test_a_proof_for_another_method_is_refused(htm: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(claims={"htm": htm}))


def test_a_method_is_compared_as_it_is_written() -> None:
    for method in ("GET", "post", "PROPFIND", "x-own"):
        proof = CLIENT.proof(method, URL, access_token=TOKEN)
        assert prove(proof, method=method) == CLIENT.jkt
        with pytest.raises(InvalidDPoPProof):
            prove(CLIENT.proof(method, URL, access_token=TOKEN), method=method.swapcase())


@pytest.mark.parametrize(
    "iat",
    [OMIT, None, "", "1", True, [], NOW - 61, NOW - 60.5, NOW + 10.5, -NOW, 0, 10**400, -(10**400)],
    ids=lambda iat: repr(iat)[:20],
)
def test_a_proof_that_was_not_just_made_is_refused(iat: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(claims={"iat": iat}))


def test_the_window_is_that_of_the_settings() -> None:
    dpop = DPoP(max_age=5, ahead=0, clock=FixedClock(NOW))
    for iat in (NOW - 5, NOW - 0.5, NOW):
        assert prove(made(claims={"iat": iat}), dpop) == CLIENT.jkt
    for iat in (NOW - 6, NOW + 1):
        with pytest.raises(InvalidDPoPProof):
            prove(made(claims={"iat": iat}), dpop)


@pytest.mark.parametrize(
    "times",
    [{"exp": NOW}, {"exp": NOW - 1}, {"exp": "x"}, {"exp": None}, {"nbf": NOW + 11}, {"nbf": True}],
    ids=repr,
)
def test_a_time_that_the_proof_gives_itself_holds(times: dict[str, object]) -> None:
    with pytest.raises(InvalidDPoPProof):
        prove(made(claims=times))
    assert prove(made(claims={"exp": NOW + 1, "nbf": NOW})) == CLIENT.jkt


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b"{", b'{"jti":"a","jti":"b"}', b"\xff", b'{"iat":NaN}', b"{}"],
    ids=repr,
)
def test_a_payload_that_is_no_strict_json_object_is_refused(payload: bytes) -> None:
    header = made().split(".")[0]
    start = f"{header}.{b64url_encode(payload)}"
    proof = f"{start}.{b64url_encode(CLIENT_KEY.sign(start.encode()))}"
    with pytest.raises(InvalidDPoPProof):
        prove(proof)


def test_a_name_that_stands_twice_in_the_claims_is_refused() -> None:
    header, payload, _ = made().split(".")
    for name in ("htm", "htu", "jti", "iat", "ath"):
        claims = json.loads(b64url_decode(payload))
        twice = json.dumps(claims)[:-1] + f', "{name}": {json.dumps(claims[name])}}}'
        start = f"{header}.{b64url_encode(twice.encode())}"
        with pytest.raises(InvalidDPoPProof):
            prove(f"{start}.{b64url_encode(CLIENT_KEY.sign(start.encode()))}")
