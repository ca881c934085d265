"""What it costs that a token is bound to a key: with its proof (DPoP), beside one that is not.

A request with a bound token brings two signatures, so twice the time is the floor. Every proof is
used once, as in life, and each block begins with a memory that has seen none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import annul
from annul.testing import AUDIENCE, ISSUER, ProofForge
from bench.measure import Comparison, compare

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["binding"]

_URL = "https://api.example/orders"


def binding(scale: int) -> list[tuple[str, Comparison, float]]:
    """Return what was compared, the figures, and the ratio to aim for."""
    key, client = annul.PrivateKey.generate("ES256"), ProofForge()
    issuer = annul.Issuer(key=key, issuer=ISSUER, audience=AUDIENCE, ttl=3600)
    count = 2000 // scale

    def issue(number: int, jkt: str | None) -> str:
        name, since = f"user-{number:08d}", annul.Position(1, 0)
        return issuer.issue(subject=name, client_id="web", since=since, sid=name, jkt=jkt).text

    free = [issue(number, None) for number in range(count)]
    bound = [issue(number, client.jkt) for number in range(count)]
    proofs = [client.proof("GET", _URL, access_token=token) for token in bound]

    def verifier(cache_size: int) -> annul.Verifier:
        return annul.Verifier(
            jwks=annul.JWKS([key.public]),
            policy=annul.Policy(issuer=ISSUER, audience=AUDIENCE),
            denylist=annul.Denylist(),
            cache_size=cache_size,
        )

    def with_proofs(verifier: annul.Verifier) -> Callable[[], int]:
        def block() -> int:
            dpop = annul.DPoP(max_age=300)
            for token, proof in zip(bound, proofs, strict=True):
                dpop.verify(verifier, token, proof, method="GET", url=_URL)
            return count

        return block

    def without() -> int:
        for token in free:
            first.verify(token)
        return count

    first, repeat = verifier(0), verifier(4 * count)
    rounds = 30 // min(scale, 3)
    blocks = (
        ("bound token and its proof, both new, to an unbound one", with_proofs(first), 2.6),
        ("bound token again, with a new proof, to a new unbound one", with_proofs(repeat), 1.6),
    )
    return [(what, compare(block, without, rounds=rounds), aim) for what, block, aim in blocks]
