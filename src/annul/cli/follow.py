"""``annul follow``: a verifier as a process of its own, one line in and one line out."""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from annul.cli.opening import following
from annul.cli.options import VERIFIER, Invocation, uses
from annul.core.jws import MAX_TOKEN_LENGTH
from annul.errors import Malformed, ReplicaStale, Revoked, TokenRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from annul.replica import Replica

__all__ = ["follow"]

_LOOK_EVERY = 0.05
_CHUNK = 65_536


@click.command()
@uses(*VERIFIER)
def follow(run: Invocation) -> None:
    """Verify tokens from stdin, following a store.

    A verifier as a process of its own. Every line of stdin is a token, every answer a line of JSON:
    "event" is accepted or refused, with "code" if refused and "ms" for how long it took. Lines with
    the event ready or stale say when the verifier became able or unable to answer; alarm says that
    the store lost data. It ends with stdin.

    Only the public side of the store is read; the signing keys stay sealed.
    """
    with following(run) as replica:
        state = _State(replica)
        for line in _lines(state.look):
            _say(_answer(replica, line))


class _State:
    """Says when the verifier becomes ready or stale, and when the store was seen to lose data."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._ready: bool | None = None
        self._alarms = 0
        self.look()

    def look(self) -> None:
        """Print a line if the state has changed."""
        if self._replica.alarms > self._alarms:
            self._alarms = self._replica.alarms
            _say({"event": "alarm", "alarms": self._alarms})
        ready = self._replica.fresh
        if ready is self._ready:
            return
        self._ready = ready
        mark = self._replica.watermark
        position = None if mark is None else {"epoch": mark.epoch, "seq": mark.seq}
        _say({"event": "ready" if ready else "stale", "position": position})


def _answer(replica: Replica, line: bytes) -> dict[str, Any]:
    start = time.perf_counter()
    answer: dict[str, Any]
    try:
        if len(line) > MAX_TOKEN_LENGTH:
            raise Malformed("the token is too long")
        token = replica.verify(line)
        answer = {"event": "accepted", "subject": token.subject, "jti": token.jti}
    except Revoked as error:
        entry = error.revocation
        answer = {"event": "refused", "code": error.code}
        if entry is not None:
            answer |= {"kind": str(entry.kind), "reason": str(entry.reason)}
    except TokenRejected as error:
        answer = {"event": "refused", "code": error.code}
    except ReplicaStale as error:
        answer = {"event": "refused", "code": error.code, "cause": error.cause}
    return answer | {"ms": round((time.perf_counter() - start) * 1000, 3)}


def _lines(idle: Callable[[], None]) -> Iterator[bytes]:
    """Yield the lines of stdin, calling ``idle`` whenever there is nothing to read for a while.

    Of a line that is too long for a token only the beginning is kept, which is too long as well.
    """
    source = sys.stdin.fileno()
    pending = b""
    while True:
        readable, _, _ = select.select([source], [], [], _LOOK_EVERY)
        idle()
        if not readable:
            continue
        chunk = os.read(source, _CHUNK)
        *lines, pending = (pending + chunk).split(b"\n")
        if not chunk and pending:
            lines, pending = [pending], b""
        yield from (line.strip() for line in lines if line.strip())
        if not chunk:
            return
        if len(pending) > 2 * MAX_TOKEN_LENGTH:
            pending = pending[: 2 * MAX_TOKEN_LENGTH]


def _say(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event))
