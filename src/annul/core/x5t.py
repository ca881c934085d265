"""Certificates as confirmations: the SHA-256 thumbprint ``x5t#S256`` (RFC 8705 §3.1).

The hash is over the whole certificate in DER. A renewed certificate is another one, even with the
same key, so what was bound to the old one has to be issued anew.

Nothing else about a certificate is looked at: who may connect with which one is for the TLS layer
to say, and so is the proof that the peer holds its key.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from annul.core.encoding import b64url_encode
from annul.core.handle import as_plain
from annul.errors import InvalidRequest

__all__ = ["X5T", "binding_of_certificate", "check_thumbprint", "der_of_base64", "der_of_pem"]

X5T = "x5t#S256"
"""The member of ``cnf`` that holds the thumbprint of a certificate."""

MAX_CERTIFICATE_BYTES = 16_384
"""Of a certificate in DER; those of clients have one or two thousand."""

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
# The sizes of objects whose length takes one byte more than the two that always are; no certificate
# is smaller.
_LEAST_BYTES = 3 + 128
_ONE_BYTE_OF_LENGTH = 3 + 255
_BLOCK = re.compile(
    rb"[ \t\r\n]*-----BEGIN CERTIFICATE-----[ \t]*\r?\n"
    rb"([A-Za-z0-9+/=\r\n \t]*)"
    rb"-----END CERTIFICATE-----[ \t\r\n]*"
)


def binding_of_certificate(certificate: bytes) -> dict[str, str]:
    """Return what ``verify`` takes as ``binding`` for a peer with this certificate, in DER.

    Raises ``InvalidRequest`` for bytes that cannot be one certificate. It is taken for granted that
    the peer has proven to hold its key.
    """
    return {X5T: b64url_encode(sha256(_one_object(certificate)).digest())}


def der_of_pem(pem: str | bytes) -> bytes:
    """Return the one certificate in ``pem`` as DER; ``InvalidRequest`` if there is not just one."""
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    if not isinstance(data, bytes) or len(data) > 2 * MAX_CERTIFICATE_BYTES:
        raise InvalidRequest("a certificate in PEM is a text of a few thousand characters")
    match = _BLOCK.fullmatch(data)
    if match is None:
        raise InvalidRequest("this is not one certificate in PEM and nothing else")
    return der_of_base64(b"".join(match[1].split()))


def der_of_base64(text: bytes) -> bytes:
    """Return the certificate in padded base64 as DER; ``InvalidRequest`` for any other spelling."""
    try:
        der = a2b_base64(text)
    except Base64Error:
        der = b""
    # The decoder skips what it does not know; only the one spelling comes out the same again.
    if not der or b2a_base64(der, newline=False) != text:
        raise InvalidRequest("the certificate is not in base64 with padding")
    return _one_object(der)


def check_thumbprint(value: object) -> str:
    """Return ``value`` if it is the thumbprint of a certificate, or raise ``InvalidRequest``."""
    text = as_plain(value)
    if _THUMBPRINT.fullmatch(text):
        return text
    raise InvalidRequest("x5t is the SHA-256 of a certificate in DER, 43 characters of base64url")


def _one_object(der: object) -> bytes:
    """Return ``der`` if it is one SEQUENCE from its first byte to its last (X.690 §10.1)."""
    if isinstance(der, bytes) and _LEAST_BYTES <= (size := len(der)) <= MAX_CERTIFICATE_BYTES:
        if size <= _ONE_BYTE_OF_LENGTH:
            start = b"\x30\x81" + (size - 3).to_bytes(1)
        else:
            start = b"\x30\x82" + (size - 4).to_bytes(2)
        if der.startswith(start):
            return der
    raise InvalidRequest("this is not a certificate in DER")
