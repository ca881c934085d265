"""For tests of programs that use annul, and of stores that annul does not know.

``annul.testing.store_contract`` has the tests that every store must pass; it needs pytest and is
therefore not imported here.
"""

from __future__ import annotations

from annul.testing.clock import FixedClock
from annul.testing.forging import AUDIENCE, OMIT, REFUSALS, TokenForge
from annul.testing.proving import ProofForge
from annul.testing.samples import ISSUER, NOW, sample_draft, sample_identity, sample_session

__all__ = [
    "AUDIENCE",
    "ISSUER",
    "NOW",
    "OMIT",
    "REFUSALS",
    "FixedClock",
    "ProofForge",
    "TokenForge",
    "sample_draft",
    "sample_identity",
    "sample_session",
]
