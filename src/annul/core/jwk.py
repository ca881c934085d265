"""Keys: ``PublicKey`` checks, ``PrivateKey`` signs. Each is used with exactly one algorithm.

A key that exists has been judged (``key_checks``), so nothing below asks again. ``kid`` is the
RFC 7638 thumbprint, unless a foreign JWK brings a name of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from annul.core import jwk_members as members
from annul.core import pem
from annul.core.algorithms import ALGORITHMS, Checker
from annul.core.encoding import EncodingError, b64url_encode
from annul.core.key_checks import UnusableKey, check_ed25519, check_rsa
from annul.core.revocation import identifier
from annul.errors import AlgorithmNotAllowed, InvalidKey, InvalidRequest

__all__ = ["PrivateKey", "PublicKey"]

MAX_KID_LENGTH = 256
_RSA_BITS = 3072
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "priv"})


class PublicKey:
    """A public key, ready to check signatures.

    ``kid`` names it, ``algorithms`` are the ``alg`` values it accepts: exactly one if the JWK
    states it or the type leaves no choice. Construct it with ``from_jwk`` or ``from_pem``.
    """

    __slots__ = ("_checkers", "_key", "_named", "algorithms", "kid", "thumbprint")

    def __init__(self, key: Any, *, alg: str | None = None, kid: str | None = None) -> None:  # noqa: ANN401
        if members.is_private(key):
            raise InvalidKey("this public key cannot be used: it is a private key")
        try:
            possible = members.algorithms_of(key)
            _judge(key)
        except UnusableKey as error:
            raise InvalidKey(f"this public key cannot be used: {error}") from None
        self._key = key
        self.algorithms = _narrow(possible, alg)
        self.thumbprint = _thumbprint(members.public_members(key))
        self._named = kid is not None
        self.kid = self.thumbprint if kid is None else kid
        self._checkers: dict[str, Checker] = {}

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> PublicKey:
        """Return the key that a JWK describes (RFC 7517).

        ``use``, ``key_ops``, ``alg`` and ``kid`` are honoured, unknown members ignored. Private
        members are not kept, but must be those of the same key. Raises ``InvalidKey``.
        """
        alg, kid = _check_common(jwk, "verify")
        key = cls(_read(members.read_public, jwk), alg=alg, kid=kid)
        if not _PRIVATE_MEMBERS.isdisjoint(jwk):
            _read(members.check_private_part, jwk)
        return key

    @classmethod
    def from_pem(
        cls, data: bytes | str, *, alg: str | None = None, kid: str | None = None
    ) -> PublicKey:
        """Return the key of a PEM file, as ``openssl pkey -pubout`` writes; or ``InvalidKey``."""
        if kid is not None:
            _check_kid(kid)
        return cls(pem.load_public(data), alg=alg, kid=kid)

    def check(self, alg: str) -> Checker:
        """Return ``check(signature, signing_input)``, which raises ``InvalidSignature``.

        Raises ``AlgorithmNotAllowed`` if this key is not to be used with ``alg`` (RFC 8725 §3.1).
        """
        checker = self._checkers.get(alg)
        if checker is None:
            if alg not in self.algorithms:
                raise AlgorithmNotAllowed("the key is not to be used with the header's alg")
            checker = self._checkers[alg] = ALGORITHMS[alg].make_checker(self._key)
        return checker

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK with ``kid``, ``use`` and, if there is just one, ``alg``."""
        jwk = members.public_members(self._key)
        if len(self.algorithms) == 1:
            jwk["alg"] = self.algorithms[0]
        return jwk | {"use": "sig", "kid": self.kid}

    def to_pem(self) -> bytes:
        """Return SubjectPublicKeyInfo PEM, byte for byte as ``openssl pkey -pubout`` writes it."""
        return pem.write_public(self._key)

    @property
    def has_own_name(self) -> bool:
        """Whether ``kid`` was given, rather than derived from the key."""
        return self._named

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PublicKey)
            and self.thumbprint == other.thumbprint
            and self.kid == other.kid
            and self.algorithms == other.algorithms
        )

    def __hash__(self) -> int:
        return hash((self.kid, self.thumbprint))

    def __repr__(self) -> str:
        return f"PublicKey(kid={self.kid!r}, algorithms={self.algorithms!r})"


