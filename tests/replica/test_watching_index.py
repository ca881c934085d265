"""The index of watches: an entry touches only those it may be about, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.revocation import Kind, Position, Reason, Revocation, fingerprint
from annul.replica.watch import Held, Watch
from annul.replica.watches import Watches
from annul.testing import ISSUER, TokenForge

if TYPE_CHECKING:
    from annul.replica.vigil import Vigil
    from tests.stage import Stage

ROOT = Path(__file__).parents[2]
FORGE = TokenForge()


def held_of(**claims: object) -> Held:
    return Held(FORGE.verifier().verify(FORGE.token(claims)), None)


def nobody() -> Vigil:
    raise AssertionError("the index is asked without anybody who looks after it")


def watch_of(watches: Watches, **claims: object) -> Watch:
    """Return a watch that has begun."""
    watch = Watch(FORGE.verifier().verify, nobody, held_of(**claims))
    watches.enter(watch, watch.held)
    return watch


def entry(kind: Kind, value: str) -> Revocation:
    return Revocation(
        position=Position(1, 5),
        tag=bytes(16),
        issuer=ISSUER,
        kind=kind,
        fingerprint=fingerprint(ISSUER, kind, value),
        reason=Reason.ADMIN,
        at=0.0,
        expires_at=None,
    )


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Kind.TOKEN, "t1", {"one"}),
        (Kind.SESSION, "s2", {"two", "three"}),
        (Kind.SUBJECT, "alice", {"one", "two"}),
        (Kind.BLOCK, "bob", {"three"}),
        (Kind.UNBLOCK, "bob", {"three"}),
        (Kind.CLIENT, "web", {"one", "two", "three"}),
        (Kind.ISSUER, "", {"one", "two", "three", "four"}),
        (Kind.TOKEN, "s2", set()),
        (Kind.KEY, "t1", set()),
    ],
)
def test_an_entry_finds_those_that_it_may_be_about(
    kind: Kind, value: str, expected: set[str]
) -> None:
    watches = Watches(ISSUER)
    named = {
        "one": watch_of(watches, jti="t1", sid="s1", sub="alice"),
        "two": watch_of(watches, jti="t2", sid="s2", sub="alice"),
        "three": watch_of(watches, jti="t3", sid="s2", sub="bob"),
        "four": watch_of(watches, jti="t4", sid="s4", sub="carol", client_id="cli"),
    }
    found = watches.concerned([entry(kind, value)])
    assert {name for name, watch in named.items() if watch in found} == expected
    assert len(found) == len(expected)


def test_nothing_is_left_of_those_that_have_left() -> None:
    watches = Watches(ISSUER)
    inside = [watch_of(watches, sub=f"user {number % 3}") for number in range(30)]
    for watch in inside:
        watches.leave(watch)
        watches.leave(watch)
    assert (len(watches), watches._by, watches._marks) == (0, {}, {})


def test_short_watches_of_long_tokens_do_not_pile_up() -> None:
    watches = Watches(ISSUER)
    held = held_of()
    for _ in range(5000):
        watch = Watch(FORGE.verifier().verify, nobody, held)
        watches.enter(watch, held)
        watches.leave(watch)
    assert len(watches._ends) < 1100


def test_what_has_run_out_is_found_once_and_in_time() -> None:
    watches = Watches(ISSUER)
    now = FORGE.now
    early, late = (watch_of(watches, exp=now + seconds) for seconds in (100, 200))
    assert watches.next_due() == now + 100
    assert watches.due(now + 99.9) == []
    assert watches.due(now + 100) == [early]
    assert watches.due(now + 150) == []
    assert watches.due(now + 1000) == [late]


def test_a_reason_about_the_token_before_does_not_end_a_renewed_watch() -> None:
    watches = Watches(ISSUER)
    watch = watch_of(watches, jti="t1", sid="s1")
    before = watch.held
    watches.enter(watch, held_of(jti="t2", sid="s1"))
    assert watches.end([(watch, before, annul.Expired("the old one"))]) == []
    assert watch.reason is None
    assert watches.concerned([entry(Kind.TOKEN, "t1")]) == []
    assert watches.concerned([entry(Kind.TOKEN, "t2")]) == [watch]
    assert watches.end([(watch, watch.held, annul.Expired("this one"))]) == [watch]
    watches.enter(watch, watch.held)
    assert len(watches) == 0


STORY = """
import json, os, sys
from pathlib import Path
import annul
from tests.stage import Stage
url, folder = sys.argv[1:]
with Stage("", url, Path(folder)) as stage:
    authority = stage.authority()
    token = authority.login("alice", client_id="web").access_token
    with authority.watch(token) as watch:
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            seen = [watch.wait(0), watch.reason.code, watch.reason.cause]
            with authority.watch(token) as own:  # follows by itself again
                seen.append(own.wait(0))
                authority.logout(token)
                seen += [own.wait(10), own.reason.code]
            os.write(write, json.dumps(seen).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            child = json.loads(pipe.read())
        os.waitpid(pid, 0)
        print(json.dumps({"child": child, "parent": [watch.wait(10), watch.reason.code]}))
"""


def test_in_a_forked_child_the_parents_watches_have_ended_and_its_own_work(
    file_stage: Stage,
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STORY, file_stage.url, str(file_stage.folder)],
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "child": [True, "replica_stale", "forked", False, True, "revoked"],
        "parent": [True, "revoked"],
    }
