"""Where in the log the claims of a token hold: what an issuer writes and a verifier reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annul.core.denylist import Denylist
from annul.core.encoding import b64url_decode
from annul.core.issuer import Issuer
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.core.revocation import Kind, Position
from annul.core.verifier import Verifier
from annul.errors import ClaimMismatch, RefreshNeeded, Revoked
from annul.testing import ISSUER, NOW, TokenForge
from tests.judging import revocation

KEY = PrivateKey.generate("ES256")
POLICY = Policy(issuer=ISSUER, audience="https://api.example")
SINCE = Position(7, 40)


def signed(as_of: Position | None, **more: Any) -> str:  # noqa: ANN401 - those of issue
    issuer = Issuer(key=KEY, issuer=ISSUER, audience="https://api.example", clock=lambda: NOW)
    given = {"subject": "alice", "client_id": "web", "sid": "s1", "since": SINCE} | more
    return issuer.issue(as_of=as_of, **given).text


def verifier(*entries: Any) -> Verifier:  # noqa: ANN401 - Revocation
    keys = JWKS([KEY.public])
    return Verifier(jwks=keys, policy=POLICY, denylist=Denylist(entries), clock=lambda: NOW)


def payload(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b64url_decode(text.split(".")[1]))
    return found


@pytest.mark.parametrize("as_of", [None, SINCE, Position(7, 39), Position(6, 99)])
def test_a_place_that_says_no_more_than_since_is_left_out(as_of: Position | None) -> None:
    assert "as_of" not in payload(signed(as_of))


@pytest.mark.parametrize("as_of", [Position(7, 41), Position(8, 0)])
def test_a_later_place_travels_in_the_token(as_of: Position) -> None:
    assert payload(signed(as_of))["as_of"] == [*as_of]


@pytest.mark.parametrize(
    ("as_of", "seq", "refused"),
    [
        (None, 40, False),
        (None, 41, True),
        (Position(7, 45), 45, False),
        (Position(7, 45), 46, True),
    ],
)
def test_a_token_is_out_of_date_when_its_place_is_before_the_entry(
    as_of: Position | None,
    seq: int,
    refused: bool,
) -> None:
    asked = verifier(revocation(Kind.CLAIMS, "alice", seq))

    if refused:
        with pytest.raises(RefreshNeeded) as raised:
            asked.verify(signed(as_of))
        assert raised.value.code == "refresh_needed"
    else:
        assert asked.verify(signed(as_of)).subject == "alice"
    assert asked.verify(signed(as_of, subject="bob")).subject == "bob"


def test_a_later_place_does_not_move_the_session_past_a_cut_off() -> None:
    with pytest.raises(Revoked):
        verifier(revocation(Kind.SUBJECT, "alice", 41)).verify(signed(Position(7, 99)))


@pytest.mark.parametrize(
    "bad", [None, "7-41", 7, [7], [7, 41, 1], [7.0, 41], [True, 41], [-1, 0], [7, 2**80], {"a": 1}]
)
def test_a_place_that_is_none_is_refused(bad: object) -> None:
    forge = TokenForge(issuer=ISSUER)
    asked = Verifier(jwks=forge.jwks, policy=forge.policy, denylist=Denylist())
    with pytest.raises(ClaimMismatch) as raised:
        asked.verify(forge.token({"as_of": bad}))
    assert raised.value.claim == "as_of"
