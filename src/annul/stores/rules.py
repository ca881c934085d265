"""Decisions that every store makes alike, inside the step that they belong to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annul.core.revocation import Position
    from annul.stores.base import Draft, Identity

__all__ = ["FURTHEST_AHEAD", "behind", "epoch_after", "expiry_of"]

FURTHEST_AHEAD = 86_400
"""How far in the future, in seconds, an epoch may lie that somebody says was opened."""


def behind(head: Position, seen: Position, now: float) -> bool:
    """Whether a store whose head is ``head`` has lost what stood at ``seen``.

    An epoch that lies far in the future was never opened: it is a mistake, or a lie.
    """
    return head < seen and seen.epoch <= max(head.epoch, int(now)) + FURTHEST_AHEAD


def epoch_after(head: Position, seen: Position, now: float) -> int:
    """Return the epoch to open by a store at ``head`` that has lost what stood at ``seen``."""
    return max(head.epoch + 1, seen.epoch + 1, int(now))


def expiry_of(draft: Draft, identity: Identity, now: float) -> int | None:
    """Return until when an entry is remembered that is appended at store time ``now``."""
    if draft.expires_at is None:
        return None
    lifetimes = identity.longest_token + identity.longest_session if draft.lasting else 0
    return draft.expires_at + lifetimes + int(max(0.0, now - draft.at))
