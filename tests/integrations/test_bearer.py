"""One request, one token; and what a client is told when there is none, or it is refused."""

from __future__ import annotations

import re

import pytest

from annul.core.denylist import Denylist
from annul.core.revocation import Kind
from annul.core.verifier import Verifier
from annul.errors import (
    AnnulError,
    BadSignature,
    ClaimMismatch,
    Expired,
    InsufficientScope,
    InvalidGrant,
    InvalidRequest,
    LoginThrottled,
    Malformed,
    Misconfigured,
    NotBound,
    NoToken,
    ReplicaStale,
    Revoked,
    StoreUnavailable,
    SubjectBlocked,
)
from annul.integrations.bearer import Credentials, answer_to, read, require_scopes
from annul.integrations.cookies import ACCESS_COOKIE
from annul.integrations.headers import Headers
from annul.testing import NOW
from tests.judging import revocation
from tests.signing import KEYS, POLICY, sample_claims, signed

TOKEN = "ab.cd.ef"


def with_authorization(*values: str | bytes) -> Headers:
    return Headers([("Authorization", value) for value in values])


# --- finding it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}", f" bEaReR {TOKEN}\t ",
     f"Bearer {TOKEN}".encode()],
)  # fmt: skip
def test_a_token_is_found_under_its_scheme_in_any_case(value: str | bytes) -> None:
    assert read(with_authorization(value)) == Credentials(token=TOKEN)


@pytest.mark.parametrize("token", ["a", "a==", "-._~+/", "A0.b-_"])
def test_every_token_that_the_grammar_allows_is_found(token: str) -> None:
    assert read(with_authorization(f"Bearer {token}")).token == token


@pytest.mark.parametrize("value", ["Basic YTpi", "DPoP ab.cd.ef", "Digest a=b, c=d", "Negotiate"])
def test_credentials_of_another_scheme_are_no_token(value: str) -> None:
    with pytest.raises(NoToken):
        read(with_authorization(value))


def test_a_request_without_credentials_presents_no_token() -> None:
    with pytest.raises(NoToken):
        read(Headers())
    with pytest.raises(NoToken):
        read(Headers([("Cookie", "other=1")]), cookie=ACCESS_COOKIE)


