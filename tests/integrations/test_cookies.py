"""Cookies that browsers keep to themselves, set, deleted and read by one description."""

from __future__ import annotations

from typing import Any

import pytest

from annul.errors import InvalidRequest, Misconfigured
from annul.integrations.cookies import (
    ACCESS_COOKIE,
    BOUND_COOKIE,
    CSRF_COOKIE,
    Cookie,
    binding,
    clearing,
    refresh_cookie,
)
from annul.integrations.headers import Headers
from tests.core.any_input import Pretender

NAME = "__Host-access"
VALUE = "eyJ.abc-_.xyz"


def cookies(*headers: str | bytes) -> Headers:
    return Headers([("Cookie", header) for header in headers])


# --- setting --------------------------------------------------------------------------------


def test_a_cookie_is_set_with_exactly_the_hardened_attributes() -> None:
    assert (
        ACCESS_COOKIE.set(VALUE)
        == f"__Host-access={VALUE}; Path=/; Secure; HttpOnly; SameSite=Strict"
    )
    assert BOUND_COOKIE.set("x") == "__Host-bound=x; Path=/; Secure; HttpOnly; SameSite=Strict"
    assert CSRF_COOKIE.set("x") == "__Host-csrf=x; Path=/; Secure; SameSite=Strict"
    assert (
        refresh_cookie("/auth").set("x")
        == "__Secure-refresh=x; Path=/auth; Secure; HttpOnly; SameSite=Strict"
    )


def test_only_a_persistent_cookie_has_a_lifetime() -> None:
    lasting = Cookie(NAME, persistent=True)

    assert lasting.set("x", max_age=1).endswith("; Max-Age=1")
    assert lasting.set("x", max_age=34_560_000).endswith("; Max-Age=34560000")
    assert lasting.set("x", max_age=900) == (
        "__Host-access=x; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=900"
    )
    with pytest.raises(InvalidRequest):
        lasting.set("x")
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.set("x", max_age=900)
    assert refresh_cookie("/auth", persistent=True).set("x", max_age=5).endswith("; Max-Age=5")


