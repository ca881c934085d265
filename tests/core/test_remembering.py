"""A revocation is remembered for longer than any token it covers can be taken for alive."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import (
    CLOCK_SKEW,
    LONGEST_ACCESS_TTL,
    MAX_LEEWAY,
    Kind,
    Position,
    remember_until,
)
from annul.testing import NOW
from tests.judging import revocation


def remembered(kind: Kind, *, token_exp: float | None = None) -> int | None:
    return remember_until(
        kind, now=NOW, token_exp=token_exp, longest_token=900, longest_session=86_400
    )


@pytest.mark.parametrize("kind", [Kind.KEY, Kind.BLOCK, Kind.UNBLOCK])
def test_keys_and_blocks_are_remembered_for_ever(kind: Kind) -> None:
    assert remembered(kind) is None
    assert remembered(kind, token_exp=NOW) is None


@pytest.mark.parametrize("kind", [Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER])
def test_a_cut_off_is_not_shortened_by_the_token_that_was_presented(kind: Kind) -> None:
    assert remembered(kind, token_exp=NOW) == remembered(kind)
    assert remembered(kind) == NOW + 900 + 86_400 + 1 + MAX_LEEWAY + 2 * CLOCK_SKEW


def test_a_token_is_remembered_by_its_own_end_or_by_the_longest_there_is() -> None:
    margin = 1 + MAX_LEEWAY + 2 * CLOCK_SKEW

    assert remembered(Kind.TOKEN, token_exp=NOW + 60.5) == NOW + 60 + margin
    assert remembered(Kind.TOKEN) == NOW + LONGEST_ACCESS_TTL + margin


skews = st.floats(-CLOCK_SKEW / 2, CLOCK_SKEW / 2)


@settings(deadline=None, max_examples=500)
@given(
    kind=st.sampled_from([Kind.TOKEN, Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER]),
    lengths=st.tuples(st.integers(1, LONGEST_ACCESS_TTL), st.integers(1, 10**7)),
    minted_before=st.floats(0, 1e5),
    leeway=st.floats(0, MAX_LEEWAY),
    clocks=st.tuples(skews, skews, st.floats(-CLOCK_SKEW, CLOCK_SKEW)),
    presented=st.booleans(),
    left=st.floats(0, 1, exclude_min=True),
)
def test_a_revocation_outlives_every_token_it_covers(
    *,
    kind: Kind,
    lengths: tuple[int, int],
    minted_before: float,
    leeway: float,
    clocks: tuple[float, float, float],
    presented: bool,
    left: float,
) -> None:
    """The store's clock is the reference: each machine's clock differs from it by its skew."""
    ttl, session_length = lengths
    minter, revoker, verifier = clocks
    exp = int(NOW - minted_before + minter) + ttl
    entry = replace(
        revocation(kind, "x"),
        expires_at=remember_until(
            kind,
            now=NOW + revoker,
            token_exp=exp if presented else None,
            longest_token=ttl,
            longest_session=session_length,
        ),
    )
    # Some moment at which a verifier still takes the token for alive by its own clock.
    last = exp + leeway
    at_verifier = last - left * max(0.0, last - (NOW + verifier))
    denylist = Denylist([entry])

    denylist.prune(at_verifier - verifier)

    mark = entry.fingerprint
    asked = Facts(mark, mark, mark, mark, mark, None, Position(7, 4), None)
    assert denylist.find(asked) is not None
