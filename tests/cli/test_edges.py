"""The edges of a process and of a screen: closed streams, narrow terminals, what must not go."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from pathlib import Path

import pytest

from annul.cli.settings import Configuration
from annul.core.jwk import PrivateKey
from tests.cli.running import COMMAND, Ran, annul, environment, log_in
from tests.servers import free_port

# --- streams that are not there -------------------------------------------------------------


def shell(script: str) -> Ran:
    """Run a shell script in which ``annul`` is the command."""
    function = f"annul() {{ '{COMMAND[0]}' -m annul \"$@\"; }}; "
    done = subprocess.run(
        ["/bin/sh", "-c", function + script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=30,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_a_closed_stdin_is_an_empty_one() -> None:
    log_in()
    ran = shell("annul verify --json <&-")
    assert (ran.code, ran.document["code"]) == (5, "invalid_request")
    ran = shell("annul follow <&-")
    assert ran.code == 0
    assert '"ready"' in ran.out


@pytest.mark.parametrize("words", ["sessions alice", "sessions alice --json", "doctor", "--help"])
def test_what_goes_to_a_closed_stdout_is_dropped(words: str) -> None:
    log_in()
    ran = shell(f"annul {words} >&-")
    assert ran.code == 0
    assert "Traceback" not in ran.err


def test_what_goes_to_a_closed_stderr_is_dropped() -> None:
    log_in()
    assert shell("annul sessions alice 2>&-").code == 0
    assert shell("annul sessions 2>&-").code == 2


def test_a_store_does_not_get_the_number_of_a_closed_stream() -> None:
    assert shell("annul login alice --client web <&- >&- 2>&-").code == 0
    assert Path("annul.db").read_bytes()[:6] == b"SQLite"
    assert len(annul("sessions", "alice", "--json").document["sessions"]) == 1
    assert annul("doctor").code == 0


# --- a screen that is narrow ----------------------------------------------------------------


def on_a_screen(width: int, *words: str) -> list[str]:
    """Return the lines that a command shows on a terminal of this width."""
    child, screen = pty.fork()
    if child == 0:
        # The child of a fork, which only becomes the command.
        os.execve(  # noqa: S606
            COMMAND[0],
            [*COMMAND, *words],
            environment(TERM="dumb", NO_COLOR="1", COLUMNS=str(width)),
        )
    shown = b""
    while select.select([screen], [], [], 10)[0]:
        try:
            chunk = os.read(screen, 4096)
        except OSError:  # how Linux says that the other side has gone
            break
        if not chunk:
            break
        shown += chunk
    else:
        os.kill(child, signal.SIGKILL)
    os.close(screen)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    lines = shown.decode().replace("\r\n", "\n").splitlines()
    return [line for line in lines if not line.startswith("annul: ")]


@pytest.mark.parametrize("width", [20, 76, 200])
def test_words_are_whole_on_a_screen_of_any_width(width: int) -> None:
    log_in("alice", "--device", "Laptop", "--scope", "read write delete")
    for words in (["sessions", "alice"], ["keys", "list"]):
        plain = annul(*words).out.split("\n", 1)[1].split()
        shown = " ".join(on_a_screen(width, *words)).split()
        assert sorted(set(plain) - set(shown)) == []


def test_a_table_is_as_wide_as_the_screen_at_most() -> None:
    log_in("alice", "--device", "Laptop", "--scope", "read write delete")
    for width in (76, 120):
        shown = on_a_screen(width, "sessions", "alice")
        assert max(len(line.rstrip()) for line in shown) <= width
        assert sum("SESSION" in line for line in shown) == 1


def test_where_no_table_fits_every_row_is_a_list() -> None:
    for device in ("Laptop", "Phone"):
        log_in("alice", "--device", device)
    shown = on_a_screen(40, "sessions", "alice")
    assert [line.split()[-1] for line in shown if line.startswith("DEVICE")] == ["Laptop", "Phone"]
    assert shown.count("") == 1


# --- what must not go, and what is said -----------------------------------------------------


def handle_key() -> str:
    keys = annul("keys", "list", "--json").document["keys"]
    (kid,) = (str(key["kid"]) for key in keys if key["purpose"] == "handle")
    return kid


@pytest.mark.parametrize("words", ["revoke key", "keys revoke"])
def test_the_key_of_refresh_tokens_is_not_revoked(words: str) -> None:
    log_in()
    ran = annul(*words.split(), handle_key(), "--json")
    assert (ran.code, ran.document["code"]) == (5, "invalid_request")
    log_in("bob")


def test_a_revocation_that_is_not_confirmed_yet_stands() -> None:
    log_in()
    ran = annul("revoke", "subject", "alice", "--wait", "--timeout", "0", "--json")
    assert (ran.code, ran.document["code"]) == (4, "not_yet_confirmed")
    assert ran.document["receipt"]["idempotency_key"]
    assert annul("sessions", "alice", "--json").document["sessions"] == []


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\nsecond line\n", "\r\nsecond line\r\n", ""])
def test_a_passphrase_is_the_first_line_of_its_file(ending: str) -> None:
    Path("secret").write_bytes(b"correct horse" + ending.encode())
    pem = annul("keys", "new", "--passphrase-file", "secret").out
    assert PrivateKey.from_pem(pem, password=b"correct horse").alg == "ES256"


def test_an_empty_first_line_is_no_passphrase() -> None:
    Path("secret").write_text("\nsecond line\n")
    ran = annul("keys", "new", "--passphrase-file", "secret", "--json")
    assert (ran.code, ran.document["code"], ran.out) == (3, "misconfigured", "")


def test_a_server_that_is_not_there_is_said_in_one_sentence() -> None:
    pytest.importorskip("redis", reason="the extra redis is not installed")
    store = f"redis://127.0.0.1:{free_port()}/0"
    for words in ("login alice --client web", "verify x", "sessions alice", "revoke subject alice"):
        ran = annul(*words.split(), "--store", store)
        assert (ran.code, ran.out) == (4, "")
        sentence = ran.err.splitlines()[-1]
        assert sentence.startswith("annul: ")
        assert not sentence.endswith(".")
        assert Configuration().store not in ran.err


# --- ids that look like options -------------------------------------------------------------


@pytest.mark.parametrize("sid", ["-RhA0" + "a" * 17, "-h" + "h" * 20, "-" + "a" * 21])
def test_an_id_that_begins_with_a_dash_is_an_id(sid: str) -> None:
    log_in()
    ran = annul("revoke", "session", sid, "--reason", "logout", "--json")
    assert (ran.code, ran.document["id"]) == (0, sid)
    assert annul("revoke", "--json", "session", "--", sid).document["id"] == sid


def test_a_key_whose_id_begins_with_a_dash_is_revoked() -> None:
    kid = "-hR" + "x" * 40
    log_in()
    assert annul("keys", "revoke", kid, "--unknown", "--json").document["id"] == kid
    ran = annul("keys", "export", kid, "--json")
    assert (ran.code, ran.document["code"]) == (5, "invalid_request")
    ran = annul("keys", "revoke", kid, kid, "--json")
    assert (ran.code, ran.document["code"]) == (2, "usage")
    assert "\0" not in ran.document["message"]


def test_what_is_no_id_is_an_option_that_does_not_exist() -> None:
    log_in()
    for word in ("-R", "--dry-rum", "-subject-of-some-kind"):
        ran = annul("revoke", "subject", word, "--json")
        assert (ran.code, ran.document["code"]) == (2, "usage")
    assert annul("revoke", "subject", "--json", "--", "-R").document["id"] == "-R"


@pytest.mark.parametrize("words", ["revoke key", "keys revoke"])
def test_a_key_that_nobody_knows_is_taken_for_a_slip(words: str) -> None:
    log_in()
    before = annul("keys", "list", "--json").document
    ran = annul(*words.split(), "no-such-key", "--json")
    assert (ran.code, ran.document["code"]) == (5, "invalid_request")
    assert annul("keys", "list", "--json").document == before
    assert annul(*words.split(), "no-such-key", "--unknown", "--json").code == 0
