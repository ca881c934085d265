"""Sessions bound to a key: proven at login and at every refresh, and in every token of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.testing import ProofForge
from tests.stage import Stage, clock_of_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.testing import FixedClock

LOGIN = "https://auth.example/token"
ORDERS = "https://api.example/orders"


class Desk:
    """A token endpoint and a resource, as an application would build them around annul."""

    def __init__(self, stage: Stage, clock: FixedClock) -> None:
        self.authority = stage.authority(clock=clock)
        self.replica = stage.replica()
        self.at_endpoint = annul.DPoP(clock=clock)
        self.at_resource = annul.DPoP(clock=clock)

    def login(self, client: ProofForge, **announced: str) -> annul.Grant:
        proof = self.at_endpoint.prove(
            client.proof("POST", LOGIN), method="POST", url=LOGIN, jkt=announced.get("dpop_jkt")
        )
        return self.authority.login("alice", client_id="web", jkt=proof.jkt)

    def refresh(self, client: ProofForge, grant: annul.Grant) -> annul.Grant:
        proof = self.at_endpoint.prove(client.proof("POST", LOGIN), method="POST", url=LOGIN)
        return self.authority.refresh(grant.refresh_token, client_id="web", jkt=proof.jkt)

    def ask(self, client: ProofForge, grant: annul.Grant) -> annul.VerifiedToken:
        raw = grant.access_token
        proof = client.proof("GET", ORDERS, access_token=raw)
        return self.at_resource.verify(self.replica, raw, [proof], method="GET", url=ORDERS)


@pytest.fixture
def clock() -> FixedClock:
    return clock_of_now()


@pytest.fixture
def desk(timed_stage: Stage, clock: FixedClock) -> Desk:
    return Desk(timed_stage, clock)


@pytest.fixture
def client(clock: FixedClock) -> ProofForge:
    return ProofForge(clock=clock)


@pytest.fixture
def thief(clock: FixedClock) -> ProofForge:
    return ProofForge(clock=clock)


def test_a_bound_session_works_for_its_key_through_every_refresh(
    desk: Desk, client: ProofForge
) -> None:
    grant = desk.login(client)
    for _ in range(3):
        assert grant.token_type == "DPoP"
        token = desk.ask(client, grant)
        assert token.claims["cnf"] == {"jkt": client.jkt}
        grant = desk.refresh(client, grant)


def test_what_was_stolen_from_a_bound_session_is_of_no_use(
    desk: Desk, client: ProofForge, thief: ProofForge
) -> None:
    grant = desk.login(client)
    with pytest.raises(annul.NotBound):
        desk.ask(thief, grant)
    with pytest.raises(annul.NotBound):
        desk.replica.verify(grant.access_token)
    with pytest.raises(annul.NotBound):
        desk.authority.verify(grant.access_token)


def test_a_refresh_with_another_key_is_refused_and_disturbs_nothing(
    desk: Desk, client: ProofForge, thief: ProofForge
) -> None:
    grant = desk.login(client)
    attempts: tuple[Callable[[], annul.Grant], ...] = (
        lambda: desk.refresh(thief, grant),
        lambda: desk.authority.refresh(grant.refresh_token),
        lambda: desk.authority.refresh(grant.refresh_token, client_id="web"),
    )
    for attempt in attempts:
        with pytest.raises(annul.InvalidGrant) as refused:
            attempt()
        assert refused.value.code == "invalid_grant"
    assert desk.ask(client, desk.refresh(client, grant)).subject == "alice"


def test_the_key_of_a_session_never_changes(
    desk: Desk, client: ProofForge, thief: ProofForge
) -> None:
    free = desk.authority.login("alice", client_id="web")
    moved = desk.refresh(thief, free)
    # A session that began without a key has none later: showing one adds nothing.
    assert moved.token_type == "Bearer"
    with pytest.raises(annul.NotBound):
        desk.ask(thief, moved)
    again = desk.refresh(client, desk.refresh(client, desk.login(client)))
    assert desk.ask(client, again).claims["cnf"] == {"jkt": client.jkt}


def test_the_key_that_was_announced_must_be_the_one_of_the_login(
    desk: Desk, client: ProofForge, thief: ProofForge
) -> None:
    assert desk.login(client, dpop_jkt=client.jkt).token_type == "DPoP"
    with pytest.raises(annul.InvalidDPoPProof):
        desk.login(thief, dpop_jkt=client.jkt)
    assert len(desk.authority.sessions("alice")) == 1


def test_a_proof_for_the_token_endpoint_opens_no_resource(desk: Desk, client: ProofForge) -> None:
    raw = desk.login(client).access_token
    for proof in (client.proof("POST", LOGIN), client.proof("POST", ORDERS)):
        with pytest.raises(annul.InvalidDPoPProof):
            desk.at_resource.verify(desk.replica, raw, proof, method="POST", url=ORDERS)


@pytest.mark.parametrize("jkt", ["", "thumbprint", "A" * 42 + "B", "A" * 44, 5, b"A" * 43])
def test_what_is_no_thumbprint_is_the_callers_fault(desk: Desk, jkt: Any) -> None:  # noqa: ANN401
    grant = desk.authority.login("alice", client_id="web")
    with pytest.raises(annul.InvalidRequest):
        desk.authority.login("alice", client_id="web", jkt=jkt)
    with pytest.raises(annul.InvalidRequest):
        desk.authority.refresh(grant.refresh_token, jkt=jkt)
    # The refresh token was not used up.
    assert desk.authority.refresh(grant.refresh_token).session_id == grant.session_id
