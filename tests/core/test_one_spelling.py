"""A token has one spelling: whatever is added to it or put into it, it is another text."""

from __future__ import annotations

from functools import cache

import pytest

import annul
from annul.core.issuer import Issuer
from tests.core.sample_keys import EVERY_ALG, private_key

NOW = 4_000_000_000
JUNK = ["\n", "\r\n", " ", "=", "==", "!", "\0", "A", "AAAA"]


@cache
def key(alg: str) -> annul.PrivateKey:
    # With 3072 bits, as annul makes them, a signature is one of whole groups of three bytes, as
    # it is with ES384, ES512 and ML-DSA-65: the lengths at which lax decoders find nothing missing.
    return annul.PrivateKey.generate("RS256") if alg == "RS256" else private_key(alg)


@cache
def token(alg: str) -> str:
    issuer = Issuer(key=key(alg), issuer="https://i", audience="a", clock=lambda: NOW)
    return issuer.issue(subject="s", client_id="c", sid="x", since=annul.Position(1, 0)).text


def verifier(alg: str) -> annul.Verifier:
    policy = annul.Policy(issuer="https://i", audience="a", algorithms=(alg,))
    jwks = annul.JWKS([key(alg).public])
    return annul.Verifier(jwks=jwks, policy=policy, denylist=annul.Denylist(), clock=lambda: NOW)


# JWS-02, JWS-03, JWS-04
@pytest.mark.parametrize("alg", EVERY_ALG)
@pytest.mark.parametrize("junk", JUNK)
def test_a_token_with_more_characters_than_it_was_issued_with_is_refused(
    alg: str, junk: str
) -> None:
    mine = verifier(alg)
    assert mine.verify(token(alg)).subject == "s"

    head, body, _ = token(alg).split(".")
    ends = [0, len(head), len(head) + 1, len(head) + len(body) + 1, len(head) + len(body) + 2]
    for at in (*ends, len(token(alg)) - 40, len(token(alg)) - 1, len(token(alg))):
        text = token(alg)[:at] + junk + token(alg)[at:]
        with pytest.raises(annul.TokenRejected):
            mine.verify(text)
        with pytest.raises(annul.TokenRejected):
            annul.jws.verify(text, annul.JWKS([key(alg).public]), algorithms=(alg,))


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_no_other_last_character_gives_a_signature_that_verifies(alg: str) -> None:
    mine = verifier(alg)
    for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ":
        if char != token(alg)[-1]:
            with pytest.raises(annul.TokenRejected):
                mine.verify(token(alg)[:-1] + char)