@pytest.mark.parametrize("max_age", [0, -1, True, 1.5, "900", 34_560_001])
def test_a_lifetime_is_whole_seconds_that_browsers_would_keep(max_age: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        Cookie(NAME, persistent=True).set("x", max_age=max_age)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "__Secure-a", "domain": "app.example", "path": "/x"},
        {"name": "__Host-a", "same_site": "None"},
        {"name": "__Host-Http-a", "same_site": "Lax"},
        {"name": "__Http-a", "path": "/x/y"},
        {"name": "__Host-" + "a" * 1017},
        {"name": "__Secure-a", "path": "/" + "a" * 1023},
    ],
)
def test_a_cookie_that_browsers_keep_can_be_described(options: dict[str, Any]) -> None:
    text = Cookie(**options).set("x")

    assert "; Secure" in text
    assert f"; SameSite={options.get('same_site', 'Strict')}" in text
    assert ("Domain=app.example" in text) == ("domain" in options)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "__Host-a", "domain": "app.example"},
        {"name": "__Host-a", "path": "/auth"},
        {"name": "__Host-Http-a", "path": "/auth"},
        {"name": "__Host-Http-a", "http_only": False},
        {"name": "__Http-a", "http_only": False},
        {"name": "__Host-http-a", "http_only": False},
        {"name": "__Host-HTTP-", "http_only": False},
        {"name": "access"},
        {"name": "__host-a"},
        {"name": "__SECURE-a"},
        {"name": "__Host-"},
        {"name": "__Host-a b"},
        {"name": "__Host-a=b"},
        {"name": "__Host-a;b"},
        {"name": "__Host-é"},
        {"name": "__Host-" + "a" * 2000},
        {"name": 5},
        {"name": "__Secure-a", "path": ""},
        {"name": "__Secure-a", "path": "auth"},
        {"name": "__Secure-a", "path": "/a;b"},
        {"name": "__Secure-a", "path": "/a\r\nb"},
        {"name": "__Secure-a", "path": "/" + "a" * 1024},
        {"name": "__Secure-a", "path": None},
        {"name": "__Secure-a", "domain": ".app.example"},
        {"name": "__Secure-a", "domain": "example"},
        {"name": "__Secure-a", "domain": "a.example; Path=/"},
        {"name": "__Secure-a", "domain": 7},
        {"name": "__Host-a", "same_site": "strict"},
        {"name": "__Host-a", "same_site": None},
    ],
)
def test_a_cookie_that_is_not_safe_cannot_be_described(options: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Cookie(**options)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a b",
        'a"b',
        "a,b",
        "a;b",
        "a\\b",
        "a\r\nb",
        "é",
        "\x00",
        "a\x7f",
        None,
        b"a",
        5,
        Pretender("a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_a_cookie_cannot_hold_is_refused(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.set(value)


def test_a_cookie_of_the_largest_size_is_set_and_a_larger_one_is_refused() -> None:
    room = 4096 - len(NAME)

    assert ACCESS_COOKIE.set("a" * room)
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.set("a" * (room + 1))


# --- deleting -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cookie",
    [ACCESS_COOKIE, CSRF_COOKIE, refresh_cookie("/auth"), Cookie("__Secure-a", domain="a.example")],
    ids=lambda cookie: cookie.name,
)
def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(cookie: Cookie) -> None:
    set_to, deleted = cookie.set("x").split("; "), cookie.clear().split("; ")

    assert set_to[1:] == deleted[: len(set_to)][1:]
    assert deleted[0] == f"{cookie.name}="
    assert deleted[len(set_to) :] == ["Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"]


def test_logging_a_browser_out_deletes_its_cookies_and_is_kept_by_no_cache() -> None:
    both = (ACCESS_COOKIE, BOUND_COOKIE)

    headers = clearing(*both)

    assert headers == (
        ("Set-Cookie", ACCESS_COOKIE.clear()),
        ("Set-Cookie", BOUND_COOKIE.clear()),
        ("Cache-Control", "no-store"),
    )
    assert clearing(*both, site_data=True) == (
        *headers,
        ("Clear-Site-Data", '"cache", "cookies", "storage"'),
    )


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [f"{NAME}={VALUE}", f"a=1; {NAME}={VALUE}", f"{NAME}={VALUE};b=2", f"  {NAME} = {VALUE} ;",
     f'x="q;{NAME}={VALUE};; ;=;noname', f"{NAME}x=1; x{NAME}=2; {NAME}={VALUE}"],
)  # fmt: skip
def test_a_cookie_is_found_among_others_of_any_look(header: str) -> None:
    assert ACCESS_COOKIE.read(cookies(header)) == VALUE


def test_cookies_may_come_in_fields_of_their_own() -> None:
    assert ACCESS_COOKIE.read(cookies("a=1", f"{NAME}={VALUE}".encode(), "b=2")) == VALUE


def test_a_request_without_the_cookie_has_none() -> None:
    assert ACCESS_COOKIE.read(Headers()) is None
    assert ACCESS_COOKIE.read(cookies("", f"a={NAME}", "__Host-access2=x")) is None


@pytest.mark.parametrize(
    "headers",
    [(f"{NAME}=a; {NAME}=b",), (f"{NAME}=a; {NAME}=a",), (f"{NAME}=a", f"{NAME}=b"),
     (f"{NAME}=a;{NAME}",)],
)  # fmt: skip
def test_a_cookie_that_comes_twice_is_refused(headers: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.read(cookies(*headers))


@pytest.mark.parametrize(
    "name", ["__host-access", "__HOST-ACCESS", "__Host-Access", "\xa0__Host-access",
             "__Host-access\x85", "\x0b__Host-access", "\x1c__Host-access"]
)  # fmt: skip
@pytest.mark.parametrize("beside", ["", f"; {NAME}={VALUE}"])
def test_a_cookie_that_only_a_lax_reader_takes_for_ours_is_refused(name: str, beside: str) -> None:
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.read(cookies(f"{name}=evil{beside}"))


@pytest.mark.parametrize("value", ["", '"quoted"', "a b", "a,b", "é", "a\\b", "a\x00"])
def test_a_value_that_was_never_set_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        ACCESS_COOKIE.read(cookies(f"{NAME}={value}"))


def test_a_request_proves_nothing_without_the_bound_cookie() -> None:
    assert binding(Headers()) == {}
    assert binding(cookies(f"{BOUND_COOKIE.name}=short")) == {}
