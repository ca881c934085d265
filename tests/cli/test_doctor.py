"""The doctor finds what is wrong, says so for each look by itself, and changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.cli.running import annul, log_in


def examined(*words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = annul("doctor", "--json", *words)
    return ran.code, {check["name"]: check for check in ran.document["checks"]}


def change(statement: str) -> None:
    db = sqlite3.connect("annul.db")
    db.execute(statement)
    db.commit()
    db.close()


def test_a_healthy_store() -> None:
    log_in()
    code, checks = examined()
    assert code == 0
    assert {check["status"] for check in checks.values()} == {"ok"}


def test_keys_that_do_not_open() -> None:
    log_in()
    Path("annul.db.kek").unlink()
    code, checks = examined()
    assert code == 1
    assert checks["keys"]["status"] == "failed"
    assert "--kek-file" in checks["keys"]["found"]
    # Verifiers need no private key, so they are not affected.
    assert checks["staleness"]["status"] == "ok"


def test_a_clock_that_disagrees() -> None:
    log_in()
    change("UPDATE identity SET time = time + 30")
    code, checks = examined()
    assert (code, checks["clock"]["status"]) == (0, "warning")
    change("UPDATE identity SET time = time + 3600")
    code, checks = examined("--ready-timeout", "0.3")
    assert code == 1
    assert checks["clock"]["status"] == "failed"
    assert checks["staleness"]["status"] == "failed"


def test_a_verifier_that_is_behind() -> None:
    log_in()
    change("INSERT INTO leases VALUES ('x', 1, 0, x'00', 2.0, 'web-7:4711', 1, 0, 0)")
    code, checks = examined()
    assert (code, checks["leases"]["status"]) == (0, "warning")
    assert "web-7:4711" in checks["leases"]["found"]


def test_a_store_that_is_not_there() -> None:
    code, checks = examined("--store", "sqllite:///x")
    assert code == 1
    assert (checks["store"]["status"], checks["store"]["code"]) == ("failed", "misconfigured")
    assert {check["status"] for name, check in checks.items() if name != "store"} == {"skipped"}


def test_a_volatile_store_is_accepted_with_a_warning() -> None:
    log_in()
    code, checks = examined("--allow-volatile-store")
    assert (code, checks["durability"]["status"]) == (0, "warning")


def test_for_people_it_is_one_line_for_each_look() -> None:
    log_in()
    ran = annul("doctor")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ok"] * 7
