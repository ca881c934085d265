"""After a fork the child follows by itself: stale at first, with a lease of its own.

Each story runs in a process of its own, which forks and reports what parent and child have seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stage import Stage

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 30.0

BEGINNING = """
import json, multiprocessing, os, sys
from pathlib import Path
import annul
from tests.stage import Stage, await_outcome, outcome

url, folder = sys.argv[1:]
stage = Stage("", url, Path(folder))
authority = stage.authority()
replica = stage.replica()
good, ended = (authority.login("alice", client_id="web") for _ in range(2))
seen = {"parent before": outcome(replica.verify, good.access_token)}

def cause_at_birth(replica):
    cause = replica._follower.window.cause
    return [replica.fresh, cause]

def leases():
    return sorted(lease.id for lease in stage.ask(lambda store: store.leases()))

def report(write, answers):
    os.write(write, json.dumps(answers).encode())

def in_child(work):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        report(write, work())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answers = json.loads(pipe.read())
    assert os.waitpid(pid, 0)[1] == 0
    return answers
"""
ENDING = """
seen["parent after"] = outcome(replica.verify, good.access_token)
stage.close()
print(json.dumps(seen))
"""


def told(stage: Stage, story: str) -> dict[str, Any]:
    """Return what is seen in the course of a story."""
    ran = subprocess.run(
        [sys.executable, "-c", BEGINNING + story + ENDING, stage.url, str(stage.folder)],
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert isinstance(seen, dict)
    assert seen.pop("parent before") == "accepted"
    assert seen.pop("parent after") == "accepted"
    return seen


def test_a_child_starts_stale_and_becomes_fresh_with_a_lease_of_its_own(
    shared_stage: Stage,
) -> None:
    seen = told(
        shared_stage,
        """
def child():
    birth = cause_at_birth(replica)
    verified = outcome(replica.verify, good.access_token)
    return [birth, verified, leases()]
before = leases()
seen["child"] = in_child(child)
seen["new leases"] = len(set(seen["child"].pop()) - set(before))
""",
    )
    assert seen == {"child": [[False, "forked"], "accepted"], "new leases": 1}


def test_a_child_hears_what_is_revoked_after_the_fork(shared_stage: Stage) -> None:
    seen = told(
        shared_stage,
        """
ready, go = os.pipe(), os.pipe()
def child():
    first = outcome(replica.verify, ended.access_token)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    await_outcome(replica.verify, ended.access_token, "revoked")
    return [first, outcome(replica.verify, good.access_token)]
import threading
def revoke():
    os.read(ready[0], 1)
    authority.logout(ended.access_token)
    os.write(go[1], b"x")
thread = threading.Thread(target=revoke)
read, write = os.pipe()
pid = os.fork()
if not pid:
    report(write, child())
    os._exit(0)
thread.start()
os.close(write)
with os.fdopen(read) as pipe:
    seen["child"] = json.loads(pipe.read())
thread.join()
os.waitpid(pid, 0)
""",
    )
    assert seen == {"child": ["accepted", "accepted"]}


def test_a_child_remembers_what_was_revoked_before_the_fork(file_stage: Stage) -> None:
    seen = told(
        file_stage,
        """
outcome(replica.verify, ended.access_token)
authority.logout(ended.access_token)
await_outcome(replica.verify, ended.access_token, "revoked")
seen["child"] = in_child(lambda: outcome(replica.verify, ended.access_token))
""",
    )
    assert seen == {"child": "revoked"}


def test_an_authority_works_in_a_child_and_in_its_parent(shared_stage: Stage) -> None:
    seen = told(
        shared_stage,
        """
def child():
    grant = authority.login("bob", client_id="web")
    authority.logout(ended.refresh_token)
    next_one = authority.refresh(grant.refresh_token)
    return [outcome(authority.verify, next_one.access_token), next_one.access_token]
answer, token = in_child(child)
await_outcome(authority.verify, ended.access_token, "revoked")
seen["child"] = [answer, outcome(authority.verify, token)]
seen["sessions"] = len(authority.sessions("bob"))
""",
    )
    assert seen == {"child": ["accepted", "accepted"], "sessions": 1}


def test_closing_in_a_child_leaves_the_parent_alone(file_stage: Stage) -> None:
    seen = told(
        file_stage,
        """
def child():
    replica.close()
    authority.close()
    return outcome(replica.verify, good.access_token)
before = leases()
seen["child"] = in_child(child)
seen["parents leases"] = leases() == before
""",
    )
    assert seen == {"child": "replica_stale", "parents leases": True}


def test_a_replica_that_was_closed_before_the_fork_stays_closed(file_stage: Stage) -> None:
    seen = told(
        file_stage,
        """
closed = stage.replica()
closed.close()
def child():
    try:
        closed.verify(good.access_token)
    except annul.ReplicaStale as error:
        return error.cause
seen["child"] = in_child(child)
""",
    )
    assert seen == {"child": "closed"}


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_workers_of_multiprocessing_verify(file_stage: Stage, method: str) -> None:
    seen = told(
        file_stage,
        f"""
from tests.children import verify_in_worker
with multiprocessing.get_context({method!r}).Pool(2) as pool:
    arguments = [(url, good.access_token)] * 4
    seen["workers"] = sorted(set(pool.starmap(verify_in_worker, arguments)))
""",
    )
    assert seen == {"workers": ["accepted"]}


def test_a_store_in_memory_does_not_reach_into_a_child(tmp_path: Path) -> None:
    with Stage("memory", "memory://forked", tmp_path) as stage:
        seen = told(
            stage,
            """
quick = stage.replica(ready_timeout=0.1)
seen["child"] = in_child(lambda: outcome(quick.verify, good.access_token))
""",
        )
    assert seen == {"child": "replica_stale"}
