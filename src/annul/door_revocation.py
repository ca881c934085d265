"""The authority's verbs that take something back: revoke, block, unblock."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from annul.authority.revocation import check_target, check_timeout, repeatable
from annul.core.revocation import KeyId, Kind, Reason, RevocationReceipt, identifier
from annul.errors import StoreUnavailable

if TYPE_CHECKING:
    from annul.authority.fence import Fence
    from annul.authority.revocation import Revocations
    from annul.authority.rotation import Rotation
    from annul.authority.settings import Settings
    from annul.authority.witness import Witness
    from annul.core.revocation import Target
    from annul.core.session import Session
    from annul.replica import Replica

__all__ = ["RevocationVerbs"]

log = logging.getLogger("annul.authority")


class RevocationVerbs:
    """The part of ``AsyncAuthority`` that is about revocations."""

    _settings: Settings
    _rotation: Rotation
    _replica: Replica
    _revocations: Revocations
    _fence: Fence
    _witness: Witness

    async def revoke(
        self,
        target: Target,
        *,
        reason: str = "admin",
        actor: str | None = None,
        wait: bool = False,
        timeout: float = 10.0,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        issuer: str | None = None,
    ) -> RevocationReceipt:
        """Revoke a token, session, subject, client, key, or everything; return the receipt.

        Once it has returned, every verifier refuses the affected tokens at most Δ later, or
        refuses everything. ``wait=True`` returns only when no verifier can still accept them, and
        raises ``NotYetConfirmed`` after ``timeout`` seconds: recorded, but not yet everywhere.

        A subject, a client or everything is cut off: sessions that began before end, later logins
        are good. ``dry_run`` only counts the sessions that would end. ``actor`` says who asked.
        ``issuer`` is for tokens of a foreign issuer that this store keeps revocations for.

        Raises ``StoreUnavailable`` with an ``idempotency_key`` if the store did not confirm; give
        the key to the repeated call, and it completes the first one.
        """
        target = check_target(target)
        check_timeout(timeout)
        draft = self._revocations.draft(
            target.kind,
            target.id,
            reason=reason,
            actor=actor,
            issuer=issuer,
            idempotency_key=idempotency_key,
        )
        if dry_run:
            return await self._revocations.preview(draft)
        with repeatable(draft):
            ends = await self._revocations.count_few(draft)
            if isinstance(target, KeyId) and draft.issuer == self._settings.issuer:
                # The new key set first: a verifier that drops the key already knows its successor.
                await self._rotation.revoke(target.id)
                self._replica.observe_keys(self._rotation.published)
            began = self._fence.now()
            receipt = await self._revocations.write([draft], sessions=ends)
            if not wait:
                return receipt
            return await self._fence.wait(receipt, began=began, timeout=timeout)

    async def block(
        self, subject: str, *, reason: str = "user_disabled", actor: str | None = None
    ) -> RevocationReceipt:
        """Refuse every token and every login of a subject until ``unblock``."""
        return await self._one_of(Kind.BLOCK, subject, reason, actor)

    async def unblock(
        self, subject: str, *, reason: str = "admin", actor: str | None = None
    ) -> RevocationReceipt:
        """Lift the blocks that stand against a subject now.

        Sessions that were only blocked are good again; revoke the subject to end them.
        """
        await self._witness.ready()
        return await self._one_of(Kind.UNBLOCK, subject, reason, actor)

    async def require_refresh(
        self,
        subject: str,
        *,
        reason: str = "superseded",
        actor: str | None = None,
        wait: bool = False,
        timeout: float = 10.0,
    ) -> RevocationReceipt:
        """Refuse a subject's access tokens until they have been refreshed: their claims are old.

        For roles that have changed. Nobody has to log in again: verifiers refuse what was signed
        before with ``RefreshNeeded``, and one refresh, by a function that puts the present claims
        together (``claims`` of ``refresh``), heals it. Sessions go on. ``wait``, ``timeout`` and
        what is raised are as for ``revoke``.
        """
        check_timeout(timeout)
        value = identifier(subject, "subject")
        draft = self._revocations.draft(Kind.CLAIMS, value, reason=reason, actor=actor)
        with repeatable(draft):
            began = self._fence.now()
            receipt = await self._revocations.write([draft])
            if not wait:
                return receipt
            return await self._fence.wait(receipt, began=began, timeout=timeout)

    async def _one_of(
        self, kind: Kind, subject: str, reason: str, actor: str | None
    ) -> RevocationReceipt:
        value = identifier(subject, "subject")
        draft = self._revocations.draft(kind, value, reason=reason, actor=actor)
        return await self._revocations.write([draft])

    async def _end_again(self, session: Session) -> None:
        # The entry that the store has written in the same step carries no proof.
        again = self._revocations.draft(Kind.SESSION, session.sid, reason=Reason.REFRESH_REUSE)
        try:
            await self._revocations.write([again], events=())  # told of already, as a reuse
        except StoreUnavailable:
            log.warning("the end of a replayed session is recorded without a proof")
