"""The life of a signing key: published before it signs, trusted after it has stopped."""

from __future__ import annotations

import json
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import annul
from annul.core.keyring import Keyring, KeyState, Purpose
from annul.core.revocation import CLOCK_SKEW, MAX_LEEWAY

if TYPE_CHECKING:
    from annul.core.jwk import PrivateKey

PUBLISH = 300.0
LONGEST = 900.0
AFTERLIFE = LONGEST + MAX_LEEWAY + 2 * CLOCK_SKEW


KEYS = {name: annul.PrivateKey.generate("Ed25519") for name in "abc"}


def key(name: str) -> PrivateKey:
    return KEYS[name]


def add(ring: Keyring, name: str, now: float, publish_for: float = PUBLISH) -> Keyring:
    return ring.add(key(name), now=now, publish_for=publish_for, longest_token=LONGEST)


def states(ring: Keyring, now: float) -> dict[str, str]:
    names = {key(name).kid: name for name in "abc"}
    return {names[found.kid]: found.state(now).value for found in ring.keys}


def signer(ring: Keyring, now: float) -> str:
    return next(name for name in "abc" if key(name).kid == ring.signing_key(now).kid)


def trusted(ring: Keyring, now: float) -> set[str]:
    return {name for name in "abc" if key(name).kid in ring.jwks(now)}


FIRST = add(Keyring(), "a", 1000.0)
ROTATED = add(FIRST, "b", 5000.0)
TAKES_OVER = 5000.0 + PUBLISH
IS_GONE = TAKES_OVER + AFTERLIFE


# --- one rotation ---------------------------------------------------------------------


def test_the_first_key_signs_at_once() -> None:
    # There is nobody yet who could have kept a set without it.
    assert states(FIRST, 1000.0) == {"a": "active"}
    assert signer(FIRST, 1000.0) == "a"
    assert FIRST.steady_until(1000.0) == float("inf")


def test_an_empty_ring_signs_nothing() -> None:
    ring = Keyring()

    assert not ring.has(Purpose.TOKEN, 0)
    assert len(ring.jwks(0)) == 0
    with pytest.raises(annul.Misconfigured):
        ring.signing_key(0)
    with pytest.raises(annul.Misconfigured):
        ring.secret(Purpose.HANDLE, 0)


@pytest.mark.parametrize(
    ("now", "expected", "signs", "published"),
    [
        (5000.0, {"a": "active", "b": "pending"}, "a", {"a", "b"}),
        (TAKES_OVER - 0.001, {"a": "active", "b": "pending"}, "a", {"a", "b"}),
        (TAKES_OVER, {"a": "retiring", "b": "active"}, "b", {"a", "b"}),
        (IS_GONE - 0.001, {"a": "retiring", "b": "active"}, "b", {"a", "b"}),
        (IS_GONE, {"a": "gone", "b": "active"}, "b", {"b"}),
        (IS_GONE + 1e9, {"a": "gone", "b": "active"}, "b", {"b"}),
    ],
)
def test_a_new_key_is_published_before_it_signs_and_the_old_one_stays(
    now: float, expected: dict[str, str], signs: str, published: set[str]
) -> None:
    assert states(ROTATED, now) == expected
    assert signer(ROTATED, now) == signs
    assert trusted(ROTATED, now) == published


def test_the_old_key_is_trusted_until_no_token_of_it_can_be_accepted_anywhere() -> None:
    # Signed at the last moment, by a clock that is behind, read with the largest leeway.
    last = TAKES_OVER + LONGEST + MAX_LEEWAY + CLOCK_SKEW
    assert "a" in trusted(ROTATED, last)


def test_replicas_are_told_the_keys_and_when_each_of_them_ends() -> None:
    told = json.loads(ROTATED.published(5000.0))

    assert annul.JWKS.from_json(told) == ROTATED.jwks(5000.0)
    assert told["gone_at"] == {key("a").kid: IS_GONE}
    assert key("a").to_jwk()["d"] not in ROTATED.published(5000.0)


def test_an_answer_is_good_until_the_next_key_changes_its_state() -> None:
    moments = [5000.0]
    while (following := ROTATED.steady_until(moments[-1])) != float("inf"):
        moments.append(following)

    assert moments == [5000.0, TAKES_OVER, IS_GONE]
    for begin, end in pairwise(moments):
        assert states(ROTATED, begin) == states(ROTATED, end - 0.001)
        assert states(ROTATED, begin) != states(ROTATED, end)


def test_what_is_gone_can_be_dropped_and_nothing_else() -> None:
    assert ROTATED.without_gone(IS_GONE - 1) is ROTATED
    left = ROTATED.without_gone(IS_GONE)

    assert states(left, IS_GONE) == {"b": "active"}
    assert left.version == ROTATED.version + 1


def test_two_rotations_in_one_go_keep_both_older_keys_long_enough() -> None:
    ring = add(ROTATED, "c", 5100.0)

    assert signer(ring, 5000.0 + PUBLISH) == "b"
    assert signer(ring, 5100.0 + PUBLISH) == "c"
    assert trusted(ring, IS_GONE - 1) == {"a", "b", "c"}
    assert trusted(ring, 5100.0 + PUBLISH + AFTERLIFE) == {"c"}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 600)), min_size=1, max_size=3))
