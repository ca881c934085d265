"""Canonical base64url: every byte string has one spelling, and no other text decodes."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annul.core.encoding import (
    TO_STANDARD,
    EncodingError,
    b64url_bytes,
    b64url_decode,
    b64url_encode,
    decode_segment,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def spelled(data: bytes) -> str:
    # The standard library's encoder, which is the reading of RFC 4648 that we compare with.
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decodes(text: str | bytes) -> bool:
    try:
        b64url_decode(text)
    except EncodingError:
        return False
    return True


# Last characters of a group of two and of three, with the bits that encode nothing all zero.
TAILS = {0: ALPHABET, 2: "AQgw", 3: "AEIMQUYcgkosw048"}

# RFC 4648 §10 without its padding, then the two characters in which base64url differs.
KNOWN = [
    (b"", ""),
    (b"f", "Zg"),
    (b"fo", "Zm8"),
    (b"foo", "Zm9v"),
    (b"foob", "Zm9vYg"),
    (b"fooba", "Zm9vYmE"),
    (b"foobar", "Zm9vYmFy"),
    (b"\xff\xef\xbe", "_---"),
    (b"\xfb\xff", "-_8"),
]


@pytest.mark.parametrize(("data", "text"), KNOWN)
def test_a_known_string_is_written_and_read_as_the_rfc_prints_it(data: bytes, text: str) -> None:
    assert b64url_encode(data) == text
    assert b64url_bytes(data) == text.encode()
    assert b64url_decode(text) == data
    assert b64url_decode(text.encode()) == data


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_what_is_encoded_decodes_to_the_same_bytes(data: bytes) -> None:
    text = b64url_encode(data)

    assert text == spelled(data)
    assert b64url_decode(text) == data
    assert decode_segment(text.encode().translate(TO_STANDARD)) == data


# JWS-03
@settings(deadline=None)
@given(st.text(ALPHABET, max_size=24))
@example("AB")
@example("AAB")
def test_text_of_the_alphabet_decodes_only_if_it_is_the_one_spelling(text: str) -> None:
    if decodes(text):
        assert spelled(b64url_decode(text)) == text
    else:
        assert (
            len(text) % 4 == 1 or text[-1] not in {2: "AQgw", 3: "AEIMQUYcgkosw048"}[len(text) % 4]
        )


@pytest.mark.parametrize("tail", [1, 2])
def test_of_all_last_characters_only_those_with_zero_bits_below_decode(tail: int) -> None:
    canonical = {spelled(bytes(tail - 1) + bytes([value]))[-1] for value in range(256)}

    assert {char for char in ALPHABET if decodes("A" * tail + char)} == canonical


# JWS-04
@pytest.mark.parametrize("length", [1, 5, 9, 101])
def test_a_length_of_four_and_one_more_is_refused(length: int) -> None:
    assert not decodes("A" * length)


# JWS-02
@pytest.mark.parametrize(
    "text",
    [
        "Zg==",
        "Zg=",
        "Zm8=",
        "=Zg",
        "Z=g",
        "====",
        "Zm9v====",
        "Zm9 ",
        " Zm9",
        "Z m9",
        "Zm9\n",
        "Zg\r\n",
        "\tZm9v\t\t\t",
        "Zm9v\0\0",
        "Zm9v\0\0\0\0",
        "++++",
        "////",
        "Zm+v",
        "Zm9/",
        "Zm9v.Zm8",
        "Zg!!",
        "{}",
        "Zm9é",
        "\uff3am9v",  # a full-width Z, which some decoders fold into the narrow one
        "Zm9v\u2028\u2028",
        "\ud800AAA",
    ],
)
def test_a_character_outside_the_alphabet_is_refused(text: str) -> None:
    assert not decodes(text)


# With one foreign character the length is that of no text, though the decoder that skips it
# finds as many bytes as it should.
@pytest.mark.parametrize("junk", ["=", "!", "+", " ", "\n", "\0", "\x80", "é"])
@pytest.mark.parametrize("text", ["", "Zm9v", "Zm9vYmFy"])
def test_one_foreign_character_among_whole_groups_is_refused(text: str, junk: str) -> None:
    for at in range(len(text) + 1):
        assert not decodes(text[:at] + junk + text[at:])
        assert not decodes((text[:at] + junk + text[at:]).encode("latin-1"))


def test_no_short_string_has_a_second_spelling() -> None:
    for length in range(6):
        for letters in product(b"AQw_+=!\n\x80", repeat=length):
            text = bytes(letters)
            if decodes(text):
                assert spelled(b64url_decode(text)).encode() == text


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused_and_nothing_else(data: bytes) -> None:
    decodes(data)
    decodes(data.decode("latin-1"))
