"""Revoking a signing key: it never comes back, and signing goes on with what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.keyring import Keyring, Purpose
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


def test_revoking_the_pending_key_lets_the_one_before_go_on() -> None:
    ring = ROTATED.revoke(key("b").kid, now=5001.0)

    assert states(ring, IS_GONE) == {"a": "active"}
    assert signer(ring, TAKES_OVER + 1e6) == "a"
    assert trusted(ring, TAKES_OVER) == {"a"}
    assert ring.steady_until(5000.0) == float("inf")


def test_revoking_the_active_key_lets_the_one_that_retires_sign_again() -> None:
    now = TAKES_OVER + 10
    ring = ROTATED.revoke(key("b").kid, now=now)

    assert signer(ring, now) == "a"
    assert trusted(ring, now) == {"a"}


def test_revoking_the_active_key_does_not_bring_back_one_that_is_gone() -> None:
    # Verifiers have forgotten it: its tokens would be refused, and nobody expects it any more.
    ring = ROTATED.revoke(key("b").kid, now=IS_GONE)

    assert states(ring, IS_GONE) == {"a": "gone"}
    assert not ring.has(Purpose.TOKEN, IS_GONE)
    assert len(ring.jwks(IS_GONE)) == 0


def test_the_key_that_goes_on_hands_over_to_the_successor_of_the_revoked_one() -> None:
    ring = add(ROTATED, "c", 5100.0).revoke(key("b").kid, now=5200.0)
    hands_over = 5100.0 + PUBLISH

    assert signer(ring, hands_over - 0.001) == "a"
    assert signer(ring, hands_over) == "c"
    assert trusted(ring, hands_over + AFTERLIFE - 0.001) == {"a", "c"}
    assert trusted(ring, hands_over + AFTERLIFE) == {"c"}


def test_a_key_does_not_sign_again_where_another_signs_already() -> None:
    now = 5100.0 + PUBLISH
    ring = add(ROTATED, "c", 5100.0).revoke(key("b").kid, now=now)

    assert states(ring, now) == {"a": "retiring", "c": "active"}
    assert trusted(ring, IS_GONE) == {"c"}


def test_revoking_a_key_that_is_not_here_changes_nothing_else() -> None:
    assert ROTATED.revoke(key("c").kid, now=5000.0).keys == ROTATED.keys


def test_revoking_the_key_that_retires_changes_nothing_about_the_signer() -> None:
    ring = ROTATED.revoke(key("a").kid, now=TAKES_OVER)

    assert trusted(ring, TAKES_OVER) == {"b"}
    assert signer(ring, TAKES_OVER) == "b"


def test_when_no_key_is_left_that_can_sign_the_ring_says_so() -> None:
    ring = ROTATED.revoke(key("a").kid, now=5000.0)

    assert not ring.has(Purpose.TOKEN, 5000.0)
    with pytest.raises(annul.Misconfigured):
        ring.signing_key(5000.0)
    assert len(ring.revoke(key("b").kid, now=5000.0).jwks(5000.0)) == 0


def test_in_an_emergency_the_pending_key_signs_at_once() -> None:
    assert ROTATED.activate_pending(5000.0) is ROTATED
    ring = ROTATED.revoke(key("a").kid, now=5000.0).activate_pending(5000.0)

    assert signer(ring, 5000.0) == "b"
    assert Keyring().activate_pending(0).has(Purpose.TOKEN, 0) is False


def test_a_revoked_key_never_comes_back() -> None:
    ring = ROTATED.revoke(key("b").kid, now=5001.0)
    for later in (ring, ring.without_gone(1e9), ring.as_version(50), add(ring, "c", 6000.0)):
        assert key("b").kid in later.revoked
        with pytest.raises(annul.InvalidKey):
            add(later, "b", 7000.0)
    # Nor one that was never here.
    unseen = Keyring().revoke(key("c").kid, now=0.0)
    with pytest.raises(annul.InvalidKey):
        add(unseen, "c", 0.0)


def test_only_signing_keys_are_revoked() -> None:
    ring = ROTATED.add_secret(Purpose.HANDLE, now=5000.0, needed_for=3600.0, entropy=bytes)
    with pytest.raises(annul.InvalidRequest):
        ring.revoke(ring.secret(Purpose.HANDLE, 5000.0)[0], now=5000.0)


def test_every_revocation_is_a_new_version_and_leaves_the_ring_before_as_it_was() -> None:
    ring = ROTATED.revoke(key("b").kid, now=6000.0)

    assert ring.version == ROTATED.version + 1
    assert key("b").kid in ring.revoked
    assert ROTATED.revoked == frozenset()
    assert states(ROTATED, 5000.0) == {"a": "active", "b": "pending"}


def test_in_an_emergency_authorities_with_slower_clocks_can_sign_as_well() -> None:
    ring = ROTATED.revoke(key("a").kid, now=5010.0).activate_pending(5010.0)

    for behind in (0.0, CLOCK_SKEW, 2 * CLOCK_SKEW):
        assert signer(ring, 5010.0 - behind) == "b"


def test_whatever_is_revoked_the_last_key_goes_on_without_an_end() -> None:
    ring = add(ROTATED, "c", 5001.0)
    ring = ring.revoke(key("a").kid, now=5010.0).activate_pending(5010.0)
    ring = ring.revoke(key("c").kid, now=5020.0).activate_pending(5020.0)

    assert signer(ring, 5020.0) == "b"
    assert signer(ring, 5020.0 + 1e6) == "b"
