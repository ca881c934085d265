"""Bugs that other revocations have had: a way round the denylist is as good as a forged token."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from annul.errors import (
    InvalidGrant,
    Malformed,
    RefreshReplayed,
    Revoked,
    SessionEnded,
    SubjectBlocked,
)
from annul.testing import FixedClock
from tests.advisories.forgery import trusted
from tests.judging import Judge, revocation
from tests.signing import sample_claims, sample_header, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture
def authority() -> Iterator[annul.Authority]:
    """An authority with a store of its own, in memory."""
    opened = annul.Authority.open(
        f"memory://{uuid.uuid4().hex}",
        issuer="https://auth.example",
        audience="https://api.example",
        kek=bytes(32),
        allow_volatile_store=True,
        clock=FixedClock(1_800_000_000.0),
    )
    with opened:
        yield opened


def refused(authority: annul.Authority, token: str) -> bool:
    try:
        authority.verify(token)
    except Revoked:
        return True
    return False


# --- refreshing -------------------------------------------------------------------------


def test_cve_2020_10594_a_session_that_was_logged_out_is_not_refreshed(
    authority: annul.Authority,
) -> None:
    grant, other = (authority.login("alice", client_id="web") for _ in range(2))

    authority.logout(grant.access_token)

    with pytest.raises(SessionEnded):
        authority.refresh(grant.refresh_token)
    assert authority.refresh(other.refresh_token).session_id == other.session_id


@pytest.mark.parametrize("kind", ["session", "subject", "client", "everything", "block"])
def test_cve_2020_10594_no_refresh_leads_round_a_revocation(
    authority: annul.Authority, kind: str
) -> None:
    other = authority.login("bob", client_id="app")
    grant = authority.login("alice", client_id="web")
    second = authority.refresh(grant.refresh_token)
    authority.verify(second.access_token)

    match kind:
        case "session":
            authority.revoke(annul.SessionId(grant.session_id))
        case "subject":
            authority.revoke(annul.SubjectId("alice"))
        case "client":
            authority.revoke(annul.ClientId("web"))
        case "everything":
            authority.revoke(annul.Everything())
        case _:
            authority.block("alice")

    for token in (grant.refresh_token, second.refresh_token):
        with pytest.raises(InvalidGrant):
            authority.refresh(token)
    assert refused(authority, grant.access_token)
    assert refused(authority, second.access_token)
    assert refused(authority, other.access_token) is (kind == "everything")


def test_cve_2020_10594_an_access_token_is_not_a_refresh_token(authority: annul.Authority) -> None:
    grant = authority.login("alice", client_id="web")

    for text in (grant.access_token, grant.session_id, grant.jti, grant.refresh_token + "A"):
        with pytest.raises(InvalidGrant):
            authority.refresh(text)

    assert authority.refresh(grant.refresh_token).session_id == grant.session_id


def test_cve_2020_10594_a_stolen_refresh_token_ends_what_it_has_led_to() -> None:
    clock = FixedClock(1_800_000_000.0)
    with annul.Authority.open(
        f"memory://{uuid.uuid4().hex}",
        issuer="https://auth.example",
        audience="https://api.example",
        kek=bytes(32),
        allow_volatile_store=True,
        grace=0,
        clock=clock,
    ) as authority:
        grant = authority.login("alice", client_id="web")
        thief = authority.refresh(grant.refresh_token)
        authority.verify(thief.access_token)
        clock.advance(1)

        with pytest.raises(RefreshReplayed):
            authority.refresh(grant.refresh_token)

        assert refused(authority, thief.access_token)
        with pytest.raises(SessionEnded):
            authority.refresh(thief.refresh_token)


# --- one rule and another ---------------------------------------------------------------

CUTOFFS: dict[str, annul.SubjectId | annul.ClientId | annul.Everything] = {
    "subject": annul.SubjectId("alice"),
    "client": annul.ClientId("web"),
    "everything": annul.Everything(),
}


@pytest.mark.parametrize("first", CUTOFFS)
@pytest.mark.parametrize("second", CUTOFFS)
def test_cve_2026_8922_and_cve_2026_18218_no_cutoff_masks_another(
    authority: annul.Authority, first: str, second: str
) -> None:
    before = authority.login("alice", client_id="web").access_token
    authority.revoke(CUTOFFS[first])
    between = authority.login("alice", client_id="web").access_token
    authority.verify(between)
    authority.revoke(CUTOFFS[second])
    after = authority.login("alice", client_id="web").access_token

    assert refused(authority, before)
    assert refused(authority, between)
    authority.verify(after)


def test_cve_2026_8922_an_unblock_lifts_nothing_but_the_block(authority: annul.Authority) -> None:
    grant = authority.login("alice", client_id="web")
    authority.revoke(annul.SubjectId("alice"))
    authority.block("alice")
    with pytest.raises(SubjectBlocked):
        authority.login("alice", client_id="web")

    authority.unblock("alice")

    assert refused(authority, grant.access_token)
    authority.verify(authority.login("alice", client_id="web").access_token)


# --- what has been remembered -----------------------------------------------------------


def test_cve_2026_3583_a_remembered_answer_does_not_outlive_a_revocation(
    authority: annul.Authority,
) -> None:
    grant, other = (authority.login("alice", client_id="web") for _ in range(2))
    for _ in range(3):
        authority.verify(grant.access_token)

    authority.revoke(annul.TokenId(grant.jti))

    for _ in range(3):
        assert refused(authority, grant.access_token)
    authority.verify(other.access_token)


def test_cve_2025_56643_a_logout_ends_the_tokens_too(authority: annul.Authority) -> None:
    grant = authority.login("alice", client_id="web")
    second = authority.refresh(grant.refresh_token)
    authority.verify(grant.access_token)

    authority.logout(second.refresh_token)

    assert refused(authority, grant.access_token)
    assert refused(authority, second.access_token)


# --- the same token in other words ------------------------------------------------------


def test_cve_2026_102269_a_revoked_token_is_refused_in_every_spelling(
    authority: annul.Authority,
) -> None:
    token = authority.login("alice", client_id="web").access_token
    authority.revoke(annul.TokenId(authority.verify(token).jti or ""))

    for place in range(len(token) + 1):
        for strange in "!=\n .":
            with pytest.raises((Malformed, Revoked)):
                authority.verify(token[:place] + strange + token[place:])


def test_cve_2026_102269_the_twin_of_an_ecdsa_signature_is_revoked_with_it() -> None:
    judge = Judge()
    key = trusted("ES256")
    judge.verifier.trust(annul.JWKS([key.public]))
    token = signed(header=sample_header(alg="ES256", kid=key.kid), key=key)
    start, _dot, signature = token.rpartition(".")
    raw = b64url_decode(signature)
    # Anybody can write down a second signature that verifies as well as the first.
    s = P256_ORDER - int.from_bytes(raw[32:], "big")
    twin = f"{start}.{b64url_encode(raw[:32] + s.to_bytes(32, 'big'))}"
    assert judge.verify(twin).jti == judge.verify(token).jti

    judge.denylist.apply([revocation(annul.Kind.TOKEN, "token-1")])

    for text in (token, twin):
        with pytest.raises(Revoked):
            judge.verify(text)


def test_cve_2026_102269_a_claim_written_otherwise_is_the_same_claim() -> None:
    judge = Judge()
    judge.denylist.apply([revocation(annul.Kind.TOKEN, "token-1")])
    text = signed(sample_claims(jti="token-2"))
    judge.verify(text)

    payload = json.dumps(sample_claims()).replace("token-1", "\\u0074oken\\u002d1").encode()

    with pytest.raises(Revoked):
        judge.verify(signed(payload))
