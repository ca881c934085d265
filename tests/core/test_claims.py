"""A ``VerifiedToken``: made by verifying and by nothing else, read-only, and discreet."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from annul.core.claims import Claims, VerifiedToken
from annul.core.revocation import Position
from annul.testing import ISSUER, NOW
from tests.judging import Judge
from tests.signing import AUDIENCE, FOREIGN, KEY, sample_claims, signed


def verified(**claims: Any) -> VerifiedToken:  # noqa: ANN401 - JSON values
    return Judge().verify(signed(sample_claims(**claims)))


# --- made by verifying only -----------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ({},), ({"sub": "alice"}, None)])
def test_it_cannot_be_constructed(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        VerifiedToken(*arguments)
    with pytest.raises(TypeError):
        type("Forged", (VerifiedToken,), {})(*arguments)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(verified(), protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_it_cannot_be_copied(duplicate: Any) -> None:  # noqa: ANN401 - either function
    with pytest.raises(TypeError):
        duplicate(verified())


@pytest.mark.parametrize(
    "name", ["subject", "claims", "key_id", "_claims", "_ends", "_version", "__class__", "more"]
)
def test_it_cannot_be_changed(name: str) -> None:
    token = verified()

    with pytest.raises(AttributeError):
        setattr(token, name, "root")
    with pytest.raises(AttributeError):
        delattr(token, name)

    assert token.subject == "alice"
    assert token.key_id == KEY.kid


# --- what it says ---------------------------------------------------------------------


def test_it_says_what_the_token_says() -> None:
    token = verified(scope="write read", exp=NOW + 0.5, iat=NOW)

    assert (token.issuer, token.subject, token.client_id) == (ISSUER, "alice", "web")
    assert (token.jti, token.session_id) == ("token-1", "session-1")
    assert (token.issued_at, token.expires_at) == (NOW, NOW + 0.5)
    assert token.audience == (AUDIENCE,)
    assert token.scopes == {"read", "write"}
    assert token.since == Position(7, 4)
    assert isinstance(token.since, Position)
    assert token.key_id == KEY.kid


def test_what_a_foreign_token_does_not_say_is_none() -> None:
    token = Judge(policy=FOREIGN).verify(signed(sample_claims("sid", "client_id", "since")))

    assert (token.session_id, token.client_id, token.since) == (None, None, None)
    assert token.jti == "token-1"


def test_the_audience_is_always_a_tuple() -> None:
    assert verified(aud=[AUDIENCE, "b"]).audience == (AUDIENCE, "b")
    assert verified(aud=AUDIENCE).audience == (AUDIENCE,)


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("", set()),
        ("read", {"read"}),
        ("read read  write", {"read", "write"}),
        ("read\tadmin", {"read\tadmin"}),
        ("read\N{NO-BREAK SPACE}admin", {"read\N{NO-BREAK SPACE}admin"}),
        (None, set()),
        (["admin"], set()),
        ({"admin": True}, set()),
        (5, set()),
    ],
)
def test_scopes_are_the_names_in_scope(scope: object, names: set[str]) -> None:
    assert verified(scope=scope).scopes == names


# --- shared by every request that presents it -----------------------------------------


def test_claims_are_handed_out_as_copies() -> None:
    judge, text = Judge(), signed(sample_claims(roles=["staff"], deep={"a": [{"b": []}]}))
    token = judge.verify(text)

    token.claims["roles"].append("admin")
    token.claims["deep"]["a"][0]["b"].append(1)
    token.claims["deep"]["more"] = True
    for value in token.claims.values():
        if isinstance(value, list):
            value.append("admin")

    assert judge.verify(text).claims["roles"] == ["staff"]
    assert judge.verify(text).claims["deep"] == {"a": [{"b": []}]}


def test_claims_are_a_read_only_mapping() -> None:
    claims = verified(roles=["staff"]).claims

    assert isinstance(claims, Claims)
    assert dict(claims) == sample_claims(roles=["staff"])
    assert claims == sample_claims(roles=["staff"])
    assert len(claims) == len(sample_claims()) + 1
    assert "roles" in claims
    assert claims.get("nothing") is None
    for change in ("__setitem__", "__delitem__", "pop", "update", "clear", "setdefault"):
        assert not hasattr(claims, change)
    with pytest.raises(KeyError):
        claims["nothing"]


def test_no_value_appears_in_a_repr() -> None:
    token = verified(secret="hunter2", sub="alice-in-wonderland")

    shown = f"{token!r} {token} {token.claims!r} {[token]} {vars(Claims)['__repr__'](token.claims)}"

    for value in ("hunter2", "wonderland", "token-1", "session-1", "auth.example"):
        assert value not in shown