def test_another_scheme_is_found_if_it_is_asked_for() -> None:
    headers = with_authorization(f"dpop {TOKEN}")

    assert read(headers, schemes=("Bearer", "DPoP")) == Credentials(token=TOKEN, scheme="DPoP")


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer a, Bearer b", "Bearer =",
     'Bearer "a"', "Bearer é", "Bearer\ta", "Bearer\xa0a", "Bearer a\x00", "Bearer a\n", ":",
     "Bearer a=b", "Bea(rer a", b"\xff\xfe"],
)  # fmt: skip
def test_a_header_that_cannot_be_read_is_refused(value: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(with_authorization(value))


@pytest.mark.parametrize("second", [f"Bearer {TOKEN}", "Bearer other", "Basic YTpi"])
def test_two_authorization_headers_are_refused(second: str) -> None:
    with pytest.raises(InvalidRequest):
        read(with_authorization(f"Bearer {TOKEN}", second))


def test_a_token_in_a_cookie_is_found_only_where_cookies_are_looked_at() -> None:
    headers = Headers([("Cookie", f"a=1; {ACCESS_COOKIE.name}={TOKEN}")])

    assert read(headers, cookie=ACCESS_COOKIE) == Credentials(token=TOKEN, from_cookie=True)
    with pytest.raises(NoToken):
        read(headers)


def test_a_token_in_a_header_and_one_in_a_cookie_are_two() -> None:
    headers = Headers(
        [("Cookie", f"{ACCESS_COOKIE.name}={TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
    )

    with pytest.raises(InvalidRequest):
        read(headers, cookie=ACCESS_COOKIE)
    assert read(headers) == Credentials(token=TOKEN)


def test_credentials_of_another_scheme_leave_the_cookie_alone() -> None:
    headers = Headers(
        [("Cookie", f"{ACCESS_COOKIE.name}={TOKEN}"), ("Authorization", "Basic YTpi")]
    )

    assert read(headers, cookie=ACCESS_COOKIE).from_cookie


@pytest.mark.parametrize(
    "query",
    ["access_token=a", "?access_token=a", "x=1&access_token=", "access_token", "access%5Ftoken=a",
     b"x=1&access_token=a", "%61ccess_token=a"],
)  # fmt: skip
def test_a_token_in_the_url_is_refused(query: str | bytes) -> None:
    for headers in (Headers(), with_authorization(f"Bearer {TOKEN}")):
        with pytest.raises(InvalidRequest):
            read(headers, query=query)


@pytest.mark.parametrize("query", ["", "x=access_token", "xaccess_token=a", "access_tokens=1"])
def test_other_queries_are_nobodys_business(query: str) -> None:
    assert read(with_authorization(f"Bearer {TOKEN}"), query=query).token == TOKEN


def test_the_token_does_not_appear_in_a_repr() -> None:
    assert "canary" not in repr(read(with_authorization("Bearer canary")))


# --- scopes ---------------------------------------------------------------------------------


def test_a_token_without_the_scopes_is_refused_and_told_which() -> None:
    verifier = Verifier(jwks=KEYS, policy=POLICY, denylist=Denylist(), clock=lambda: NOW)
    token = verifier.verify(signed(sample_claims(scope="read list")))

    require_scopes(token)
    require_scopes(token, "read")
    require_scopes(token, "list", "read")
    with pytest.raises(InsufficientScope) as refusal:
        require_scopes(token, "read", "write")
    assert refusal.value.scope == "read write"


# --- the answer -----------------------------------------------------------------------------


def challenge(error: AnnulError, realm: str | None = None) -> tuple[int, str]:
    """Return the status and the challenge, which is the only header."""
    answer = answer_to(error, realm=realm)
    ((name, value),) = answer.headers
    assert name == "WWW-Authenticate"
    return answer.status, value


def test_a_request_without_credentials_gets_a_challenge_without_an_error() -> None:
    assert challenge(NoToken("")) == (401, "Bearer")
    assert challenge(NoToken(""), "api") == (401, 'Bearer realm="api"')
    assert answer_to(NoToken("")).error is None


REJECTIONS = [Malformed(""), BadSignature(""), ClaimMismatch(""), Expired(""), NotBound("")]


@pytest.mark.parametrize("error", REJECTIONS, ids=lambda error: error.code)
def test_every_rejected_token_gets_invalid_token(error: AnnulError) -> None:
    assert challenge(error) == (401, 'Bearer error="invalid_token"')
    assert challenge(error, "api") == (401, 'Bearer realm="api", error="invalid_token"')
    assert answer_to(error).error == "invalid_token"


def test_a_revoked_token_and_an_expired_one_get_the_same_answer() -> None:
    revoked = Revoked("", revocation=revocation(Kind.SUBJECT, "alice"))

    assert answer_to(revoked, realm="api") == answer_to(Expired(""), realm="api")


@pytest.mark.parametrize("error", [InvalidRequest(""), InvalidGrant(""), SubjectBlocked("")])
def test_a_request_that_cannot_be_used_gets_invalid_request(error: AnnulError) -> None:
    assert challenge(error) == (400, 'Bearer error="invalid_request"')


def test_a_scope_that_is_too_small_is_answered_with_the_one_it_takes() -> None:
    error = InsufficientScope("", scope="read write")

    assert challenge(error) == (403, 'Bearer error="insufficient_scope", scope="read write"')
    assert challenge(error, "api") == (
        403,
        'Bearer realm="api", error="insufficient_scope", scope="read write"',
    )


@pytest.mark.parametrize("error", [ReplicaStale(""), StoreUnavailable("")])
def test_a_verifier_that_cannot_tell_asks_for_patience_and_for_no_other_token(
    error: AnnulError,
) -> None:
    assert answer_to(error).status == 503
    assert answer_to(error).headers == (("Retry-After", "1"),)
    assert answer_to(error, retry_after=30).headers == (("Retry-After", "30"),)


@pytest.mark.parametrize(("stated", "told"), [(None, "1"), (30, "30"), (0.2, "1"), (2.01, "3")])
def test_a_login_too_many_is_told_when_to_come_back(stated: float | None, told: str) -> None:
    answer = answer_to(LoginThrottled("", retry_after=stated))

    assert (answer.status, answer.headers) == (429, (("Retry-After", told),))


def test_what_is_the_deployers_fault_says_nothing() -> None:
    answer = answer_to(Misconfigured("secret"))

    assert (answer.status, answer.error, answer.headers) == (500, None, ())


ALLOWED = re.compile(r'Bearer(?: (?:[a-z_]+="[\x20-\x21\x23-\x5B\x5D-\x7E]*"(?:, |$))*)?')


@pytest.mark.parametrize(
    "text", ['a"b', "back\\slash", "line\r\nSet-Cookie: x=1", "é", "plain", "\x00"]
)
def test_a_challenge_never_repeats_what_a_client_or_a_message_said(text: str) -> None:
    for kind in (Malformed, InvalidRequest, NoToken, InsufficientScope):
        _, value = challenge(kind(text), "api")
        assert ALLOWED.fullmatch(value)
        assert text not in value


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\r\nb", "é", "\x7f"])
def test_a_realm_that_does_not_fit_between_quotes_is_misconfigured(realm: str) -> None:
    with pytest.raises(Misconfigured):
        answer_to(NoToken(""), realm=realm)
