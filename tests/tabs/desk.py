"""Where refresh tokens are presented: authorities of one store, here and in another process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from annul.door import AsyncAuthority
from annul.errors import AnnulError
from tests.stage import AUDIENCE, ISSUER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from random import Random

    from annul.core.revocation import Position, Revocation
    from annul.replica import Replica
    from annul.testing import FixedClock

ROOT = Path(__file__).parents[2]
GRACE = 10.0
ACCESS_TTL = 300
_HARMED = 0.1
_QUIET = 60.0
"""Δ of the authorities, in seconds. Nobody verifies with them, so they may ask seldom."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: new tokens, or the code of an error."""

    refresh: str = ""
    access: str = ""
    code: str = ""


class Desk(Protocol):
    """**Protocol:** somewhere to present a refresh token."""

    async def refresh(self, token: str) -> Answer: ...


class LocalDesk:
    """An authority in this process."""

    def __init__(self, authority: AsyncAuthority) -> None:
        self.authority = authority

    async def refresh(self, token: str) -> Answer:
        try:
            grant = await self.authority.refresh(token)
        except AnnulError as error:
            return Answer(code=error.code)
        return Answer(grant.refresh_token, grant.access_token)


class RemoteDesk:
    """An authority in a process of its own, ``tests.tabs.clerk``, which asks for the time."""

    def __init__(self, process: asyncio.subprocess.Process, clock: FixedClock) -> None:
        self._process = process
        self._clock = clock
        self._numbers = count()
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._listening = asyncio.ensure_future(self._listen())

    async def refresh(self, token: str) -> Answer:
        assert self._process.stdin is not None
        assert not self._listening.done(), "the other process has ended"
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        question = {"number": number, "now": self._clock(), "token": token}
        self._process.stdin.write(f"{json.dumps(question)}\n".encode())
        return await answer

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            self._asked.pop(said.pop("number")).set_result(Answer(**said))
        for answer in self._asked.values():
            answer.set_exception(AssertionError("the other process has ended"))

    async def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._listening


class ShakyDesk:
    """A desk whose store loses all its connections now and then, in the middle of whatever is done.

    So nobody knows whether what was under way has happened.
    """

    def __init__(self, desk: Desk, harm: Callable[[], Awaitable[None]], random: Random) -> None:
        self._desk = desk
        self._harm = harm
        self._random = random

    async def refresh(self, token: str) -> Answer:
        if self._random.random() > _HARMED:
            return await self._desk.refresh(token)
        answer, _ = await asyncio.gather(self._desk.refresh(token), self._harm())
        return answer


class StandingTime:
    """The replica beside an authority, but the store's clock agrees with the simulated one."""

    store_ahead = 0.0

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def highest(self) -> Position:
        return self._replica.highest

    @property
    def keys_version(self) -> int:
        return self._replica.keys_version

    @property
    def listed_for(self) -> float:
        return self._replica.listed_for

    @property
    def own_lease(self) -> tuple[str, int]:
        return self._replica.own_lease

    def note(self, position: Position) -> None:
        self._replica.note(position)

    def observe(self, entries: Iterable[Revocation]) -> None:
        self._replica.observe(entries)


@contextlib.asynccontextmanager
async def open_authority(
    url: str, kek_file: Path, clock: FixedClock
) -> AsyncIterator[AsyncAuthority]:
    """Open an authority that lives by a simulated clock on any store, a server's included."""
    async with await AsyncAuthority.open(
        url,
        issuer=ISSUER,
        audience=AUDIENCE,
        access_ttl=ACCESS_TTL,
        grace=GRACE,
        max_staleness=_QUIET,
        kek_file=kek_file,
        clock=clock,
    ) as authority:
        authority._rotation.keep_time_with(StandingTime(authority.replica))
        yield authority


@contextlib.asynccontextmanager
async def open_remote(url: str, kek_file: Path, clock: FixedClock) -> AsyncIterator[RemoteDesk]:
    """Open an authority in another process."""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.tabs.clerk", url, str(kek_file), repr(clock())),
        cwd=ROOT,
        env=dict(os.environ) | {"PYTHONPATH": path},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = await process.stdout.readline()
    desk = RemoteDesk(process, clock)
    try:
        assert ready, "the other process does not start"
        yield desk
    finally:
        await desk.close()


def line_of(number: int, answer: Answer) -> str:
    """Return an answer as the other process writes it."""
    return json.dumps({"number": number} | asdict(answer))
