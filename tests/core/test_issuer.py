"""What an issuer signs is what RFC 9068 says, plus ``since`` and ``sid``, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist
from annul.core.encoding import b64url_decode
from annul.core.issuer import IssuedToken, Issuer, check_ttl
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.core.revocation import LONGEST_ACCESS_TTL, MAX_ID_LENGTH, Position
from annul.core.verifier import Verifier
from annul.errors import InvalidRequest, Misconfigured
from annul.testing import ISSUER, NOW, FixedClock
from tests.judging import Judge
from tests.signing import AUDIENCE, KEY

SINCE = Position(7, 4)
HOSTILE = [
    'a","sub":"root',
    'a"}',
    "a\\",
    '\\"',
    "\\u0022",
    "</script>",
    "a\u2028b\u2029c",
    "é",
    "\N{PILE OF POO}",
    "{}",
    ".",
    " ",
    "a\nb\tc\0d\x7f",
    "%s{0}",
]


def issuer(audience: str | tuple[str, ...] = AUDIENCE, ttl: int = 900) -> Issuer:
    return Issuer(
        key=KEY,
        issuer=ISSUER,
        audience=audience,
        ttl=ttl,
        clock=FixedClock(NOW + 0.75),
        entropy=lambda size: bytes(range(size)),
    )


def parts(token: IssuedToken) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the payload as a plain JSON reader sees them."""
    header, payload, _signature = token.text.split(".")
    return json.loads(b64url_decode(header)), json.loads(b64url_decode(payload))


# --- what comes out -------------------------------------------------------------------


def test_a_token_says_exactly_this() -> None:
    token = issuer().issue(subject="alice", client_id="web", since=SINCE, sid="session-1")

    header, payload = parts(token)

    # RFC 9068 §2.1 and §2.2; the key is named because the verifier tries no other.
    assert header == {"alg": "Ed25519", "typ": "at+jwt", "kid": KEY.kid}
    assert payload == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "exp": NOW + 900,
        "iat": NOW,
        "jti": bytes(range(16)).hex(),
        "since": [7, 4],
        "sid": "session-1",
    }
    assert token == IssuedToken(token.text, payload["jti"], payload["exp"])
    assert issuer().key_id == KEY.kid


def test_everything_optional_has_its_claim() -> None:
    token = issuer(("a", "b")).issue(
        subject="alice",
        client_id="web",
        since=SINCE,
        sid="session-1",
        scope="read write",
        claims={"roles": ["staff"], "deep": {"é": [None, True, 1.5]}},
        jkt="thumb",
        auth_time=NOW - 60.75,
    )

    _header, payload = parts(token)

    assert payload["aud"] == ["a", "b"]
    assert payload["scope"] == "read write"
    assert payload["cnf"] == {"jkt": "thumb"}
    assert payload["auth_time"] == NOW - 61
    assert payload["roles"] == ["staff"]
    assert payload["deep"] == {"é": [None, True, 1.5]}
    assert len(payload) == len(parts(_plain())[1]) + 5


def _plain() -> IssuedToken:
    return issuer().issue(subject="alice", client_id="web", since=SINCE, sid="session-1")


def test_dates_are_whole_seconds_and_not_later_than_the_clock() -> None:
    _header, payload = parts(_plain())

    assert type(payload["iat"]) is int
    assert type(payload["exp"]) is int
    assert payload["iat"] <= NOW + 0.75


def test_a_client_that_speaks_for_itself_has_no_session() -> None:
    token = issuer().issue(subject="web", client_id="web", since=SINCE)

    assert "sid" not in parts(token)[1]
    assert Judge().verify(token.text).session_id is None
    with pytest.raises(InvalidRequest):
        issuer().issue(subject="alice", client_id="web", since=SINCE)


