"""An authority in a process of its own: ``python -m tests.tabs.clerk URL KEK NOW``.

Each line on its input is a refresh token to present, and the time; any number may be under way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from annul.testing import FixedClock
from tests.tabs.desk import LocalDesk, line_of, open_authority


async def serve(url: str, kek_file: Path, now: float) -> None:
    clock = FixedClock(now)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async with open_authority(url, kek_file, clock) as authority, asyncio.TaskGroup() as tasks:
        desk = LocalDesk(authority)

        async def answer(number: int, token: str) -> None:
            say(line_of(number, await desk.refresh(token)))

        say("ready")
        async for line in reader:
            asked = json.loads(line)
            clock.set(max(clock(), asked["now"]))
            tasks.create_task(answer(asked["number"], asked["token"]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    logging.getLogger("annul").setLevel(logging.CRITICAL)  # its clock leaps, as it would say
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
