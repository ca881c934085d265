"""The portal: blocking callers on one background loop, which never keeps a process from ending."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import annul
from annul.portal import Portal, portal

ROOT = Path(__file__).parents[1]
TIME_LIMIT = 20.0


async def who_am_i() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def test_a_call_runs_on_the_one_background_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = {
            future.result() for future in [pool.submit(portal.call, who_am_i()) for _ in "12345678"]
        }
    ((pid, thread),) = found
    assert pid == os.getpid()
    assert thread != threading.get_ident()


def test_what_the_work_raises_is_raised_to_the_caller() -> None:
    async def fail() -> None:
        raise annul.StoreUnavailable("no", idempotency_key="key")

    with pytest.raises(annul.StoreUnavailable) as raised:
        portal.call(fail())
    assert raised.value.idempotency_key == "key"


def test_a_caller_in_a_running_loop_is_told_instead_of_blocked() -> None:
    async def call() -> None:
        portal.call(who_am_i())

    with pytest.raises(annul.Misconfigured):
        asyncio.run(call())
    assert portal.call(who_am_i())[0] == os.getpid()


def test_a_caller_on_the_background_loop_itself_is_told_too() -> None:
    async def call() -> None:
        portal.call(who_am_i())

    with pytest.raises(annul.Misconfigured):
        portal.call(call())


def test_a_thread_beside_a_running_loop_may_call() -> None:
    async def go() -> tuple[int, int]:
        return await asyncio.to_thread(portal.call, who_am_i())

    assert asyncio.run(go())[0] == os.getpid()


def test_a_closed_portal_is_unavailable_and_cancels_what_waits() -> None:
    own = Portal()
    started, outcomes = threading.Event(), []

    async def wait_for_ever() -> None:
        started.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            own.call(wait_for_ever())
        except annul.Unavailable as error:
            outcomes.append(error.code)

    thread = threading.Thread(target=call)
    thread.start()
    assert started.wait(TIME_LIMIT)
    own.close()
    thread.join(TIME_LIMIT)
    assert outcomes == ["unavailable"]
    with pytest.raises(annul.Unavailable):
        own.call(who_am_i())


def test_garbage_that_calls_the_portal_does_not_stop_it() -> None:
    # A finalizer may run anywhere, also while the portal's own lock is held.
    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            portal.submit(who_am_i())

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(200):
            Garbage()
            assert portal.call(who_am_i())[0] == os.getpid()
    finally:
        gc.set_threshold(*before)


# --- the end of a process -------------------------------------------------------------------

OPENED = """
import threading
import annul
authority = annul.Authority.open({url!r}, issuer="https://auth.example", audience="api",
                                 max_staleness=0.4)
grant = authority.login("alice", client_id="web")
"""
ENDINGS = {
    "nothing was closed": "",
    "it was closed": "authority.close()",
    "with a replica": (
        'policy = annul.Policy(issuer="https://auth.example", audience="api")\n'
        "replica = annul.Replica.open({url!r}, policy=policy, max_staleness=0.4)\n"
        "replica.verify(grant.access_token)"
    ),
    "a daemon thread waits": (
        "target = lambda: authority.revoke(annul.Everything(), wait=True)\n"
        "threading.Thread(target=target, daemon=True).start()"
    ),
    "another thread waits": (
        "def wait():\n"
        "    try:\n"
        "        annul.portal.portal.call(for_ever())\n"
        "    except annul.Unavailable:\n"
        '        print("told")\n'
        "async def for_ever():\n"
        "    import asyncio\n"
        "    started.set()\n"
        "    await asyncio.Event().wait()\n"
        "import annul.portal\n"
        "started = threading.Event()\n"
        "threading.Thread(target=wait).start()\n"
        "started.wait()"
    ),
    "in an error": 'raise SystemExit("over")',
}


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_whatever_is_going_on(tmp_path: Path, store: str, ending: str) -> None:
    url = "memory://" if store == "memory" else f"sqlite:///{tmp_path}/annul.db"
    program = OPENED.format(url=url) + ENDINGS[ending].replace("{url!r}", repr(url))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    failed = ending == "in an error"
    if ending != "a daemon thread waits":  # such a thread may get to print how it ended
        assert "Traceback" not in ran.stderr
        assert ran.stderr.endswith("over\n") is failed
    assert ran.returncode == int(failed)
    assert ran.stdout == ("told\n" if ending == "another thread waits" else "")


def test_a_forked_child_has_a_loop_of_its_own() -> None:
    program = """
import os
from annul.portal import portal
async def own_pid():
    return os.getpid()
assert portal.call(own_pid()) == os.getpid()
pid = os.fork()
if not pid:
    assert portal.call(own_pid()) == os.getpid()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert portal.call(own_pid()) == os.getpid()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
