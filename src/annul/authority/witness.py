"""The witness: tells of what an authority does, has it recorded, and asks before a login.

A listener hears of an event soon; an audit log has it on the disk before the verb returns. While
the log cannot be written, what gives something out (a login, a refresh, an unblock, a key) is
refused before it is begun, and what takes something back goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TYPE_CHECKING

from annul.audit import AuditLog
from annul.core.events import Block, KeyRevoked, Revoke, Unblock
from annul.core.revocation import Kind, identifier
from annul.delivery import Delivery
from annul.errors import InvalidRequest, Misconfigured

if TYPE_CHECKING:
    import os

    from annul.core.events import Event
    from annul.core.revocation import Position
    from annul.stores.base import Draft

__all__ = ["Throttle", "Witness", "address_of", "event_of"]

Throttle = Callable[[str, str, str | None], object]
"""Called with subject, client id and address before a login; refuses by ``LoginThrottled``."""

_LONGEST_ADDRESS = 200


class Witness:
    """What an authority tells of its doings. Without arguments it tells nobody.

    Thread-safe, and usable after ``fork``. It is also where the replica beside tells of its own.
    """

    def __init__(
        self,
        *,
        events: Callable[[Event], object] | None = None,
        audit_file: str | os.PathLike[str] | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        if throttle is not None and not callable(throttle):
            raise Misconfigured("throttle is called with subject, client_id and address")
        self._throttle = throttle
        self._delivery = None if events is None else Delivery(events)
        self._audit = None if audit_file is None else AuditLog(audit_file)

    @property
    def listens(self) -> bool:
        """Whether anybody wants to know."""
        return self._delivery is not None or self._audit is not None

    def tell(self, event: Event) -> None:
        """Tell of what nobody waits for."""
        if self._audit is not None:
            self._audit.tell(event)
        if self._delivery is not None:
            self._delivery.tell(event)

    async def record(self, *events: Event) -> None:
        """Tell of what has been done; return when it is in the audit log, if there is one."""
        if self._delivery is not None:
            for event in events:
                self._delivery.tell(event)
        if self._audit is not None:
            await self._audit.record(*events)

    async def ready(self) -> None:
        """Raise ``AuditUnavailable`` if what is about to be given out could not be recorded."""
        if self._audit is not None:
            await self._audit.ready()

    async def admit(self, subject: str, client_id: str, address: str | None) -> None:
        """Ask the throttle, if there is one. Whatever it raises refuses the login."""
        if self._throttle is None:
            return
        answer = self._throttle(subject, client_id, address)
        if isawaitable(answer):
            answer = await answer
        if answer is not None:
            # A False that was meant as a no must not let anybody in.
            raise Misconfigured("throttle refuses by raising LoginThrottled, and returns nothing")

    def close(self) -> None:
        """Give up the audit log's thread. What is told later is still written."""
        if self._audit is not None:
            self._audit.close()

    def settle(self, timeout: float) -> bool:
        """Wait until everything was heard and written, at most ``timeout`` s each; say whether."""
        written = self._audit is None or self._audit.settle(timeout)
        return (self._delivery is None or self._delivery.settle(timeout)) and written


def event_of(draft: Draft, position: Position, issuer: str, at: float) -> Event:
    """Return the event of an entry that was appended at ``position``; ``issuer`` is our own."""
    reason, actor, own = draft.reason.value, draft.actor, draft.issuer == issuer
    if draft.kind is Kind.BLOCK:
        return Block(at=at, subject=draft.id or "", reason=reason, actor=actor)
    if draft.kind is Kind.UNBLOCK:
        return Unblock(at=at, subject=draft.id or "", reason=reason, actor=actor)
    if draft.kind is Kind.KEY and own:
        return KeyRevoked(at=at, kid=draft.id or "", reason=reason, actor=actor)
    return Revoke(
        at=at,
        kind=draft.kind.value,
        id=draft.id,
        reason=reason,
        actor=actor,
        issuer=None if own else draft.issuer,
        position=position,
    )


def address_of(value: object) -> str | None:
    """Return where a request came from, for events; ``InvalidRequest`` if that cannot be one."""
    if value is None:
        return None
    address = identifier(value, "address")
    if len(address) > _LONGEST_ADDRESS:
        raise InvalidRequest(f"address has at most {_LONGEST_ADDRESS} characters")
    return address
