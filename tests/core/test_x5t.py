"""The thumbprint of a certificate is that of its whole DER, and of nothing that is not one."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from annul.core.encoding import b64url_encode
from annul.core.x5t import (
    MAX_CERTIFICATE_BYTES,
    binding_of_certificate,
    check_thumbprint,
    der_of_base64,
    der_of_pem,
)
from annul.errors import InvalidRequest
from tests.core.any_input import Pretender, any_text, often
from tests.core.openssl import needs_openssl, openssl
from tests.integrations.sample_certificates import certificate, der, pem

if TYPE_CHECKING:
    from pathlib import Path

THUMBPRINT = b64url_encode(certificate().fingerprint(SHA256()))


def test_the_thumbprint_is_the_fingerprint_that_cryptography_computes() -> None:
    assert binding_of_certificate(der()) == {"x5t#S256": THUMBPRINT}
    assert len(THUMBPRINT) == 43


@needs_openssl
def test_the_thumbprint_is_the_fingerprint_that_openssl_computes(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text(pem())
    shown = openssl(
        "x509", "-in", str(tmp_path / "client.pem"), "-noout", "-fingerprint", "-sha256"
    )
    digest = bytes.fromhex(shown.decode().strip().partition("=")[2].replace(":", ""))

    assert binding_of_certificate(der()) == {"x5t#S256": b64url_encode(digest)}


def test_a_renewed_certificate_of_the_same_key_has_another_thumbprint() -> None:
    assert binding_of_certificate(der(serial=2)) != binding_of_certificate(der(serial=1))


def test_pem_and_base64_are_the_der_that_they_hold() -> None:
    assert der_of_pem(pem()) == der_of_pem(pem().encode()) == der()
    assert der_of_pem("\n " + pem().replace("\n", "\r\n") + "\r\n") == der()
    assert der_of_base64(b64encode(der())) == der()


@pytest.mark.parametrize(
    "text",
    [
        "",
        pem() * 2,
        "a note\n" + pem(),
        pem() + "x",
        pem().replace("CERTIFICATE", "PUBLIC KEY"),
        pem().replace("-----END CERTIFICATE-----", ""),
        pem().replace("M", "!", 1),
        pem().replace("M", "é", 1),
        pem()[:200] + pem()[260:],
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        pem() + " " * 40_000,
        None,
        5,
    ],
)
def test_what_is_not_just_one_certificate_in_pem_is_refused(text: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        der_of_pem(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        der()[:1],
        der()[:-1],
        der() + b"\0",
        b"\x31" + der()[1:],
        b"\x30\x80" + der()[2:],
        b"\x30\x03abc",
        b"\x30\x81\x03abc",
        b"\x30\x83\x00" + der()[2:],
        b"\x30\xff" + der()[2:],
        b"\x30\x83\x01\x00\x00" + bytes(1 << 16),
        der().decode("latin-1"),
        bytearray(der()),
        None,
    ],
)
def test_what_is_not_one_object_in_der_is_refused(data: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(InvalidRequest):
        binding_of_certificate(data)


@pytest.mark.parametrize("length", [128, 255, 256, 300])
def test_the_length_that_an_object_states_is_its_own(length: int) -> None:
    stated = b"\x81" + bytes([length]) if length < 256 else b"\x82" + length.to_bytes(2)

    assert binding_of_certificate(b"\x30" + stated + bytes(length))
    for other in (length - 1, length + 1):
        with pytest.raises(InvalidRequest):
            binding_of_certificate(b"\x30" + stated + bytes(other))


def test_a_certificate_of_the_largest_size_is_taken_and_a_larger_one_is_not() -> None:
    room = MAX_CERTIFICATE_BYTES - 4

    assert binding_of_certificate(b"\x30\x82" + room.to_bytes(2) + bytes(room))
    with pytest.raises(InvalidRequest):
        binding_of_certificate(b"\x30\x82" + (room + 1).to_bytes(2) + bytes(room + 1))


SPELLED = b64encode(der())


@pytest.mark.parametrize(
    "text",
    [
        SPELLED.rstrip(b"="),
        SPELLED + b"=",
        SPELLED.replace(b"M", b" ", 1),
        b"\n" + SPELLED,
        SPELLED.replace(b"+", b"-").replace(b"/", b"_"),
        b"",
        b"====",
    ],
)
def test_base64_has_one_spelling(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        der_of_base64(text)


def test_a_thumbprint_is_43_characters_of_canonical_base64url() -> None:
    assert check_thumbprint(THUMBPRINT) == THUMBPRINT
    wrong = (
        "",
        THUMBPRINT + "=",
        THUMBPRINT[1:],
        THUMBPRINT[:-1] + "B",
        "é" * 43,
        None,
        5,
        Pretender(THUMBPRINT),
    )
    for value in wrong:
        with pytest.raises(InvalidRequest):
            check_thumbprint(value)


@often
@given(any_text | st.binary(max_size=300) | st.binary(max_size=60).map(lambda b: b"\x30" + b))
def test_any_input_is_a_certificate_or_refused(data: Any) -> None:  # noqa: ANN401
    for read in (der_of_pem, binding_of_certificate, der_of_base64):
        if read is der_of_base64 and not isinstance(data, bytes):
            continue
        try:
            read(data)
        except InvalidRequest:
            continue
        assert read is binding_of_certificate
