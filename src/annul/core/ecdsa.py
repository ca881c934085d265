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
    first, second = signature[0], signature[half]
    if first and second:
        # Almost always both numbers fill their half, and only their top bits make a difference.
        before, between = _SHAPES[half][first >> 7 << 1 | second >> 7]
        return before + signature[:half] + between + signature[half:]
    r = _integer(signature[:half])
    s = _integer(signature[half:])
    return _sequence(len(r) + len(s)) + r + s


def _sequence(size: int) -> bytes:
    return b"\x30%c" % size if size < _SHORT else b"\x30\x81%c" % size


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
    start = 4 if signature[1] < _SHORT else 5
    r_end = start + signature[start - 1]
    s_start = r_end + 2
    if r_end - start >= half <= len(signature) - s_start:
        # Both fill their half, perhaps with a zero before that keeps them positive.
        return signature[r_end - half : r_end] + signature[-half:]
    r = signature[start:r_end].lstrip(b"\0")
    s = signature[s_start:].lstrip(b"\0")
    return r.rjust(half, b"\0") + s.rjust(half, b"\0")


def _shapes(half: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return what stands before R and between R and S, by the top bits of both."""
    shapes = []
    for top in range(4):
        r, s = (b"\x02%c\0" % (half + 1) if top & bit else b"\x02%c" % half for bit in (2, 1))
        shapes.append((_sequence(len(r) + len(s) + 2 * half) + r, s))
    return tuple(shapes)


_SHAPES = {half: _shapes(half) for half in (32, 48, 66)}
