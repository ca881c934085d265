"""An authority with an audit log: nothing is given out unrecorded, nothing taken back waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.audit import check
from annul.audit import log as log_module
from annul.audit.files import write_whole
from tests.stage import Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path


CALM = 30.0
"""A Δ after which a verifier goes stale on no machine, however busy that is."""


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def names(path: Path) -> list[str]:
    """Return the events of the authority itself; its replica's may come between."""
    of_the_replica = {"fresh", "stale"}
    return [record["event"] for record in records(path) if record["event"] not in of_the_replica]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def test_what_a_verb_did_is_in_the_file_when_it_returns(stage: Stage, path: Path) -> None:
    authority = stage.authority(audit_file=path, max_staleness=CALM)
    seen = []
    grant = authority.login("alice", client_id="web", device="Phone", address="192.0.2.1")
    seen.append(names(path)[-1])
    authority.refresh(grant.refresh_token)
    seen.append(names(path)[-1])
    authority.revoke(annul.SubjectId("alice"), reason="password_changed", actor="root")
    seen.append(names(path)[-1])
    authority.block("alice")
    seen.append(names(path)[-1])
    with pytest.raises(annul.SubjectBlocked):
        authority.login("alice", client_id="web")
    seen.append(names(path)[-1])
    authority.unblock("alice")
    seen.append(names(path)[-1])
    authority.rotate_keys()
    seen.append(names(path)[-1])
    assert seen == [
        "login",
        "refresh",
        "revoke",
        "block",
        "login_refused",
        "unblock",
        "key_rotated",
    ]
    authority.close()
    assert check([path]).is_good
    (revoke,) = (record for record in records(path) if record["event"] == "revoke")
    assert (revoke["kind"], revoke["id"], revoke["actor"]) == ("subject", "alice", "root")


def test_two_authorities_share_a_file(stage: Stage, path: Path) -> None:
    first, second = (stage.authority(audit_file=path, max_staleness=CALM) for _ in range(2))
    for number in range(10):
        grant = first.login(f"user {number}", client_id="web")
        second.logout(grant.access_token)
    stage.close()
    assert check([path]).is_good
    assert names(path) == ["login", "logout"] * 10


def test_no_secret_is_in_the_file(stage: Stage, path: Path) -> None:
    authority = stage.authority(audit_file=path, max_staleness=CALM)
    grant = authority.login(
        "alice", client_id="web", claims={"card": "canary-4711"}, device="Phone"
    )
    after = authority.refresh(grant.refresh_token)
    authority.revoke(annul.TokenId(after.access_token))
    pem = authority.export_key(authority.keys()[0].kid)
    authority.logout(after.refresh_token)
    stage.close()
    text = path.read_text("ascii")
    secrets = ["canary-4711", *pem.decode().split()[3:-3]]
    for each in (grant, after):
        secrets += [*each.access_token.split("."), each.refresh_token.split(".")[-1]]
    assert [secret for secret in secrets if secret in text] == []
    assert names(path) == ["login", "refresh", "revoke", "key_exported", "logout"]


class Full:
    """A disk on which there is no room for the audit log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = True
        monkeypatch.setattr(log_module, "write_whole", self.write)

    def write(self, fd: int, data: bytes) -> int:
        return 0 if self.now else write_whole(fd, data)


def test_while_the_disk_is_full_nothing_is_given_out_and_everything_can_be_taken_back(
    stage: Stage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = stage.authority(audit_file=path, max_staleness=CALM)
    grants = [authority.login("alice", client_id="web") for _ in range(3)]
    full = Full(monkeypatch)
    authority.logout(grants[0].access_token)
    assert outcome(authority.verify, grants[0].access_token) == "revoked"
    for give in (
        lambda: authority.login("bob", client_id="web"),
        lambda: authority.refresh(grants[1].refresh_token),
        lambda: authority.unblock("alice"),
        authority.rotate_keys,
        lambda: authority.export_key(authority.keys()[0].kid),
        lambda: authority.import_key(annul.PrivateKey.generate("ES256").to_pem()),
    ):
        with pytest.raises(annul.AuditUnavailable):
            give()
    assert authority.sessions("bob") == ()
    authority.block("mallory")
    authority.revoke(annul.SessionId(grants[2].session_id))
    assert outcome(authority.verify, grants[2].access_token) == "revoked"
    full.now = False
    # The token that could not be refreshed has not been used up.
    authority.refresh(grants[1].refresh_token)
    assert names(path)[3:] == ["logout", "block", "revoke", "refresh"]
    stage.close()
    assert check([path]).is_good


def test_a_login_whose_line_could_not_be_written_is_owed_and_the_next_one_refused(
    stage: Stage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A replica that is not busy with its own freshness has nothing else to write down.
    authority = stage.authority(audit_file=path, max_staleness=CALM)
    eventually(lambda: b'"fresh"' in path.read_bytes())
    full = Full(monkeypatch)
    grant = authority.login("alice", client_id="web")
    assert outcome(authority.verify, grant.access_token) == "accepted"
    with pytest.raises(annul.AuditUnavailable):
        authority.login("bob", client_id="web")
    full.now = False
    authority.login("bob", client_id="web")
    assert [record.get("subject") for record in records(path) if record["event"] == "login"] == [
        "alice",
        "bob",
    ]


def test_an_audit_log_that_cannot_be_kept_founds_no_store(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(annul.Misconfigured):
        stage.authority(audit_file=tmp_path / "none" / "audit.jsonl")
    assert stage.ask(lambda store: store.identity()) is None
