"""Attacks that want an exception nobody expects, or more time and memory than they are worth."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.encoding import MAX_JSON_DEPTH
from annul.core.jws import MAX_HEADER_LENGTH, MAX_TOKEN_LENGTH
from annul.errors import AlgorithmNotAllowed, InvalidKey, Malformed, TokenRejected
from tests.advisories.forgery import compact, genuine, header_of, refuses, trusted, verifier_of
from tests.signing import KEYS, POLICY, sample_claims, sample_header, signed

if TYPE_CHECKING:
    from collections.abc import Callable

MEGABYTE = 1 << 20
SLOWEST = 0.05
KEY = trusted("Ed25519")
VERIFY = verifier_of(KEY.public).verify


def cost(action: Callable[[], object]) -> tuple[float, int]:
    """Return the seconds and the bytes that an action takes at most; errors of ours are fine."""

    def attempt() -> None:
        with contextlib.suppress(annul.AnnulError):
            action()

    seconds = []
    for _ in range(3):  # a busy machine is no finding
        start = time.perf_counter()
        attempt()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    try:
        attempt()
        return min(seconds), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- many dots, long texts --------------------------------------------------------------


@pytest.mark.parametrize(
    "attack",
    ["." * MAX_TOKEN_LENGTH, "a." * (MAX_TOKEN_LENGTH // 2), "." * (20 * MEGABYTE)],
    ids=["cve_2025_30204", "cve_2025_22868", "cve_2025_27144"],
)
def test_dots_are_not_counted_to_the_end(attack: str) -> None:
    refuses(VERIFY, attack, Malformed, genuine(KEY))

    seconds, peak = cost(lambda: VERIFY(attack))

    assert seconds < SLOWEST
    assert peak < 5 * MAX_TOKEN_LENGTH


def test_cve_2025_61920_a_long_token_is_refused_before_it_is_decoded() -> None:
    attack = compact(header_of(KEY, pad="a" * (20 * MEGABYTE)), sample_claims(), bytes(64))
    refuses(VERIFY, attack, Malformed, genuine(KEY))

    seconds, peak = cost(lambda: VERIFY(attack))

    assert seconds < SLOWEST
    assert peak < MEGABYTE


def test_cve_2025_61920_a_long_header_is_refused_though_the_token_is_not() -> None:
    attack = compact(header_of(KEY, pad="a" * MAX_HEADER_LENGTH), sample_claims(), KEY.sign)

    refuses(VERIFY, attack, Malformed, genuine(KEY))


# --- nesting ----------------------------------------------------------------------------

NESTINGS = {"[": "]", '{"a":': "}", '[{"a":': "}]"}


@pytest.mark.parametrize("opening", NESTINGS)
@pytest.mark.parametrize("times", [MAX_JSON_DEPTH, 500, 990, 6_000])
def test_cve_2026_101918_no_recursion_error_escapes_from_a_payload(
    opening: str, times: int
) -> None:
    inner = opening * times + "1" + NESTINGS[opening] * times
    text = json.dumps(sample_claims())[:-1] + f', "deep": {inner}}}'

    attack = compact(header_of(KEY), text.encode(), KEY.sign)

    refuses(VERIFY, attack, Malformed, genuine(KEY))


@pytest.mark.parametrize("opening", NESTINGS)
@pytest.mark.parametrize("times", [MAX_JSON_DEPTH, 500, 800])
def test_cve_2026_102265_no_recursion_error_escapes_from_a_header(opening: str, times: int) -> None:
    inner = opening * times + "1" + NESTINGS[opening] * times
    text = json.dumps(header_of(KEY))[:-1] + f', "deep": {inner}}}'

    attack = compact(text.encode(), sample_claims(), KEY.sign)

    refuses(VERIFY, attack, Malformed, genuine(KEY))


@pytest.mark.parametrize("opening", NESTINGS)
def test_cve_2025_53864_a_deep_key_set_is_refused(opening: str) -> None:
    text = '{"keys": [' + opening * 100_000 + "1" + NESTINGS[opening] * 100_000 + "]}"

    with pytest.raises(InvalidKey):
        annul.JWKS.from_json(text)

    seconds, _peak = cost(lambda: annul.JWKS.from_json(text))
    assert seconds < SLOWEST


# --- work that the token asks for -------------------------------------------------------


@pytest.mark.parametrize(
    "advisory",
    ["cve_2022_36083", "cve_2023_6681", "cve_2023_50966", "cve_2023_51775", "cve_2023_52428"],
)
def test_no_header_asks_for_a_key_to_be_derived(advisory: str) -> None:
    members: dict[str, Any] = {
        "alg": "PBES2-HS512+A256KW",
        "enc": "A256GCM",
        "p2s": advisory,
        "p2c": 2**31 - 1,
    }
    attack = compact(header_of(KEY, **members), sample_claims(), bytes(64))
    refuses(VERIFY, attack, AlgorithmNotAllowed, genuine(KEY))

    # Under an algorithm of ours the two members are only two unknown ones.
    harmless = compact(header_of(KEY, p2s=advisory, p2c=2**31 - 1), sample_claims(), KEY.sign)
    seconds, _peak = cost(lambda: VERIFY(harmless))
    assert VERIFY(harmless).subject == "alice"
    assert seconds < SLOWEST


@pytest.mark.parametrize(
    "advisory", ["cve_2024_21319", "cve_2024_28102", "cve_2024_28176", "cve_2024_33664"]
)
def test_nothing_is_decompressed(advisory: str) -> None:
    bomb = zlib.compress(json.dumps(sample_claims(pad=advisory + "a" * (8 * MEGABYTE))).encode())
    attack = compact(header_of(KEY, zip="DEF"), bomb, KEY.sign)
    refuses(VERIFY, attack, Malformed, genuine(KEY))

    _seconds, peak = cost(lambda: VERIFY(attack))

    assert peak < MEGABYTE


# --- exceptions of others ---------------------------------------------------------------

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "\0",
    "\ud800",
    [],
    [None],
    {},
    {"a": []},
    "x" * 5000,
    10**400,
]


@pytest.mark.parametrize("name", ["alg", "typ", "kid", "crit", "b64", "jwk", "x5c", "cty", "zip"])
def test_cve_2019_17195_an_odd_header_raises_nothing_foreign(name: str) -> None:
    for value in ODD:
        header = sample_header(**{name: value})
        try:
            token = verifier_of(jwks=KEYS).verify(signed(header=header))
        except TokenRejected:
            continue
        # Only members that are not looked at may be odd.
        assert name in {"jwk", "x5c", "cty", "zip", "b64"}
        assert token.subject == "alice"


@pytest.mark.parametrize("name", [*sample_claims(), "nbf", "auth_time", "cnf", "scope", "other"])
def test_cve_2019_17195_an_odd_claim_raises_nothing_foreign(name: str) -> None:
    verify = verifier_of(jwks=KEYS).verify
    for value in ODD:
        try:
            token = verify(signed(sample_claims(**{name: value})))
        except TokenRejected:
            continue
        assert token.issuer == POLICY.issuer


def test_cve_2026_102274_one_bad_key_leaves_the_others() -> None:
    good = KEY.public.to_jwk()
    for bad in (*ODD[:-3], {"kty": "EC", "crv": "P-256"}, {"kty": "RSA", "n": "!", "e": "AQAB"}):
        document = json.dumps({"keys": [bad, good, bad]})
        if "\\ud800" in document:
            continue  # the document as a whole is not JSON that can be trusted
        jwks = annul.JWKS.from_json(document)

        assert [key.kid for key in jwks] == [KEY.kid]
        assert len(jwks.skipped) == 2


# --- tokens of a megabyte ---------------------------------------------------------------

LARGE = annul.Policy(issuer=POLICY.issuer, audience=POLICY.audience, max_token_length=MEGABYTE)
BULK = 750_000
FILLERS = {
    "text": b'"' + b"a" * BULK + b'"',
    "escapes": b'"' + b"\\n" * (BULK // 2) + b'"',
    "brackets_and_escapes": b"[[" + b"[]," * 40 + b'1], "' + b'\\"' * (BULK // 2 - 100) + b'"]',
    "members": b"{" + b",".join(b'"%d": 0' % number for number in range(BULK // 11)) + b"}",
    "digits": b"0." + b"1" * BULK,
}


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
def test_cve_2025_53864_a_megabyte_takes_no_more_than_a_few(filler: bytes) -> None:
    payload = json.dumps(sample_claims()).encode()[:-1] + b', "filler": ' + filler + b"}"
    token = signed(payload)
    assert MEGABYTE * 0.9 < len(token) <= MEGABYTE

    def verify() -> object:
        fresh = annul.Verifier(
            jwks=KEYS, policy=LARGE, denylist=annul.Denylist(), clock=lambda: 4_000_000_000.0
        )
        return fresh.verify(token)

    seconds, peak = cost(verify)

    verify()
    assert seconds < 4 * SLOWEST
    assert peak < 32 * MEGABYTE


def test_what_is_refused_leaves_nothing_behind() -> None:
    verifier = annul.Verifier(
        jwks=KEYS, policy=LARGE, denylist=annul.Denylist(), clock=lambda: 4_000_000_000.0
    )
    payload = json.dumps(sample_claims(pad="a" * 700_000)).encode()
    attacks = [signed(payload)[:-4] + "AAA" + end for end in "AQgw"]
    attacks += [signed(payload.replace(b"alice", b"ali\\u0000")[:-1]) for _ in range(2)]
    attacks += ["." * MEGABYTE, "a" * MEGABYTE, signed(payload)[:-1]]

    def attempt() -> None:
        for attack in attacks:
            with pytest.raises(TokenRejected):
                verifier.verify(attack)

    attempt()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            attempt()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert grown < MEGABYTE // 4