def test_every_token_has_an_id_of_its_own() -> None:
    real = Issuer(key=KEY, issuer=ISSUER, audience=AUDIENCE)

    ids = {real.issue(subject="w", client_id="w", since=SINCE).jti for _ in range(100)}

    assert len(ids) == 100
    assert all(len(bytes.fromhex(jti)) == 16 for jti in ids)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "Ed25519", "EdDSA"])
def test_a_key_of_any_algorithm_signs_what_its_public_part_verifies(alg: str) -> None:
    key = PrivateKey.generate(alg)
    token = Issuer(key=key, issuer=ISSUER, audience=AUDIENCE, clock=FixedClock(NOW)).issue(
        subject="w", client_id="w", since=SINCE
    )
    policy = Policy(issuer=ISSUER, audience=AUDIENCE, algorithms=(alg,))
    verifier = Verifier(
        jwks=JWKS([key.public]), policy=policy, denylist=Denylist(), clock=FixedClock(NOW)
    )

    assert parts(token)[0]["alg"] == alg
    assert verifier.verify(token.text).key_id == key.kid


# --- ids that try to write claims -----------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_no_identifier_can_write_a_claim(text: str) -> None:
    token = issuer().issue(
        subject=text, client_id=text, since=SINCE, sid=text, scope=text, jkt=text
    )

    _header, payload = parts(token)

    assert (payload["sub"], payload["client_id"], payload["sid"]) == (text, text, text)
    assert (payload["scope"], payload["cnf"]) == (text, {"jkt": text})
    assert len(payload) == 11
    assert Judge().verify(token.text, {"jkt": text}).subject == text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_issuer_or_audience_can_write_a_claim(text: str) -> None:
    made = Issuer(key=KEY, issuer=text, audience=(text, "b"), clock=FixedClock(NOW))

    _header, payload = parts(made.issue(subject="w", client_id="w", since=SINCE))

    assert (payload["iss"], payload["aud"]) == (text, [text, "b"])
    assert len(payload) == 8


@pytest.mark.parametrize("name", ["subject", "client_id", "sid", "scope", "jkt"])
def test_half_a_character_is_refused(name: str) -> None:
    ids: dict[str, Any] = {
        "subject": "alice",
        "client_id": "web",
        "sid": "session-1",
        name: "a\ud800",
    }

    with pytest.raises(InvalidRequest):
        issuer().issue(since=SINCE, **ids)


# --- ttl ------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [1, 900, LONGEST_ACCESS_TTL])
def test_the_lifetime_is_what_was_asked_for(ttl: int) -> None:
    token = issuer(ttl=ttl).issue(subject="w", client_id="w", since=SINCE)

    assert check_ttl(ttl) == ttl
    assert token.expires_at == NOW + ttl


@pytest.mark.parametrize(
    "ttl", [0, -1, LONGEST_ACCESS_TTL + 1, 900.0, 0.5, True, None, "900", float("nan"), 10**400]
)
def test_a_lifetime_is_whole_seconds_and_at_most_a_day(ttl: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(Misconfigured):
        check_ttl(ttl)
    with pytest.raises(Misconfigured):
        issuer(ttl=ttl)


# --- round trip -----------------------------------------------------------------------

identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ID_LENGTH)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.text("abc_é", min_size=1, max_size=4)


@settings(deadline=None)
@given(
    subject=identifiers,
    client_id=identifiers,
    sid=identifiers,
    claims=st.dictionaries(names, values, max_size=4),
)
def test_what_is_issued_is_what_is_verified(
    subject: str, client_id: str, sid: str, claims: dict[str, Any]
) -> None:
    issued = issuer().issue(
        subject=subject, client_id=client_id, since=SINCE, sid=sid, claims=claims
    )

    token = Judge().verify(issued.text)

    assert (token.subject, token.client_id, token.session_id) == (subject, client_id, sid)
    assert (token.jti, token.expires_at, token.since) == (issued.jti, issued.expires_at, SINCE)
    assert {name: token.claims[name] for name in claims} == claims
