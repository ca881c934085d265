"""Files that people mistake for a signing key, and keys that are too weak."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest

import annul
from tests.core.openssl import needs_openssl, openssl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_openssl

RSA = ["genpkey", "-algorithm", "RSA", "-pkeyopt"]
EC = ["genpkey", "-algorithm", "EC", "-pkeyopt"]

WEAK = {
    "1024 bits": [*RSA, "rsa_keygen_bits:1024"],
    "2040 bits": [*RSA, "rsa_keygen_bits:2040"],
    "exponent 3": [*RSA, "rsa_keygen_pubexp:3"],
    "exponent beyond 32 bits": [*RSA, "rsa_keygen_pubexp:4294967297"],
    "three primes": [*RSA, "rsa_keygen_primes:3"],
    "secp256k1": [*EC, "ec_paramgen_curve:secp256k1"],
    "P-224": [*EC, "ec_paramgen_curve:secp224r1"],
    "brainpool": [*EC, "ec_paramgen_curve:brainpoolP256r1"],
    "Ed448": ["genpkey", "-algorithm", "ED448"],
    "X25519": ["genpkey", "-algorithm", "X25519"],
}


@cache
def good() -> bytes:
    return openssl(*EC, "ec_paramgen_curve:P-256")


@cache
def good_public() -> bytes:
    return openssl("pkey", "-pubout", stdin=good())


def refused_by_both(data: bytes | str) -> bool:
    for read in (annul.PrivateKey.from_pem, annul.PublicKey.from_pem):
        with pytest.raises(annul.InvalidKey) as caught:
            read(data)
        # Nothing of the file is in the message: a line of base64 would be this long.
        assert not re.search(r"[A-Za-z0-9+/]{24}", str(caught.value))
    return True


@pytest.mark.parametrize("name", WEAK)
def test_a_key_that_is_weak_or_not_for_tokens_is_refused(name: str) -> None:
    pem = openssl(*WEAK[name])

    assert refused_by_both(pem)
    if name != "three primes":  # whose public key is like any other
        assert refused_by_both(openssl("pkey", "-pubout", stdin=pem))


def test_a_private_key_is_no_public_key_and_the_other_way_round() -> None:
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_pem(good())
    with pytest.raises(annul.InvalidKey):
        annul.PrivateKey.from_pem(good_public())


def test_a_certificate_or_a_request_is_no_key(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(good())
    common = ["req", "-new", "-key", str(key), "-subj", "/CN=example"]

    assert refused_by_both(openssl(*common, "-x509"))
    assert refused_by_both(openssl(*common))
    assert refused_by_both(good() + openssl(*common, "-x509"))


def test_curve_parameters_alone_are_no_key() -> None:
    assert refused_by_both(openssl("ecparam", "-name", "prime256v1"))
    assert refused_by_both(openssl("dhparam", "-dsaparam", "512"))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen program")
def test_an_openssh_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "id"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True, timeout=60
    )

    assert refused_by_both(file.read_bytes())
    assert refused_by_both(file.with_suffix(".pub").read_bytes())


def test_a_file_with_several_blocks_is_refused() -> None:
    # Which of them was meant would be a guess.
    for blocks in (
        good() + good(),
        good() + good_public(),
        good_public() + good(),
        good_public() * 2,
        openssl("ecparam", "-name", "prime256v1", "-genkey") + good(),
    ):
        assert refused_by_both(blocks)


def test_a_damaged_file_is_refused() -> None:
    for pem, read in (
        (good(), annul.PrivateKey.from_pem),
        (good_public(), annul.PublicKey.from_pem),
    ):
        lines = pem.splitlines(keepends=True)
        for damaged in (
            pem[: len(pem) // 2],
            lines[0] + b"".join(lines[2:]),
            lines[0] + lines[-1],
            b"".join(lines[:-1]),
            b"".join(lines[1:]),
            pem.replace(b"-----END", b"----END"),
            lines[0] + b"!!!!" + b"".join(lines[1:]),
            lines[0] + b"AAAA" + b"".join(lines[1:]),
            pem.replace(b"M", b"N", 1),
        ):
            with pytest.raises(annul.InvalidKey):
                read(damaged)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        "",
        b"\0" * 100,
        b"\xff\xfe-----BEGIN",
        b"-----BEGIN ",
        b"-----BEGIN PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\nAAAA\n",
        "-----BEGIN PRIVATE KEY-----\n\ud800\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n" * 1000,
        "/etc/ssl/key.pem",
    ],
)
def test_what_is_no_pem_is_refused(data: bytes | str) -> None:
    assert refused_by_both(data)


@pytest.mark.parametrize("data", [None, 1, ["x"], bytearray(b"x"), object])
def test_what_is_neither_bytes_nor_str_is_refused(data: object) -> None:
    assert refused_by_both(data)  # type: ignore[arg-type]  # that is what is tested


def test_a_huge_file_is_refused_without_being_looked_at() -> None:
    assert refused_by_both(good() + b"\n" * 70_000)
    assert annul.PrivateKey.from_pem(good() + b"\n" * 1_000).to_pem() == good()


def test_der_is_refused() -> None:
    assert refused_by_both(openssl("pkey", "-outform", "DER", stdin=good()))
