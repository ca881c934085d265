"""ECDSA signatures between the two ways they are written: JOSE's R‖S and ASN.1 DER.

Written by hand because it stands on the path of every first verification, where the general
encoder costs as much as all other bookkeeping together. Both directions are tested against it.
"""

from __future__ import annotations

__all__ = ["der_from_raw", "raw_from_der"]

_SHORT = 0x80


def der_from_raw(signature: bytes, half: int) -> bytes:
    """Return the DER form of R‖S with ``half`` bytes each.

    The values are not judged here: a zero or too large R or S is encoded as it is, and refused
    where the signature is checked.
    """
    r = _integer(signature[:half])
    s = _integer(signature[half:])
    size = len(r) + len(s)
    if size < _SHORT:
        return b"\x30%c%b%b" % (size, r, s)
    return b"\x30\x81%c%b%b" % (size, r, s)


def _integer(value: bytes) -> bytes:
    if value[0] == 0:
        # DER wants the shortest form, and at least one byte.
        value = value.lstrip(b"\0") or b"\0"
    if value[0] & _SHORT:
        # A leading one bit would mean a negative number.
        return b"\x02%c\0%b" % (len(value) + 1, value)
    return b"\x02%c%b" % (len(value), value)


def raw_from_der(signature: bytes, half: int) -> bytes:
    """Return R‖S, ``half`` bytes each, of a DER signature that our own signer has just made."""
    start = 2 if signature[1] < _SHORT else 3
    r_end = start + 2 + signature[start + 1]
    r = signature[start + 2 : r_end].lstrip(b"\0")
    s = signature[r_end + 2 :].lstrip(b"\0")
    return r.rjust(half, b"\0") + s.rjust(half, b"\0")
