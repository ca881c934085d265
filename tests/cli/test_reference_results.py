"""What the commands print in JSON is what the page of the command line says."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from annul.cli.demo_story import STORY
from annul.cli.doctor import CHECKS, Check
from tests.cli.reference import LEAVES, codes, item, part, rows, sections
from tests.cli.running import annul, log_in, process

if TYPE_CHECKING:
    from collections.abc import Callable


def in_json(name: str) -> list[str]:
    """Return the members that the page names, up to the explanation of what is in them."""
    return codes(re.split(r"[;[]|, (?:as|a list)", item(name, "JSON"))[0])


def document(*words: str, stdin: str = "") -> dict[str, Any]:
    ran = annul(*words, "--json", stdin=stdin)
    assert ran.code == 0, ran.err
    result = ran.document
    assert {"defaulted", "notes"} <= set(codes(part("In JSON")))
    return {key: value for key, value in result.items() if key not in {"defaulted", "notes"}}


def signing_key() -> str:
    keys = annul("keys", "list", "--json").document["keys"]
    return str(next(key["kid"] for key in keys if key["purpose"] == "token"))


RESULTS: dict[str, Callable[[], dict[str, Any]]] = {
    "login": log_in,
    "refresh": lambda: document("refresh", stdin=log_in()["refresh_token"]),
    "logout": lambda: document("logout", stdin=log_in()["access_token"]),
    "sessions": lambda: log_in() and document("sessions", "alice"),
    "verify": lambda: document("verify", stdin=log_in()["access_token"]),
    "inspect": lambda: document("inspect", stdin=log_in()["access_token"]),
    "revoke": lambda: log_in() and document("revoke", "subject", "alice"),
    "block": lambda: log_in() and document("block", "alice"),
    "unblock": lambda: log_in() and document("unblock", "alice"),
    "keys new": lambda: document("keys", "new"),
    "keys list": lambda: log_in() and document("keys", "list"),
    "keys rotate": lambda: document("keys", "rotate"),
    "keys revoke": lambda: log_in() and document("keys", "revoke", signing_key()),
    "keys import": lambda: document("keys", "import", "-", stdin=annul("keys", "new").out),
    "keys export": lambda: log_in() and document("keys", "export", signing_key()),
    "replicas": lambda: log_in() and document("replicas"),
    "store grants": lambda: document("store", "grants"),
    "demo": lambda: document("demo"),
    "doctor": lambda: log_in() and document("doctor"),
}


def test_every_command_but_the_follower_gives_one_document() -> None:
    # Those about audit logs are in tests/cli/test_audit.py.
    audit = {name for name in LEAVES if name.startswith("audit ")}
    assert set(RESULTS) == set(LEAVES) - {"follow"} - audit


@pytest.mark.parametrize("name", RESULTS)
def test_the_members_of_a_document_are_those_of_the_page(name: str) -> None:
    result = {key for key in RESULTS[name]() if key not in {"defaulted", "notes"}}
    assert set(in_json(name)) == result


def test_a_key_in_a_file_has_the_file_in_place_of_its_text() -> None:
    assert set(document("keys", "new", "--out", "key.pem")) == {"kid", "alg", "file"}


def test_a_refresh_token_has_only_the_first_two() -> None:
    token = log_in()["refresh_token"]
    assert list(document("inspect", stdin=token)) == in_json("inspect")[:2]


def test_the_follower_says_what_the_page_says() -> None:
    token = log_in()["access_token"]
    shown = {row[0].strip("`"): set(codes(row[2])) for row in rows(sections()["follow"])}
    assert set(shown) == {"ready", "stale", "alarm", "accepted", "refused"}
    annul("logout", stdin=token)
    lines = process("follow", stdin=f"{token}\n{log_in()['access_token']}\nx\n".encode()).out
    for line in lines.splitlines():
        event = json.loads(line)
        assert set(event) - {"event"} <= shown[event["event"]]
    assert [json.loads(line)["event"] for line in lines.splitlines()] == [
        "ready", "refused", "accepted", "refused",
    ]  # fmt: skip


def test_the_story_and_the_looks_of_the_doctor_are_those_of_the_page() -> None:
    assert f"in {'nine' if len(STORY) == 9 else len(STORY)} steps" in sections()["demo"]
    names = [name for name, _look in CHECKS]
    assert f"the {', '.join(names[:1])}, its {', '.join(names[1:-1])} and {names[-1]}" in " ".join(
        sections()["doctor"].split()
    )
    assert {field.name for field in fields(Check)} <= set(codes(sections()["doctor"]))


def test_the_members_of_an_error_are_those_of_the_page() -> None:
    listed = [row for row in rows(part("In JSON")) if row[0] not in {"`defaulted`", "`notes`"}]
    members = {member for row in listed for member in codes(row[0])}
    token = log_in()["access_token"]
    seen: dict[str, set[str]] = {}
    for words, stdin in (
        ("verify --audience x", token),
        ("verify --ready-timeout 0", token),
        ("revoke subject alice --wait --timeout 0", ""),
        ("verify", token),
        ("nonsense", ""),
    ):
        error = annul(*words.split(), "--json", stdin=stdin).document
        seen[error["code"]] = set(error)
    common = {"code", "message", "exit_code"}
    assert seen == {
        "claim_mismatch": common | {"claim"},
        "replica_stale": common | {"cause"},
        "not_yet_confirmed": common | {"receipt"},
        "revoked": common | {"kind", "reason"},
        "usage": common,
    }
    # The last one needs a store that fails between asking and answering.
    assert members == set().union(*seen.values()) | {"idempotency_key"}
    for code in ("claim_mismatch", "replica_stale", "not_yet_confirmed", "revoked"):
        assert any(f"`{code}`" in row[1] for row in listed), code
