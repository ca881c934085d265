"""Everything closed and opened again: what was acknowledged still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import ACCEPTED, Stage, outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import RedisServer


class Story:
    """What somebody did before the end of everything, and what has to hold afterwards."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        authority = stage.authority(publish_for=0)
        self.old_kid = authority.verify(authority.login("x", client_id="web").access_token).key_id
        self.cut_off = authority.login("alice", client_id="web")
        authority.revoke(annul.SubjectId("alice"))
        self.good = authority.login("alice", client_id="web")
        self.single = authority.refresh(self.good.refresh_token)
        authority.revoke(annul.TokenId(self.good.jti))
        self.logged_out = authority.login("bob", client_id="web")
        authority.logout(self.logged_out.access_token)
        self.blocked = authority.login("carol", client_id="web")
        authority.block("carol")
        self.of_old_key = authority.login("dan", client_id="web")
        self.new_kid = authority.rotate_keys()
        self.pem = authority.export_key(self.old_kid)
        authority.revoke(annul.KeyId(self.old_kid))
        self.receipt = authority.revoke(annul.ClientId("gone"))
        self.entries = stage.entries()

    def assert_it_holds(self) -> None:
        authority = self._stage.authority(publish_for=0)
        replica = self._stage.replica()
        assert self._stage.entries() == self.entries
        for verify in (authority.verify, replica.verify):
            # What the revoked key signed is of no known key, whatever else covers it.
            for grant in (self.cut_off, self.logged_out, self.blocked, self.of_old_key, self.good):
                assert outcome(verify, grant.access_token) == "unknown_key"
        for ended in (self.cut_off, self.logged_out, self.blocked):
            assert outcome(authority.refresh, ended.refresh_token) == "session_ended"
        with pytest.raises(annul.InvalidKey):
            authority.import_key(self.pem)
        with pytest.raises(annul.SubjectBlocked):
            authority.login("carol", client_id="web")
        again = authority.revoke(
            annul.ClientId("gone"), idempotency_key=self.receipt.idempotency_key
        )
        assert again.seq == self.receipt.seq
        # The sessions that were good still are, and go on where they stood.
        assert [info.session_id for info in authority.sessions("alice")] == [self.good.session_id]
        for grant in (self.single, self.of_old_key):
            fresh = authority.refresh(grant.refresh_token)
            assert outcome(authority.verify, fresh.access_token) == ACCEPTED
            assert outcome(replica.verify, fresh.access_token) == ACCEPTED
            assert replica.verify(fresh.access_token).key_id == self.new_kid


def test_everything_holds_after_closing_and_opening_again(shared_stage: Stage) -> None:
    story = Story(shared_stage)
    shared_stage.close()
    story.assert_it_holds()


def test_everything_holds_after_the_server_was_killed(
    own_redis: RedisServer, server_stage: Stage
) -> None:
    story = Story(server_stage)
    own_redis.kill()
    server_stage.close()
    own_redis.start()
    story.assert_it_holds()


@pytest.mark.parametrize("verb", ["login", "refresh", "logout", "revoke"])
def test_an_authority_goes_on_after_its_server_was_restarted(
    own_redis: RedisServer, server_stage: Stage, verb: str
) -> None:
    authority = server_stage.authority()
    grant = authority.login("alice", client_id="web")
    own_redis.kill()
    own_redis.start()
    verbs: dict[str, Callable[[], object]] = {
        "login": lambda: authority.login("alice", client_id="web"),
        "refresh": lambda: authority.refresh(grant.refresh_token),
        "logout": lambda: authority.logout(grant.access_token),
        "revoke": lambda: authority.revoke(annul.SubjectId("alice")),
    }
    verbs[verb]()  # the connection was lost while nobody used it, so nothing is in doubt


def test_a_store_in_memory_is_forgotten_with_its_last_handle(tmp_path: Path) -> None:
    stage = Stage("memory", "memory://forgotten", tmp_path)
    authority = stage.authority()
    stage.replica()
    grant = authority.login("alice", client_id="web")
    stage.close()
    again = stage.authority()
    assert again.sessions("alice") == ()
    assert outcome(again.verify, grant.access_token) == "unknown_key"
    stage.close()
