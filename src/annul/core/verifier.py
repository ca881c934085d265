"""The way of a token: text in, ``VerifiedToken`` or ``TokenRejected`` out.

The order is fixed, and each step only sees what the steps before it have let through::

    size, ASCII, two dots       jws.split                    Malformed
    canonical base64url         encoding                     Malformed
    header: alg typ crit kid    jws.judge_header             AlgorithmNotAllowed, WrongType, …
    exactly one key             JWKS.select                  UnknownKey
    signature                   over the received bytes      BadSignature
    payload as strict JSON      encoding                     Malformed
    claims                      Policy.check                 ClaimMismatch, Expired, NotYetValid
    binding                     cnf                          NotBound
    denylist                    Denylist.find                Revoked

A token that passed is remembered by its exact text, so the next time only what can change is
judged: time and binding at every call, the denylist whenever it has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from annul.core.claims import Judged, VerifiedToken, seal, system_clock
from annul.core.denylist import Denylist, Facts
from annul.core.encoding import EncodingError, decode_segment, parse_object
from annul.core.jwks import JWKS
from annul.core.jws import TrustedHeader, as_text, judge_header, split
from annul.core.policy import Policy
from annul.core.revocation import Fingerprinter, Kind
from annul.errors import (
    BadSignature,
    Expired,
    Malformed,
    Misconfigured,
    NotBound,
    NotYetValid,
    RefreshNeeded,
    Revoked,
    UnknownKey,
)

if TYPE_CHECKING:
    from annul.core.claims import Clock
    from annul.core.revocation import Revocation

__all__ = ["Verifier", "recheck"]

_MAX_HEADERS = 256
_LONGEST_REMEMBERED = 8_192
_MAX_CLIENTS = 4096
_EMPTY = 0

# Slot descriptors write past the read-only type, for the two things that a judgement renews.
_set_facts = vars(Judged)["_facts"].__set__
_set_version = vars(Judged)["_version"].__set__


class _Trust:
    """One key set and everything that was verified with it; replaced as a whole.

    A verification that began under an older key set stores its result here too, in the object it
    began with, so it can never be found under the newer one.
    """

    __slots__ = ("headers", "jwks", "marks", "old", "young")

    def __init__(self, jwks: JWKS, fingerprint: Fingerprinter) -> None:
        self.jwks = jwks
        self.marks = {key.kid: fingerprint(Kind.KEY, key.kid) for key in jwks}
        self.headers: dict[bytes, TrustedHeader] = {}
        self.young: dict[str, VerifiedToken] = {}
        self.old: dict[str, VerifiedToken] = {}


class Verifier:
    """Verifies access tokens against a key set, a policy and a denylist. No I/O, thread-safe.

    ``clock`` returns Unix time in seconds. ``cache_size`` is how many verified tokens are
    remembered, each taking about 2.5 kB; 0 remembers none. Tokens longer than 8,192 characters
    are verified afresh at every call.

    Example::

        verifier = Verifier(jwks=JWKS.from_json(text), policy=policy, denylist=Denylist())
        token = verifier.verify(raw)
    """

    __slots__ = (
        "_cache_size",
        "_clients",
        "_clock",
        "_fingerprint",
        "_issuer",
        "_trust",
        "denylist",
        "policy",
    )

    def __init__(
        self,
        *,
        jwks: JWKS,
        policy: Policy,
        denylist: Denylist,
        clock: Clock = system_clock,
        cache_size: int = 50_000,
    ) -> None:
        if not isinstance(denylist, Denylist):
            raise Misconfigured("denylist must be a Denylist; an empty one says nothing is revoked")
        if not isinstance(policy, Policy) or not isinstance(jwks, JWKS):
            raise Misconfigured("a verifier needs jwks=JWKS(…) and policy=Policy(…)")
        if isinstance(cache_size, bool) or not isinstance(cache_size, int) or cache_size < 0:
            raise Misconfigured("cache_size is how many tokens to remember, 0 or more")
        if not callable(clock):
            raise Misconfigured("clock is something that returns Unix time in seconds")
        self.policy = policy
        self.denylist = denylist
        self._clock = clock
        self._cache_size = cache_size // 2
        self._fingerprint = Fingerprinter(policy.issuer)
        self._clients: dict[str, bytes] = {}
        self._issuer = self._fingerprint(Kind.ISSUER, "")
        self._trust = _Trust(jwks, self._fingerprint)

    @property
    def jwks(self) -> JWKS:
        """The keys that are trusted now."""
        return self._trust.jwks

    def trust(self, jwks: JWKS) -> None:
        """Trust ``jwks`` from now on, and forget every verification made with the keys before."""
        self._trust = _Trust(jwks, self._fingerprint)

    def verify(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> VerifiedToken:
        """Return the verified token, or raise the ``TokenRejected`` that says why not.

        ``binding`` holds confirmation values that the caller has already proven, such as
        ``{"jkt": thumbprint}`` (RFC 7800); a token with ``cnf`` is refused unless every member of
        it is among them. Any input whatever gives a token or a ``TokenRejected``.
        """
        if type(token) is not str:
            token = as_text(token)
        trust = self._trust
        verified = trust.young.get(token) or self._first(trust, token)
        # The version is read before the look-ups: a change during them means judging again.
        version = self.denylist.version
        hit = None
        if verified._version != version:
            hit = self._judge(trust, verified, version)
        now = self._clock()
        if not verified._starts <= now < verified._ends:
            raise _out_of_time(verified, now)
        if verified._cnf is not None:
            _check_binding(verified._cnf, binding)
        if hit is not None:
            raise _refusal(hit)
        return verified

    def verify_ended(self, token: str | bytes) -> VerifiedToken:
        """Return the token if it is genuine, even if it has expired or been revoked.

        For logout and revocation: whoever holds a genuine token may end its session. Nothing else
        may be granted on the strength of the result.
        """
        return self._first(self._trust, as_text(token))

    # --- the first time a text is seen ------------------------------------------------

    def _first(self, trust: _Trust, token: str) -> VerifiedToken:
        verified = trust.old.get(token)
        if verified is None:
            verified = self._open(trust, token)
        if self._cache_size and len(token) <= _LONGEST_REMEMBERED:
            if len(trust.young) >= self._cache_size:
                # Two generations instead of moving entries at every hit: what is in use moves
                # over by itself, and the rest goes with the old one.
                trust.old, trust.young = trust.young, {}
            trust.young[token] = verified
        return verified

    def _open(self, trust: _Trust, token: str) -> VerifiedToken:
        policy = self.policy
        header, payload, signature, signing_input = split(token, policy.max_token_length)
        try:
            raw_signature = decode_segment(signature)
            raw_payload = decode_segment(payload)
        except EncodingError:
            raise Malformed("a segment is not canonical base64url") from None
        known = trust.headers.get(header)
        key, check = known or judge_header(
            header, trust.jwks, policy.algorithms, policy.media_types
        )
        try:
            check(raw_signature, signing_input)
        except InvalidSignature:
            raise BadSignature("the signature does not verify") from None
        if known is None:
            # Only after the signature: headers that anybody can write never get in.
            if len(trust.headers) >= _MAX_HEADERS:
                trust.headers.clear()
            trust.headers[header] = TrustedHeader(key, check)
        try:
            claims = parse_object(raw_payload)
        except EncodingError:
            raise Malformed("the payload is not strict JSON") from None

        judged = Judged()
        judged._starts, judged._ends, judged._since = policy.check(claims)
        judged._claims = claims
        cnf = None
        if "cnf" in claims:
            cnf = claims["cnf"]
            if type(cnf) is not dict:
                raise NotBound("cnf is not an object")
        judged._cnf = cnf
        judged._facts = None
        # The empty denylist, version 0, refuses nothing, so every token starts out judged by it.
        judged._version = _EMPTY
        judged.key_id = key.kid
        return seal(judged)

    # --- revocation -------------------------------------------------------------------

    def _judge(self, trust: _Trust, verified: VerifiedToken, version: int) -> Revocation | None:
        facts = verified._facts
        if facts is None:
            facts = self._state_facts(trust, verified)
            _set_facts(verified, facts)
        hit = self.denylist.find(facts)
        if hit is None:
            _set_version(verified, version)
        return hit

    def _state_facts(self, trust: _Trust, verified: VerifiedToken) -> Facts:
        fingerprint = self._fingerprint
        claims = verified._claims
        jti, sid, sub = claims.get("jti"), claims.get("sid"), claims.get("sub")
        client_id = claims.get("client_id")
        client = None
        if client_id is not None:
            client = self._clients.get(client_id)
            if client is None:
                if len(self._clients) >= _MAX_CLIENTS:
                    self._clients.clear()
                client = self._clients[client_id] = fingerprint(Kind.CLIENT, client_id)
        # Tokens of annul are placed by their log position; auth_time only if the caller gave one.
        began_at = claims.get("auth_time")
        if verified._since is None and began_at is None:
            began_at = claims.get("iat", 0)
        as_of = verified._since
        if as_of is not None and "as_of" in claims:
            as_of = tuple(claims["as_of"])  # checked by the policy
        return Facts(
            token=None if jti is None else fingerprint(Kind.TOKEN, jti),
            session=None if sid is None else fingerprint(Kind.SESSION, sid),
            subject=None if sub is None else fingerprint(Kind.SUBJECT, sub),
            client=client,
            issuer=self._issuer,
            key=trust.marks[verified.key_id],
            since=verified._since,
            began_at=began_at,
            as_of=as_of,
        )


def recheck(
    verifier: Verifier, token: VerifiedToken, binding: Mapping[str, str] | None = None
) -> None:
    """Raise what ``verifier`` would say now of a token that it has returned before.

    Everything is judged again but form and signature, which do not change. What another verifier
    has returned must not be asked about: it was judged by another denylist.
    """
    trust = verifier._trust
    if token.key_id not in trust.marks:
        raise UnknownKey("the token names a key that is not trusted")
    version = verifier.denylist.version
    hit = None
    if token._version != version:
        hit = verifier._judge(trust, token, version)
    now = verifier._clock()
    if not token._starts <= now < token._ends:
        raise _out_of_time(token, now)
    if token._cnf is not None:
        _check_binding(token._cnf, binding)
    if hit is not None:
        raise _refusal(hit)


def _refusal(hit: Revocation) -> Revoked | RefreshNeeded:
    if hit.kind is Kind.CLAIMS:
        return RefreshNeeded("the claims of this token are out of date; refresh it")
    return Revoked("the token has been revoked", revocation=hit)


def _out_of_time(verified: VerifiedToken, now: float) -> Expired | NotYetValid:
    if now >= verified._ends:
        return Expired("the token has expired")
    return NotYetValid("the token is not valid yet")


def _check_binding(cnf: dict[str, object], binding: Mapping[str, str] | None) -> None:
    """RFC 7800 §3.1: every confirmation that the issuer put in must be met."""
    # A copy in a plain dict answers like one, whatever kind of mapping the caller has.
    shown = dict(binding) if issubclass(type(binding), Mapping) else {}  # type: ignore[arg-type]
    for method, expected in cnf.items():
        value = shown.get(method)
        if (
            not isinstance(expected, str)
            or not isinstance(value, str)
            or not compare_digest(expected.encode(), value.encode("utf-8", "surrogatepass"))
        ):
            raise NotBound("the token is bound and no matching binding was presented")
    if not cnf:
        raise NotBound("cnf names no confirmation that could be met")
