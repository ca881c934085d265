"""The lease table as the command line shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import annul as library
from annul.core.revocation import Watermark
from annul.portal import portal
from annul.stores import open_store
from annul.stores.base import Lease
from tests.cli.running import annul, log_in
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.stores.base import Store

ISSUER, AUDIENCE = "https://auth.localhost", "https://api.localhost"


def table(*words: str) -> list[dict[str, Any]]:
    ran = annul("replicas", "--json", *words)
    assert ran.code == 0, ran.err
    found = ran.document["replicas"]
    assert isinstance(found, list)
    return found


@pytest.fixture
def store() -> Iterator[Store]:
    """The store of this folder, with somebody logged in and two entries in its log."""
    log_in()
    annul("revoke", "subject", "alice")
    annul("revoke", "subject", "bob")
    opened = open_store("sqlite:///annul.db", issuer=ISSUER)
    yield opened
    portal.call(opened.close())


def head(store: Store) -> Watermark:
    return portal.call(store.snapshot()).watermark


def test_a_replica_is_listed_while_it_is_open() -> None:
    log_in()
    assert table() == []
    policy = library.Policy(issuer=ISSUER, audience=AUDIENCE)
    with library.Replica.open("sqlite:///annul.db", policy=policy, max_staleness=1.5) as replica:
        annul("revoke", "subject", "alice")
        eventually(lambda: table()[0]["seq"] == 1)
        (row,) = table()
        assert replica.watermark is not None
        assert (row["epoch"], row["seq"]) == replica.watermark.position
        assert (row["max_staleness"], row["behind"]) == (1.5, 0)
        assert ":" in row["label"]
        beat = row["beat"]
        eventually(lambda: table()[0]["beat"] > beat)
    assert table() == []


def test_it_says_how_far_everybody_is_behind(store: Store) -> None:
    at = head(store)
    marks = {
        "all": at,
        "one": Watermark(at.epoch, at.seq - 1, b"t"),
        "nothing": None,
        "older": Watermark(at.epoch - 1, 900, b"t"),
    }
    for name, mark in marks.items():
        portal.call(store.renew(Lease(id=name, watermark=mark, max_staleness=2.0, label=name)))
    rows = {row["label"]: (row["seq"], row["behind"]) for row in table()}
    assert rows == {
        "all": (2, 0),
        "one": (1, 1),
        "nothing": (None, None),
        "older": (900, None),  # nobody knows how many entries that epoch had
    }


def test_looking_changes_nothing(store: Store) -> None:
    lease = Lease(id="a", watermark=head(store), max_staleness=2.0, label="host:1", beat=7)
    portal.call(store.renew(lease))
    before = portal.call(store.snapshot())
    table()
    assert portal.call(store.leases()) == (lease,)
    assert portal.call(store.snapshot()) == before


def test_people_get_a_table(store: Store) -> None:
    mark = head(store)
    portal.call(store.renew(Lease(id="a", watermark=mark, max_staleness=2.0, label="b:\x1b[2J")))
    portal.call(store.renew(Lease(id="no label", watermark=None, max_staleness=0.5, beat=3)))
    heads, first, second = annul("replicas").out.splitlines()
    assert heads.split() == ["VERIFIER", "DELTA", "EPOCH", "SEQ", "BEHIND", "BEAT"]
    assert first.split() == ["no", "label", "0.5", "-", "-", "-", "3"]
    assert second.split()[1:] == ["2.0", str(mark.epoch), "2", "0", "0"]
    assert "\x1b" not in second


def test_a_store_that_nobody_founded_is_not_founded() -> None:
    ran = annul("replicas", "--json")
    assert (ran.code, ran.document["code"]) == (3, "wrong_store")
    assert not Path("annul.db").exists()


def test_a_store_of_another_issuer_is_left_alone() -> None:
    log_in()
    ran = annul("replicas", "--issuer", "https://other.example", "--json")
    assert (ran.code, ran.document["code"]) == (3, "wrong_store")
