"""What the tests of any input share: inputs of every kind, and what may come of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

import annul
from annul.core.claims import VerifiedToken
from annul.core.verifier import Verifier
from annul.errors import TokenRejected
from annul.testing import NOW
from tests.signing import KEYS, POLICY, sample_claims, signed

GOOD = signed()
BOUND = signed(sample_claims(cnf={"jkt": "thumbprint", "x5t#S256": "żółw"}))

often = settings(deadline=None, max_examples=150, derandomize=True)

surrogates = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF, categories=["Cs"])
any_text = st.text(st.characters() | surrogates, max_size=100)


def verifier(policy: annul.Policy = POLICY) -> Verifier:
    return Verifier(jwks=KEYS, policy=policy, denylist=annul.Denylist(), clock=lambda: NOW)


def judged(token: Any, binding: Any = None, policy: annul.Policy = POLICY) -> VerifiedToken | None:  # noqa: ANN401
    """Return the token, ``None`` if it is refused; whatever else happens is a failure."""
    both = verifier(policy)
    try:
        found = both.verify(token, binding)
    except TokenRejected:
        with pytest.raises(TokenRejected):
            both.verify(token, binding)
        return None
    assert type(found) is VerifiedToken
    assert both.verify(token, binding) is found
    return found


class Pretender:
    """Says that it is what it holds, as the lazy objects of web frameworks do."""

    def __init__(self, value: object) -> None:
        self._value = value

    @property  # type: ignore[misc]  # read-only, as theirs is
    def __class__(self) -> type:
        return type(self._value)

    def __str__(self) -> str:
        return str(self._value)


OBJECTS: list[object] = [
    None, True, 0, 1.5, b"", bytearray(b"a.b.c"), memoryview(b"a.b.c"), [], [GOOD], {}, {GOOD},
    object(), object, range(3), ValueError(GOOD), Pretender(GOOD), Pretender(GOOD.encode()),
    Pretender(5), bytearray(GOOD.encode()), memoryview(GOOD.encode()), tuple(GOOD.split(".")),
]  # fmt: skip
