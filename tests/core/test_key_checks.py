"""RSA keys from an attacker, each beside a harmless one that differs in one thing."""

from __future__ import annotations

from math import gcd, prod
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import annul
from annul.core.encoding import b64url_encode
from annul.core.key_checks import UnusableKey, check_rsa
from tests.core.sample_keys import rsa_key

SMALL_PRIMES = [n for n in range(2, 2000) if all(n % d for d in range(2, int(n**0.5) + 1))]
SMALL = prod(SMALL_PRIMES)


def number(bits: int, name: str = "p") -> int:
    """Return an odd number of exactly this length without factors below 2000, always the same."""
    # The two highest bits are ones, so that a product has as many bits as it should.
    found = Random(f"{name} {bits}").getrandbits(bits) | 3 << (bits - 2) | 1
    while gcd(found, SMALL) != 1:
        found += 2
    return found


def is_usable(n: int, e: int = 65_537) -> bool:
    try:
        check_rsa(n, e)
    except UnusableKey:
        return False
    return True


def octets(value: int) -> str:
    return b64url_encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(n: int, e: int = 65_537) -> dict[str, str]:
    return {"kty": "RSA", "n": octets(n), "e": octets(e)}


MODULUS = rsa_key().public_key().public_numbers().n


def test_an_honest_key_is_usable() -> None:
    assert is_usable(MODULUS)
    assert annul.PublicKey.from_jwk(jwk(MODULUS)).algorithms[0] == "RS256"


# --- sizes: RFC 7518 §3.3, JWS-12 -----------------------------------------------------


@pytest.mark.parametrize(
    ("bits", "usable"),
    [
        (512, False),
        (1024, False),
        (1536, False),
        (2047, False),
        (2048, True),
        (2049, True),
        (3072, True),
        (4096, True),
        (8192, True),
        (8193, False),
        (16_384, False),
        (20_001, False),
        (200_000, False),
    ],
)
def test_a_modulus_has_2048_to_8192_bits(bits: int, usable: bool) -> None:
    assert is_usable(number(bits)) == usable


@pytest.mark.parametrize("bits", [512, 1024, 2047, 8193, 200_000])
def test_a_key_of_another_size_is_refused_as_jwk(bits: int) -> None:
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk(jwk(number(bits)))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_modulus_that_is_no_modulus_is_refused(n: int) -> None:
    assert not is_usable(n)


def test_a_short_key_made_by_cryptography_itself_is_refused_too() -> None:
    key = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - too short, on purpose
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey(key.public_key())
    with pytest.raises(annul.InvalidKey):
        annul.PrivateKey(key)


# --- exponents ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("e", "usable"),
    [
        (0, False),
        (1, False),
        (2, False),
        (3, False),
        (17, False),
        (65_535, False),
        (65_536, False),
        (65_537, True),
        (65_538, False),
        (65_539, True),
        (2**32 - 1, True),
        (2**32, False),
        (2**32 + 1, False),
        (2**256 + 1, False),
        (-65_537, False),
    ],
)
def test_an_exponent_is_odd_and_of_a_sane_size(e: int, usable: bool) -> None:
    assert is_usable(MODULUS, e) == usable


@pytest.mark.parametrize("e", [1, 2, 3, 65_536, 2**32 + 1])
def test_a_key_with_another_exponent_is_refused_as_jwk(e: int) -> None:
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk(jwk(MODULUS, e))


def test_exponent_3_is_refused_where_cryptography_takes_it() -> None:
    public = rsa.RSAPublicNumbers(3, MODULUS).public_key()
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey(public)


# --- factors --------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 5, 17, 641, 1999])
def test_a_modulus_with_a_small_factor_is_refused(factor: int) -> None:
    assert not is_usable(number(2048) * factor)


def test_the_first_prime_beyond_the_small_ones_is_not_looked_for() -> None:
    # The bound is part of what the check promises; finding larger ones is what RSA rests on.
    assert is_usable(number(2048) * 2003)


def test_an_even_modulus_is_refused_where_cryptography_takes_it() -> None:
    even = MODULUS + 1
    public = rsa.RSAPublicNumbers(65_537, even).public_key()
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey(public)


def test_a_square_is_refused() -> None:
    root = number(1024)
    assert not is_usable(root * root)
    assert is_usable(root * number(1024, "q"))


@pytest.mark.parametrize(
    ("distance_bits", "usable"), [(2, False), (64, False), (256, False), (512, False), (530, True)]
)
def test_factors_close_to_each_other_are_refused(distance_bits: int, usable: bool) -> None:
    # Fermat's method takes about distance² / (8·√n) steps: none at all up to half the bits of a
    # factor, which is where a generator that takes the next prime ends up.
    p = number(1024)
    q = p + (1 << distance_bits)
    while gcd(q, SMALL) != 1:
        q += 2

    assert is_usable(p * q) == usable


# --- ROCA: CVE-2017-15361 -------------------------------------------------------------

TESTED = [prime for prime in SMALL_PRIMES if 2 < prime < 168]
PRIMORIAL = prod(TESTED)


def power_of_65537(name: str, but_not_at: int | None = None) -> int:
    """Return a factor as the broken generator made them, or one that is off at a single prime."""
    random = Random(name)
    residue = pow(65_537, random.getrandbits(64), PRIMORIAL)
    if but_not_at is not None:
        powers = {pow(65_537, n, but_not_at) for n in range(but_not_at)}
        while residue % but_not_at in powers | {0}:
            residue += PRIMORIAL // but_not_at
    if residue % 2 == 0:
        residue += PRIMORIAL  # which is odd
    found = residue + (random.getrandbits(1024) | 3 << 1022) // PRIMORIAL // 2 * 2 * PRIMORIAL
    while gcd(found, SMALL) != 1:
        found += 2 * PRIMORIAL
    return found


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_modulus_of_the_broken_generator_is_refused(name: str) -> None:
    assert not is_usable(power_of_65537(name) * power_of_65537(name + name))


@pytest.mark.parametrize("prime", [11, 13, 37, 97, 157])
def test_one_residue_that_the_broken_generator_never_made_clears_a_modulus(prime: int) -> None:
    # A power times what is no power is no power.
    assert is_usable(power_of_65537("a") * power_of_65537("aa", but_not_at=prime))


def test_moduli_of_honest_generators_are_usable() -> None:
    for n in range(100):
        assert is_usable(number(1024, f"p{n}") * number(1024, f"q{n}"))
