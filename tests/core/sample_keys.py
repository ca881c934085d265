"""Keys that the tests of this folder sign with: one of each kind, made once per process."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from annul.core.algorithms import ALGORITHMS
from annul.core.jwk import PrivateKey

EVERY_ALG = tuple(ALGORITHMS)
RSA_ALGS = tuple(name for name in EVERY_ALG if ALGORITHMS[name].kty == "RSA")
EC_ALGS = tuple(name for name in EVERY_ALG if ALGORITHMS[name].kty == "EC")
MLDSA_ALGS = tuple(name for name in EVERY_ALG if ALGORITHMS[name].kty == "AKP")


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    # The shortest modulus that is allowed: making a longer one takes noticeably longer.
    return rsa.generate_private_key(65_537, 2048)


@cache
def private_key(alg: str) -> PrivateKey:
    return PrivateKey(rsa_key(), alg=alg) if alg in RSA_ALGS else PrivateKey.generate(alg)


@cache
def other_key(alg: str) -> PrivateKey:
    if alg in RSA_ALGS:
        return PrivateKey(rsa.generate_private_key(65_537, 2048), alg=alg)
    return PrivateKey.generate(alg)
