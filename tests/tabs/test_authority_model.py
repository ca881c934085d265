"""An authority does what a model does that forgets nothing, whatever is done to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.tabs.machine import AuthorityMachine


class SQLiteMachine(AuthorityMachine):
    def url(self) -> str:
        return f"sqlite:///{Path(self.folder.name) / 'annul.db'}"

    def lose_confirmation(self, sid: str) -> bool:
        with closing(sqlite3.connect(Path(self.folder.name) / "annul.db", timeout=10)) as db, db:
            db.execute("UPDATE sessions SET confirmed = 0 WHERE sid = ?", (sid,))
        return True


def plays(examples: int) -> settings:
    return settings(
        deadline=None,
        max_examples=examples,
        stateful_step_count=40,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


def test_an_authority_in_memory_does_what_a_model_that_forgets_nothing_does() -> None:
    run_state_machine_as_test(AuthorityMachine, settings=plays(60))


def test_an_authority_on_sqlite_does_what_a_model_that_forgets_nothing_does() -> None:
    run_state_machine_as_test(SQLiteMachine, settings=plays(12))
