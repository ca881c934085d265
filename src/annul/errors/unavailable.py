"""Our fault: the same call may succeed later (HTTP 503)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from annul.errors.root import AnnulError

if TYPE_CHECKING:
    from annul.core.revocation import RevocationReceipt

__all__ = [
    "AuditUnavailable",
    "NotYetConfirmed",
    "ReplicaStale",
    "StoreUnavailable",
    "TooManyProofs",
    "Unavailable",
]


class Unavailable(AnnulError):
    """annul cannot answer safely now; the same call may succeed later."""

    code = "unavailable"


class ReplicaStale(Unavailable):
    """The replica cannot prove that it has every revocation, so it accepts nothing.

    ``cause`` is one of ``starting``, ``store_unreachable``, ``store_empty``,
    ``clock_disagrees``, ``forked`` and ``closed``.
    """

    code = "replica_stale"

    def __init__(self, message: str, *, cause: str = "store_unreachable") -> None:
        super().__init__(message)
        self.cause = cause


class StoreUnavailable(Unavailable):
    """The store did not confirm. The write may or may not have happened.

    ``idempotency_key`` is set on errors of ``revoke``: repeat the call with it, and a
    revocation that did happen is completed rather than made twice.
    """

    code = "store_unavailable"

    def __init__(self, message: str, *, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class TooManyProofs(Unavailable):
    """There is no room to remember one more DPoP proof, so none is accepted for the moment."""

    code = "too_many_proofs"


class AuditUnavailable(Unavailable):
    """The audit log cannot be written, so nothing is given out: no login, refresh or key."""

    code = "audit_unavailable"


class NotYetConfirmed(Unavailable):
    """The revocation is recorded and travelling, but not yet confirmed everywhere.

    ``receipt`` has its position and who lags.
    """

    code = "not_yet_confirmed"

    def __init__(self, message: str, *, receipt: RevocationReceipt) -> None:
        super().__init__(message)
        self.receipt = receipt

    def __reduce__(self) -> tuple[Any, ...]:
        # So that it arrives from another process; exceptions are rebuilt from their message alone.
        return partial(type(self), receipt=self.receipt), self.args
