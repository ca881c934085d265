"""The URL in a proof: what means the same is the same, and nothing else is."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annul.core.htu import UnusableURL, normalize
from annul.errors import InvalidDPoPProof, InvalidRequest
from tests.core.any_input import any_text, often
from tests.core.dpop_samples import CLIENT, URL, server

SAME = [
    "https://api.example/~orders/",
    "HTTPS://API.Example/~orders/",
    "https://api.example:443/~orders/",
    "https://api.example:0443/~orders/",
    "https://api.example:/~orders/",
    "https://api.example/%7Eorders/",
    "https://api.example/%7eorders/",
    "https://api.example/%7Eo%72ders/",
    "https://api.example/~orders/?page=2",
    "https://api.example/~orders/?page=2#top",
    "https://api.example/~orders/#top?page=2",
    "https://api.example/./~orders/",
    "https://api.example/x/../~orders/",
    "https://api.example/%2E%2e/~orders/.",
    "https://api.example/~orders/x/..",
]

OTHER = [
    "http://api.example/~orders/",
    "https://api.example:8443/~orders/",
    "https://api.example:80/~orders/",
    "https://api.example./~orders/",
    "https://api.example.evil.example/~orders/",
    "https://other.example/~orders/",
    "https://api.example/~orders",
    "https://api.example/~Orders/",
    "https://api.example//~orders/",
    "https://api.example/~orders//",
    "https://api.example/~orders/x",
    "https://api.example/%252E%252E/~orders/",
    "https://api.example/x%2F../~orders%2F",
    "https://api.example/",
    "https://api.example",
]

UNUSABLE = [
    "",
    "/~orders/",
    "//api.example/~orders/",
    "api.example/~orders/",
    "https:/api.example/~orders/",
    "https:api.example",
    "https://",
    "https:///~orders/",
    "ftp://api.example/~orders/",
    "https://alice@api.example/~orders/",
    "https://api.example@evil.example/~orders/",
    "https://api.example:port/~orders/",
    "https://api.example:65536/~orders/",
    "https://api.example:000443/~orders/",
    "https://api.example\\~orders/",
    "https://api%2Eexample/~orders/",
    "https://\N{CYRILLIC SMALL LETTER A}pi.example/~orders/",
    "https://[api.example/~orders/",
    "https://api.example/%zz",
    "https://api.example/%",
    "https://api.example/%a",
    "https://api.example/\n",
    "https://api.example/\x00",
    " https://api.example/",
    "https://api.example/\ud800",
]


@pytest.mark.parametrize("url", SAME)
def test_what_names_the_same_resource_is_accepted(url: str) -> None:
    proof = server().prove(CLIENT.proof("GET", url), method="GET", url=SAME[0])
    assert proof.jkt == CLIENT.jkt
    turned = server().prove(CLIENT.proof("GET", SAME[0]), method="GET", url=url)
    assert turned.jkt == CLIENT.jkt


@pytest.mark.parametrize("url", OTHER)
def test_what_names_another_resource_is_refused(url: str) -> None:
    with pytest.raises(InvalidDPoPProof):
        server().prove(CLIENT.proof("GET", url), method="GET", url=SAME[0])
    with pytest.raises(InvalidDPoPProof):
        server().prove(CLIENT.proof("GET", SAME[0]), method="GET", url=url)


@pytest.mark.parametrize("url", UNUSABLE, ids=ascii)
def test_what_is_no_url_of_a_request_is_refused(url: str) -> None:
    with pytest.raises(UnusableURL):
        normalize(url)
    if url.isprintable():
        with pytest.raises(InvalidDPoPProof):
            server().prove(CLIENT.proof("GET", url), method="GET", url=SAME[0])
    with pytest.raises(InvalidRequest):
        server().prove(CLIENT.proof("GET", SAME[0]), method="GET", url=url)


@pytest.mark.parametrize("claims", [None, 5, ["https://api.example/"], {"url": URL}], ids=repr)
def test_a_url_that_is_no_text_is_refused(claims: object) -> None:
    with pytest.raises(InvalidDPoPProof):
        server().prove(CLIENT.proof("GET", URL, claims={"htu": claims}), method="GET", url=URL)


def test_the_url_is_the_one_that_was_given_and_no_header_has_a_say() -> None:
    # Behind a proxy the server sees another URL than the client; the deployer knows both.
    proof = CLIENT.proof("GET", "https://public.example/orders")
    with pytest.raises(InvalidDPoPProof):
        server().prove(proof, method="GET", url="http://10.0.0.7:8080/orders")
    found = server().prove(proof, method="GET", url="https://public.example/orders")
    assert found.jkt == CLIENT.jkt


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://a.example", "https://a.example/"),
        ("http://a.example:80", "http://a.example/"),
        ("http://a.example:443/", "http://a.example:443/"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://a.example?x=/../y", "https://a.example/"),
        ("https://a.example/a/b/../../../c", "https://a.example/c"),
        ("https://a.example/a/.", "https://a.example/a/"),
        ("https://a.example/a/..", "https://a.example/"),
        ("https://a.example/..a/.b/c.", "https://a.example/..a/.b/c."),
        ("https://a.example/a%2fb", "https://a.example/a%2Fb"),
        ("https://a.example/caf\N{LATIN SMALL LETTER E WITH ACUTE} x", "https://a.example/caf%C3%A9%20x"),
        ("https://a.example/caf%c3%a9%20x", "https://a.example/caf%C3%A9%20x"),
        ("https://a.example/a;b=c,d:@!$&'()*+", "https://a.example/a;b=c,d:@!$&'()*+"),
    ],
)  # fmt: skip
def test_a_url_has_one_normal_form(url: str, normal: str) -> None:
    assert normalize(url) == normal
    assert normalize(normal) == normal


pieces = st.sampled_from([*"ab./%~2eE5?#:@é \\", "%2e", "%2F", "/../"])
paths = st.lists(pieces, max_size=12).map("".join)


@often
@given(st.sampled_from(["https://a.example", "HTTP://A.example:8080"]), paths)
def test_the_normal_form_of_a_normal_form_is_itself(start: str, path: str) -> None:
    try:
        normal = normalize(f"{start}/{path}")
    except UnusableURL:
        return
    assert normalize(normal) == normal
    parts = urlsplit(normal)
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)
    assert f"{parts.scheme}://{parts.netloc}" == start.lower()
    assert {".", ".."}.isdisjoint(parts.path.split("/"))


@often
@given(any_text)
def test_any_text_has_a_normal_form_or_none(text: str) -> None:
    for url in (text, "https://" + text, "https://a.example/" + text, "https://a.example:" + text):
        with suppress(UnusableURL):
            assert normalize(normalize(url)) == normalize(url)
