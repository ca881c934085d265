"""The public door: complete, in order, documented; and an error tree whose codes never change."""

from __future__ import annotations

import enum
import inspect
import re
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING

import pytest

import annul
from annul import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

# Published: logs, metrics and callers match on these. A new error adds a line; no line changes.
CODES = {
    "AlgorithmNotAllowed": "algorithm_not_allowed",
    "AnnulError": "error",
    "AuditUnavailable": "audit_unavailable",
    "BadSignature": "bad_signature",
    "ClaimMismatch": "claim_mismatch",
    "Expired": "expired",
    "InsufficientScope": "insufficient_scope",
    "InvalidDPoPProof": "invalid_dpop_proof",
    "InvalidGrant": "invalid_grant",
    "InvalidKey": "invalid_key",
    "InvalidRequest": "invalid_request",
    "LoginThrottled": "login_throttled",
    "Malformed": "malformed",
    "Misconfigured": "misconfigured",
    "MissingDependency": "missing_dependency",
    "NoToken": "no_token",
    "NotBound": "not_bound",
    "NotYetConfirmed": "not_yet_confirmed",
    "NotYetValid": "not_yet_valid",
    "RefreshNeeded": "refresh_needed",
    "RefreshReplayed": "refresh_replayed",
    "ReplicaStale": "replica_stale",
    "RequestRefused": "refused",
    "Revoked": "revoked",
    "SessionEnded": "session_ended",
    "StoreUnavailable": "store_unavailable",
    "SubjectBlocked": "subject_blocked",
    "TokenRejected": "rejected",
    "TooManyProofs": "too_many_proofs",
    "Unavailable": "unavailable",
    "UnknownKey": "unknown_key",
    "UnsafeStore": "unsafe_store",
    "UseDPoPNonce": "use_dpop_nonce",
    "WrongStore": "wrong_store",
    "WrongType": "wrong_type",
}


def reading_order(name: str) -> tuple[int, str]:
    """Constants and abbreviations, then classes, then the rest: as ruff sorts ``__all__``."""
    if name.isupper():
        return (0, name)
    return (1 if name[:1].isupper() else 2, name)


def error_classes() -> list[type[annul.AnnulError]]:
    found = [annul.AnnulError]
    for parent in found:  # grows while it is walked
        found += [child for child in parent.__subclasses__() if child not in found]
    return [error for error in found if error.__module__.startswith("annul.")]


# --- the names ------------------------------------------------------------------------------


def test_every_name_of_all_is_there_once() -> None:
    assert len(annul.__all__) == len(set(annul.__all__))
    assert [name for name in annul.__all__ if not hasattr(annul, name)] == []


def test_all_is_in_order() -> None:
    assert errors.__all__ == sorted(errors.__all__, key=reading_order)
    own = [name for name in annul.__all__ if name not in errors.__all__]
    assert own == sorted(own, key=reading_order)


def test_nothing_public_is_missing_from_all() -> None:
    rooms = {name for name, value in vars(annul).items() if isinstance(value, ModuleType)}
    offered = {name for name in dir(annul) if not name.startswith("_")} - rooms
    assert offered - set(annul.__all__) == set()


def test_every_error_is_public() -> None:
    assert {error.__name__ for error in error_classes()} == set(errors.__all__)
    assert set(errors.__all__) <= set(annul.__all__)


# --- the words ------------------------------------------------------------------------------


def is_undocumented(value: object) -> bool:
    words = (value.__doc__ or "").strip()
    if isinstance(value, type):
        # A dataclass or a named tuple without a docstring is given its signature as one.
        signature = words.startswith(f"{value.__name__}(") and words.endswith(")")
        inherited = value.__doc__ is not None and any(
            value.__doc__ is parent.__doc__ for parent in value.__mro__[1:]
        )
        return not words or signature or inherited
    return not words


def public_members(owner: type) -> Iterator[tuple[str, object]]:
    """Yield the methods and properties that ``owner`` defines itself."""
    for name, value in vars(owner).items():
        plain = getattr(value, "__func__", value)  # what a classmethod or staticmethod wraps
        if name.startswith("_") or issubclass(owner, enum.Enum):
            continue
        if isinstance(plain, FunctionType | property):
            yield name, plain


@pytest.mark.parametrize("name", [name for name in annul.__all__ if not name.startswith("_")])
def test_every_public_name_says_what_it_is(name: str) -> None:
    value = getattr(annul, name)
    if not isinstance(value, type | FunctionType | MethodType | ModuleType):
        pytest.fail(f"{name} is a {type(value).__name__}: public names are classes or functions")
    assert not is_undocumented(value), f"annul.{name} has no docstring"
    if isinstance(value, type):
        silent = [member for member, code in public_members(value) if is_undocumented(code)]
        assert silent == [], f"annul.{name} has undocumented members"


# --- the errors -----------------------------------------------------------------------------


def test_codes_are_the_published_ones() -> None:
    assert {error.__name__: error.code for error in error_classes()} == CODES


def test_every_error_has_a_code_of_its_own() -> None:
    assert [error.__name__ for error in error_classes() if "code" not in vars(error)] == []
    codes = [error.code for error in error_classes()]
    assert len(codes) == len(set(codes))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    lines = (errors.__doc__ or "").splitlines()
    margin = next(line.index("AnnulError") for line in lines if line.strip() == "AnnulError")
    drawn: dict[str, str] = {}
    path = ["AnnulError"]
    for line in lines:
        branch = re.match(r"[ │]*[├└]── (\w+)", line)
        if branch:
            depth = (branch.start(1) - margin) // 4
            path = [*path[:depth], branch[1]]
            drawn[branch[1]] = path[depth - 1]
    real = {
        error.__name__: next(
            base.__name__ for base in error.__bases__ if issubclass(base, annul.AnnulError)
        )
        for error in error_classes()
        if error is not annul.AnnulError
    }
    assert drawn == real


# --- one authority, two colours -------------------------------------------------------------


def verbs(owner: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(value)
        for name, value in inspect.getmembers(
            owner, lambda member: isinstance(member, FunctionType)
        )
        if not name.startswith("_")
    }


def test_the_blocking_authority_has_the_verbs_of_the_async_one() -> None:
    blocking, waiting = verbs(annul.Authority), verbs(annul.AsyncAuthority)
    assert set(blocking) == set(waiting)
    parameters = {
        name: (list(blocking[name].parameters), list(waiting[name].parameters)) for name in waiting
    }
    assert [name for name, (ours, theirs) in parameters.items() if ours != theirs] == []
