"""An authority that is busy while its process forks: child and parent go on, and nobody hangs.

Each story runs in a process of its own, which forks and reports what has become of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stage import Stage

if TYPE_CHECKING:
    from tests.servers import RedisServer

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 90.0
FORKS = 30

BEGINNING = """
import itertools, json, os, signal, sys, threading, time
from pathlib import Path
import annul
from tests.authority.test_offers import lost, offer, proven
from tests.stage import Stage, await_outcome, outcome
from tests.waiting import eventually

url, folder, forks = sys.argv[1], sys.argv[2], int(sys.argv[3])
stage = Stage("", url, Path(folder))
authority = stage.authority(max_staleness=2.0, ready_timeout=10.0)
replica = stage.replica(max_staleness=2.0, ready_timeout=10.0)

def ends_well(work):
    \"\"\"Fork, do the work in the child, and say whether it has ended well in time.\"\"\"
    pid = os.fork()
    if not pid:
        try:
            os._exit(0 if work() else 1)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False
"""

BUSY = """
numbers = itertools.count()
stop = threading.Event()
done, failures = [0, 0], []

def work(lane):
    while not stop.is_set():
        try:
            grant = authority.login(f"user {next(numbers)}", client_id="web")
            found = [outcome(authority.verify, grant.access_token)]
            authority.logout(grant.access_token)
            found.append(outcome(authority.verify, grant.access_token))
            # A machine that has too much to do may make it stale.
            if found[0] not in {"accepted", "replica_stale"} or found[1] == "accepted":
                failures.append(found)
        except Exception as error:
            failures.append(repr(error))
        done[lane] += 1

def child():
    mine = authority.login("child", client_id="web")
    for each in (authority, replica):
        await_outcome(each.verify, mine.access_token, "accepted")
    authority.revoke(annul.SessionId(mine.session_id))
    await_outcome(replica.verify, mine.access_token, "revoked")
    return True

threads = [threading.Thread(target=work, args=(lane,)) for lane in range(2)]
for thread in threads:
    thread.start()
wells = []
for _ in range(forks):
    before = list(done)
    wells.append(ends_well(child))
    eventually(lambda: all(now > then for now, then in zip(done, before)))
stop.set()
for thread in threads:
    thread.join(20)
grant = authority.login("alice", client_id="web")
authority.revoke(annul.SubjectId("alice"))
eventually(lambda: outcome(replica.verify, grant.access_token) == "revoked")
of_children = [entry for entry in stage.entries() if entry.reason == "admin"]
report = {
    "well": sum(wells),
    "alive": sum(thread.is_alive() for thread in threads),
    "failures": failures[:3],
    "entries of children": len(of_children) - 1,
    "lost": authority.replica.alarms + replica.alarms,
}
stage.close()
print(json.dumps(report))
"""

CHORES = """
def child():
    # The first thing that it is asked for is a verification.
    grant = authority.login("alice", client_id="web") if ask_first == "login" else given
    await_outcome(authority.verify, grant.access_token, "accepted")
    authority.login("bob", client_id="web")
    os.kill(os.getppid(), signal.SIGSTOP)
    try:
        offer(stage, entry)
        eventually(lambda: stage.ask(lambda store: store.offers()) == ())
    finally:
        os.kill(os.getppid(), signal.SIGCONT)
    return entry.tag in {each.tag for each in stage.entries()}

from annul.core.revocation import Kind
given = authority.login("alice", client_id="web")
report = {}
for ask_first in ("login", "verify"):
    entry = proven(authority, lost(Kind.SUBJECT, "carol"))
    report[ask_first] = ends_well(child)
stage.close()
print(json.dumps(report))
"""


def told(stage: Stage, story: str) -> dict[str, Any]:
    """Return what a story reports."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGINNING + story, stage.url, str(stage.folder), str(FORKS)],
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert isinstance(report, dict)
    return report


def test_many_forks_of_a_busy_authority_all_end_well(shared_stage: Stage) -> None:
    assert told(shared_stage, BUSY) == {
        "well": FORKS,
        "alive": 0,
        "failures": [],
        "entries of children": FORKS,
        "lost": 0,
    }


def test_a_child_does_the_chores_as_well(redis_server: RedisServer, tmp_path: Path) -> None:
    with Stage("valkey", redis_server.url, tmp_path) as stage:
        assert told(stage, CHORES) == {"login": True, "verify": True}
