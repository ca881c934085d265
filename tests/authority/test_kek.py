"""The key-encryption key: without it the signing keys in the store are nothing."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import ACCEPTED, Stage, listed, outcome

if TYPE_CHECKING:
    from pathlib import Path

KEK = bytes(range(32))


def test_the_file_is_made_for_its_owner_alone(shared_stage: Stage) -> None:
    shared_stage.kek_file = shared_stage.folder / "secret" / "place" / "the.kek"
    shared_stage.authority()
    assert stat.S_IMODE(shared_stage.kek_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(shared_stage.kek_file.parent.stat().st_mode) & 0o077 == 0
    assert list(shared_stage.kek_file.parent.iterdir()) == [shared_stage.kek_file]


def test_by_default_it_lies_beside_the_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/annul.db"
    with annul.Authority.open(url, issuer="https://auth.example", audience="https://api.example"):
        pass
    assert stat.S_IMODE((tmp_path / "annul.db.kek").stat().st_mode) == 0o600


def test_the_same_key_opens_the_ring_again(shared_stage: Stage) -> None:
    grant = shared_stage.authority(kek=KEK).login("alice", client_id="web")
    shared_stage.close()
    again = shared_stage.authority(kek=KEK)
    assert outcome(again.verify, grant.access_token) == ACCEPTED
    assert outcome(again.refresh, grant.refresh_token) == ACCEPTED


def test_another_key_does_not(shared_stage: Stage) -> None:
    authority = shared_stage.authority(kek=KEK)
    before = authority.jwks().to_json()
    with pytest.raises(annul.InvalidKey):
        shared_stage.authority(kek=KEK[::-1])
    assert authority.jwks().to_json() == before


def test_a_file_that_went_missing_is_said_and_not_made_anew(shared_stage: Stage) -> None:
    shared_stage.authority()
    shared_stage.close()
    shared_stage.kek_file.rename(shared_stage.folder / "elsewhere")
    with pytest.raises(annul.Misconfigured):
        shared_stage.authority()
    assert not shared_stage.kek_file.exists()
    (shared_stage.folder / "elsewhere").rename(shared_stage.kek_file)
    shared_stage.authority()


@pytest.mark.parametrize(
    "content", [b"", b"too short", b"\xff\xfe", b"A" * 42, b"A" * 44, b"=" * 43]
)
def test_a_file_that_holds_no_key_is_refused(shared_stage: Stage, content: bytes) -> None:
    shared_stage.kek_file.write_bytes(content)
    with pytest.raises(annul.Misconfigured):
        shared_stage.authority()
    assert shared_stage.kek_file.read_bytes() == content


def test_a_file_of_somebody_elses_store_is_refused(shared_stage: Stage, tmp_path: Path) -> None:
    other = tmp_path / "other.kek"
    with annul.Authority.open(
        f"sqlite:///{tmp_path}/other.db",
        issuer="https://other.example",
        audience="https://api.example",
        kek_file=other,
    ):
        pass
    shared_stage.authority()
    with pytest.raises(annul.InvalidKey):
        shared_stage.authority(kek_file=other)


@pytest.mark.parametrize("kek", [b"", b"short", bytes(31), bytes(33), "A" * 43])
def test_a_key_is_exactly_thirty_two_bytes(shared_stage: Stage, kek: bytes) -> None:
    with pytest.raises(annul.Misconfigured):
        shared_stage.authority(kek=kek)


def test_a_place_where_no_file_can_be_is_said(shared_stage: Stage) -> None:
    shared_stage.kek_file.mkdir()
    with pytest.raises(annul.Misconfigured):
        shared_stage.authority()


def test_a_place_beneath_a_file_is_said(shared_stage: Stage) -> None:
    blocked = shared_stage.folder / "a file"
    blocked.write_bytes(b"")
    with pytest.raises(annul.Misconfigured):
        shared_stage.authority(kek_file=blocked / "the.kek")


def test_the_database_alone_gives_no_key_away(file_stage: Stage) -> None:
    authority = file_stage.authority()
    (kid,) = (key.kid for key in listed(authority))
    pem = authority.export_key(kid)
    grant = authority.login("alice", client_id="web")
    file_stage.close()
    secrets = [pem.split(b"\n")[1], grant.refresh_token.encode(), file_stage.kek_file.read_bytes()]
    family = grant.refresh_token.split(".")[2].encode()
    for file in file_stage.folder.glob("annul.db*"):
        content = file.read_bytes()
        assert not any(secret.strip() in content for secret in (*secrets, family)), file.name
