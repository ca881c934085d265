"""What a browser says about where its request comes from is believed, and nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from annul.errors import Misconfigured
from annul.integrations.fetch_metadata import VARY, FetchMetadata
from annul.integrations.headers import Headers

SITE = FetchMetadata(["https://app.example", "https://admin.example:8443", "http://[::1]:5000"])


def judged(method: str, **fields: str) -> str | None:
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return SITE.judge(method, Headers(pairs)).code


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("site", ["same-origin", "none"])
@pytest.mark.parametrize("origin", [None, "null", "https://app.example"])
def test_our_own_pages_and_the_user_are_allowed(method: str, site: str, origin: str | None) -> None:
    fields = {"sec_fetch_site": site} | ({} if origin is None else {"origin": origin})

    assert judged(method, **fields) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "get", "GET", "HEAD"])
def test_other_sites_and_siblings_are_refused(site: str, method: str) -> None:
    assert judged(method, sec_fetch_site=site) == "cross_site"
    assert judged(method, sec_fetch_site=site, origin="https://evil.example") == "cross_site"
    assert judged(method, sec_fetch_site=site, origin="null") == "cross_site"
    assert judged(method, sec_fetch_site=site, referer="https://app.example/x") == "cross_site"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_origin_that_is_named_is_trusted_as_our_own(site: str) -> None:
    assert judged("POST", sec_fetch_site=site, origin="https://admin.example:8443") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_following_a_link_to_a_page_is_allowed_and_posting_a_form_is_not(site: str) -> None:
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}

    assert judged("GET", **link) is None
    for method in ("POST", "HEAD", "get"):
        assert judged(method, **link) == "cross_site"


@pytest.mark.parametrize(
    ("mode", "dest"),
    [("navigate", "iframe"), ("navigate", "object"), ("navigate", "embed"), ("no-cors", "image"),
     ("cors", "empty"), ("no-cors", "script"), ("navigate", None), (None, "document")],
)  # fmt: skip
def test_embedding_and_loading_from_another_site_is_refused(
    mode: str | None, dest: str | None
) -> None:
    fields = {"sec_fetch_site": "cross-site", "sec_fetch_mode": mode, "sec_fetch_dest": dest}

    assert judged("GET", **{n: v for n, v in fields.items() if v is not None}) == "cross_site"


@pytest.mark.parametrize("site", ["", "Same-Origin", "same-origin, none", "other", "same-origin;"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_value_that_no_browser_sends_is_refused(site: str, method: str) -> None:
    assert judged(method, sec_fetch_site=site) == "ambiguous_origin"


@pytest.mark.parametrize(
    "name", ["Sec-Fetch-Site", "Origin", "Referer", "Sec-Fetch-Mode", "Sec-Fetch-Dest"]
)
def test_a_field_that_comes_twice_is_refused(name: str) -> None:
    fields = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    if name == "Referer":
        fields = {}
    headers = Headers([*((n, v) for n, v in fields.items() if n != name), (name, "x"), (name, "x")])
    method = "GET" if name.startswith("Sec-Fetch") else "POST"

    assert SITE.judge(method, headers).code == "ambiguous_origin"


# --- browsers that say nothing ----------------------------------------------------------------


@pytest.mark.parametrize(
    "origin", ["https://app.example", "https://app.example:443", "HTTPS://APP.example",
               "https://admin.example:8443", "http://[::1]:5000"]
)  # fmt: skip
def test_without_metadata_an_origin_of_ours_is_allowed(origin: str) -> None:
    assert judged("POST", origin=origin) is None
    assert judged("POST", referer=f"{origin}/page?x=1") is None
    assert judged("POST", referer=origin) is None


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://evil.example", "http://app.example", "https://app.example:444",
     "https://sub.app.example", "https://app.example.evil.example", "https://xapp.example",
     "https://app.example@evil.example", "https://user@app.example", "//app.example",
     "https://app.example, https://evil.example", "https://app.example:", "file://app.example",
     "https:/app.example", "https://app.example\x00", "https://admin.example", "é"],
)  # fmt: skip
def test_without_metadata_any_other_origin_is_refused(origin: str) -> None:
    assert judged("POST", origin=origin) == "foreign_origin"
    assert judged("POST", referer=origin) == "foreign_origin"
    assert judged("POST", origin=origin, referer="https://app.example/") == "foreign_origin"
    assert judged("GET", origin=origin) is None


def test_an_origin_has_no_path_behind_it() -> None:
    assert judged("POST", origin="https://app.example/") == "foreign_origin"


def test_a_request_that_says_nothing_is_not_taken_for_ours() -> None:
    assert judged("POST") == "no_origin"
    assert judged("GET") is None


# --- setting it up ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origins",
    [[], "https://app.example", ["https://app.example/"], ["app.example"], ["*"], ["null"],
     ["https://*.example"], ["ftp://app.example"], ["https://app.example:0"], [None], [""],
     ["https://app.example", "https://a b.example"]],
)  # fmt: skip
def test_what_is_not_an_exact_origin_is_misconfigured(origins: Any) -> None:  # noqa: ANN401
    with pytest.raises(Misconfigured):
        FetchMetadata(origins)


def test_an_origin_may_be_named_in_several_spellings() -> None:
    site = FetchMetadata(iter(["https://APP.example:443", "https://app.example"]))

    assert site.judge("POST", Headers([("Origin", "https://app.example")])).allowed


def test_caches_are_told_what_the_judgement_depends_on() -> None:
    assert VARY == ("Vary", "Sec-Fetch-Site, Origin")