class PrivateKey:
    """A private key and the one algorithm it signs with.

    ``kid`` is the RFC 7638 thumbprint, ``public`` the key that verifies. Neither ``repr`` nor
    pickling gives the private part away; ``to_pem`` and ``to_jwk`` are the ways to get it.
    """

    __slots__ = ("_key", "_sign", "alg", "kid", "public")

    def __init__(self, key: Any, *, alg: str | None = None) -> None:  # noqa: ANN401
        if not members.is_private(key):
            raise InvalidKey("this private key cannot be used: it is not one")
        try:
            possible = members.algorithms_of(key)
        except UnusableKey as error:
            raise InvalidKey(f"this private key cannot be used: {error}") from None
        self.alg = _narrow(possible, alg)[0]
        self.public = PublicKey(key.public_key(), alg=self.alg)
        self.kid = self.public.kid
        self._key = key
        self._sign = ALGORITHMS[self.alg].make_signer(key)

    @classmethod
    def generate(cls, alg: str) -> PrivateKey:
        """Return a new key for ``alg``; RSA keys have 3072 bits. Raises ``InvalidKey``."""
        row = ALGORITHMS.get(alg) if isinstance(alg, str) else None
        if row is None:
            raise InvalidKey(f"no such algorithm; use one of {', '.join(ALGORITHMS)}")
        if row.kty == "RSA":
            return cls(rsa.generate_private_key(65_537, _RSA_BITS), alg=alg)
        if row.crv in members.CURVES:
            return cls(ec.generate_private_key(members.CURVES[row.crv][0]), alg=alg)
        if row.kty == "OKP":
            return cls(ed25519.Ed25519PrivateKey.generate(), alg=alg)
        return cls(members.mldsa_private(alg).generate(), alg=alg)

    @classmethod
    def from_pem(
        cls, data: bytes | str, *, password: bytes | None = None, alg: str | None = None
    ) -> PrivateKey:
        """Return the key in a PEM file as ``openssl genpkey`` or ``openssl genrsa`` writes it.

        ``password`` opens an encrypted file. ``alg`` chooses for RSA, by default ``RS256``. Raises
        ``InvalidKey`` with what is wrong: not a private key, a wrong passphrase, a weak key.
        """
        return cls(pem.load_private(data, password), alg=alg)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> PrivateKey:
        """Return the key of a private JWK, both parts of one key. Raises ``InvalidKey``."""
        alg, _kid = _check_common(jwk, "sign")
        return cls(_read(members.read_private, jwk), alg=alg)

    def sign(self, data: bytes) -> bytes:
        """Return the signature over ``data`` as JOSE writes it (R‖S for ECDSA)."""
        return self._sign(data)

    def to_pem(self, *, password: bytes | None = None) -> bytes:
        """Return PKCS#8 PEM, encrypted if ``password`` is given. It holds the private key."""
        return pem.write_private(self._key, password)

    def to_jwk(self) -> dict[str, str]:
        """Return the private JWK. It holds the private key."""
        return self.public.to_jwk() | members.private_members(self._key)

    def __repr__(self) -> str:
        return f"PrivateKey(kid={self.kid!r}, alg={self.alg!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse: a private key does not travel by accident."""
        raise TypeError("a PrivateKey cannot be pickled; use to_pem() on purpose")


def _judge(key: Any) -> None:  # noqa: ANN401 - any key object
    # Also keys that came as PEM: cryptography alone lets weak ones pass.
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        check_rsa(numbers.n, numbers.e)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        check_ed25519(key.public_bytes_raw())


def _narrow(possible: tuple[str, ...], alg: str | None) -> tuple[str, ...]:
    if alg is None:
        return possible
    if alg not in possible:
        raise InvalidKey(f"this key can be used with {', '.join(possible)} only")
    return (alg,)


def _thumbprint(public: dict[str, str]) -> str:
    """RFC 7638 §3: the required members only, sorted, without white space."""
    text = json.dumps(public, sort_keys=True, separators=(",", ":"))
    return b64url_encode(sha256(text.encode("ascii")).digest())


def _read(reader: Callable[[Mapping[str, Any]], Any], jwk: Mapping[str, Any]) -> Any:  # noqa: ANN401
    try:
        return reader(jwk)
    except (UnusableKey, EncodingError) as error:
        raise InvalidKey(f"this JWK cannot be used: {error}") from None
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        # The words of others might quote numbers of the key.
        raise InvalidKey("this JWK cannot be used: its numbers are not those of a key") from None


def _check_common(jwk: object, operation: str) -> tuple[str | None, str | None]:
    """RFC 7517 §4: check ``use``, ``key_ops``, ``alg`` and ``kid``; return the last two."""
    if not isinstance(jwk, Mapping):
        raise InvalidKey("a JWK is a JSON object")
    if "use" in jwk and jwk["use"] != "sig":
        raise InvalidKey("this JWK is not for signatures (use)")
    if "key_ops" in jwk:
        operations = jwk["key_ops"]
        if (
            not isinstance(operations, list)
            or not all(isinstance(name, str) for name in operations)
            or len(set(operations)) != len(operations)
        ):
            raise InvalidKey("key_ops must be an array of distinct names")
        # A private key that is allowed to sign implies a public one that may verify.
        allowed = {operation, "sign"} if not _PRIVATE_MEMBERS.isdisjoint(jwk) else {operation}
        if allowed.isdisjoint(operations) or not {"sign", "verify"}.issuperset(operations):
            raise InvalidKey("key_ops does not allow this use")
    alg = jwk.get("alg")
    if "alg" in jwk and (not isinstance(alg, str) or alg not in ALGORITHMS):
        raise InvalidKey("alg is not a signature algorithm of annul")
    kid = jwk.get("kid")
    if "kid" in jwk:
        _check_kid(kid)
    return alg, kid


def _check_kid(kid: object) -> None:
    try:
        too_long = len(identifier(kid, "kid")) > MAX_KID_LENGTH
    except InvalidRequest as error:
        raise InvalidKey(str(error)) from None
    if too_long:
        raise InvalidKey(f"kid must be 1 to {MAX_KID_LENGTH} characters")
