"""What a verifier's credential must be allowed, as the command line prints it."""

from __future__ import annotations

from pathlib import Path

import pytest

from annul.stores import grants_of
from tests.cli.running import annul

PASSWORD = "correct-horse"
POSTGRES = f"postgresql://root:{PASSWORD}@db.internal/shop?schema=mine"
REDIS = f"redis://root:{PASSWORD}@cache.internal/0?prefix=mine"


@pytest.mark.parametrize("url", [POSTGRES, REDIS])
def test_the_grants_alone_go_to_stdout(url: str) -> None:
    ran = annul("store", "grants", "--store", url, "--user", "reader")
    assert ran.code == 0
    assert ran.out == grants_of(url, "reader")
    assert "reader" in ran.out
    assert PASSWORD not in ran.out + ran.err


@pytest.mark.parametrize("url", [POSTGRES, REDIS])
def test_machines_get_them_as_one_text(url: str) -> None:
    document = annul("store", "grants", "--store", url, "--json").document
    assert document["grants"] == grants_of(url, "annul_verifier")
    assert document["user"] == "annul_verifier"
    assert document["notes"]


@pytest.mark.parametrize("url", ["sqlite:///annul.db", "memory://"])
def test_a_store_without_users_has_none_and_says_who_decides(url: str) -> None:
    ran = annul("store", "grants", "--store", url)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err
    assert annul("store", "grants", "--store", url, "--json").document["grants"] is None


def test_no_store_is_touched() -> None:
    assert annul("store", "grants").code == 0
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("user", ["", "a b", "x;--", "Root", "1st", "user>", "a" * 64])
def test_a_name_that_would_have_to_be_quoted_is_refused(user: str) -> None:
    for url in (POSTGRES, REDIS):
        ran = annul("store", "grants", "--store", url, "--user", user, "--json")
        assert (ran.code, ran.document["code"]) == (5, "invalid_request")


def test_a_url_that_names_no_store_is_refused() -> None:
    ran = annul("store", "grants", "--store", "mysql://host/db", "--json")
    assert (ran.code, ran.document["code"]) == (3, "misconfigured")
