"""A watch: a verified token that is looked after for as long as a connection lasts."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from annul.errors import AnnulError, ClaimMismatch, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from annul.core.claims import VerifiedToken
    from annul.replica.vigil import Vigil

__all__ = ["Held", "Watch", "wake"]

_AT_ONCE = 500

Verify = Callable[[Any, Any], "VerifiedToken"]


class Held(NamedTuple):
    """What a watch holds: a token, and what was proven with it."""

    token: VerifiedToken
    binding: Mapping[str, str] | None


class Watch:
    """A token that was verified, and goes on being judged while a block runs.

    ``async with`` is a scope like ``asyncio.timeout``: when the token is no longer good, the body
    is cancelled, and the block raises what ``verify`` would raise. ``with`` cancels nothing; ask
    ``check`` or ``wait`` in threads, ``await ended()`` in coroutines.

    ``reason`` is that error, and ``None`` while the token is good. ``Replica.watch`` makes watches;
    each is for one block.

    Example::

        async with replica.watch(raw) as watch:
            async for message in websocket:
                ...
    """

    __slots__ = (
        "_begin",
        "_cancelled",
        "_cancelling",
        "_event",
        "_futures",
        "_task",
        "_verify",
        "_vigil",
        "held",
        "reason",
    )

    def __init__(self, verify: Verify, begin: Callable[[], Vigil], held: Held) -> None:
        self.held = held
        self.reason: AnnulError | None = None
        self._verify = verify
        self._begin = begin
        self._vigil: Vigil | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._cancelled = False
        self._futures: list[asyncio.Future[None]] | None = None
        self._event: threading.Event | None = None

    # --- asking -----------------------------------------------------------------------

    @property
    def token(self) -> VerifiedToken:
        """The token that is watched now."""
        return self.held.token

    def check(self) -> VerifiedToken:
        """Return the token if it is good at this moment; raise what ``verify`` would otherwise.

        For what must not happen a moment too late: a watch is told that its token has ended, and
        ``check`` looks.
        """
        vigil = self._inside()
        if self.reason is not None:
            raise self.reason
        vigil.check(self.held)
        return self.held.token

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in this thread until the watch has ended, at most ``timeout`` s; say whether."""
        with self._inside().watches.lock:
            if self.reason is not None:
                return True
            event = self._event = self._event or threading.Event()
        event.wait(timeout)
        return self.reason is not None

    async def ended(self) -> AnnulError:
        """Wait until the watch has ended, and return the reason. Any number of tasks may wait."""
        future = asyncio.get_running_loop().create_future()
        with self._inside().watches.lock:
            if self.reason is not None:
                return self.reason
            self._futures = [*(self._futures or ()), future]
        try:
            await future
        finally:
            with self._inside().watches.lock:
                self._futures = [each for each in self._futures or () if each is not future]
        assert self.reason is not None  # noqa: S101 - that is what wakes the future
        return self.reason

    def renew(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> VerifiedToken:
        """Watch a new token of the same session from now on, and return it.

        Without ``binding`` that of the token before is taken to be proven still. Raises what
        ``verify`` does, and ``ClaimMismatch`` for a token of another session, subject or client:
        the one before is still watched then. Raises the reason if the watch has ended.
        """
        vigil = self._inside()
        if self.reason is not None:
            raise self.reason
        binding = self.held.binding if binding is None else binding
        held = Held(self._verify(token, binding), binding)
        if (claim := _difference(self.held.token, held.token)) is not None:
            raise ClaimMismatch("this token is not of the session that is watched", claim=claim)
        vigil.watches.enter(self, held)
        self._judge(vigil)
        return held.token

    # --- the block --------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._vigil is not None:
            raise InvalidRequest("a watch is for one block; make another one")
        vigil = self._vigil = self._begin()
        vigil.watches.enter(self, self.held)
        # After it has entered: a look that came before has not seen it, and may wait for ever.
        vigil.look_soon()
        self._judge(vigil)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._inside().watches.leave(self)

    def _judge(self, vigil: Vigil) -> None:
        """Raise if what is held has been refused since it was verified."""
        try:
            self.check()
        except AnnulError as error:
            vigil.watches.end([(self, None, error)])
            raise

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise InvalidRequest("async with needs a task that it can cancel; or use with")
        self._task, self._cancelling = task, task.cancelling()
        try:
            return self.__enter__()
        except BaseException:
            self._task = None
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.__exit__()
        task, self._task = self._task, None  # whoever still wants to cancel it comes too late
        if self._cancelled and task is not None:
            ours = task.uncancel() <= self._cancelling
            if ours and kind is asyncio.CancelledError and self.reason is not None:
                raise self.reason from error

    def _inside(self) -> Vigil:
        if self._vigil is None:
            raise InvalidRequest("begin the watch first: async with replica.watch(…)")
        return self._vigil

    # --- being ended ------------------------------------------------------------------

    def loops(self) -> set[asyncio.AbstractEventLoop]:
        """Return the loops on which somebody has to be told."""
        task, futures = self._task, self._futures
        found = {future.get_loop() for future in futures or ()}
        return found if task is None else found | {task.get_loop()}

    def tell_thread(self) -> None:
        """Tell whoever waits in a thread that it has ended."""
        if self._event is not None:
            self._event.set()

    def tell_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those on this loop, which runs this, that it has ended."""
        if self._task is not None and self._task.get_loop() is loop:
            self._cancelled = True
            self._task.cancel()
        for future in self._futures or ():
            if future.get_loop() is loop and not future.done():
                future.set_result(None)


def _difference(one: VerifiedToken, two: VerifiedToken) -> str | None:
    """Return the claim by which two tokens are not of one session, if there is one."""
    for claim in ("iss", "sid", "sub", "client_id"):
        if one.claims.get(claim) != two.claims.get(claim):
            return claim
    return None


def wake(watches: Iterable[Watch]) -> None:
    """Tell everybody who waits for one of these; each loop is called once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Watch]] = {}
    for watch in watches:
        watch.tell_thread()
        for loop in watch.loops():
            by_loop.setdefault(loop, []).append(watch)
    for loop, those in by_loop.items():
        # A loop that is closed has nobody left on it.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, loop, those, 0)


def _tell(loop: asyncio.AbstractEventLoop, watches: list[Watch], start: int) -> None:
    for watch in watches[start : start + _AT_ONCE]:
        watch.tell_loop(loop)
    # A piece at a time: whatever else the loop has to do need not wait for fifty thousand.
    if start + _AT_ONCE < len(watches):
        loop.call_soon(_tell, loop, watches, start + _AT_ONCE)
