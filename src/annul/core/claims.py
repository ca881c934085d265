"""Claims that have been proven: the ``VerifiedToken``, which only a verifier can make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from annul.core.revocation import Position

if TYPE_CHECKING:
    from annul.core.denylist import Facts

__all__ = ["Claims", "Clock", "VerifiedToken", "system_clock"]

Clock = Callable[[], float]
"""Something that returns the current Unix time in seconds."""

system_clock: Clock = time.time
"""The one default clock: the machine's wall clock."""


class Claims(Mapping[str, Any]):
    """The claims of a token, read-only.

    Arrays and objects are handed out as fresh copies: a verified token is shared by every request
    that presents it, so nobody may be able to add a role to it.
    """

    __slots__ = ("_members",)

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - JSON values
        return _copy(self._members[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"Claims({', '.join(sorted(self._members))})"


def _copy(value: Any) -> Any:  # noqa: ANN401 - JSON values
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_copy(member) for member in value]
    return value


class Judged:
    """What a verifier knows about a token. It turns into a ``VerifiedToken`` by ``seal``.

    Writing happens here, while the object is still private to the verifier, so that the public
    type can be read-only without paying for it on every first verification.
    """

    __slots__ = ("_claims", "_cnf", "_ends", "_facts", "_since", "_starts", "_version", "key_id")

    _claims: dict[str, Any]
    _cnf: dict[str, Any] | None
    _ends: float
    _facts: Facts | None
    _since: tuple[int, int] | None
    _starts: float
    _version: int
    key_id: str


class VerifiedToken(Judged):
    """An access token whose signature, claims and standing have been checked.

    Only a verifier makes one: a function that takes a ``VerifiedToken`` cannot be handed an
    unchecked one. It speaks of the moment ``verify`` returned; verify again on the next request.
    """

    __slots__ = ()

    def __new__(cls, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse: only a verifier can say that a token is verified."""
        raise TypeError("a VerifiedToken comes from verify(); it cannot be constructed")

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"a VerifiedToken is read-only, {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a VerifiedToken is read-only, {name} cannot be deleted")

    def __reduce__(self) -> NoReturn:
        """Refuse: a pickle could be forged, so send the token text and verify it there."""
        raise TypeError("a VerifiedToken cannot be pickled; pass the token on and verify it again")

    @property
    def subject(self) -> str:
        """``sub``: whom the token speaks for (RFC 7519 §4.1.2)."""
        return self._claims["sub"]  # type: ignore[no-any-return]  # checked by the verifier

    @property
    def issuer(self) -> str:
        """``iss``: who signed it."""
        return self._claims["iss"]  # type: ignore[no-any-return]  # checked by the verifier

    @property
    def audience(self) -> tuple[str, ...]:
        """``aud``: whom it is meant for, always as a tuple."""
        value = self._claims["aud"]
        return (value,) if isinstance(value, str) else tuple(value)

    @property
    def jti(self) -> str | None:
        """``jti``: the token's own id; ``None`` only if a foreign policy does not require it."""
        return self._claims.get("jti")

    @property
    def session_id(self) -> str | None:
        """``sid``: the session it belongs to; ``None`` for client credentials."""
        return self._claims.get("sid")

    @property
    def client_id(self) -> str | None:
        """``client_id``: the client it was issued to (RFC 9068 §2.2)."""
        return self._claims.get("client_id")

    @property
    def scopes(self) -> frozenset[str]:
        """``scope``, split at spaces; empty if the token has none."""
        scope = self._claims.get("scope")
        if not isinstance(scope, str):
            return frozenset()
        # RFC 6749 §3.3: one separator, U+0020, not whatever Unicode calls white space.
        return frozenset(filter(None, scope.split(" ")))

    @property
    def issued_at(self) -> float | None:
        """``iat``: Unix time in seconds."""
        return self._claims.get("iat")

    @property
    def expires_at(self) -> float:
        """``exp``: Unix time in seconds, without leeway."""
        return self._claims["exp"]  # type: ignore[no-any-return]  # checked by the verifier

    @property
    def since(self) -> Position | None:
        """The log position at which the session began; ``None`` for tokens of foreign issuers."""
        return None if self._since is None else Position(*self._since)

    @property
    def claims(self) -> Claims:
        """All claims, read-only, the registered ones included."""
        return Claims(self._claims)

    def __repr__(self) -> str:
        # No claim values: a repr ends up in logs.
        return f"<VerifiedToken of {len(self._claims)} claims>"


def seal(judged: Judged) -> VerifiedToken:
    """Turn what a verifier has checked into the public, read-only type."""
    judged.__class__ = VerifiedToken  # type: ignore[assignment]  # same slots, other manners
    return judged  # type: ignore[return-value]  # the line above made it one
