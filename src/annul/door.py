"""The authority as people use it: the writing rooms joined with a replica of the same store."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Self

from annul.authority.fence import Fence
from annul.authority.keeper import Keeper
from annul.authority.kek import KekSource
from annul.authority.recovery import Recovery
from annul.authority.revocation import Revocations
from annul.authority.rotation import Rotation
from annul.authority.sessions import Sessions
from annul.authority.settings import Settings
from annul.authority.witness import Witness
from annul.core.claims import Clock, system_clock
from annul.core.encoding import b64url_encode
from annul.core.policy import Policy
from annul.door_keys import KeyVerbs
from annul.door_revocation import RevocationVerbs
from annul.door_sessions import SessionVerbs
from annul.errors import StoreUnavailable
from annul.replica import Replica
from annul.replica.settings import (
    check_accept_for,
    check_horizon,
    check_ready_timeout,
    check_staleness,
)
from annul.stores import file_of, open_store
from annul.stores.base import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from annul.authority.witness import Throttle
    from annul.core.claims import VerifiedToken
    from annul.core.events import Event
    from annul.replica.reading import Progress
    from annul.replica.watch import Watch
    from annul.stores.base import Store

__all__ = ["AsyncAuthority"]

log = logging.getLogger("annul.authority")

_LINEAGE_BYTES = 12
_TIDY_EVERY = 600.0
_PARTING = 1.0


class AsyncAuthority(SessionVerbs, KeyVerbs, RevocationVerbs):
    """The side that signs and takes back. Every verb is atomic in the store before it returns.

    Open one with ``AsyncAuthority.open`` and close it when done; ``async with`` does. ``Authority``
    has the same verbs for blocking code.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rotation: Rotation,
        replica: Replica,
        recovery: Recovery,
        *,
        witness: Witness | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._rotation = rotation
        self._replica = replica
        self._recovery = recovery
        rotation.keep_time_with(replica)
        self._witness = witness = witness or Witness()
        self._revocations = Revocations(store, settings, rotation, replica, witness)
        self._sessions = Sessions(
            store, settings, rotation, replica, on_replay=self._end_again, witness=witness
        )
        self._fence = Fence(
            store,
            listed_for=lambda: replica.listed_for,
            own_lease=lambda: replica.own_lease,
            clock=time.monotonic,
        )
        self._keeper = Keeper(every=replica.max_staleness / 2)
        self._tidy_at = 0.0

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        issuer: str,
        audience: str | tuple[str, ...],
        algorithm: str = "ES256",
        access_ttl: int = 900,
        session_ttl: int = 30 * 86_400,
        idle_ttl: int = 7 * 86_400,
        grace: float = 10.0,
        publish_for: float = 300.0,
        max_staleness: float = 2.0,
        accept_for: float = 0.0,
        horizon: float | None = None,
        ready_timeout: float = 5.0,
        snapshot_file: str | os.PathLike[str] | None = None,
        kek: bytes | None = None,
        kek_file: str | os.PathLike[str] | None = None,
        allow_volatile_store: bool = False,
        progress: Progress | None = None,
        events: Callable[[Event], object] | None = None,
        audit_file: str | os.PathLike[str] | None = None,
        throttle: Throttle | None = None,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> AsyncAuthority:
        """Open the authority of the store at ``url``, founding the store if it is empty.

        ``issuer`` and ``audience`` go into every token. ``algorithm`` is for keys made from now
        on; the first key is made if there is none. Times are in seconds: ``access_ttl`` of access
        tokens, ``session_ttl`` and ``idle_ttl`` of sessions, ``grace`` in which a used refresh
        token is taken for a retry, and ``publish_for`` a new key is published before it signs.

        ``max_staleness`` is Δ of this authority's own verifier, and ``accept_for`` how long that
        one goes on afterwards by way of exception; ``snapshot_file`` keeps its last good state and
        ``progress`` hears how far it has read: see ``Replica.open``. ``horizon`` is the most that
        the first two may come to for any verifier of this store, and about the longest that
        ``revoke`` waits with ``wait=True``; by default it is what they come to here. A store only
        ever raises it.

        Private keys are sealed with a key-encryption key: ``kek`` (32 bytes) or the file
        ``kek_file``, made if nothing is sealed yet. By default the file lies beside a SQLite
        database, and in ``~/.annul`` for other stores.

        ``events`` is called, on a thread of its own, with each event of ``annul.events``.
        ``audit_file`` has them on the disk before a verb returns. ``throttle`` is called with
        subject, client id and address before each login, may be a coroutine function, and refuses
        it by raising ``LoginThrottled``.

        Raises ``Misconfigured`` for settings that cannot work, ``UnsafeStore`` for a store that
        would lose acknowledged revocations (``allow_volatile_store`` accepts it), and
        ``StoreUnavailable`` if the store cannot be reached.
        """
        policy = Policy(issuer=issuer, audience=audience)
        settings = Settings(
            issuer=policy.issuer,
            audience=policy.audience,
            algorithm=algorithm,
            access_ttl=access_ttl,
            session_ttl=session_ttl,
            idle_ttl=idle_ttl,
            grace=grace,
            publish_for=publish_for,
            clock=clock,
            entropy=entropy,
        )
        delta = check_staleness(max_staleness)
        bound = check_horizon(horizon, delta + check_accept_for(accept_for, delta))
        check_ready_timeout(ready_timeout)
        witness = Witness(events=events, audit_file=audit_file, throttle=throttle)
        source = KekSource.choose(url, issuer=issuer, kek=kek, kek_file=kek_file)
        store = open_store(url, issuer=issuer, allow_volatile=allow_volatile_store, clock=clock)
        try:
            identity = await store.found(
                Identity(
                    issuer=issuer,
                    lineage=b64url_encode(entropy(_LINEAGE_BYTES)),
                    horizon=bound,
                    longest_token=access_ttl,
                    longest_session=session_ttl,
                ),
                clock(),
            )
            rotation = Rotation(store, settings, source)
            await rotation.load()
            replica = Replica(
                lambda: open_store(url, issuer=issuer, clock=clock),
                policy=policy,
                max_staleness=max_staleness,
                accept_for=accept_for,
                ready_timeout=ready_timeout,
                snapshot_file=snapshot_file,
                progress=progress,
                events=witness if witness.listens else None,
                clock=clock,
            )
            await asyncio.to_thread(replica.wait_ready, ready_timeout)
        except BaseException:
            await store.close()
            raise
        recovery = Recovery(
            store,
            rotation,
            identity,
            replica,
            clock=clock,
            # A database file that is away may be on its way back.
            may_found=lambda: (path := file_of(url)) is None or path.exists(),
            tell=witness.tell,
        )
        authority = cls(store, settings, rotation, replica, recovery, witness=witness)
        authority._look_after_store()
        return authority

    async def close(self) -> None:
        """Stop following the store and give up connections. Closing twice is harmless."""
        self._keeper.stop()
        await asyncio.to_thread(self._replica.close)
        await self._store.close()
        await asyncio.to_thread(self._witness.settle, _PARTING)
        self._witness.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    # --- verifying --------------------------------------------------------------------

    def verify(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> VerifiedToken:
        """Verify with this authority's own replica. Not a coroutine: it touches no store.

        What this process has revoked is refused at once. See ``Replica.verify``.
        """
        return self._replica.verify(token, binding)

    def watch(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> Watch:
        """Verify, and return a watch for a block that lasts; see ``Replica.watch``."""
        return self._replica.watch(token, binding)

    @property
    def replica(self) -> Replica:
        """The replica that ``verify`` uses."""
        return self._replica

    # --- inside -----------------------------------------------------------------------

    def _look_after_store(self) -> None:
        """See to it that what the store loses is given back to it, as long as this is open."""
        self._keeper.keep(self._recovery.step, self._fence.sweep)

    async def _tidy(self) -> None:
        now = self._settings.clock()
        # Only with a clock that agrees with the store's: a fresh replica proves that.
        if now - self._tidy_at > _TIDY_EVERY and self._replica.fresh:
            self._tidy_at = now
            try:
                await self._store.prune(now)
            except StoreUnavailable:
                log.debug("pruning has to wait; nothing depends on it")
