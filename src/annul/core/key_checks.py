"""Public keys judged as if an attacker had supplied them.

``cryptography`` accepts keys under which forging is easy: RSA with a square or even modulus or
exponent 3, Ed25519 points of small order (the identity accepts a signature of *any* message). Each
check says no with ``UnusableKey``; callers turn it into ``InvalidKey`` or skip the key.
"""

from __future__ import annotations

from math import gcd, isqrt, prod

__all__ = ["UnusableKey", "check_ed25519", "check_rsa"]


class UnusableKey(ValueError):
    """What is wrong with a key, in words that quote none of it."""


MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
_MIN_E, _MAX_E = 65_537, 2**32
_FERMAT_ROUNDS = 64


def _primes(limit: int) -> list[int]:
    sieve = bytearray([1]) * limit
    for n in range(2, isqrt(limit) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return [n for n in range(2, limit) if sieve[n]]


_SMALL_PRIMES = prod(_primes(2000))

# Infineon's broken generator (ROCA, CVE-2017-15361) only made primes that are powers of 65537
# modulo these; a product of two such primes is one too, which an honest modulus almost never is.
_ROCA = [
    (prime, frozenset(pow(65_537, power, prime) for power in range(prime)))
    for prime in _primes(168)[1:]
]


def check_rsa(n: int, e: int) -> None:
    """Raise ``UnusableKey`` for an RSA public key that is too weak or not one at all."""
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS:
        raise UnusableKey(f"an RSA modulus must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    if not _MIN_E <= e < _MAX_E or e % 2 == 0:
        raise UnusableKey("an RSA exponent must be odd and at least 65537")
    if gcd(n, _SMALL_PRIMES) != 1:
        raise UnusableKey("the RSA modulus has a small factor")
    if all(n % prime in powers for prime, powers in _ROCA):
        raise UnusableKey("the RSA modulus comes from a broken generator (ROCA)")
    if _close_factors(n):
        raise UnusableKey("the RSA modulus has two factors close to each other")


def _close_factors(n: int) -> bool:
    """Fermat's method, a few steps of it: it also finds perfect squares."""
    a = isqrt(n)
    if a * a < n:
        a += 1
    rest = a * a - n
    for _ in range(_FERMAT_ROUNDS):
        # Squares end in few bit patterns; looking at them first spares most square roots.
        if rest & 15 in {0, 1, 4, 9} and isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * a + 1
        a += 1
    return False


# --- Ed25519 (RFC 8032 §5.1) ------------------------------------------------------------

_P = 2**255 - 19
_D = -121_665 * pow(121_666, -1, _P) % _P
# y of the points of order 1, 2, 4 and 8. Together with both signs of x these are all eight.
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def check_ed25519(raw: bytes) -> None:
    """Raise ``UnusableKey`` unless 32 bytes are the canonical form of a point worth trusting."""
    if len(raw) != 32:  # noqa: PLR2004 - RFC 8032 §5.1.5
        raise UnusableKey("an Ed25519 key is 32 bytes")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _P:
        raise UnusableKey("the Ed25519 key is not canonical")
    if y in _SMALL_ORDER_Y:
        raise UnusableKey("the Ed25519 key is a point of small order")
    # x² = (y² - 1) / (d·y² + 1) must have a root, or there is no such point. x is 0 only for
    # points of small order, so both signs of it are canonical here.
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        raise UnusableKey("the Ed25519 key is not a point on the curve")
