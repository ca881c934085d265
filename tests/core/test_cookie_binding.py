"""A token that is bound to a cookie is good with that cookie and with nothing else."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from annul.core.cookie_binding import (
    COOKIE,
    binding_of_cookie,
    bound_claims,
    confirmed_claims,
    new_bound_cookie,
)
from annul.core.encoding import b64url_encode
from annul.core.issuer import check_claims
from annul.errors import InvalidRequest
from tests.core.any_input import Pretender, judged
from tests.signing import sample_claims, signed

VALUE = new_bound_cookie(lambda size: bytes(range(size)))
OTHER = new_bound_cookie(lambda size: bytes(range(1, size + 1)))
DIGEST = b64url_encode(sha256(VALUE.encode()).digest())
X5T = "A" * 43
BOUND = signed(sample_claims(cnf={COOKIE: DIGEST}))


def test_the_value_is_256_bits_of_the_entropy() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return b"\xff" * size

    assert new_bound_cookie(entropy) == b64url_encode(b"\xff" * 32)
    assert asked == [32]


def test_the_binding_is_the_hash_of_the_value_and_not_the_value() -> None:
    assert binding_of_cookie(VALUE) == {COOKIE: DIGEST}
    assert VALUE not in DIGEST


def test_a_bound_token_is_good_with_its_cookie_only() -> None:
    assert judged(BOUND, binding_of_cookie(VALUE)) is not None
    assert judged(BOUND, binding_of_cookie(OTHER)) is None
    assert judged(BOUND, binding_of_cookie(None)) is None
    assert judged(BOUND) is None
    assert judged(BOUND, {COOKIE: VALUE}) is None
    assert judged(BOUND, {"jkt": DIGEST}) is None


def test_a_token_that_is_not_bound_is_good_with_any_cookie() -> None:
    assert judged(signed(), binding_of_cookie(VALUE)) is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        VALUE[:-1],
        VALUE + "A",
        VALUE[:-1] + "B",
        "é" * 43,
        VALUE + "=",
        5,
        b"x",
        Pretender(VALUE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_nobody_made_proves_nothing(value: Any) -> None:  # noqa: ANN401 - anything
    assert binding_of_cookie(value) == {}


def test_a_session_that_is_not_bound_keeps_its_claims_alone() -> None:
    claims = {"roles": ["staff"]}

    assert bound_claims(claims, cookie=None, x5t=None) == claims
    assert confirmed_claims(claims, "key") == (claims, "key")


def test_what_a_session_is_bound_to_is_in_one_cnf() -> None:
    claims = bound_claims({"roles": ["staff"]}, cookie=VALUE, x5t=X5T)

    assert claims == {"roles": ["staff"], "cnf": {COOKIE: DIGEST, "x5t#S256": X5T}}
    assert confirmed_claims(claims, None) == (claims, None)
    assert confirmed_claims(claims, "key") == (
        {"roles": ["staff"], "cnf": {COOKIE: DIGEST, "x5t#S256": X5T, "jkt": "key"}},
        None,
    )
    assert claims["cnf"] == {COOKIE: DIGEST, "x5t#S256": X5T}


@pytest.mark.parametrize("x5t", ["", "A" * 42, "A" * 44, "A" * 42 + "B", 5, b"A" * 43])
def test_only_the_thumbprint_of_a_certificate_binds_to_one(x5t: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        bound_claims({}, cookie=None, x5t=x5t)


def test_an_application_cannot_bind_or_unbind_by_a_claim() -> None:
    with pytest.raises(InvalidRequest):
        check_claims({"cnf": {}})
