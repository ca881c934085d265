"""Whatever object is handed over as a token or as a binding, it is a refusal and no crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from annul.core import jws
from annul.core.handle import mint, read
from annul.errors import InvalidGrant, NotBound, TokenRejected
from tests.core.any_input import BOUND, GOOD, OBJECTS, Pretender, any_text, judged, often, verifier
from tests.signing import KEYS

# --- tokens -----------------------------------------------------------------------------


class Text(str):
    """A subclass with manners of its own."""

    __slots__ = ()

    def encode(self, *_args: object) -> bytes:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError


class Octets(bytes):
    """A subclass with manners of its own."""

    __slots__ = ()

    def decode(self, *_args: object) -> str:
        raise RuntimeError


@pytest.mark.parametrize("token", OBJECTS, ids=lambda token: type(token).__name__)
def test_what_is_no_text_is_refused(token: object) -> None:
    assert judged(token) is None
    with pytest.raises(TokenRejected):
        jws.verify(token, KEYS, algorithms=("Ed25519",))  # type: ignore[arg-type]  # the point
    with pytest.raises(TokenRejected):
        verifier().verify_ended(token)  # type: ignore[arg-type]  # the point


def test_a_subclass_is_judged_by_the_text_that_it_is() -> None:
    for token in (Text(GOOD), Octets(GOOD.encode())):
        found = judged(token)
        assert found is not None
        assert found.subject == "alice"
    for token in (Text(GOOD[:-1]), Octets(b""), Octets(b"\xff")):
        assert judged(token) is None


SECRET = bytes(range(32))
HANDLE = mint("k1", SECRET, "f" * 22, 7)


@pytest.mark.parametrize(
    "token",
    [*OBJECTS, Pretender(HANDLE), HANDLE.encode()],
    ids=lambda token: type(token).__name__,
)
def test_what_is_no_text_is_no_refresh_token(token: object) -> None:
    with pytest.raises(InvalidGrant):
        read(token, lambda _key_id: SECRET)
    assert read(HANDLE, lambda _key_id: SECRET).generation == 7


# --- any binding ------------------------------------------------------------------------


class Odd(Mapping[str, Any]):
    """A mapping that holds one thing for every name."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __getitem__(self, _name: str) -> object:
        return self._value

    def __iter__(self) -> Iterator[str]:
        yield from ("jkt", "x5t#S256")

    def __len__(self) -> int:
        return 2


hashables = st.none() | st.booleans() | st.integers() | any_text | st.binary(max_size=20)
bindings = st.one_of(
    st.none(),
    any_text,
    st.integers(),
    st.lists(any_text, max_size=3),
    st.just({"jkt": "thumbprint"}.items()),
    st.dictionaries(hashables, hashables, max_size=4),
    st.fixed_dictionaries({"jkt": hashables, "x5t#S256": hashables}),
    st.builds(Odd, hashables),
    st.builds(Pretender, st.just({"jkt": "thumbprint"})),
)


@often
@given(bindings)
@example({"jkt": "thumbprint", "x5t#S256": "\ud800"})
@example({"jkt": "thumbprint"})
def test_any_binding_that_does_not_match_is_refused(binding: Any) -> None:  # noqa: ANN401
    with pytest.raises(NotBound):
        verifier().verify(BOUND, binding)


@often
@given(bindings)
def test_a_token_that_is_not_bound_does_not_mind(binding: Any) -> None:  # noqa: ANN401
    assert verifier().verify(GOOD, binding).subject == "alice"


def test_the_binding_that_matches_is_accepted() -> None:
    binding = {"jkt": "thumbprint", "x5t#S256": "żółw", "other": "\ud800"}

    assert verifier().verify(BOUND, binding).subject == "alice"
