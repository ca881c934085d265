"""The headers of a request keep every field, whoever reads them."""

from __future__ import annotations

from typing import Any

import pytest

from annul.errors import InvalidRequest
from annul.integrations.headers import Headers
from tests.core.any_input import Pretender


def test_names_are_found_in_any_case_and_repeated_fields_are_kept_in_order() -> None:
    headers = Headers([("Cookie", "a=1"), ("X-One", "1"), ("cookie", "b=2")])

    assert headers.all("COOKIE") == ("a=1", "b=2")
    assert headers.one("x-one") == "1"
    assert headers.one("x-two") is None
    assert headers.all("x-two") == ()


def test_a_field_that_may_occur_once_is_refused_if_it_occurs_twice() -> None:
    with pytest.raises(InvalidRequest):
        Headers([("Origin", "https://a.example"), ("origin", "https://a.example")]).one("Origin")


def test_bytes_and_text_are_read_alike() -> None:
    assert Headers([(b"X-One", b" \xe9\t")]).one("x-one") == "é"
    assert Headers([("X-One", " é\t")]).one("x-one") == "é"


def test_only_spaces_and_tabs_are_taken_from_the_ends_of_a_value() -> None:
    assert Headers([("X", "\t \xa0a\x0b ")]).one("x") == "\xa0a\x0b"


def test_a_wsgi_environment_has_the_headers_of_its_request() -> None:
    environ = {"HTTP_SEC_FETCH_SITE": "none", "REQUEST_METHOD": "GET", "wsgi.input": object()}

    headers = Headers.from_wsgi(environ)

    assert headers.one("Sec-Fetch-Site") == "none"
    assert list(headers) == ["sec-fetch-site"]


@pytest.mark.parametrize(
    "pairs",
    [
        [("a",)],
        [("a", 1)],
        [(1, "a")],
        [None],
        5,
        [("a", "b", "c")],
        "abc",
        [("a", None)],
        [("a", Pretender("b"))],
    ],
)
def test_what_is_not_pairs_of_text_is_refused(pairs: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(InvalidRequest):
        Headers(pairs)


def test_no_value_appears_in_a_repr() -> None:
    assert repr(Headers([("Authorization", "Bearer canary")])) == "Headers(authorization)"
