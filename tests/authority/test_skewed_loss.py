"""What two authorities with slightly different clocks revoke is given back as well."""

from __future__ import annotations

import annul
from tests.losing import ROLLBACKS
from tests.stage import Stage, clock_of_now, outcome
from tests.waiting import eventually


def test_what_was_revoked_twice_by_skewed_clocks_is_given_back(file_stage: Stage) -> None:
    ahead = clock_of_now()
    ahead.advance(20)
    one, two = file_stage.authority(clock=ahead), file_stage.authority()
    replica = file_stage.replica()
    grant = two.login("alice", client_id="web")
    loss = ROLLBACKS["sqlite-overwritten"](file_stage, None)
    loss.remember()
    one.revoke(annul.SubjectId("alice"))
    two.revoke(annul.SubjectId("alice"))
    eventually(lambda: replica.highest.seq == 2)
    loss.lose()
    eventually(lambda: len(file_stage.entries()) >= 1)
    assert outcome(two.refresh, grant.refresh_token) == "session_ended"