def test_there_is_always_a_signer_and_it_was_published_long_enough(
    rotations: list[tuple[float, float]],
) -> None:
    ring, now = add(Keyring(), "a", 0.0), 0.0
    published = {"a": float("-inf")}
    for name, (wait, publish_for) in zip("bc", rotations, strict=False):
        now += wait
        ring = add(ring, name, now, publish_for)
        published[name] = now + publish_for

    moments = [0.0]
    while (following := ring.steady_until(moments[-1])) != float("inf"):
        moments.append(following)
    for moment in moments:
        if moment >= now:
            name = signer(ring, moment)
            assert moment >= published[name]
            assert name in trusted(ring, moment)


# --- adding ---------------------------------------------------------------------------


def test_every_change_gives_the_next_version_and_leaves_the_ring_before_as_it_was() -> None:
    assert (Keyring().version, FIRST.version, ROTATED.version) == (0, 1, 2)
    assert states(FIRST, 9000.0) == {"a": "active"}
    assert ROTATED.as_version(9).version == 9
    assert ROTATED.as_version(9).keys == ROTATED.keys


def test_a_key_that_is_there_cannot_be_added_again() -> None:
    with pytest.raises(annul.InvalidRequest):
        add(ROTATED, "a", 6000.0)


def test_a_key_that_is_gone_is_published_anew_before_it_signs_again() -> None:
    ring = add(ROTATED.without_gone(IS_GONE), "a", IS_GONE)

    assert states(ring, IS_GONE) == {"a": "pending", "b": "active"}
    assert signer(ring, IS_GONE + PUBLISH) == "a"


# --- longer tokens --------------------------------------------------------------------


@pytest.mark.parametrize("now", [5000.0, TAKES_OVER - 0.001])
def test_keys_that_still_sign_are_kept_for_tokens_that_live_longer_than_foreseen(
    now: float,
) -> None:
    ring = ROTATED.trusted_for(LONGEST + 600, now=now)

    assert ring.version == ROTATED.version + 1
    assert trusted(ring, IS_GONE + 599) == {"a", "b"}
    assert trusted(ring, IS_GONE + 600) == {"b"}
    assert signer(ring, TAKES_OVER) == "b"


@pytest.mark.parametrize(
    ("longest", "now"), [(LONGEST, 5000.0), (1.0, 5000.0), (LONGEST + 600, TAKES_OVER)]
)
def test_nothing_changes_for_shorter_tokens_or_keys_that_sign_no_more(
    longest: float, now: float
) -> None:
    assert ROTATED.trusted_for(longest, now=now) is ROTATED
    assert FIRST.trusted_for(longest, now=now) is FIRST


# --- handle keys ----------------------------------------------------------------------


def handles(ring: Keyring, now: float, start: int) -> Keyring:
    numbers = count(start)
    return ring.add_secret(
        Purpose.HANDLE,
        now=now,
        needed_for=3600.0,
        entropy=lambda size: bytes([next(numbers)]) * size,
    )


def test_handle_keys_change_at_once_and_the_old_one_stays_readable() -> None:
    ring = handles(handles(FIRST, 1000.0, 1), 2000.0, 11)
    old, secret = handles(FIRST, 1000.0, 1).secret(Purpose.HANDLE, 1500.0)
    new, _ = ring.secret(Purpose.HANDLE, 2000.0)

    assert (len(secret), old != new) == (32, True)
    assert ring.find_secret(Purpose.HANDLE, old) == secret
    assert ring.find_secret(Purpose.HANDLE, "unknown") is None
    gone = 2000.0 + 3600.0 + MAX_LEEWAY + 2 * CLOCK_SKEW
    assert ring.without_gone(gone - 1).find_secret(Purpose.HANDLE, old) == secret
    assert ring.without_gone(gone).find_secret(Purpose.HANDLE, old) is None


def test_keys_of_one_purpose_are_never_used_for_another() -> None:
    ring = handles(ROTATED, 5000.0, 1)
    kid, _ = ring.secret(Purpose.HANDLE, 5000.0)

    assert ring.find_secret(Purpose.HANDLE, key("a").kid) is None
    assert kid not in ring.jwks(5000.0)
    assert signer(ring, 5000.0) == "a"
    assert [found.state(5000.0) for found in ring.keys if found.purpose is Purpose.TOKEN] == [
        KeyState.ACTIVE,
        KeyState.PENDING,
    ]
    # A new signing key does not retire the handle key, and the other way round.
    assert add(ring, "c", 6000.0).secret(Purpose.HANDLE, 1e9)[0] == kid


def test_no_repr_shows_a_secret() -> None:
    ring = handles(FIRST, 1000.0, 65)
    assert "BBBB" not in repr(ring)
    assert key("a").to_jwk()["d"] not in repr(ring)
