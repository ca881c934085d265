"""What only a real process shows: signals, pipes, a missing extra, a verifier of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import annul as library
from tests.cli.running import COMMAND, annul, environment, log_in, process

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKED = "import sys; sys.modules['click'] = None; from annul.cli import main; main()"


def test_the_module_is_the_command() -> None:
    assert process("--version").out.split()[-1] == library.__version__
    help_page = process("--help")
    assert help_page.code == 0
    assert help_page.err == ""


def test_without_arguments_it_shows_the_help() -> None:
    ran = annul()
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err == annul("--help").out


def test_without_click_it_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert 'pip install "annul[server]"' in done.stderr


def test_rich_is_loaded_for_tables_on_a_terminal_only() -> None:
    log_in()
    code = (
        "import sys\n"
        "from annul.cli.app import app\n"
        "try: app.main(['sessions', 'alice'])\n"
        "except SystemExit: pass\n"
        "sys.exit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment())
    assert done.returncode == 0


# --- signals and pipes ----------------------------------------------------------------------


def test_ctrl_c_is_quiet() -> None:
    with verifier() as (running, events):
        assert next(events)["event"] == "stale"
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=10) == 130
        assert running.stderr is not None
        assert b"Traceback" not in running.stderr.read()


def test_a_terminated_verifier_gives_up_its_lease() -> None:
    log_in()
    with verifier() as (running, events):
        assert next(events)["event"] == "ready"
        assert "1 verifier " in lease_check()
        running.terminate()
        assert running.wait(timeout=10) == 128 + signal.SIGTERM
    assert "0 verifiers " in lease_check()


def lease_check() -> str:
    checks = {check["name"]: check for check in annul("doctor", "--json").document["checks"]}
    return str(checks["leases"]["found"])


def test_a_reader_that_goes_away_is_no_mistake() -> None:
    log_in()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "sessions", "alice", "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        env=environment(),
    )
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == b""


def test_a_disk_that_takes_no_output_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "keys", "new"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
        )
    assert done.returncode == 3
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_what_a_terminal_cannot_or_should_not_show_is_escaped() -> None:
    log_in("zoe", "--device", "☃ \u202etxt\x9b2J")
    ran = process("sessions", "zoe", env=environment(PYTHONIOENCODING="latin-1"))
    assert ran.code == 0
    assert "\\u2603" in ran.out
    ran = process("sessions", "zoe", env=environment(PYTHONIOENCODING="utf-8"))
    assert "☃" in ran.out
    # These could be shown, and would turn the line around or clear the screen.
    assert "\\u202e" in ran.out
    assert "\\x9b" in ran.out


# --- a verifier as a process ----------------------------------------------------------------


@contextmanager
def verifier(
    *words: str,
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[dict[str, Any]]]]:
    """Run ``annul follow``; give the process and what it says."""
    running = subprocess.Popen(
        [*COMMAND, "follow", "--ready-timeout", "0.2", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert running.stdout is not None
        yield running, map(json.loads, running.stdout)
    finally:
        running.kill()
        running.wait()
        for pipe in (running.stdin, running.stdout, running.stderr):
            if pipe is not None:
                pipe.close()


def test_a_verifier_follows_from_before_the_store_to_the_end_of_a_session() -> None:
    with verifier() as (running, events):

        def ask(*lines: str) -> dict[str, Any]:
            assert running.stdin is not None
            running.stdin.write("".join(f"{line}\n" for line in lines).encode())
            running.stdin.flush()
            return next(events)

        assert next(events)["event"] == "stale"
        grant = log_in()
        assert next(events)["event"] == "ready"
        answer = ask(grant["access_token"])
        assert (answer["event"], answer["subject"]) == ("accepted", "alice")
        assert answer["ms"] >= 0

        assert annul("logout", stdin=grant["access_token"]).code == 0
        deadline = time.monotonic() + 10
        while (answer := ask(grant["access_token"]))["event"] == "accepted":
            assert time.monotonic() < deadline
        assert (answer["code"], answer["reason"]) == ("revoked", "logout")

        assert ask("", "  ", "garbage")["code"] == "malformed"
        assert ask("x" * 1_000_000)["code"] == "malformed"
        assert ask(grant["refresh_token"])["code"] == "malformed"
        # The last line counts without its newline as well.
        out, err = running.communicate(grant["access_token"].encode(), timeout=10)
        assert json.loads(out)["code"] == "revoked"
        assert running.returncode == 0
        assert b"Traceback" not in err


def test_a_verifier_says_when_it_loses_the_store() -> None:
    log_in("alice", "--access-ttl", "60")
    with verifier("--max-staleness", "0.4") as (running, events):
        assert next(events)["event"] == "ready"
        Path("annul.db").rename("elsewhere.db")
        assert next(events)["event"] == "stale"
        assert running.stdin is not None
        running.stdin.write(log_in("x", "--store", "sqlite:///other.db")["access_token"].encode())
        running.stdin.write(b"\n")
        running.stdin.flush()
        answer = next(events)
        assert (answer["event"], answer["code"]) == ("refused", "replica_stale")


def test_a_verifier_of_another_issuers_store_does_not_start() -> None:
    log_in()
    ran = process("follow", "--issuer", "https://other.example", "--json")
    assert (ran.code, ran.document["code"]) == (3, "wrong_store")


# --- a terminal -----------------------------------------------------------------------------


def on_a_terminal(*words: str, typed: bytes = b"") -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and what was shown."""
    child, screen = pty.fork()
    if child == 0:
        # The child of a fork, which only becomes the command.
        os.execve(  # noqa: S606
            COMMAND[0], [*COMMAND, *words], environment(TERM="xterm", COLUMNS="80")
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
        # The space comes when the question is ready for its answer.
        if typed and shown.endswith(b": "):
            answer, _, typed = typed.partition(b"\n")
            os.write(screen, answer + b"\n")
    else:
        os.kill(child, signal.SIGKILL)
    os.close(screen)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_a_passphrase_is_asked_for_and_not_shown() -> None:
    code, shown = on_a_terminal(
        "keys", "new", "--encrypt", "--out", "k.pem", typed=b"correct horse\ncorrect horse\n"
    )
    assert code == 0
    assert "correct horse" not in shown
    assert "ENCRYPTED" in Path("k.pem").read_text()
    code, shown = on_a_terminal("keys", "import", "k.pem", typed=b"correct horse\n")
    assert code == 0
    assert "correct horse" not in shown


def test_a_table_keeps_what_people_copy_in_one_piece() -> None:
    log_in("alice", "--device", "[red]a device with quite a long name, as browsers have them[/red]")
    (kid,) = (
        key["kid"]
        for key in annul("keys", "list", "--json").document["keys"]
        if key["purpose"] == "token"
    )
    code, shown = on_a_terminal("keys", "list")
    assert code == 0
    assert kid in shown
    code, shown = on_a_terminal("sessions", "alice")
    (session,) = annul("sessions", "alice", "--json").document["sessions"]
    assert session["session_id"] in shown
    assert "[red]" in shown


def test_revoking_everything_asks_first() -> None:
    log_in()
    code, _shown = on_a_terminal("revoke", "all", typed=b"n\n")
    assert code == 130
    assert len(annul("sessions", "alice", "--json").document["sessions"]) == 1
    code, _shown = on_a_terminal("revoke", "all", typed=b"y\n")
    assert code == 0
    assert annul("sessions", "alice", "--json").document["sessions"] == []


def test_a_token_is_not_waited_for_on_a_terminal() -> None:
    assert on_a_terminal("verify")[0] == 2
