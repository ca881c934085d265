"""Attacks that bring their own key, or that show one object and have another one verified."""

from __future__ import annotations

import base64
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import annul
from annul.core.encoding import b64url_encode
from annul.errors import (
    BadSignature,
    ClaimMismatch,
    InvalidKey,
    Malformed,
    UnknownKey,
    WrongType,
)
from tests.advisories.forgery import compact, genuine, header_of, refuses, trusted, verifier_of
from tests.signing import sample_claims

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from annul.core.jwk import PrivateKey


@cache
def attacker() -> PrivateKey:
    return annul.PrivateKey.generate("ES256")


@cache
def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "auth.example")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(attacker()._key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .sign(attacker()._key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


# --- a key in the header ----------------------------------------------------------------

_OPENINGS = {"open", "socket.connect", "socket.getaddrinfo", "urllib.Request", "subprocess.Popen"}
_watched: dict[int, list[str]] = {}


def _note(event: str, _args: object) -> None:
    if event in _OPENINGS and (seen := _watched.get(threading.get_ident())) is not None:
        seen.append(event)


@pytest.fixture(scope="module", autouse=True)
def _watchman() -> None:
    # An audit hook cannot be taken off again, so it only looks while somebody asks it to.
    sys.addaudithook(_note)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """What this thread opens, files and connections, from here to the end of the test."""
    seen: list[str] = []
    _watched[threading.get_ident()] = seen
    yield seen
    del _watched[threading.get_ident()]


def by_embedding() -> dict[str, dict[str, Any]]:
    jwk = attacker().public.to_jwk()
    jwk_set = json.dumps({"keys": [jwk]})
    return {
        "cve_2018_0114_jwk": {"jwk": jwk},
        "cve_2024_21643_jku": {"jku": "https://evil.example/jwks.json"},
        "cve_2026_48522_data_url": {"jku": "data:application/json," + jwk_set},
        "cve_2026_102267_file_url": {"jku": "file:///etc/passwd"},
        "rfc_7515_x5u": {"x5u": "https://evil.example/chain.pem"},
        "rfc_7515_x5c": {"x5c": [base64.b64encode(certificate()).decode()]},
    }


@pytest.mark.parametrize("members", by_embedding().values(), ids=by_embedding())
@pytest.mark.parametrize("named", ["trusted", "own", "absent"])
def test_a_header_brings_no_key(members: dict[str, Any], named: str, opened: list[str]) -> None:
    key, other = trusted("ES256"), trusted("Ed25519")
    verify = verifier_of(key.public, other.public).verify
    header = header_of(attacker(), **members)
    if named == "absent":
        del header["kid"]
    elif named == "trusted":
        header["kid"] = key.kid

    attack = compact(header, sample_claims(sub="admin"), attacker().sign)

    refuses(verify, attack, BadSignature if named == "trusted" else UnknownKey, genuine(key))
    assert opened == []


@pytest.mark.parametrize("members", by_embedding().values(), ids=by_embedding())
def test_a_key_in_the_header_of_a_genuine_token_is_ignored(
    members: dict[str, Any], opened: list[str]
) -> None:
    key = trusted("ES256")

    token = compact(header_of(key, **members), sample_claims(), key.sign)

    assert verifier_of(key.public).verify(token).key_id == key.kid
    assert opened == []


def test_the_watchman_sees_a_file_being_opened(opened: list[str], tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("")

    assert "open" in opened


def test_cve_2026_27962_without_trusted_keys_no_other_key_steps_in() -> None:
    header = header_of(attacker(), jwk=attacker().public.to_jwk())
    attack = compact(header, sample_claims(), attacker().sign)

    for jwks in (annul.JWKS(), annul.JWKS.from_json('{"keys": []}')):
        with pytest.raises(UnknownKey):
            verifier_of(jwks=jwks).verify(attack)

    assert verifier_of(attacker().public).verify(attack).subject == "alice"


def test_cve_2023_51774_a_key_for_encryption_does_not_verify() -> None:
    key, other = trusted("ES256"), trusted("Ed25519")
    for_encryption = key.public.to_jwk() | {"use": "enc"}
    jwks = annul.JWKS.from_json({"keys": [for_encryption, other.public.to_jwk()]})

    refuses(verifier_of(jwks=jwks).verify, genuine(key), UnknownKey, genuine(other))


# --- another object than the one that is shown ------------------------------------------


def disguises() -> dict[str, str]:
    key = trusted("ES256")
    head, payload, signature = genuine(key).split(".")
    forged = b64url_encode(json.dumps(sample_claims(sub="admin")).encode())
    flattened = {"protected": head, "payload": payload, "signature": signature}
    inner = {"protected": head, "signature": signature}
    unsecured = b64url_encode(b'{"alg":"none"}') + "." + forged + "."
    return {
        # One parser reads JSON, where the odd member is ignored; the other splits at the dots.
        "cve_2022_39227": json.dumps({f"  {head}.{forged}.": "", **flattened}),
        "cve_2022_39227_reversed": json.dumps({**flattened, f".{forged}.": head}),
        "cve_2022_3102": f"{head}.{payload}.{signature}.{payload}.{signature}",
        "cve_2026_29000": f"{head}..{payload}.{b64url_encode(unsecured.encode())}.{signature}",
        "cve_2026_102946": json.dumps({"payload": forged, "signatures": []}),
        "cve_2026_96760": json.dumps({"payload": forged}),
        "rfc_7515_flattened": json.dumps(flattened),
        "rfc_7515_general": json.dumps({"payload": payload, "signatures": [inner]}),
    }


@pytest.mark.parametrize("attack", disguises().values(), ids=disguises())
def test_only_the_compact_form_is_a_token(attack: str) -> None:
    key = trusted("ES256")

    refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


def test_rfc_7797_a_detached_payload_is_an_empty_one() -> None:
    key = trusted("ES256")
    head, _payload, signature = genuine(key).split(".")

    refuses(verifier_of(key.public).verify, f"{head}..{signature}", BadSignature, genuine(key))


def test_cve_2026_29000_a_token_inside_a_token_is_not_unpacked() -> None:
    key = trusted("ES256")
    inner = compact({"alg": "none"}, sample_claims(sub="admin"), b"")

    for payload in (inner.encode(), json.dumps(inner).encode()):
        attack = compact(header_of(key, cty="JWT"), payload, key.sign)
        refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


@pytest.mark.parametrize(
    "typ", ["JWT", "id+jwt", "logout+jwt", "secevent+jwt", "dpop+jwt", "token-introspection+jwt"]
)
def test_cve_2026_82461_another_kind_of_token_is_no_access_token(typ: str) -> None:
    key = trusted("ES256")

    attack = compact(header_of(key, typ=typ), sample_claims(), key.sign)

    refuses(verifier_of(key.public).verify, attack, WrongType, genuine(key))


def test_cve_2026_82462_a_token_for_somebody_else_is_not_for_us() -> None:
    key = trusted("ES256")
    verify = verifier_of(key.public).verify

    for claims in ({"aud": "https://other.example"}, {"iss": "https://other.example"}):
        refuses(verify, genuine(key, **claims), ClaimMismatch, genuine(key))


def test_cve_2026_35039_nobody_is_given_the_claims_of_another_token() -> None:
    key = trusted("Ed25519")
    verify = verifier_of(key.public).verify
    tokens = {f"user-{n}": genuine(key, sub=f"user-{n}", jti=f"t{n}") for n in range(200)}

    for _ in range(2):
        assert [verify(token).subject for token in tokens.values()] == list(tokens)

    alice, bob = tokens["user-1"].split("."), tokens["user-2"].split(".")
    mixed = ".".join([alice[0], alice[1], bob[2]])
    refuses(verify, mixed, BadSignature, tokens["user-1"])


def test_cve_2026_102275_a_key_whose_halves_differ_is_not_a_key() -> None:
    key, other = trusted("Ed25519").to_jwk(), annul.PrivateKey.generate("Ed25519").to_jwk()

    with pytest.raises(InvalidKey):
        annul.PrivateKey.from_jwk(key | {"x": other["x"]})
    assert len(annul.JWKS.from_json({"keys": [key | {"x": other["x"]}]})) == 0

    assert annul.PrivateKey.from_jwk(key).kid == trusted("Ed25519").kid
