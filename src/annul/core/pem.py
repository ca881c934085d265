"""PEM in and out, as ``openssl`` writes it: PKCS#8, PKCS#1, SEC1 and SubjectPublicKeyInfo.

Every file that cannot be used gets one sentence saying what it is and what would do, and never
any of its contents.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from annul.errors import InvalidKey

__all__ = ["load_private", "load_public", "write_private", "write_public"]

MAX_PEM_BYTES = 65_536
_ID_RSASSA_PSS = bytes.fromhex("06092a864886f70d01010a")
_BEGIN = b"-----BEGIN "
_PRIVATE = {b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY"}
_PUBLIC = {b"PUBLIC KEY", b"RSA PUBLIC KEY"}


def load_private(data: object, password: object) -> Any:  # noqa: ANN401 - one of many key types
    """Return the private key object in ``data``. Raises ``InvalidKey``."""
    pem, label = _the_block(data, _PRIVATE, "private")
    if password is not None and not isinstance(password, bytes):
        raise InvalidKey("the passphrase must be bytes")
    encrypted = label == b"ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in pem
    if encrypted and not password:
        raise InvalidKey("this private key is encrypted; give its passphrase")
    if not encrypted and password is not None:
        raise InvalidKey("this private key is not encrypted; leave the passphrase out")
    try:
        return load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        why = "the passphrase is wrong, or " if encrypted else ""
        raise InvalidKey(f"cannot read this private key: {why}the file is damaged") from None


def load_public(data: object) -> Any:  # noqa: ANN401 - one of many key types
    """Return the public key object in ``data``. Raises ``InvalidKey``."""
    pem, _label = _the_block(data, _PUBLIC, "public")
    try:
        return load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey("cannot read this public key: the file is damaged") from None


def _the_block(data: object, wanted: set[bytes], what: str) -> tuple[bytes, bytes]:
    """Return the one block of a wanted label, and the label."""
    if isinstance(data, str):
        data = data.encode("utf-8", "replace")
    if not isinstance(data, bytes):
        raise InvalidKey(f"a PEM {what} key is bytes or str")
    if len(data) > MAX_PEM_BYTES:
        raise InvalidKey("this is far too large for a PEM key")
    labels = [part.partition(b"-----")[0] for part in data.split(_BEGIN)[1:]]
    # openssl ecparam writes the curve into a block of its own before the key.
    labels = [label for label in labels if label != b"EC PARAMETERS"]
    if not labels:
        raise InvalidKey(f"this is not PEM; a {what} key starts with -----BEGIN")
    if len(labels) > 1:
        raise InvalidKey("this file holds several keys or certificates; give one key")
    label = labels[0]
    if label not in wanted:
        raise InvalidKey(f"this is {_name(label)}, not a {what} key in PEM that openssl writes")
    start = data.index(_BEGIN + label)
    if _is_for_pss(data[start:]):
        # RFC 4055 §1.2: such a key must not be used with another padding, and cryptography does
        # not say any more that it is one.
        raise InvalidKey("this RSA key is restricted to PSS; make one with -algorithm RSA")
    return data[start:], label


def _is_for_pss(pem: bytes) -> bool:
    try:
        der = a2b_base64(pem[len(_BEGIN) :].partition(b"-----")[2].partition(b"-----END")[0])
    except Base64Error:
        return False  # damaged, which the loader will say
    return _ID_RSASSA_PSS in der[:64]


def _name(label: bytes) -> str:
    if label in _PRIVATE:
        return "a private key"
    if label in _PUBLIC:
        return "a public key"
    if b"CERTIFICATE" in label:
        return "a certificate"
    if label == b"OPENSSH PRIVATE KEY":
        return "an OpenSSH key (convert it with ssh-keygen -p -m pkcs8)"
    return "something else"


def write_private(key: Any, password: bytes | None) -> bytes:  # noqa: ANN401
    """Return PKCS#8 PEM, encrypted if a password is given."""
    if password is None:
        encryption: Any = NoEncryption()
    elif isinstance(password, bytes) and password:
        encryption = BestAvailableEncryption(password)
    else:
        raise InvalidKey("the passphrase must be bytes, and not empty")
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def write_public(key: Any) -> bytes:  # noqa: ANN401
    """Return SubjectPublicKeyInfo PEM."""
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
