"""What one contract test works with: a founded store, more handles on it, and short verbs."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from annul.core.session import BEGINNING, Rotated
from annul.stores.base import Began, Diverged, Store
from annul.testing.samples import NOW, sample_draft, sample_identity, sample_session

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from annul.core.revocation import Kind, Position, Revocation, Watermark
    from annul.core.session import RotateOutcome, Session

__all__ = ["GRACE", "LIFETIMES", "REPLAY_EXPIRES_AT", "Bench", "OpenHandle", "scenario", "tail"]

OpenHandle = Callable[[], Store]
"""Opens another handle on one and the same store."""

GRACE = 10.0
REPLAY_EXPIRES_AT = int(NOW) + 200_000
LIFETIMES = sample_identity().longest_token + sample_identity().longest_session
"""What a store adds to the expiry of a lasting entry."""
_LONGEST_TEST = 60.0


def scenario(check: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test out of a coroutine that takes a ``Bench``: its own loop, a founded store."""

    def test(self: object, open_handle: OpenHandle, **cases: object) -> None:
        async def play() -> None:
            bench = Bench(open_handle)
            try:
                async with asyncio.timeout(_LONGEST_TEST):
                    await bench.store.found(sample_identity(), NOW)
                    await check(self, bench, **cases)
            finally:
                await bench.close()

        asyncio.run(play())

    # pytest reads the signature: the bench is made here, the rest are parametrized values.
    signature = inspect.signature(check)
    own, _bench, *cases = signature.parameters.values()
    handle = inspect.Parameter("open_handle", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    test.__signature__ = signature.replace(  # type: ignore[attr-defined]  # functions take any
        parameters=[own, handle, *cases]
    )
    test.__name__ = check.__name__
    test.__qualname__ = check.__qualname__
    test.__doc__ = check.__doc__
    test.__module__ = check.__module__
    return test


class Bench:
    """Opens handles on one store and closes them all."""

    def __init__(self, open_handle: OpenHandle) -> None:
        self._open_handle = open_handle
        self._handles: list[Store] = []
        self.store = self.open()

    def open(self) -> Store:
        """Return another handle on the same store."""
        handle = self._open_handle()
        self._handles.append(handle)
        return handle

    async def close(self) -> None:
        """Close every handle that was opened."""
        while self._handles:
            await self._handles.pop().close()

    async def restart(self) -> None:
        """Close every handle, then open the store again."""
        await self.close()
        self.store = self.open()

    # --- short verbs ------------------------------------------------------------------

    async def revoke(
        self,
        kind: Kind,
        value: str = "",
        **fields: Any,  # noqa: ANN401 - the fields of Draft
    ) -> Revocation:
        """Append one entry and return it."""
        appended = await self.store.append([sample_draft(kind, value, **fields)])
        (entry,) = appended.entries
        return entry

    async def begin(self, **fields: Any) -> Session:  # noqa: ANN401 - the fields of Session
        """Begin a session, which must succeed, and return it."""
        began = await self.store.begin(sample_session(**fields))
        assert isinstance(began, Began)
        return began.session

    async def present(
        self,
        session: Session,
        generation: int,
        *,
        store: Store | None = None,
        at: float = NOW,
        client_id: str | None = None,
        jkt: str | None = None,
        handle_key: str = "key-2",
        tag: bytes = b"replayed replay!",
        floor: Position = BEGINNING,
        claims: dict[str, Any] | None = None,
        as_of: Position | None = None,
    ) -> RotateOutcome:
        """Present one generation of a session's refresh token."""
        return await (store or self.store).rotate(
            session.family,
            generation,
            client_id=client_id,
            jkt=jkt,
            handle_key=handle_key,
            now=at,
            grace=GRACE,
            replay_tag=tag,
            replay_expires_at=REPLAY_EXPIRES_AT,
            floor=floor,
            claims=claims,
            as_of=as_of,
        )

    async def rotated(self, session: Session, *, times: int = 1, at: float = NOW) -> Session:
        """Rotate a session that must allow it and return it as it is afterwards."""
        for _ in range(times):
            outcome = await self.present(session, session.generation, at=at, jkt=session.jkt)
            assert isinstance(outcome, Rotated)
            session = outcome.session
        return session

    async def log(self) -> tuple[Revocation, ...]:
        """Return all entries of the store."""
        return (await self.store.snapshot()).entries

    async def unchanged(self, session: Session) -> bool:
        """Whether the store has the session exactly so, and no entry at all."""
        return await self.store.session(session.sid) == session and not await self.log()


async def tail(reader: Store, mark: Watermark, count: int, *, limit: int = 7) -> list[Revocation]:
    """Follow the log from ``mark`` on until ``count`` entries were seen."""
    seen: list[Revocation] = []
    while len(seen) < count:
        news = await reader.changes(mark, limit)
        assert not isinstance(news, Diverged)
        assert len(news) <= limit
        seen.extend(news)
        if news:
            mark = news[-1].watermark
        await asyncio.sleep(0)  # memory answers without ever yielding
    return seen
