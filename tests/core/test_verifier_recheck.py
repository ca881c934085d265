"""A token that was verified is judged again by all that can change, as ``verify`` would."""

from __future__ import annotations

import pytest

import annul
from annul.core.verifier import recheck
from annul.testing import FixedClock, TokenForge, sample_draft
from tests.stage import outcome

NOW = 1_700_000_000.0


def entry(kind: annul.Kind, value: str = "") -> annul.Revocation:
    draft = sample_draft(kind, value)
    return annul.Revocation(
        position=annul.Position(1, 5),
        tag=draft.tag,
        issuer=draft.issuer,
        kind=kind,
        fingerprint=draft.fingerprint,
        reason=draft.reason,
        at=draft.at,
        expires_at=None,
    )


def checked(verifier: annul.Verifier, token: annul.VerifiedToken, **binding: str) -> str:
    """Return what ``recheck`` says of a token, as the code that ``verify`` would have."""
    return outcome(lambda _: recheck(verifier, token, binding), "")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (annul.Kind.TOKEN, "t1"),
        (annul.Kind.SESSION, "s1"),
        (annul.Kind.SUBJECT, "alice"),
        (annul.Kind.BLOCK, "alice"),
        (annul.Kind.CLIENT, "web"),
        (annul.Kind.CLAIMS, "alice"),
        (annul.Kind.ISSUER, ""),
        (annul.Kind.TOKEN, "t2"),
        (annul.Kind.SUBJECT, "bob"),
    ],
)
def test_it_says_what_verify_says_of_whatever_was_revoked(kind: annul.Kind, value: str) -> None:
    forge = TokenForge(clock=FixedClock(NOW))
    verifier = forge.verifier()
    raw = forge.token({"jti": "t1", "sid": "s1"})
    token = verifier.verify(raw)
    assert checked(verifier, token) == "accepted"
    verifier.denylist.apply([entry(kind, value)])
    said = checked(verifier, token)
    assert said == outcome(verifier.verify, raw)
    assert (said == "accepted") is (value in {"t2", "bob"})
    assert checked(verifier, token) == said, "and again, now that it has been judged"


def test_it_says_what_verify_says_of_time_keys_and_bindings() -> None:
    clock = FixedClock(NOW)
    forge = TokenForge(clock=clock)
    verifier = forge.verifier()
    raw = forge.token({"cnf": {"jkt": "thumb"}})
    token = verifier.verify(raw, {"jkt": "thumb"})
    assert checked(verifier, token, jkt="thumb") == "accepted"
    assert checked(verifier, token) == "not_bound"
    assert checked(verifier, token, jkt="another") == "not_bound"
    clock.set(token.expires_at - 0.5)
    assert checked(verifier, token, jkt="thumb") == "accepted"
    clock.advance(0.5)
    assert checked(verifier, token, jkt="thumb") == "expired"
    clock.set(NOW - 3600)
    assert checked(verifier, token, jkt="thumb") == "not_yet_valid"
    clock.set(NOW)
    verifier.trust(annul.JWKS([annul.PrivateKey.generate("ES256").public]))
    assert checked(verifier, token, jkt="thumb") == "unknown_key" == outcome(verifier.verify, raw)
