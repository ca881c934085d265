"""A request that a cookie authenticates changes something only if our own page sent it."""

from __future__ import annotations

from typing import Any

import pytest

from annul.errors import Misconfigured
from annul.integrations.csrf import CsrfTokens, Defence
from annul.integrations.fetch_metadata import FetchMetadata, Verdict
from annul.integrations.headers import Headers
from tests.core.any_input import Pretender

KEY = bytes(range(32))
TOKENS = CsrfTokens(KEY)
SITE = FetchMetadata(["https://app.example"])
DEFENCE = Defence(TOKENS, SITE)
SID = "session-1"
GOOD = TOKENS.issue(SID)

OURS = Headers([("Sec-Fetch-Site", "same-origin")])
FOREIGN = Headers([("Sec-Fetch-Site", "cross-site")])
SILENT = Headers()


def judged(
    headers: Headers,
    submitted: str | None = GOOD,
    *,
    method: str = "POST",
    from_cookie: bool = True,
    defence: Defence = DEFENCE,
) -> str | None:
    verdict = defence.judge(
        method, headers, from_cookie=from_cookie, session_id=SID, submitted=submitted
    )
    assert bool(verdict) == verdict.allowed == (verdict.code is None)
    return verdict.code


# --- the token ------------------------------------------------------------------------------


def test_an_issued_token_is_good_for_its_session_in_every_process_with_the_key() -> None:
    assert TOKENS.judge(GOOD, SID).allowed
    assert CsrfTokens(KEY).judge(GOOD, SID).allowed
    assert TOKENS.issue(SID) != GOOD


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_missing_token_is_refused(nothing: str | None) -> None:
    assert TOKENS.judge(nothing, SID) == Verdict("csrf_missing")
    assert judged(OURS, nothing) == "csrf_missing"


@pytest.mark.parametrize("session", ["session-2", "session-", "session-11", "", None, "\ud800", 5])
def test_a_token_of_another_session_is_refused(session: Any) -> None:  # noqa: ANN401 - anything
    assert TOKENS.judge(GOOD, session) == Verdict("csrf_mismatch")


def test_a_token_from_before_the_next_login_is_refused() -> None:
    before = TOKENS.issue("session-before")

    assert judged(OURS, before) == "csrf_mismatch"


def test_a_token_with_any_character_changed_is_refused() -> None:
    for place in range(len(GOOD)):
        for other in "AQgw019_-.=\n":
            changed = GOOD[:place] + other + GOOD[place + 1 :]
            if changed != GOOD:
                assert not TOKENS.judge(changed, SID).allowed


@pytest.mark.parametrize(
    "token",
    [
        "a.b",
        GOOD + "A",
        GOOD[1:],
        GOOD.split(".")[0],
        "é" * 66,
        "." * 66,
        5,
        b"x",
        [GOOD],
        Pretender(GOOD),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_token_is_refused(token: Any) -> None:  # noqa: ANN401 - anything
    assert TOKENS.judge(token, SID) == Verdict("csrf_mismatch")


def test_a_token_of_another_key_is_refused() -> None:
    assert not CsrfTokens(bytes(32)).judge(GOOD, SID).allowed


def test_the_random_part_and_the_session_cannot_be_shifted_into_each_other() -> None:
    tokens = CsrfTokens(KEY, entropy=bytes)
    random, tag = tokens.issue("a!22!" + "A" * 22).split(".")

    assert not tokens.judge(f"{random}.{tag}", "a").allowed


def test_the_entropy_is_a_parameter_and_128_bits_of_it_are_used() -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    assert CsrfTokens(KEY, entropy=entropy).issue(SID) == CsrfTokens(KEY, entropy=bytes).issue(SID)
    assert asked == [16]


@pytest.mark.parametrize("key", [b"", bytes(31), "x" * 32, None])
def test_a_key_that_is_too_short_is_misconfigured(key: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(Misconfigured):
        CsrfTokens(key)


# --- the request ----------------------------------------------------------------------------


def test_our_own_page_with_its_token_is_allowed() -> None:
    assert judged(OURS) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "get", "QUERY", "TRACE", ""])
def test_every_method_that_may_change_something_needs_the_token(method: str) -> None:
    assert judged(OURS, None, method=method) == "csrf_missing"
    assert judged(OURS, method=method) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_methods_that_change_nothing_need_no_token(method: str) -> None:
    assert judged(OURS, None, method=method) is None
    assert judged(SILENT, None, method=method) is None
    assert judged(FOREIGN, None, method=method) == "cross_site"


def test_a_foreign_page_is_refused_even_with_a_token() -> None:
    assert judged(FOREIGN) == "cross_site"
    assert judged(Headers([("Origin", "https://evil.example")])) == "foreign_origin"


def test_where_the_browser_does_not_say_the_token_decides() -> None:
    assert judged(SILENT) is None
    assert judged(SILENT, None) == "csrf_missing"
    assert judged(SILENT, "a.b") == "csrf_mismatch"


def test_a_request_without_cookies_needs_no_token_wherever_it_comes_from() -> None:
    for headers in (OURS, FOREIGN, SILENT):
        assert judged(headers, None, from_cookie=False) is None


def test_the_token_may_be_asked_for_only_where_the_browser_does_not_say() -> None:
    defence = Defence(TOKENS, SITE, token_always=False)

    assert judged(OURS, None, defence=defence) is None
    assert judged(SILENT, None, defence=defence) == "csrf_missing"
    assert judged(SILENT, defence=defence) is None
    assert judged(FOREIGN, defence=defence) == "cross_site"


def test_neither_the_key_nor_a_token_appears_in_a_repr() -> None:
    assert KEY.hex() not in repr(TOKENS)
    assert "x01" not in repr(TOKENS)
