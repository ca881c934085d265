"""The forge for our users' tests: its good tokens are good, and each bad one is bad in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from annul.testing import (
    AUDIENCE,
    ISSUER,
    NOW,
    OMIT,
    REFUSALS,
    FixedClock,
    TokenForge,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def forge(clock: FixedClock) -> TokenForge:
    return TokenForge(clock=clock)


@pytest.fixture
def verifier(forge: TokenForge) -> annul.Verifier:
    return forge.verifier()


def refusal(verifier: annul.Verifier, token: str) -> type[annul.AnnulError]:
    with pytest.raises(annul.AnnulError) as caught:
        verifier.verify(token)
    return caught.type


# --- good ones ------------------------------------------------------------------------------


def test_a_token_is_good_until_something_is_changed(
    forge: TokenForge, verifier: annul.Verifier, clock: FixedClock
) -> None:
    text = forge.token()
    token = verifier.verify(text)
    assert (token.subject, token.client_id, token.issuer) == ("alice", "web", ISSUER)
    assert token.audience == (AUDIENCE,)
    assert token.key_id == forge.key.kid
    clock.advance(3_599)
    assert verifier.verify(text).jti == token.jti
    clock.advance(1)
    assert refusal(verifier, text) is annul.Expired


def test_every_token_is_another_one(forge: TokenForge, verifier: annul.Verifier) -> None:
    first, second = verifier.verify(forge.token()), verifier.verify(forge.token())
    assert first.jti != second.jti
    assert first.session_id != second.session_id


def test_claims_are_added_and_replaced(forge: TokenForge, verifier: annul.Verifier) -> None:
    token = verifier.verify(forge.token({"sub": "bob", "roles": ["staff"], "scope": "read write"}))
    assert token.subject == "bob"
    assert token.claims["roles"] == ["staff"]
    assert token.scopes == {"read", "write"}


def test_it_has_the_names_and_the_key_that_it_was_given() -> None:
    key = annul.PrivateKey.generate("Ed25519")
    forge = TokenForge(issuer="https://auth.mine", audience="shop", key=key)
    token = forge.verifier().verify(forge.token())
    assert (token.issuer, token.audience, token.key_id) == ("https://auth.mine", ("shop",), key.kid)
    assert [public.kid for public in forge.jwks] == [key.kid]


def test_it_forges_tokens_of_an_authority_whose_key_it_has(clock: FixedClock) -> None:
    with annul.Authority.open(
        "memory://forging", issuer=ISSUER, audience=AUDIENCE, clock=clock
    ) as authority:
        exported = authority.export_key(authority.jwks().keys[0].kid)
        forge = TokenForge(key=annul.PrivateKey.from_pem(exported, alg="ES256"), clock=clock)
        good = forge.token()
        assert authority.verify(good).subject == "alice"
        for error in REFUSALS:
            with pytest.raises(error):
                authority.verify(forge.refused(error))
        # The session of a forged token began at the beginning of the log, so it can be ended.
        authority.revoke(annul.SubjectId("alice"))
        with pytest.raises(annul.Revoked):
            authority.verify(good)


# --- bad ones -------------------------------------------------------------------------------


@pytest.mark.parametrize("error", REFUSALS)
def test_a_token_for_each_refusal_is_refused_with_it(
    error: type[annul.TokenRejected], forge: TokenForge, verifier: annul.Verifier
) -> None:
    assert refusal(verifier, forge.refused(error)) is error


@pytest.mark.parametrize("alg", ["ES384", "Ed25519", "RS256", "PS256"])
def test_every_kind_of_key_can_be_forged_with(alg: str) -> None:
    forge = TokenForge(key=annul.PrivateKey.generate(alg))
    verifier = forge.verifier()
    assert verifier.verify(forge.token()).subject == "alice"
    for error in REFUSALS:
        assert refusal(verifier, forge.refused(error)) is error


def rejections() -> Iterator[type[annul.TokenRejected]]:
    found = [annul.TokenRejected]
    for parent in found:  # grows while it is walked
        found += parent.__subclasses__()
    return (error for error in found[1:] if error.__module__.startswith("annul."))


# What is wrong with a request, whichever token it brings.
NOT_OF_A_TOKEN = {annul.NoToken, annul.InvalidDPoPProof, annul.UseDPoPNonce}


def test_no_refusal_is_forgotten() -> None:
    assert {*REFUSALS, *NOT_OF_A_TOKEN, annul.Revoked, annul.RefreshNeeded} == set(rejections())


def test_no_token_says_that_it_was_revoked(forge: TokenForge) -> None:
    for error in (annul.Revoked, annul.TokenRejected):
        with pytest.raises(annul.InvalidRequest):
            forge.refused(error)


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "since"])
def test_a_claim_can_be_left_out(name: str, forge: TokenForge, verifier: annul.Verifier) -> None:
    assert refusal(verifier, forge.token({name: OMIT})) is annul.ClaimMismatch


def test_a_value_may_be_of_any_type(forge: TokenForge, verifier: annul.Verifier) -> None:
    values: tuple[object, ...] = (None, True, 17, ["alice"], {}, "")
    for value in values:
        assert refusal(verifier, forge.token({"sub": value})) is annul.ClaimMismatch


def test_the_header_can_be_anything(forge: TokenForge, verifier: annul.Verifier) -> None:
    assert refusal(verifier, forge.token(header={"kid": "nobody"})) is annul.UnknownKey
    assert refusal(verifier, forge.token(header={"typ": OMIT})) is annul.WrongType
    assert refusal(verifier, forge.token(header={"alg": "HS256"})) is annul.AlgorithmNotAllowed
    assert refusal(verifier, forge.token(header={"crit": ["exp"]})) is annul.Malformed
    # Exactly one key is trusted, so it need not be named.
    assert verifier.verify(forge.token(header={"kid": OMIT})).subject == "alice"


def test_another_key_changes_the_signature_and_nothing_else(
    forge: TokenForge, verifier: annul.Verifier
) -> None:
    other = annul.PrivateKey.generate("ES256")
    fixed = {"jti": "1", "sid": "1"}
    ours, theirs = forge.token(fixed), forge.token(fixed, key=other)
    assert ours.rpartition(".")[0] == theirs.rpartition(".")[0]
    assert refusal(verifier, theirs) is annul.BadSignature


def test_nothing_private_is_shown(forge: TokenForge) -> None:
    assert forge.key.to_jwk()["d"] not in repr(forge)
    assert forge.key.kid in repr(forge)
