"""Keys come, take over and go: published before they sign, trusted until the last token is over."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import (
    ACCEPTED,
    DELTA,
    Stage,
    clock_of_now,
    kids,
    listed,
    outcome,
    pass_time,
    signing_kid,
    states,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

PUBLISH_FOR = 300
TTL = 900
AFTERLIFE = TTL + 300 + 2 * 60
"""How long a key is trusted after its last signature: its tokens, any leeway, the clocks."""


def test_a_new_store_has_one_key_that_signs(stage: Stage) -> None:
    authority = stage.authority()
    kid = signing_kid(authority)
    assert states(authority) == {kid: "active"}
    assert kids(authority.jwks()) == kids(stage.replica().jwks) == {kid}


def test_a_new_key_is_published_before_it_signs(stage: Stage) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock, publish_for=PUBLISH_FOR)
    old = signing_kid(authority)
    new = authority.rotate_keys()
    assert states(authority) == {old: "active", new: "pending"}
    assert kids(authority.jwks()) == {old, new}
    replica = stage.replica()
    assert kids(replica.jwks) == {old, new}

    clock.advance(PUBLISH_FOR - 1)
    assert signing_kid(authority) == old
    clock.advance(1)
    assert signing_kid(authority) == new
    assert states(authority) == {old: "retiring", new: "active"}


def test_old_tokens_are_good_until_their_key_is_gone(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, publish_for=PUBLISH_FOR, access_ttl=TTL)
    replica = timed_stage.replica(clock=clock)
    old = signing_kid(authority)
    new = authority.rotate_keys()
    pass_time(clock, PUBLISH_FOR - 1, authority.replica, replica)
    last = authority.login("alice", client_id="web")  # the last second in which it signs
    for _ in range(3):
        pass_time(clock, (TTL - 1) / 3, authority.replica, replica)
        assert outcome(authority.verify, last.access_token) == ACCEPTED
        assert outcome(replica.verify, last.access_token) == ACCEPTED
        assert kids(authority.jwks()) == {old, new}

    pass_time(clock, AFTERLIFE - TTL + 1, authority.replica, replica)
    assert states(authority) == {old: "retiring", new: "active"}
    pass_time(clock, 1, authority.replica, replica)
    assert states(authority) == {new: "active"}
    assert kids(authority.jwks()) == {new}


def test_a_second_authority_sees_the_rotation(stage: Stage) -> None:
    one, two = stage.authority(publish_for=0), stage.authority(publish_for=0)
    new = one.rotate_keys()
    eventually(lambda: signing_kid(two) == new)
    assert states(two) == states(one)
    grant = two.login("alice", client_id="web")
    eventually(lambda: outcome(one.verify, grant.access_token) == ACCEPTED)


def test_two_authorities_that_rotate_at_once_lose_no_key(stage: Stage) -> None:
    authorities = [stage.authority(publish_for=0) for _ in range(2)]
    first = signing_kid(authorities[0])
    gate = threading.Barrier(len(authorities))
    made: list[str] = []

    def rotate(authority: annul.Authority) -> None:
        gate.wait()
        made.extend(authority.rotate_keys() for _ in range(4))

    threads = [threading.Thread(target=rotate, args=(each,)) for each in authorities]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 8
    everybody = (*authorities, stage.authority())
    eventually(lambda: all(kids(each.jwks()) == {first, *made} for each in everybody))
    ring = stage.ask(lambda store: store.ring())
    assert ring is not None
    assert ring.version == 9  # one change for each key, and none of them overwritten
    everywhere = {signing_kid(authority) for authority in authorities}
    assert len(everywhere) == 1


def test_rotating_to_another_algorithm_keeps_old_tokens_good(stage: Stage) -> None:
    authority = stage.authority(publish_for=0, algorithm="ES256")
    replica = stage.replica()
    old = authority.login("alice", client_id="web")
    kid = authority.rotate_keys(algorithm="Ed25519")
    new = authority.login("alice", client_id="web")
    eventually(lambda: kid in kids(replica.jwks))
    assert outcome(replica.verify, old.access_token) == ACCEPTED
    assert replica.verify(new.access_token).key_id == kid
    assert {key.alg for key in listed(authority) if key.kid == kid} == {"Ed25519"}


# --- in from a file and out again -----------------------------------------------------------


def openssl(folder: Path, *words: str) -> bytes:
    """Return the private key that ``openssl genpkey`` writes."""
    file = folder / "key.pem"
    try:
        subprocess.run(
            ["openssl", "genpkey", *words, "-out", str(file)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("there is no openssl program here")
    return file.read_bytes()


KEYS = {
    "RS256": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ES256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "Ed25519": ("-algorithm", "ed25519"),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_made_by_openssl_signs_after_it_was_imported(
    timed_stage: Stage, tmp_path: Path, algorithm: str
) -> None:
    pem = openssl(tmp_path, *KEYS[algorithm])
    authority = timed_stage.authority(publish_for=0)
    kid = authority.import_key(pem)
    grant = authority.login("alice", client_id="web")
    replica = timed_stage.replica()
    assert replica.verify(grant.access_token).key_id == kid
    assert {key.alg for key in listed(authority) if key.kid == kid} == {algorithm}
    out = annul.PrivateKey.from_pem(authority.export_key(kid))
    assert (out.kid, out.to_pem()) == (kid, annul.PrivateKey.from_pem(pem).to_pem())
    with pytest.raises(annul.InvalidRequest):
        authority.import_key(pem)  # it is there already


def test_an_exported_key_can_be_encrypted_and_moved_to_another_store(
    stage: Stage, tmp_path: Path
) -> None:
    authority = stage.authority()
    kid = signing_kid(authority)
    pem = authority.export_key(kid, password=b"a good passphrase")
    assert b"ENCRYPTED" in pem
    with annul.Authority.open(
        f"sqlite:///{tmp_path}/other.db",
        issuer="https://auth.example",
        audience="https://api.example",
        publish_for=0,
        max_staleness=DELTA,
    ) as other:
        for wrong in (None, b"another passphrase"):
            with pytest.raises(annul.InvalidKey):
                other.import_key(pem, password=wrong)
        assert other.import_key(pem, password=b"a good passphrase") == kid
        assert signing_kid(other) == kid


def test_only_signing_keys_of_the_ring_are_exported(stage: Stage) -> None:
    authority = stage.authority()
    (handle,) = (key.kid for key in listed(authority, "handle"))
    for kid in (handle, "unknown", ""):
        with pytest.raises(annul.InvalidRequest):
            authority.export_key(kid)


@pytest.mark.parametrize("pem", [b"", b"no key at all", "-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key_is_not_imported(stage: Stage, pem: bytes | str) -> None:
    authority = stage.authority()
    before = authority.jwks().to_json()
    with pytest.raises(annul.InvalidKey):
        authority.import_key(pem)
    assert authority.jwks().to_json() == before
