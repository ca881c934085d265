"""What the tests of DPoP share: a client, its token, and a server that checks both."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from annul.core.denylist import Denylist
from annul.core.dpop import DPoP
from annul.core.jwk import PrivateKey
from annul.core.verifier import Verifier
from annul.testing import NOW, FixedClock, ProofForge
from tests.signing import KEYS, POLICY, sample_claims, signed

URL = "https://api.example/orders"

# Keys of their own, so that no test can confuse the client's with the one that signs tokens.
CLIENT_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
STRANGER_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35))))

CLIENT = ProofForge(key=CLIENT_KEY, clock=lambda: NOW)
STRANGER = ProofForge(key=STRANGER_KEY, clock=lambda: NOW)
TOKEN = signed(sample_claims(cnf={"jkt": CLIENT.jkt}))
UNBOUND = signed()


def server(now: float = NOW) -> DPoP:
    """Return a server of its own, with nothing remembered."""
    return DPoP(clock=FixedClock(now))


def verifier() -> Verifier:
    """Return a verifier of the sample tokens."""
    return Verifier(jwks=KEYS, policy=POLICY, denylist=Denylist(), clock=lambda: NOW)
