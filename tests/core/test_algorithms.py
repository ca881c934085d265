"""The table of algorithms: each row signs, checks its own signatures, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import annul
from annul.core.algorithms import ALGORITHMS, names_for
from tests.core.sample_keys import (
    EC_ALGS,
    EVERY_ALG,
    MLDSA_ALGS,
    RSA_ALGS,
    other_key,
    private_key,
    rsa_key,
)

DATA = b"header.payload"

# RFC 7518 §3.4, RFC 8032 §5.1.6, RFC 9964; for RSA the modulus decides (2048 bits here).
SIZES = {
    "ES256": 64,
    "ES384": 96,
    "ES512": 132,
    "Ed25519": 64,
    "EdDSA": 64,
    "ML-DSA-44": 2420,
    "ML-DSA-65": 3309,
    "ML-DSA-87": 4627,
} | dict.fromkeys(RSA_ALGS, 256)

# Orders of the curves (FIPS 186-4 D.1.2): r and s must be below them.
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 2**384 - 1388124618062372383947042015309946732620727252194336364173,
    "ES512": 2**521
    - 657877501894328237357444332315020117536923257219387276263472201219398408051703,
}


def accepts(alg: str, signature: bytes, data: bytes = DATA, key: Any = None) -> bool:  # noqa: ANN401 - any public key object
    public = private_key(alg).public if key is None else key
    try:
        public.check(alg)(signature, data)
    except InvalidSignature:
        return False
    return True


# --- names ----------------------------------------------------------------------------


def test_only_asymmetric_algorithms_exist() -> None:
    # JWS-08, JWS-09; ES256K and Ed448 are left out on purpose.
    classic = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
    assert set(EVERY_ALG) - set(MLDSA_ALGS) == classic | {"Ed25519", "EdDSA"}


@pytest.mark.parametrize(
    "name", ["none", "None", "HS256", "HS512", "RS1", "ES256K", "es256", "Ed448", "RSA1_5", "", "*"]
)
def test_what_the_table_lacks_cannot_be_asked_for(name: str) -> None:
    assert name not in ALGORITHMS
    with pytest.raises(annul.InvalidKey):
        annul.PrivateKey.generate(name)
    with pytest.raises(annul.AlgorithmNotAllowed):
        private_key("ES256").public.check(name)


def test_the_table_cannot_be_added_to() -> None:
    with pytest.raises(TypeError):
        ALGORITHMS["none"] = ALGORITHMS["ES256"]  # type: ignore[index]  # that is what is tested


@pytest.mark.parametrize(
    ("kty", "crv", "names"),
    [
        ("RSA", None, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("EC", "P-256", ("ES256",)),
        ("EC", "P-384", ("ES384",)),
        ("EC", "P-521", ("ES512",)),
        ("OKP", "Ed25519", ("Ed25519", "EdDSA")),
        ("EC", "secp256k1", ()),
        ("EC", None, ()),
        ("OKP", "X25519", ()),
        ("oct", None, ()),
    ],
)
def test_a_type_of_key_has_its_own_algorithms(
    kty: str, crv: str | None, names: tuple[str, ...]
) -> None:
    assert names_for(kty, crv) == names


def test_ml_dsa_is_there_with_the_cryptography_that_has_it() -> None:
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    assert MLDSA_ALGS == ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")


# --- signing and checking -------------------------------------------------------------


@pytest.mark.parametrize("alg", EVERY_ALG)
@pytest.mark.parametrize("data", [b"", DATA, bytes(range(256)) * 40])
def test_a_signature_verifies_over_the_data_it_was_made_of(alg: str, data: bytes) -> None:
    signature = private_key(alg).sign(data)

    assert len(signature) == SIZES[alg]
    assert ALGORITHMS[alg].size in {None, len(signature)}
    assert accepts(alg, signature, data)
    assert not accepts(alg, signature, data + b"\0")
    assert not accepts(alg, signature, data, other_key(alg).public)


# One RSA key of 3072 bits is enough: the other rows differ in the padding only.
@pytest.mark.parametrize("alg", ["RS256", *(alg for alg in EVERY_ALG if alg not in RSA_ALGS)])
def test_a_generated_key_signs_with_its_algorithm(alg: str) -> None:
    key = annul.PrivateKey.generate(alg)

    assert key.alg == alg
    assert key.public.algorithms == (alg,)
    key.public.check(alg)(key.sign(DATA), DATA)


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_changed_bit_anywhere_breaks_a_signature(alg: str) -> None:
    signature = private_key(alg).sign(DATA)
    step = max(1, len(signature) // 16)
    for at in [*range(0, len(signature), step), len(signature) - 1]:
        damaged = bytearray(signature)
        damaged[at] ^= 0x10
        assert not accepts(alg, bytes(damaged))


# JWS-11
@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_signature_of_another_length_is_refused(alg: str) -> None:
    signature = private_key(alg).sign(DATA)
    half = len(signature) // 2

    for wrong in (
        b"",
        b"\0",
        signature[:-1],
        signature[1:],
        signature + b"\0",
        b"\0" + signature,
        signature * 2,
        signature[:half],
        bytes(1) + signature[:half] + bytes(1) + signature[half:],
        bytes(100_000),
    ):
        assert not accepts(alg, wrong)


@pytest.mark.parametrize("signer", EVERY_ALG)
def test_no_algorithm_accepts_the_signature_of_another(signer: str) -> None:
    signature = private_key(signer).sign(DATA)
    for checker in EVERY_ALG:
        if checker != signer and ALGORITHMS[checker].kty == ALGORITHMS[signer].kty:
            key = annul.PublicKey.from_pem(private_key(signer).public.to_pem())
            if checker not in key.algorithms:
                with pytest.raises(annul.AlgorithmNotAllowed):
                    key.check(checker)
            else:
                # RFC 9864 §2.2: the two names of Ed25519 are one computation.
                assert accepts(checker, signature, key=key) == (key.algorithms[0] == "Ed25519")


# --- ECDSA ----------------------------------------------------------------------------


# JWS-11
@pytest.mark.parametrize("alg", EC_ALGS)
def test_r_and_s_outside_the_order_of_the_curve_are_refused(alg: str) -> None:
    half, order = SIZES[alg] // 2, ORDERS[alg]
    signature = private_key(alg).sign(DATA)
    r, s = signature[:half], signature[half:]
    top = 256**half - 1

    for wrong in (0, order, order + 1, top):
        number = wrong.to_bytes(half, "big")
        assert not accepts(alg, number + s)
        assert not accepts(alg, r + number)
        assert not accepts(alg, number * 2)
    # CVE-2022-21449 elsewhere: all zeros verified under every key.
    assert not accepts(alg, bytes(2 * half))


@pytest.mark.parametrize("alg", EC_ALGS)
def test_a_signature_in_der_is_refused(alg: str) -> None:
    half = SIZES[alg] // 2
    signature = private_key(alg).sign(DATA)
    der = encode_dss_signature(
        int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    )

    assert not accepts(alg, der)
    assert not accepts(alg, der.ljust(2 * half, b"\0")[: 2 * half])


# --- RSA ------------------------------------------------------------------------------

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@pytest.mark.parametrize("alg", RSA_ALGS)
def test_rsa_signatures_have_the_padding_and_the_salt_that_the_rfc_names(alg: str) -> None:
    digest = HASHES[alg[2:]]
    salt = digest.digest_size
    pss = {
        size: rsa_key().sign(DATA, padding.PSS(padding.MGF1(digest), size), digest)
        for size in (0, 20, salt - 1, salt, salt + 1)
    }
    other_mask = rsa_key().sign(DATA, padding.PSS(padding.MGF1(hashes.SHA1()), salt), digest)  # noqa: S303 - a wrong one, on purpose

    # RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    assert [size for size, found in pss.items() if accepts(alg, found)] == (
        [salt] if alg.startswith("PS") else []
    )
    assert not accepts(alg, other_mask)
    plain = rsa_key().sign(DATA, padding.PKCS1v15(), digest)
    assert accepts(alg, plain) == alg.startswith("RS")


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_an_rsa_signature_without_its_leading_zeros_is_refused(alg: str) -> None:
    # RFC 8017 §8.1.2: as long as the modulus. One signature in 256 starts with a zero.
    for number in range(10_000):
        data = b"%d" % number
        signature = private_key(alg).sign(data)
        if signature[0] == 0:
            break

    assert accepts(alg, signature, data)
    assert not accepts(alg, signature[1:], data)
    assert not accepts(alg, signature.lstrip(b"\0"), data)
