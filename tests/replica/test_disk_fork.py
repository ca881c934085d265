"""A large base outlives a fork: the child reads on from where its parent was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stage import Stage

ROOT = Path(__file__).parents[2]

STORY = """
import json, os, sys
from pathlib import Path
import annul
from annul.replica.archive import Archive
from annul.stores.sqlite_log import SQLiteLog
from tests.stage import Stage, await_entry, outcome

Archive.__init__.__kwdefaults__["many"] = 40
url, folder = sys.argv[1:]
stage = Stage("", url, Path(folder))
authority = stage.authority()
gone = authority.login("gone", client_id="web")
authority.logout(gone.access_token)
for number in range(100):
    authority.revoke(annul.TokenId(f"token {number}"))
replica = stage.replica(snapshot_file=Path(folder) / "snapshot")
seen = {"base": len(replica._denylist.base)}

async def out_of_reach(reader, after, limit):
    raise annul.StoreUnavailable("so much cannot be read")

read, write = os.pipe()
pid = os.fork()
if not pid:
    SQLiteLog.page = out_of_reach
    later = authority.login("later", client_id="web")
    found = [outcome(replica.verify, each.access_token) for each in (gone, later)]
    authority.logout(later.access_token)
    await_entry(replica, 102)
    found.append(outcome(replica.verify, later.access_token))
    os.write(write, json.dumps(found).encode())
    os._exit(0)
os.close(write)
with os.fdopen(read) as pipe:
    seen["child"] = json.loads(pipe.read())
seen["ended"] = os.waitpid(pid, 0)[1]
stage.close()
print(json.dumps(seen))
"""


def test_a_child_goes_on_with_the_base_of_its_parent(file_stage: Stage) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STORY, file_stage.url, str(file_stage.folder)],
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "base": 101,
        "child": ["revoked", "accepted", "revoked"],
        "ended": 0,
    }
