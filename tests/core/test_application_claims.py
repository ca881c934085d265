"""What an application may put into a token: plain JSON, not too much, under its own names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest

from annul.core.encoding import MAX_JSON_DEPTH
from annul.core.issuer import MAX_CLAIMS_BYTES, RESERVED_CLAIMS, Issuer, check_claims, check_scope
from annul.core.revocation import MAX_ID_LENGTH, Position
from annul.errors import InvalidRequest
from annul.testing import ISSUER, NOW, FixedClock
from tests.judging import Judge
from tests.signing import AUDIENCE, KEY

ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


def nested(levels: int) -> dict[str, Any]:
    """Return claims that nest ``levels`` deep, themselves being the first level."""
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return {"a": value}


def test_everything_that_annul_writes_is_reserved() -> None:
    written = {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "since", "sid"}

    assert written | {"nbf", "scope", "cnf", "auth_time", "as_of"} == RESERVED_CLAIMS


@pytest.mark.parametrize("name", sorted(RESERVED_CLAIMS))
def test_a_reserved_claim_is_refused_whatever_it_holds(name: str) -> None:
    for value in ("x", None, 1):
        with pytest.raises(InvalidRequest):
            check_claims({"roles": [], name: value})


@pytest.mark.parametrize("name", ["ISS", "Sub", "sub ", " exp", "issuer", "é", "https://x/claim"])
def test_any_other_name_belongs_to_the_application(name: str) -> None:
    assert check_claims({name: 1}) == {name: 1}


@pytest.mark.parametrize("name", ["", 5, None, b"roles", ("a",)], ids=repr)
def test_a_name_is_text_and_not_empty(name: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(InvalidRequest):
        check_claims({name: 1})


@pytest.mark.parametrize("claims", [None, {}])
def test_no_claims_are_no_claims(claims: dict[str, Any] | None) -> None:
    assert check_claims(claims) == {}


@pytest.mark.parametrize(
    "value",
    [
        nan,
        inf,
        -inf,
        b"bytes",
        {1, 2},
        datetime.fromtimestamp(NOW, UTC),
        object(),
        1j,
        Position,
        "half \ud800",
        "\udc00",
        {"\ud800": 1},
        {("a",): 1},
        ENDLESS,
        10**5000,
        [[{"deep": nan}]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest):
        check_claims({"a": value})


def test_two_names_that_json_makes_one_are_refused() -> None:
    assert check_claims({"a": {1: "x"}}) == {"a": {"1": "x"}}
    with pytest.raises(InvalidRequest):
        check_claims({"a": {1: "x", "1": "y"}})


def test_claims_come_back_as_they_will_come_out_of_a_token() -> None:
    claims = {"roles": ("staff", "admin"), "n": 1.0, "deep": {"é": [None, True]}}

    assert check_claims(claims) == {
        "roles": ["staff", "admin"],
        "n": 1.0,
        "deep": {"é": [None, True]},
    }


def test_what_was_checked_does_not_change_with_what_was_given() -> None:
    roles = ["staff"]
    checked = check_claims({"roles": roles})

    roles.append("admin")

    assert checked == {"roles": ["staff"]}


def test_claims_may_nest_as_deep_as_a_verifier_reads() -> None:
    deepest = check_claims(nested(MAX_JSON_DEPTH))

    issuer = Issuer(key=KEY, issuer=ISSUER, audience=AUDIENCE, clock=FixedClock(NOW))
    token = issuer.issue(subject="w", client_id="w", since=Position(7, 4), claims=deepest)
    assert Judge().verify(token.text).claims["a"] == deepest["a"]
    for levels in (MAX_JSON_DEPTH + 1, 100, 100_000):
        with pytest.raises(InvalidRequest):
            check_claims(nested(levels))


@pytest.mark.parametrize("letter", ["x", "é", "\N{PILE OF POO}"])
def test_claims_are_measured_in_bytes(letter: str) -> None:
    overhead = len(json.dumps({"a": ""}, separators=(",", ":")))
    room = MAX_CLAIMS_BYTES - overhead
    most = letter * (room // len(letter.encode()))

    assert check_claims({"a": most}) == {"a": most}
    with pytest.raises(InvalidRequest):
        check_claims({"a": most + letter})


# --- scope ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope", ["", "read", "read write", "a:b/c.d-e_f~", "!#[]^`{|}", "x" * MAX_ID_LENGTH, "a a"]
)
def test_a_scope_is_names_separated_by_spaces(scope: str) -> None:
    assert check_scope(scope) == scope


@pytest.mark.parametrize(
    "scope",
    [
        " ",
        " read",
        "read ",
        "read  write",
        "read\twrite",
        "read\n",
        'a"b',
        "a\\b",
        "é",
        "a\N{NO-BREAK SPACE}b",
        "a\x7f",
        "a\0",
        "x" * (MAX_ID_LENGTH + 1),
        None,
        5,
        b"read",
        ["read"],
        ("read", "write"),
        {"read"},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_anything_else_is_no_scope(scope: object) -> None:
    # RFC 6749 §3.3: one or more of %x21 / %x23-5B / %x5D-7E, and exactly one space between names.
    with pytest.raises(InvalidRequest):
        check_scope(scope)


@pytest.mark.parametrize("code", range(0x20, 0x80))
def test_each_printable_character_is_judged_as_the_grammar_says(code: int) -> None:
    letter = chr(code)
    good = code == 0x21 or 0x23 <= code <= 0x5B or 0x5D <= code <= 0x7E

    try:
        check_scope(letter)
    except InvalidRequest:
        assert not good
    else:
        assert good
