"""More is lost than an inbox holds: it comes back one inbox after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.stores.base import MOST_OFFERS
from tests.losing import ROLLBACKS
from tests.stage import Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    import annul
    from annul.stores.base import Appended, Store

MANY = 2 * MOST_OFFERS + 500
DELTA = 2.0


def revoke_many(authority: annul.Authority, stage: Stage) -> None:
    """Revoke so many tokens, as somebody who has time."""
    draft = authority._authority._revocations.draft
    drafts = [draft(Kind.TOKEN, f"token {number}", reason="admin") for number in range(MANY)]

    async def append(store: Store) -> Appended:
        return await store.append(drafts)

    stage.ask(append)


def test_everything_comes_back_in_the_end(file_stage: Stage) -> None:
    authority = file_stage.authority(max_staleness=DELTA)
    replica = file_stage.replica(max_staleness=DELTA)
    grant = authority.login("alice", client_id="web")
    loss = ROLLBACKS["sqlite-overwritten"](file_stage, None)
    loss.remember()
    revoke_many(authority, file_stage)
    authority.logout(grant.access_token)
    eventually(lambda: outcome(replica.verify, grant.access_token) == "revoked")
    authority.close()
    loss.lose()
    eventually(lambda: replica.alarms)

    newcomer = file_stage.authority(max_staleness=DELTA)

    # They stand in a new epoch, from 1 on.
    eventually(lambda: newcomer.replica.highest.seq == MANY + 1, within=60.0)
    assert len(file_stage.entries()) == MANY + 1
    assert outcome(newcomer.refresh, grant.refresh_token) == "session_ended"
    eventually(lambda: outcome(newcomer.verify, grant.access_token) == "revoked")
