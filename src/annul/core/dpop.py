"""DPoP: access tokens that are of no use without the key they are bound to (RFC 9449).

A client sends a proof with every request: a JWS under its own key, about this request and this
access token. The token names the thumbprint of that key. So a copied token is not enough, and a
copied proof is good for one request, at one URL, that has been made already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from annul.core.algorithms import ALGORITHMS
from annul.core.binding import bound_key, challenge, thumbprint
from annul.core.claims import system_clock
from annul.core.dpop_nonces import DPoPNonces
from annul.core.dpop_proof import (
    DPoPProof,
    Expected,
    ProofKey,
    access_token_hash,
    check_signature,
    judge_claims,
    parts_of,
    read_key,
)
from annul.core.handle import as_plain
from annul.core.htu import UnusableURL, normalize
from annul.core.jws import check_algorithms
from annul.core.replay import ReplayMemory
from annul.errors import InvalidDPoPProof, InvalidRequest, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Collection

    from annul.core.claims import Clock, VerifiedToken
    from annul.core.replay import ProofMemory
    from annul.errors import TokenRejected

__all__ = ["DPoP"]

_MAX_AGE = 300
_MAX_AHEAD = 60
_MAX_KEYS = 1024


class Verifies(Protocol):
    """**Protocol:** a ``Replica``, an authority or a ``Verifier``."""

    def verify(
        self, token: str | bytes, binding: Mapping[str, str] | None = None
    ) -> VerifiedToken: ...


class DPoP:
    """Checks DPoP proofs for one server. No I/O, thread-safe; make one and keep it.

    ``algorithms`` narrows what proofs may be signed with. A proof is accepted once, at most
    ``max_age`` seconds after its ``iat`` (1 to 300), which may be ``ahead`` seconds in the future
    (0 to 60). ``memory`` knows which proofs were used, by default those of this process; ``nonces``
    makes every proof carry a recent one. ``clock`` returns Unix time.

    Raises ``Misconfigured`` for settings that cannot work.

    Example::

        dpop = annul.DPoP()
        token = dpop.verify(replica, raw, request.headers.getlist("DPoP"),
                            method=request.method, url="https://api.example" + request.path)
    """

    __slots__ = ("_ahead", "_clock", "_keys", "_max_age", "_memory", "algorithms", "nonces")

    def __init__(
        self,
        *,
        algorithms: Collection[str] = tuple(ALGORITHMS),
        max_age: float = 60,
        ahead: float = 10,
        memory: ProofMemory | None = None,
        nonces: DPoPNonces | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.algorithms = check_algorithms(algorithms)
        self._max_age = _seconds(max_age, "max_age", 1, _MAX_AGE)
        self._ahead = _seconds(ahead, "ahead", 0, _MAX_AHEAD)
        if not callable(clock):
            raise Misconfigured("clock is something that returns Unix time in seconds")
        if nonces is not None and not isinstance(nonces, DPoPNonces):
            raise Misconfigured("nonces is DPoPNonces(), or None to ask for none")
        if memory is not None and not callable(getattr(memory, "seen", None)):
            raise Misconfigured("memory has a method seen(digest, until)")
        self._memory = ReplayMemory(clock=clock) if memory is None else memory
        self.nonces = nonces
        self._clock = clock
        self._keys: dict[bytes, ProofKey] = {}

    def verify(
        self,
        verifier: Verifies,
        token: str | bytes,
        proofs: str | bytes | Sequence[str | bytes],
        *,
        method: str,
        url: str,
        binding: Mapping[str, str] | None = None,
    ) -> VerifiedToken:
        """Return the verified token of a request with the scheme ``DPoP``, or raise.

        ``verifier`` is what verifies tokens otherwise: a ``Replica``, an authority, a ``Verifier``.
        ``token`` is what follows the scheme in ``Authorization``, ``proofs`` every value of the
        header ``DPoP``, of which there must be exactly one. ``method`` and ``url`` are those of the
        request; ``url`` as the client sees it, so its scheme and host come from your settings and
        not from a header. ``binding`` holds what was proven otherwise, for tokens with more in
        ``cnf`` than a key.

        Raises ``InvalidDPoPProof`` or ``UseDPoPNonce`` for the proof; ``NotBound`` for a token that
        is bound to another key, or to none; whatever ``verifier`` raises; ``TooManyProofs``; and
        ``InvalidRequest`` for a method or URL that cannot be used.
        """
        proof = self._judge(proofs, method, url, access_token_hash(token))
        others = dict(binding) if issubclass(type(binding), Mapping) else {}  # type: ignore[arg-type]  # by the real type
        verified = verifier.verify(token, others | proof.binding)
        bound_key(verified)
        # Last, so that only who has a good token can put anything into the memory.
        self._use(proof)
        return verified

    def prove(
        self,
        proofs: str | bytes | Sequence[str | bytes],
        *,
        method: str,
        url: str,
        access_token: str | bytes | None = None,
        jkt: str | None = None,
    ) -> DPoPProof:
        """Return the proof of a request, or raise as ``verify`` does.

        For a token endpoint, where a proof comes without an access token and the thumbprint goes
        into ``login`` or ``refresh``; ``jkt`` is what the client announced as ``dpop_jkt``, and the
        key must be that one (RFC 9449 §10). With ``access_token`` the proof must be about it, and
        ``binding`` of the result is for a ``verify`` of that token; prefer ``DPoP.verify``, which
        spends no memory on tokens that turn out bad.
        """
        ath = None if access_token is None else access_token_hash(access_token)
        proof = self._judge(proofs, method, url, ath)
        if jkt is not None and proof.jkt != thumbprint(jkt):
            raise InvalidDPoPProof("the proof is made with another key than was announced")
        self._use(proof)
        return proof

    def challenge(self, error: TokenRejected | None = None) -> dict[str, str]:
        """Return the headers that go with status 401: ``WWW-Authenticate``, perhaps a nonce.

        ``error`` is why the request was refused; without it, no token had come. Only the codes of
        RFC 9449 and RFC 6750 are given away.
        """
        return challenge(error, self.algorithms)

    def _judge(self, proofs: object, method: object, url: object, ath: str | None) -> DPoPProof:
        expected = Expected(
            method=_method(method),
            url=_target(url),
            now=self._clock(),
            max_age=self._max_age,
            ahead=self._ahead,
            nonces=self.nonces,
            ath=ath,
        )
        header, payload, signature, signing_input = parts_of(_only(proofs))
        known = self._keys.get(header)
        key = known or read_key(header, self.algorithms)
        check_signature(key, signature, signing_input)
        if known is None:
            # Only after the signature: who has no key at all never gets in.
            if len(self._keys) >= _MAX_KEYS:
                self._keys.clear()
            self._keys[header] = key
        return judge_claims(payload, key, expected)

    def _use(self, proof: DPoPProof) -> None:
        used: Any = self._memory.seen(proof.digest, proof.until)
        if used is False:
            return
        if used is True:
            raise InvalidDPoPProof("the proof was used before")
        raise Unavailable("the memory of proofs must answer True or False")

    def __repr__(self) -> str:
        return f"DPoP(max_age={self._max_age!r}, ahead={self._ahead!r}, nonces={self.nonces!r})"


def _seconds(value: object, name: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Misconfigured(f"{name} must be {least} to {most} seconds")
    return value


def _only(proofs: object) -> object:
    """RFC 9449 §4.3, 1: not more than one header field."""
    if issubclass(type(proofs), list | tuple):
        if len(proofs) != 1:  # type: ignore[arg-type]  # the line above made it a sequence
            raise InvalidDPoPProof("exactly one DPoP header is needed")
        return proofs[0]  # type: ignore[index]  # the same
    return proofs


def _method(method: object) -> str:
    text = as_plain(method)
    if not text:
        raise InvalidRequest("method is the method of the request, as it was received")
    return text


def _target(url: object) -> str:
    try:
        return normalize(as_plain(url))
    except UnusableURL as error:
        raise InvalidRequest(f"url is the whole URL of the request: {error}") from None
