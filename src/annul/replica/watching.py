"""How a replica gives out watches, for whatever lasts longer than a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.replica.watch import Held, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from annul.core.claims import VerifiedToken
    from annul.replica.vigil import Vigil

__all__ = ["Watching"]


class Watching:
    """The part of ``Replica`` that is about watches."""

    _vigil: Vigil

    verify: Callable[..., VerifiedToken]

    def watch(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> Watch:
        """Verify as ``verify`` does, and return a watch for a block that lasts.

        ``async with replica.watch(token) as watch:`` runs its body for as long as ``verify`` would
        accept the token. When it is revoked, in whatever way, has expired, or this replica can no
        longer tell, the body is cancelled and the block raises what ``verify`` would: within the
        same Δ, or Δ/8 later where a clock was set or the machine was suspended.

        Example::

            async with replica.watch(raw):
                async for message in websocket: ...
        """
        return Watch(self.verify, self._look_after, Held(self.verify(token, binding), binding))

    def _look_after(self) -> Vigil:
        # Of the replica as it is now, which after a fork is another one than it was.
        return self._vigil.start()
