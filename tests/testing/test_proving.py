"""The forge of proofs: what it makes is a proof, and what it was told to break is none."""

from __future__ import annotations

import pytest

import annul
from annul.testing import OMIT, FixedClock, ProofForge, TokenForge

URL = "https://api.example/orders"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1_800_000_000.0)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "Ed25519", "RS256", "PS256"])
def test_a_forged_proof_is_accepted_with_a_forged_token(clock: FixedClock, alg: str) -> None:
    client = ProofForge(key=annul.PrivateKey.generate(alg), clock=clock)
    forge = TokenForge(clock=clock)
    raw = forge.token({"cnf": {"jkt": client.jkt}})
    proof = client.proof("GET", URL, access_token=raw)
    token = annul.DPoP(clock=clock).verify(forge.verifier(), raw, proof, method="GET", url=URL)
    assert token.subject == "alice"


def test_every_proof_is_a_new_one(clock: FixedClock) -> None:
    client, dpop = ProofForge(clock=clock), annul.DPoP(clock=clock)
    found = [dpop.prove(client.proof("GET", URL), method="GET", url=URL) for _ in range(3)]
    assert len({proof.jti for proof in found}) == 3
    assert {proof.jkt for proof in found} == {client.jkt}


def test_a_proof_is_of_the_time_that_its_clock_shows(clock: FixedClock) -> None:
    proof = ProofForge(clock=clock).proof("GET", URL)
    clock.advance(61)
    with pytest.raises(annul.InvalidDPoPProof):
        annul.DPoP(clock=clock).prove(proof, method="GET", url=URL)


def test_members_are_replaced_and_left_out(clock: FixedClock) -> None:
    client = ProofForge(clock=clock)
    for proof in (
        client.proof("GET", URL, claims={"htm": "POST"}),
        client.proof("GET", URL, claims={"jti": OMIT}),
        client.proof("GET", URL, header={"typ": "JWT"}),
        client.proof("GET", URL, header={"jwk": OMIT}),
        client.proof("GET", URL, key=annul.PrivateKey.generate("ES256")),
    ):
        with pytest.raises(annul.InvalidDPoPProof):
            annul.DPoP(clock=clock).prove(proof, method="GET", url=URL)


def test_a_client_without_a_key_of_its_own_gets_a_new_one() -> None:
    one, two = ProofForge(), ProofForge()
    assert one.jkt != two.jkt
    assert one.jkt in repr(one)
