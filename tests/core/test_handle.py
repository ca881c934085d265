"""Refresh tokens: what was minted is read, and nothing else in the world is."""

from __future__ import annotations

import string
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.encoding import b64url_encode
from annul.core.handle import Handle, family_digest, looks_like_handle, mint, new_family, read
from annul.errors import InvalidGrant

KEYS = {"key-1": b"1" * 32, "key_2": b"2" * 32}
FAMILY = new_family(lambda size: bytes(range(size)))
LETTERS = string.ascii_letters + string.digits + "-_"


def minted(generation: int = 3, key_id: str = "key-1", family: str = FAMILY) -> str:
    return mint(key_id, KEYS[key_id], family, generation)


def refused(token: object) -> bool:
    try:
        read(token, KEYS.get)
    except InvalidGrant:
        return True
    return False


@settings(deadline=None)
@given(
    key_id=st.sampled_from(sorted(KEYS)),
    family=st.binary(min_size=16, max_size=16),
    generation=st.integers(0, 10**15 - 1),
)
def test_what_was_minted_is_read(key_id: str, family: bytes, generation: int) -> None:
    name = new_family(lambda size: family[:size])

    handle = read(mint(key_id, KEYS[key_id], name, generation), KEYS.get)

    assert handle == Handle(key_id, name, generation)
    assert handle.digest == sha256(b64url_encode(family).encode()).digest()


def test_the_same_arguments_give_the_same_token() -> None:
    assert minted() == minted()
    assert len({minted(), minted(4), minted(key_id="key_2"), minted(family="A" * 22)}) == 4


def test_the_family_is_all_that_the_entropy_gave() -> None:
    asked: list[int] = []

    family = new_family(lambda size: asked.append(size) or b"\xff" * size)  # type: ignore[func-returns-value]  # append gives None

    assert asked == [16]
    assert family == b64url_encode(b"\xff" * 16)
    assert family_digest(family) == sha256(family.encode()).digest()


# --- tampering ------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(len(minted())))
def test_a_token_with_any_character_changed_is_refused(place: int) -> None:
    token = minted()

    for other in (*LETTERS, ".", " ", "=", "\0", "\n", "é"):
        if other != token[place]:
            assert refused(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("place", range(len(minted()) + 1))
def test_a_token_with_any_character_added_or_left_out_is_refused(place: int) -> None:
    token = minted()

    for more in (*LETTERS, ".", " ", "\n", "\0"):
        assert refused(token[:place] + more + token[place:])
    assert place == len(token) or refused(token[:place] + token[place + 1 :])
    assert place == len(token) or refused(token[:place])


def test_the_tag_of_one_token_is_not_that_of_another() -> None:
    one, two = minted(3).rpartition("."), minted(4).rpartition(".")

    assert refused(one[0] + "." + two[2])
    assert refused(minted(key_id="key_2").replace("key_2", "key-1"))


def test_a_token_of_another_authority_is_refused() -> None:
    assert refused(mint("key-1", b"another" * 5, FAMILY, 3))
    assert refused(mint("key-9", b"1" * 32, FAMILY, 3))


def test_the_key_is_asked_for_by_name_and_only_for_what_has_the_shape() -> None:
    asked: list[str] = []

    for token in ("garbage", "v1.key-1", "v2." + minted()[3:], minted() + "x", "v1...." + "A" * 43):
        with pytest.raises(InvalidGrant):
            read(token, asked.append)
    assert asked == []
    with pytest.raises(InvalidGrant):
        read(minted(), asked.append)
    assert asked == ["key-1"]


# --- spelling -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "generation",
    ["", "00", "03", "-1", "+3", "3.0", "3e0", "1_0", " 3", "3 ", "3\n", "0x3", "1" + "0" * 15],
)
def test_a_generation_has_one_spelling_even_under_a_true_tag(generation: str) -> None:
    # mint() puts its arguments together as they are, so any body can be had with a true tag.
    assert refused(mint("key-1", KEYS["key-1"], FAMILY, generation))  # type: ignore[arg-type]  # see above


@pytest.mark.parametrize(
    "three",
    [
        "\N{ARABIC-INDIC DIGIT THREE}",
        "\N{FULLWIDTH DIGIT THREE}",
        "\N{MATHEMATICAL BOLD DIGIT THREE}",
        "\N{SUPERSCRIPT THREE}",
    ],
)
def test_digits_of_other_scripts_do_not_have_the_shape(three: str) -> None:
    asked: list[str] = []

    with pytest.raises(InvalidGrant):
        read(minted().replace(f"{FAMILY}.3", f"{FAMILY}.1{three}"), asked.append)

    assert asked == []


@pytest.mark.parametrize("family", ["", "A" * 21, "A" * 23, "A" * 21 + "=", "A" * 21 + "+"])
def test_a_family_has_one_length_and_alphabet_even_under_a_true_tag(family: str) -> None:
    assert refused(mint("key-1", KEYS["key-1"], family, 3))


@pytest.mark.parametrize("key_id", ["", "x" * 33, "a b", "a+b", "a=b", "a.b"])
def test_a_key_id_is_short_and_plain_even_under_a_true_tag(key_id: str) -> None:
    with pytest.raises(InvalidGrant):
        read(mint(key_id, b"1" * 32, FAMILY, 3), lambda _key_id: b"1" * 32)


@pytest.mark.parametrize("thing", [None, 5, b"v1", minted().encode(), [minted()], "", ".", "v1."])
def test_what_is_no_text_or_no_token_is_refused(thing: object) -> None:
    assert refused(thing)


def test_a_text_of_any_length_is_refused_without_being_searched() -> None:
    assert refused("v1." * 1_000_000)
    assert refused(minted() + "A" * 1_000_000)
    assert refused("v1." + "A" * 32 + "." + "A" * 22 + "." + "9" * 100_000 + "." + "A" * 43)


@settings(deadline=None)
@given(st.text() | st.text(LETTERS + ".").map("v1.".__add__))
def test_garbage_is_refused_and_nothing_else_happens(text: str) -> None:
    assert refused(text)


# --- discretion -----------------------------------------------------------------------


def test_the_family_does_not_appear_in_a_repr() -> None:
    handle = read(minted(), KEYS.get)

    assert FAMILY not in repr(handle)
    assert "key-1" in repr(handle)


def test_the_prefix_alone_tells_a_refresh_token_from_other_tokens() -> None:
    assert looks_like_handle(minted())
    assert looks_like_handle("v1.anything")
    for other in ("eyJhbGciOiJFUzI1NiJ9.e30.AA", "V1.x", " v1.x", "", None, 5, b"v1.x"):
        assert not looks_like_handle(other)
