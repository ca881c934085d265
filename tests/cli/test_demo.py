"""The demonstration, from end to end, and what it must not do."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from annul.cli import demo as module
from annul.cli.demo_story import STORY, Check, Step
from tests.cli.running import COMMAND, annul, environment, log_in, process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.cli.demo_stage import Stage


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_every_step_goes_as_told(temporary: Path) -> None:
    began = time.monotonic()
    # Settings of the person who runs it are none of its business.
    elsewhere = environment(
        TMPDIR=str(temporary), ANNUL_STORE="sqlite:////no/such/store.db", ANNUL_NONSENSE="1"
    )
    ran = process("demo", "--json", env=elsewhere)

    assert ran.code == 0, ran.out + ran.err
    assert ran.err == ""
    told = ran.document
    assert told["ok"] is True
    assert [step["name"] for step in told["steps"]] == [step.name for step in STORY]
    checks = [check for step in told["steps"] for check in step["checks"]]
    assert all(check["ok"] and check["expected"] == check["actual"] for check in checks)
    logout = next(step for step in told["steps"] if step["name"] == "logout")
    assert logout["checks"][0]["actual"] == "revoked"
    assert 0 < logout["checks"][0]["ms"] < 5000
    assert set(told["steps"][1]["claims"]) >= {"jti", "sid", "since", "sub"}
    assert 0 < told["seconds"] < time.monotonic() - began < 10
    assert list(temporary.iterdir()) == []
    assert list(Path().iterdir()) == []


def test_into_a_pipe_it_is_plain_text() -> None:
    ran = process("demo")
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert all(step.title in ran.out for step in STORY)
    assert "annul login" in ran.out.splitlines()[-3]


def failing(_stage: Stage) -> Iterator[Check]:
    yield Check("the moon is made of", "cheese", "rock")


def test_a_step_that_goes_otherwise_is_said_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORY", (STORY[0], Step("moon", "The moon", failing)))
    ran = annul("demo", "--json")
    assert ran.code == 1
    assert ran.document["ok"] is False
    assert [step["ok"] for step in ran.document["steps"]] == [True, False]
    ran = annul("demo")
    assert ran.code == 1
    assert "rock, expected cheese" in ran.out


def test_on_a_store_of_its_own_choice_and_not_twice() -> None:
    ran = annul("demo", "--store", "sqlite:///demo.db", "--json")
    assert ran.code == 0, ran.out
    again = annul("demo", "--store", "sqlite:///demo.db", "--json")
    assert (again.code, again.document["code"]) == (3, "wrong_store")


def test_a_store_that_belongs_to_somebody_is_not_touched() -> None:
    token = log_in()["access_token"]
    before = Path("annul.db").read_bytes()
    ran = annul("demo", "--store", "sqlite:///annul.db", "--json")
    assert (ran.code, ran.document["code"]) == (3, "wrong_store")
    assert Path("annul.db").read_bytes() == before
    assert annul("verify", stdin=token).code == 0


@pytest.mark.parametrize("url", ["memory://", "sqllite:///x.db", "sqlite:///no/x.db"])
def test_a_store_that_cannot_be_is_refused(url: str) -> None:
    ran = annul("demo", "--store", url, "--json")
    assert ran.code == 3
    assert json.loads(ran.err)["exit_code"] == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_it_tidies_up(number: signal.Signals, temporary: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(TMPDIR=str(temporary), PYTHONUNBUFFERED="1"),
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        found = re.search(r"process (\d+)", line)
        if found:
            break
    assert list(temporary.iterdir()) != []
    running.send_signal(number)
    out, err = running.communicate(timeout=20)

    assert running.returncode == 128 + number, out
    assert err == ""
    assert list(temporary.iterdir()) == []
    assert found is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(found[1]), 0)
