"""The way of a token through the verifier: which of several faults is reported."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from annul.core.encoding import b64url_encode
from annul.core.policy import Policy
from annul.core.revocation import Kind, Revocation
from annul.core.verifier import Verifier
from annul.errors import (
    AlgorithmNotAllowed,
    BadSignature,
    ClaimMismatch,
    Expired,
    Malformed,
    Misconfigured,
    NotBound,
    NotYetValid,
    Revoked,
    TokenRejected,
    UnknownKey,
    WrongType,
)
from annul.testing import ISSUER, NOW
from tests.judging import Judge, revocation
from tests.signing import (
    AUDIENCE,
    KEY,
    KEYS,
    OTHER_KEY,
    POLICY,
    sample_claims,
    sample_header,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.claims import VerifiedToken
    from annul.core.jwk import PrivateKey


@dataclass
class Draft:
    """A token in the making, for faults to be put into."""

    header: dict[str, Any] = field(default_factory=sample_header)
    claims: dict[str, Any] = field(default_factory=sample_claims)
    revocations: list[Revocation] = field(default_factory=list)
    key: PrivateKey = KEY
    after_payload: str = ""
    after_token: str = ""

    def text(self) -> str:
        payload = json.dumps(self.claims) + self.after_payload
        return signed(payload.encode(), self.header, self.key) + self.after_token

    def judge(self) -> VerifiedToken:
        judge = Judge()
        judge.denylist.apply(self.revocations)
        return judge.verify(self.text())


Fault = tuple[type[TokenRejected], "Callable[[Draft], object]"]

# In the order in which they are looked for.
FAULTS: dict[str, Fault] = {
    "four segments": (Malformed, lambda t: setattr(t, "after_token", ".")),
    "alg": (AlgorithmNotAllowed, lambda t: t.header.update(alg="HS256")),
    "typ": (WrongType, lambda t: t.header.update(typ="JWT")),
    "crit": (Malformed, lambda t: t.header.update(crit=["exp"])),
    "kid": (UnknownKey, lambda t: t.header.update(kid="nobody")),
    "signature": (BadSignature, lambda t: setattr(t, "key", OTHER_KEY)),
    "payload": (Malformed, lambda t: setattr(t, "after_payload", "{")),
    "missing claim": (ClaimMismatch, lambda t: t.claims.pop("jti")),
    "expired": (Expired, lambda t: t.claims.update(exp=NOW - 1)),
    "too early": (NotYetValid, lambda t: t.claims.update(nbf=NOW + 1)),
    "binding": (NotBound, lambda t: t.claims.update(cnf={"jkt": "thumb"})),
    "revoked": (Revoked, lambda t: t.revocations.append(revocation(Kind.TOKEN, "token-1"))),
}


def test_the_sample_is_accepted() -> None:
    assert Draft().judge().subject == "alice"


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_is_refused_as_what_it_is(fault: str) -> None:
    refusal, spoil = FAULTS[fault]
    draft = Draft()
    spoil(draft)

    with pytest.raises(TokenRejected) as caught:
        draft.judge()

    assert type(caught.value) is refusal


@pytest.mark.parametrize(("earlier", "later"), list(combinations(FAULTS, 2)))
def test_of_two_faults_the_earlier_is_reported(earlier: str, later: str) -> None:
    draft = Draft()
    for name in (earlier, later):
        FAULTS[name][1](draft)

    with pytest.raises(TokenRejected) as caught:
        draft.judge()

    assert type(caught.value) is FAULTS[earlier][0]


def test_an_unknown_key_is_reported_before_an_algorithm_it_could_not_have() -> None:
    with pytest.raises(UnknownKey):
        Judge().verify(signed(header=sample_header(alg="ES256", kid="nobody")))
    with pytest.raises(AlgorithmNotAllowed):
        Judge().verify(signed(header=sample_header(alg="ES256"), key=OTHER_KEY))


def test_a_token_of_any_length_is_measured_before_it_is_looked_at() -> None:
    token = signed()
    short = Policy(issuer=ISSUER, audience=AUDIENCE, max_token_length=len(token) - 1)
    exact = Policy(issuer=ISSUER, audience=AUDIENCE, max_token_length=len(token))

    assert Judge(policy=exact).verify(token).jti == "token-1"
    with pytest.raises(Malformed):
        Judge(policy=short).verify(token)


@pytest.mark.parametrize("denylist", [None, [], {}, "none"])
def test_a_verifier_without_a_denylist_is_not_built(denylist: Any) -> None:  # noqa: ANN401 - many
    with pytest.raises(Misconfigured):
        Verifier(jwks=KEYS, policy=POLICY, denylist=denylist)


def test_the_signature_is_over_the_bytes_received() -> None:
    head, payload, signature = signed(json.dumps(sample_claims(), indent=2).encode()).split(".")
    compact = b64url_encode(json.dumps(sample_claims(), separators=(",", ":")).encode())

    assert Judge().verify(f"{head}.{payload}.{signature}").subject == "alice"
    with pytest.raises(BadSignature):
        Judge().verify(f"{head}.{compact}.{signature}")
