"""Tokens of another issuer: their keys are given, our store keeps what is revoked of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

import annul
from tests.stage import ACCEPTED, Stage, await_entry, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

IDP = "https://idp.example"
AUDIENCE = "https://api.example"
POLICY = annul.Policy.foreign(issuer=IDP, audience=AUDIENCE, algorithms=("ES256",))
KEYS = [annul.PrivateKey.generate("ES256") for _ in range(2)]
JWKS = annul.JWKS(key.public for key in KEYS)


def token(*, key: annul.PrivateKey = KEYS[0], age: int = 60, **claims: Any) -> str:  # noqa: ANN401 - any claims
    """Return a token as their library signs it."""
    now = int(time.time())
    payload = {
        "iss": IDP,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "sid": "s1",
        "jti": "t1",
        "iat": now - age,
        "exp": now + 600,
    } | claims
    return jwt.encode(
        payload, key.to_pem(), algorithm="ES256", headers={"kid": key.kid, "typ": "at+jwt"}
    )


TOKENS = {
    "alice": token(),
    "alice's next token": token(jti="t2"),
    "alice's other session": token(jti="t3", sid="s2"),
    "alice elsewhere": token(jti="t4", sid="s3", client_id="cli"),
    "bob": token(jti="t5", sid="s4", sub="bob"),
    "bob, other key": token(jti="t6", sid="s5", sub="bob", client_id="cli", key=KEYS[1]),
}
EVERYBODY = set(TOKENS)
CASES: dict[str, tuple[Callable[[annul.Authority], object], set[str]]] = {
    "token": (lambda a: a.revoke(annul.TokenId("t1"), issuer=IDP), {"alice"}),
    "session": (
        lambda a: a.revoke(annul.SessionId("s1"), issuer=IDP),
        {"alice", "alice's next token"},
    ),
    "subject": (
        lambda a: a.revoke(annul.SubjectId("bob"), issuer=IDP),
        {"bob", "bob, other key"},
    ),
    "client": (
        lambda a: a.revoke(annul.ClientId("cli"), issuer=IDP),
        {"alice elsewhere", "bob, other key"},
    ),
    "key": (lambda a: a.revoke(annul.KeyId(KEYS[1].kid), issuer=IDP), {"bob, other key"}),
    "everything": (lambda a: a.revoke(annul.Everything(), issuer=IDP), EVERYBODY),
    "of ours": (lambda a: a.revoke(annul.Everything()), set()),
    "subject of ours": (lambda a: a.revoke(annul.SubjectId("alice")), set()),
    "block of ours": (lambda a: a.block("alice"), set()),
    "key of ours": (lambda a: a.revoke(annul.KeyId(KEYS[0].kid)), set()),
}


def refused(verify: Callable[[str], object]) -> set[str]:
    found = {name: outcome(verify, text) for name, text in TOKENS.items()}
    assert set(found.values()) <= {ACCEPTED, "revoked", "unknown_key"}
    return {name for name, result in found.items() if result != ACCEPTED}


@pytest.mark.parametrize("kind", CASES)
def test_a_revocation_refuses_exactly_the_foreign_tokens_it_names(stage: Stage, kind: str) -> None:
    revoke, expected = CASES[kind]
    authority = stage.authority()
    ours = authority.login("alice", client_id="web")
    replica = stage.replica(POLICY, jwks=JWKS)
    assert refused(replica.verify) == set()
    receipt = revoke(authority)
    assert isinstance(receipt, annul.RevocationReceipt)
    await_entry(replica, receipt.seq)
    assert refused(replica.verify) == expected
    assert refused(stage.replica(POLICY, jwks=JWKS).verify) == expected
    if "ours" not in kind:
        assert outcome(authority.verify, ours.access_token) == ACCEPTED
        assert outcome(authority.refresh, ours.refresh_token) == ACCEPTED
        assert receipt.sessions == 0


def test_a_foreign_cut_off_goes_by_when_a_token_was_issued(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica(POLICY, jwks=JWKS)
    authority.revoke(annul.SubjectId("alice"), issuer=IDP)
    (entry,) = stage.entries()
    eventually(lambda: outcome(replica.verify, token()) == "revoked")
    at = int(entry.at)
    soon = annul.Policy.foreign(issuer=IDP, audience=AUDIENCE, algorithms=("ES256",), leeway=100)
    lenient = stage.replica(soon, jwks=JWKS)
    # Whole seconds, and an equal one counts as before.
    assert outcome(lenient.verify, token(iat=at)) == "revoked"
    assert outcome(lenient.verify, token(iat=at + 61)) == ACCEPTED
    # When the user authenticated counts more than when the token was issued.
    assert outcome(lenient.verify, token(iat=at + 61, auth_time=at - 5)) == "revoked"


def test_a_foreign_policy_needs_the_keys_of_its_issuer(stage: Stage) -> None:
    stage.authority()
    with pytest.raises(annul.Misconfigured):
        annul.Replica.open(stage.url, policy=POLICY)


def test_our_own_keys_are_not_trusted_for_foreign_tokens(stage: Stage) -> None:
    authority = stage.authority(publish_for=0)
    replica = stage.replica(POLICY, jwks=JWKS)
    kid = authority.import_key(annul.PrivateKey.generate("ES256").to_pem())
    own = annul.PrivateKey.from_pem(authority.export_key(kid))
    forged = token(key=own)
    receipt = authority.revoke(annul.SubjectId("nobody"))
    await_entry(replica, receipt.seq)
    assert outcome(replica.verify, forged) == "unknown_key"
    assert {key.kid for key in replica.jwks} == {key.kid for key in KEYS}
