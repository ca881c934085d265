"""Errors as a program meets them: caught by whose fault they are, with what it needs to act.

That the tree is the one that is drawn and that codes never change stands in ``test_public_api``.
"""

from __future__ import annotations

from typing import Any

import pytest

from annul import errors
from annul.core.revocation import Kind, RevocationReceipt
from annul.errors import (
    AnnulError,
    ClaimMismatch,
    InvalidGrant,
    InvalidKey,
    InvalidRequest,
    Misconfigured,
    MissingDependency,
    NotYetConfirmed,
    RefreshReplayed,
    ReplicaStale,
    RequestRefused,
    Revoked,
    SessionEnded,
    StoreUnavailable,
    TokenRejected,
    Unavailable,
)
from tests.judging import revocation

BRANCHES = (TokenRejected, RequestRefused, Unavailable, Misconfigured)
CLASSES: list[type[AnnulError]] = [getattr(errors, name) for name in errors.__all__]
LEAVES = [error for error in CLASSES if error is not AnnulError and error not in BRANCHES]
RECEIPT = RevocationReceipt(7, 50, laggards=("worker-1",))


def made(error: type[AnnulError], message: str = "what to do") -> AnnulError:
    more: dict[str, Any] = {"receipt": RECEIPT} if error is NotYetConfirmed else {}
    return error(message, **more)


@pytest.mark.parametrize("error", LEAVES)
def test_every_error_is_the_fault_of_exactly_one_side(error: type[AnnulError]) -> None:
    assert sum(issubclass(error, branch) for branch in BRANCHES) == 1


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_is_caught_at_the_root_and_says_its_message(error: type[AnnulError]) -> None:
    with pytest.raises(AnnulError) as caught:
        raise made(error)

    assert str(caught.value) == "what to do"
    assert caught.value.code == error.code


@pytest.mark.parametrize("error", CLASSES)
def test_a_code_is_a_plain_word_for_logs_and_labels(error: type[AnnulError]) -> None:
    assert error.code.isascii()
    assert error.code.replace("_", "").isalpha()
    assert error.code == error.code.lower()


@pytest.mark.parametrize("error", CLASSES)
def test_only_mistakes_of_a_common_kind_are_also_builtins(error: type[AnnulError]) -> None:
    theirs = {ValueError, ImportError, OSError, LookupError, TypeError, RuntimeError}
    shared: dict[type[AnnulError], set[type[Exception]]] = {
        InvalidRequest: {ValueError},
        InvalidKey: {ValueError},
        MissingDependency: {ImportError},
    }

    assert {kind for kind in theirs if issubclass(error, kind)} == shared.get(error, set())


def test_a_refresh_token_that_is_not_good_is_one_error_to_a_client() -> None:
    assert issubclass(SessionEnded, InvalidGrant)
    assert issubclass(RefreshReplayed, InvalidGrant)


# --- the fields that a program needs to act -------------------------------------------


def test_a_claim_that_failed_is_named() -> None:
    assert ClaimMismatch("the claim aud is missing", claim="aud").claim == "aud"
    assert not ClaimMismatch("a claim is missing").claim


def test_a_refusal_says_which_revocation_it_was() -> None:
    entry = revocation(Kind.SUBJECT, "alice")

    assert Revoked("revoked", revocation=entry).revocation is entry
    assert Revoked("revoked").revocation is None


def test_a_stale_replica_says_why() -> None:
    assert ReplicaStale("closed", cause="closed").cause == "closed"
    assert ReplicaStale("silence").cause == "store_unreachable"


def test_a_revocation_whose_answer_was_lost_can_be_repeated() -> None:
    assert StoreUnavailable("no answer", idempotency_key="again").idempotency_key == "again"
    assert StoreUnavailable("no answer").idempotency_key is None


def test_a_revocation_that_is_not_everywhere_brings_its_receipt() -> None:
    assert NotYetConfirmed("not yet", receipt=RECEIPT).receipt is RECEIPT
    with pytest.raises(TypeError):
        NotYetConfirmed("not yet")  # type: ignore[call-arg]  # what is tested


def test_fields_are_keywords() -> None:
    errors_with_fields: list[Any] = [ClaimMismatch, Revoked, ReplicaStale, StoreUnavailable]
    for error in errors_with_fields:
        with pytest.raises(TypeError):
            error("message", "field")
