"""PEM as openssl writes it: taken in, given out byte for byte, refused with one clear error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest

import annul
from tests.core.openssl import needs_openssl, openssl

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_openssl

GENERATED = {
    "RSA": ("RS256", ["genpkey", "-algorithm", "RSA"]),
    "RSA 3072": (
        "RS256",
        ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    ),
    "genrsa": ("RS256", ["genrsa", "2048"]),
    "P-256": ("ES256", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    "P-384": ("ES384", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    "P-521": ("ES512", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
    "Ed25519": ("Ed25519", ["genpkey", "-algorithm", "ED25519"]),
}

# These are written in older forms; what goes out is the PKCS#8 that openssl makes of them.
OLDER = {
    "ecparam": ("ES256", ["ecparam", "-name", "prime256v1", "-genkey"]),
    "ecparam without parameters": (
        "ES384",
        ["ecparam", "-name", "secp384r1", "-genkey", "-noout"],
    ),
}


@cache
def made(name: str) -> bytes:
    return openssl(*(GENERATED | OLDER)[name][1])


def pkcs8(pem: bytes) -> bytes:
    return openssl("pkcs8", "-topk8", "-nocrypt", stdin=pem)


def pkcs1(pem: bytes) -> bytes:
    text = openssl("pkey", "-traditional", stdin=pem)
    assert text.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    return text


def refused(data: bytes | str, password: bytes | None = None) -> bool:
    try:
        annul.PrivateKey.from_pem(data, password=password)
    except annul.InvalidKey:
        return True
    return False


# --- in and out -----------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_key_comes_out_byte_for_byte_as_it_went_in(name: str) -> None:
    pem = made(name)
    key = annul.PrivateKey.from_pem(pem)

    assert key.alg == GENERATED[name][0]
    assert key.to_pem() == pem
    assert annul.PrivateKey.from_pem(pem.decode()).kid == key.kid
    key.public.check(key.alg)(key.sign(b"data"), b"data")


@pytest.mark.parametrize("name", GENERATED | OLDER)
def test_the_public_key_is_written_as_openssl_writes_it(name: str) -> None:
    pem = made(name)
    public = openssl("pkey", "-pubout", stdin=pem)
    key = annul.PrivateKey.from_pem(pem)

    assert key.public.to_pem() == public
    assert annul.PublicKey.from_pem(public).kid == key.kid
    assert annul.PublicKey.from_pem(public).to_pem() == public


@pytest.mark.parametrize("name", OLDER)
def test_a_key_in_an_older_form_comes_out_as_pkcs8(name: str) -> None:
    key = annul.PrivateKey.from_pem(made(name))

    assert key.alg == OLDER[name][0]
    assert key.to_pem() == pkcs8(made(name))


def test_an_rsa_key_in_pkcs1_is_the_same_key() -> None:
    key = annul.PrivateKey.from_pem(made("RSA"))
    again = annul.PrivateKey.from_pem(pkcs1(made("RSA")))

    assert again.to_pem() == made("RSA")
    assert openssl("rsa", "-pubout", stdin=made("RSA")) == key.public.to_pem()
    short = openssl("rsa", "-RSAPublicKey_out", stdin=made("RSA"))
    assert short.startswith(b"-----BEGIN RSA PUBLIC KEY-----")
    assert annul.PublicKey.from_pem(short).kid == key.kid


@pytest.mark.parametrize("alg", ["RS256", "RS512", "PS256", "PS384"])
def test_alg_chooses_what_an_rsa_key_signs_with(alg: str) -> None:
    key = annul.PrivateKey.from_pem(made("RSA"), alg=alg)

    assert key.public.algorithms == (alg,)
    assert annul.PublicKey.from_pem(key.public.to_pem(), alg=alg) == key.public


@pytest.mark.parametrize("alg", ["ES256", "none", "HS256", "rs256", ""])
def test_alg_must_be_one_that_the_key_can_have(alg: str) -> None:
    for read in (annul.PrivateKey.from_pem, annul.PublicKey.from_pem):
        pem = annul.PrivateKey.from_pem(made("RSA"))
        with pytest.raises(annul.InvalidKey):
            read(
                pem.to_pem() if read == annul.PrivateKey.from_pem else pem.public.to_pem(), alg=alg
            )


def test_openssl_verifies_what_a_key_of_its_own_has_signed(tmp_path: Path) -> None:
    key = annul.PrivateKey.from_pem(made("RSA"))
    signature, public = tmp_path / "signature", tmp_path / "public.pem"
    signature.write_bytes(key.sign(b"data"))
    public.write_bytes(key.public.to_pem())

    said = openssl(
        "dgst", "-sha256", "-verify", str(public), "-signature", str(signature), stdin=b"data"
    )
    assert said.strip() == b"Verified OK"


@pytest.mark.parametrize("change", ["crlf", "text around it", "indented", "no last line end"])
def test_a_file_that_went_through_an_editor_is_still_read(change: str) -> None:
    pem = made("P-256")
    edited = {
        "crlf": pem.replace(b"\n", b"\r\n"),
        "text around it": b"Bag Attributes\n  name: \xc3\xa9\n\n" + pem + b"\n# the end\n",
        "indented": b"".join(b"  " + line for line in pem.splitlines(keepends=True)),
        "no last line end": pem.rstrip(),
    }[change]

    assert annul.PrivateKey.from_pem(edited).to_pem() == pem


# --- passphrases ----------------------------------------------------------------------


@cache
def encrypted(form: str) -> bytes:
    how = ["-aes256", "-passout", "pass:right"]
    older = ["-traditional"] if form == "older" else []
    return openssl("pkey", *older, *how, stdin=made("RSA"))


@pytest.mark.parametrize("form", ["pkcs8", "older"])
def test_an_encrypted_key_opens_with_its_passphrase_and_no_other(form: str) -> None:
    pem = encrypted(form)

    assert annul.PrivateKey.from_pem(pem, password=b"right").to_pem() == made("RSA")
    for wrong in (None, b"", b"wrong", b"right ", b"Right"):
        assert refused(pem, wrong)


def test_a_passphrase_for_a_key_that_is_not_encrypted_is_a_mistake() -> None:
    assert refused(made("RSA"), b"right")
    assert refused(made("RSA"), b"")


@pytest.mark.parametrize("password", ["right", 1, ["right"]])
def test_a_passphrase_is_bytes(password: object) -> None:
    assert refused(encrypted("pkcs8"), password)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize("name", ["RSA", "P-256", "Ed25519"])
def test_a_key_is_exported_under_a_passphrase_that_openssl_takes(name: str) -> None:
    key = annul.PrivateKey.from_pem(made(name))
    pem = key.to_pem(password=b"right")

    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert openssl("pkey", "-passin", "pass:right", stdin=pem) == made(name)
    assert refused(pem, b"wrong")
    for empty in (b"", "right"):
        with pytest.raises(annul.InvalidKey):
            key.to_pem(password=empty)  # type: ignore[arg-type]  # a str is one of the mistakes
