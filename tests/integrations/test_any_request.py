"""Whatever bytes a request is made of, there is an answer or an error of ours, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import given
from hypothesis import strategies as st

from annul.errors import InvalidRequest, NoToken
from annul.integrations.bearer import read
from annul.integrations.certificates import ForwardedCertificates, from_asgi
from annul.integrations.cookies import ACCESS_COOKIE, BOUND_COOKIE, binding
from annul.integrations.csrf import CsrfTokens, Defence
from annul.integrations.fetch_metadata import FetchMetadata
from annul.integrations.headers import Headers
from tests.core.any_input import any_text, judged, often
from tests.integrations.sample_certificates import pem

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NAMES = ["Authorization", "Cookie", "Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode",
         "Sec-Fetch-Dest", "Client-Cert", "X-Cert", "X-Forwarded-Client-Cert"]  # fmt: skip
PIECES = ["Bearer", " ", "\t", "a.b.c", "=", ";", ",", '"', ":", "__Host-access", "__host-bound",
          "__Host-bound", "A" * 43, "same-origin", "cross-site", "https://app.example", "null", "%",
          "%41", "Hash", "0" * 64, "Cert", "navigate", "document", pem(), "\x00", "é",
          "\udcff"]  # fmt: skip

values = st.lists(st.sampled_from(PIECES) | any_text, max_size=6).map("".join)
fields = st.tuples(
    st.sampled_from(NAMES) | any_text, values | st.binary(max_size=100) | values.map(str.swapcase)
)
requests = st.lists(fields, max_size=8).map(Headers)

DEFENCE = Defence(CsrfTokens(bytes(32)), FetchMetadata(["https://app.example"]))
PROXIES = [
    ForwardedCertificates(["10.0.0.0/8"]),
    ForwardedCertificates(["10.0.0.0/8"], form="pem", header="X-Cert"),
    ForwardedCertificates(["10.0.0.0/8"], form="xfcc"),
]


def answered(question: Callable[[], T]) -> T | None:
    """Return the answer, ``None`` for a refusal; whatever else happens is a failure."""
    try:
        return question()
    except (InvalidRequest, NoToken):
        return None


@often
@given(requests, values | st.binary(max_size=60))
def test_any_request_presents_one_token_or_is_refused(headers: Headers, query: str | bytes) -> None:
    found = answered(lambda: read(headers, cookie=ACCESS_COOKIE, query=query))

    if found is not None:
        assert found.token.isascii()
        assert " " not in found.token
        assert judged(found.token) is None


@often
@given(requests)
def test_any_cookie_header_has_one_value_or_is_refused(headers: Headers) -> None:
    value = answered(lambda: ACCESS_COOKIE.read(headers))

    if value is not None:
        assert ACCESS_COOKIE.set(value).startswith(f"{ACCESS_COOKIE.name}={value}; ")
    for name in answered(lambda: binding(headers, BOUND_COOKIE)) or ():
        assert name == "cookie#S256"


@often
@given(requests, values, values, st.sampled_from(["GET", "POST", "HEAD", ""]), st.booleans())
def test_any_request_gets_a_verdict(
    headers: Headers, sid: str, submitted: str, method: str, from_cookie: bool
) -> None:
    verdict = DEFENCE.judge(
        method, headers, from_cookie=from_cookie, session_id=sid, submitted=submitted
    )

    if method in {"POST", ""} and from_cookie:
        assert not verdict.allowed


@often
@given(requests, st.sampled_from(["10.0.0.1", "::ffff:10.0.0.1", "1.2.3.4", ""]) | any_text)
def test_any_forwarded_certificate_is_one_or_is_refused(headers: Headers, peer: str) -> None:
    for proxy in PROXIES:
        found = answered(lambda proxy=proxy: proxy.binding(headers, peer))  # type: ignore[misc]  # bound now

        assert not found or peer.endswith("10.0.0.1")


@often
@given(st.none() | st.lists(values | st.binary(max_size=100), max_size=2))
def test_any_chain_of_a_server_is_a_certificate_or_is_refused(
    chain: list[str | bytes] | None,
) -> None:
    scope = {"extensions": {"tls": {"client_cert_chain": chain}}}

    found = answered(lambda: from_asgi(scope))

    assert not found or len(found["x5t#S256"]) == 43
