"""What a PostgreSQL URL may say, and that no message repeats what it must not."""

from __future__ import annotations

import pytest

from annul.errors import Misconfigured
from annul.stores.postgres_url import address_from_url
from annul.stores.postgres_values import dump, loader

SECRET = "s3cr3t%25%20word"
TEXT = 25


def test_a_url_says_where_the_store_is() -> None:
    address = address_from_url(
        f"postgresql://annul:{SECRET}@db.example:6432/tokens?schema=shop&timeout=0.5&sslmode=require"
    )

    assert (address.schema, address.timeout) == ("shop", 0.5)
    assert address.place == "db.example:6432/tokens"
    for part in ("host=db.example", "port=6432", "dbname=tokens", "user=annul", "sslmode=require"):
        assert part in address.hosts[0]
    assert "s3cr3t% word" in address.hosts[0]


def test_what_is_not_said_has_a_default() -> None:
    address = address_from_url("postgres:///tokens")

    assert (address.schema, address.timeout, address.promotion) == ("annul", 2.0, "any")
    (only,) = address.hosts
    assert "gssencmode=disable" in only
    # libpq may know these from its environment.
    assert "host=" not in only
    assert "port=" not in only


def test_several_hosts_and_a_folder_of_sockets_can_be_named() -> None:
    several = address_from_url("postgresql://one:5432,two:5433/x?target_session_attrs=read-write")
    one_port = address_from_url("postgresql:///x?host=one,two&port=5433")
    folder = address_from_url("postgresql:///x?host=/run/postgresql")

    first, second = several.hosts
    assert "host=one port=5432" in first
    assert "host=two port=5433" in second
    assert [host.count("port=5433") for host in one_port.hosts] == [1, 1]
    assert folder.place == "/run/postgresql/x"


def test_neither_the_address_nor_its_place_shows_the_password() -> None:
    address = address_from_url(f"postgresql://annul:{SECRET}@db.example/tokens")

    assert "s3cr3t" not in repr(address) + address.place


@pytest.mark.parametrize(
    "rest",
    [
        "@db.example",  # no database
        "@db.example/",
        "@db.example:port/x",
        "@[::1/x",
        "@db.example/x#part",
        "@db.example/x?shema=y",
        "@db.example/x?options=-csynchronous_commit=off",
        "@db.example/x?schema=a&schema=b",
        "@db.example/x?schema=pg_catalog",
        "@db.example/x?schema=Annul",
        '@db.example/x?schema=a"b',
        "@db.example/x?schema=" + "a" * 51,
        "@one:1,two:2/x?port=1,2,3",
        "@one,,two/x",
        "@db.example/x?promotion=some",
        "@db.example/x?target_session_attrs=standby",
        "@db.example/x?target_session_attrs=any",
        "@db.example/x?target_session_attrs=prefer-standby",
        "@db.example/x?timeout=0",
        "@db.example/x?timeout=61",
        "@db.example/x?timeout=nan",
        "@db.example/x?timeout=soon",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_its_password(rest: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        address_from_url(f"postgresql://annul:{SECRET}{rest}")

    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "\0", "\ufdd0", "\ufdd00", "\0\ufdd0\0001", "\ufdd01\0x", "é🚪"]
)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    stored = dump(text)

    assert stored is not None
    assert b"\0" not in stored
    assert loader(TEXT)(stored) == text
