"""How a replica gives out watches, for whatever lasts longer than a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.replica.watch import Held, Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annul.core.claims import VerifiedToken
    from annul.replica.vigil import Vigil
    from annul.replica.watches import Watches

__all__ = ["Watching"]


class Watching:
    """The part of ``Replica`` that is about watches."""

    _vigil: Vigil

    if TYPE_CHECKING:  # of the whole

        def verify(
            self, token: str | bytes, binding: Mapping[str, str] | None = None
        ) -> VerifiedToken: ...

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
        held = Held(token, binding, self.verify(token, binding))
        return Watch(self.verify, self._look_after, held)

    def _look_after(self, _watch: Watch) -> Watches:
        # Of the replica as it is now, which after a fork is another one than it was.
        return self._vigil.start()
