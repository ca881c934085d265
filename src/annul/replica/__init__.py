"""The replica: verifies in memory, and knows how old what it knows may be.

The way of a revocation ends here: ``follower`` reads the log into the verifier's denylist, and
``verify`` answers only inside the window that the follower's last lease renewal has opened, and
for ``accept_for`` seconds more if somebody has asked for that exception by name.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Self

from annul.core.claims import Clock, VerifiedToken, system_clock
from annul.core.denylist import Denylist
from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.core.session import BEGINNING
from annul.core.verifier import Verifier
from annul.delivery import Delivery, Sink
from annul.errors import Misconfigured, UnknownKey
from annul.portal import portal
from annul.replica.archive import Archive
from annul.replica.causes import stale
from annul.replica.counters import ReplicaCounters
from annul.replica.follower import Follower
from annul.replica.freshness import Moment, is_open
from annul.replica.late import Late
from annul.replica.settings import check_accept_for, check_ready_timeout, check_staleness
from annul.replica.standing import Standing
from annul.replica.vigil import Vigil
from annul.replica.watch import Watch
from annul.replica.watching import Watching
from annul.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from annul.core.events import Event
    from annul.core.revocation import Position, Revocation
    from annul.replica.reading import Progress
    from annul.stores.base import LogReader, PublishedKeys

__all__ = ["Replica", "ReplicaCounters", "Watch"]

_PARTING = 1.0

_replicas: weakref.WeakSet[Replica] = weakref.WeakSet()


class Replica(Standing, Watching):
    """Verifies tokens in memory against a followed store, and refuses when it may be out of date.

    ``verify`` is synchronous, thread-safe and touches no network. A replica opened before a fork
    works in the child: there it starts out stale, with a lease of its own.

    Use ``Replica.open``; ``with`` closes it. A replica that is garbage is closed as well.
    """

    def __init__(
        self,
        open_reader: Callable[[], LogReader],
        *,
        policy: Policy,
        max_staleness: float = 2.0,
        accept_for: float = 0.0,
        ready_timeout: float = 5.0,
        jwks: JWKS | None = None,
        cache_size: int = 50_000,
        snapshot_file: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        events: Sink | None = None,
        clock: Clock = system_clock,
    ) -> None:
        if jwks is not None and not isinstance(jwks, JWKS):
            raise Misconfigured("jwks is a JWKS: JWKS.from_json(text)")
        check_ready_timeout(ready_timeout)
        if not policy.is_annul and jwks is None:
            raise Misconfigured("a policy for a foreign issuer needs that issuer's keys: jwks=…")
        self._open_reader = open_reader
        self._max_staleness = check_staleness(max_staleness)
        self._accept_for = check_accept_for(accept_for, self._max_staleness)
        self._ready_timeout = ready_timeout
        self._fixed_keys = jwks
        self._policy = policy
        self._progress = progress
        self._events = events
        self._tell = None if events is None else events.tell
        self._cache_size = cache_size
        self._wall = clock
        self._now: Callable[[], Moment] = lambda: Moment(time.monotonic(), clock())
        self._lock = threading.Lock()
        self._closed = False
        self._denylist = Denylist()
        self._archive = Archive(self._denylist, issuer=policy.issuer, path=snapshot_file)
        self._highest = BEGINNING
        self._start()
        _replicas.add(self)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        policy: Policy,
        max_staleness: float = 2.0,
        accept_for: float = 0.0,
        ready_timeout: float = 5.0,
        jwks: JWKS | None = None,
        cache_size: int = 50_000,
        snapshot_file: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        events: Callable[[Event], object] | None = None,
    ) -> Replica:
        """Return a replica that follows the store at ``url``.

        ``max_staleness`` is Δ in seconds: a revocation is honoured at most Δ after ``revoke``
        returned, or everything is refused. It waits until ready, at most ``ready_timeout``
        seconds, then returns either way: not ready is ``ReplicaStale`` at ``verify``.

        ``accept_for`` names an exception: for so many seconds after Δ a replica whose store is out
        of reach goes on answering from what it knows, logs a warning once and counts each token
        (``accepted_stale``). Until then it may accept what has been revoked meanwhile. Both
        together must not exceed the store's ``horizon``, see ``Authority.open``.

        ``policy`` says what tokens must be. For a foreign issuer give its keys as ``jwks``; the
        revocations then come from the store and the keys do not. ``cache_size`` is how many
        verified tokens are remembered. In ``snapshot_file`` the last good state is kept, so that
        the next start has to read only what has changed since. ``progress`` is called on another
        thread while the log is read: with how many entries that were, and at most how many there
        will have been (``None`` while that cannot be known). ``events`` is called, on a thread of
        its own, with each event of ``annul.events``: stale, fresh, and losses of the store.

        Raises ``Misconfigured`` for a URL, a Δ, an exception or a store that cannot work.
        """
        if not isinstance(policy, Policy):
            raise Misconfigured("policy says what tokens must be: annul.Policy(…)")
        issuer = policy.issuer if policy.is_annul else None
        open_store(url, issuer=issuer)  # a wrong URL is said here, not in the background
        replica = cls(
            lambda: open_store(url, issuer=issuer),
            policy=policy,
            max_staleness=max_staleness,
            accept_for=accept_for,
            ready_timeout=ready_timeout,
            jwks=jwks,
            cache_size=cache_size,
            snapshot_file=snapshot_file,
            progress=progress,
            events=None if events is None else Delivery(events),
        )
        replica.wait_ready(ready_timeout)
        return replica

    # --- answering --------------------------------------------------------------------

    def verify(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> VerifiedToken:
        """Return the verified token, or raise.

        ``TokenRejected`` says that the token is bad; ``ReplicaStale`` that this replica cannot
        tell, because it may be missing revocations. ``binding`` holds proven confirmation values
        for tokens with ``cnf``, for example ``{"jkt": thumbprint}``.
        """
        # The window is taken before the look-ups and compared with the clocks after them: a
        # thread that was held up in between must not answer from what it saw too long ago.
        window = self._follower.window
        try:
            verified = self._verifier.verify(token, binding)
        except UnknownKey:
            # The key may be one that this replica has not heard of yet.
            if (
                self._monotonic() < window.monotonic_until
                and window.wall_from <= self._wall() < window.wall_until
            ):
                raise
            return self._verify_stale(token, binding)
        if (
            self._monotonic() < window.monotonic_until
            and window.wall_from <= self._wall() < window.wall_until
        ):
            return verified
        return self._verify_stale(token, binding)

    _monotonic = staticmethod(time.monotonic)

    def _verify_stale(self, token: str | bytes, binding: Mapping[str, str] | None) -> VerifiedToken:
        if self.resume():
            self._follower.ready.wait(self._ready_timeout)
            return self.verify(token, binding)
        if self._accept_for and (verified := self._verify_late(token, binding)) is not None:
            return verified
        self._late.refuse()
        raise stale(self._follower.window.cause)

    def _verify_late(
        self, token: str | bytes, binding: Mapping[str, str] | None
    ) -> VerifiedToken | None:
        """Return the verified token if the exception ``accept_for`` covers it."""
        window = self._follower.window  # before the look-ups, as always
        try:
            verified = self._verifier.verify(token, binding)
        except UnknownKey:
            return None  # a key published meanwhile cannot be told from a forged name
        now = Moment(self._monotonic(), self._wall())
        if is_open(window, now):
            return verified  # it has just been renewed
        return verified if self._late.accepts(window, now) else None

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Wait until the first complete load, at most ``timeout`` seconds; say whether.

        By default as long as ``open`` does.
        Raises ``Misconfigured`` if the store cannot be followed with these settings.
        """
        self._follower.ready.wait(self._ready_timeout if timeout is None else timeout)
        if self._follower.failure is not None:
            failure = self._follower.failure
            self.close()
            raise failure
        return self.fresh

    # --- what the authority beside it already knows -----------------------------------

    def observe(self, entries: Iterable[Revocation]) -> None:
        """Honour entries that this process has just written, without waiting for the log."""
        self._follower.learn(entries)

    def note(self, position: Position) -> None:
        """Take note of a position that the store has given out, so that its loss is noticed."""
        self._follower.note(position)

    def observe_keys(self, published: PublishedKeys) -> None:
        """Trust keys that this process has just published."""
        self._follower.learn_keys(published)

    def verify_ended(self, token: str | bytes) -> VerifiedToken:
        """Return a genuine token even if expired or revoked; see ``Verifier.verify_ended``."""
        return self._verifier.verify_ended(token)

    # --- life -------------------------------------------------------------------------

    def close(self) -> None:
        """Stop following and give up the lease. ``verify`` refuses from then on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._follower.close()
        self._vigil.close()
        if self._pid == os.getpid():
            self._stop()
            self._follower.stopped.wait(_PARTING)
        if isinstance(self._events, Delivery):  # its own, and not an authority's
            self._events.settle(_PARTING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._late = Late(max_staleness=self._max_staleness, accept_for=self._accept_for)
        # What is known to be revoked is kept over a fork; only the reading starts anew. The fork
        # may have come while entries were being applied, before the version said so.
        if self._denylist.base is None:  # which took long to read
            self._denylist.watermark = None
        self._denylist.touch()
        self._verifier = Verifier(
            jwks=self._fixed_keys or JWKS(()),
            policy=self._policy,
            denylist=self._denylist,
            clock=self._wall,
            cache_size=self._cache_size,
        )
        self._vigil = Vigil(
            verifier=self._verifier,
            # No reference to this replica, which may be garbage while the vigil goes on.
            window=lambda: follower.window,
            max_staleness=self._max_staleness,
            accept_for=self._accept_for,
            late=self._late,
            now=self._now,
            tell=self._tell,
        )
        follower = self._follower = Follower(
            open_reader=self._open_reader,
            verifier=self._verifier,
            max_staleness=self._max_staleness,
            accept_for=self._accept_for,
            now=self._now,
            fixed_keys=self._fixed_keys is not None,
            highest=self._highest,
            archive=self._archive,
            progress=self._progress,
            learnt=self._vigil.learnt,
            tell=self._tell,
        )
        following = portal.submit(self._follower.run())
        if self._tell is not None:
            self._vigil.start()
        self._stop = weakref.finalize(self, _stop, following, self._vigil)
        self._stop.atexit = False

    def resume(self) -> bool:
        """Start following in a forked child; say whether that was needed. Waits for nothing."""
        if self._pid == os.getpid():
            return False
        with self._lock:
            if self._closed or self._pid == os.getpid():
                return False
            self._start()
        return True

    def _after_fork(self) -> None:
        # The parent's threads may have held the locks, and its lease is not ours.
        self._lock = threading.Lock()
        self._stop.detach()
        self._archive.abandon()
        self._vigil.abandon()
        self._follower.abandon("closed" if self._closed else "forked")
        self._highest = self._follower.highest


def _stop(following: Future[None], vigil: Vigil) -> None:
    following.cancel()
    vigil.stop()


def _after_fork() -> None:
    for replica in _replicas:
        replica._after_fork()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork)
