"""``annul audit``: what the commands write down, and reading it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import annul, log_in

LOG = "audit.jsonl"


def keep_a_log() -> None:
    """Do a few things that are written down."""
    log_in("alice", "--audit-file", LOG)
    for words in (("revoke", "subject", "alice"), ("block", "bob"), ("keys", "rotate")):
        ran = annul(*words, "--audit-file", LOG)
        assert ran.code == 0, ran.err


def test_commands_write_down_what_they_do_and_the_log_is_good() -> None:
    keep_a_log()
    ran = annul("audit", "verify", LOG, "--json")
    assert ran.code == 0
    found = ran.document
    assert (found["good"], found["first"], found["why"]) == (True, 1, None)
    text = Path(LOG).read_text("ascii")
    assert [name for name in ("login", "revoke", "block", "key_rotated") if name not in text] == []
    assert "good" in annul("audit", "verify", LOG).out


def test_the_environment_can_name_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNUL_AUDIT_FILE", LOG)
    log_in()
    assert b'"event":"login"' in Path(LOG).read_bytes()


def test_a_log_that_was_edited_ends_with_1_and_says_where() -> None:
    keep_a_log()
    text = Path(LOG).read_bytes()
    Path(LOG).write_bytes(text.replace(b'"alice"', b'"malice"', 1))
    ran = annul("audit", "verify", LOG, "--json")
    assert ran.code == 1
    assert ran.document["good"] is False
    assert ran.document["file"] == LOG
    ran = annul("audit", "verify", LOG)
    assert ran.code == 1
    assert LOG in ran.out


def test_a_noted_head_finds_what_was_cut_off() -> None:
    keep_a_log()
    head = annul("audit", "verify", LOG, "--json").document["head"]
    assert annul("audit", "verify", LOG, "--head", head).code == 0
    lines = Path(LOG).read_bytes().splitlines(keepends=True)
    Path(LOG).write_bytes(b"".join(lines[:-1]))
    assert annul("audit", "verify", LOG).code == 0
    assert annul("audit", "verify", LOG, "--head", head).code == 1


def test_a_new_file_goes_on_where_the_old_one_ends() -> None:
    keep_a_log()
    old = annul("audit", "rotate", LOG, "--json").document["old"]
    log_in("carol", "--audit-file", LOG)
    assert annul("audit", "verify", LOG, old).code == 0
    assert annul("audit", "verify", old, LOG, "--json").document["first"] == 1
    assert Path(LOG).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verify", "no-such-file"), 3),
        (("verify", LOG, "--head", "short"), 5),
        (("verify",), 2),
        (("rotate", "no-such-file"), 5),
    ],
)
def test_what_cannot_be_done_ends_with_a_code_of_its_own(words: tuple[str, ...], code: int) -> None:
    Path(LOG).touch(mode=0o600)
    assert annul("audit", *words).code == code
