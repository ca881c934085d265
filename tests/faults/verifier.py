"""A verifier of a scene: it verifies all tokens that authorities have written down, in a loop.

``python -m tests.faults.verifier SETTINGS``, settings as JSON. Orders: ``audit``, ``leap SECONDS``
and ``end``.
"""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import annul
from annul.stores import open_store
from tests.faults.diary import Diaries
from tests.faults.inside import LeapingClock, Orders
from tests.faults.settings import ACCEPTED, AUDIENCE, AUTHORITIES, ISSUER, Settings

if TYPE_CHECKING:
    from tests.faults.diary import Diary

POLICY = annul.Policy(issuer=ISSUER, audience=AUDIENCE)

_NEW_ONES = 20
_OLD_ONES_AT_ONCE = 20
_REVOKED_AT_ONCE = 50
_WORTH_NOTING = 0.01


class Reader:
    """Verifies all tokens again and again: in each round the newest ones, and some of the others.

    Written down are all acceptances, and of refusals those that differ from the one before.
    """

    def __init__(self, replica: annul.Replica, diary: Diary, folder: Path) -> None:
        self._replica = replica
        self._diary = diary
        self._tokens = Diaries(folder, AUTHORITIES)
        self._texts: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._new: deque[str] = deque()
        self._old: deque[str] = deque()
        self._revoked: deque[str] = deque()
        self._alarms = 0

    def round(self) -> None:
        self._read_on()
        while len(self._new) > _NEW_ONES:
            self._old.append(self._new.popleft())
        for jti in [
            *take(self._new, _NEW_ONES),
            *take(self._old, _OLD_ONES_AT_ONCE),
            *take(self._revoked, _REVOKED_AT_ONCE),
        ]:
            self._place(jti, self.ask(jti))
        if self._replica.alarms != self._alarms:
            self._alarms = self._replica.alarms
            self._diary.note("alarm", count=self._alarms, at=time.monotonic())

    def _place(self, jti: str, outcome: str) -> None:
        if outcome == "revoked":
            self._revoked.append(jti)
        elif len(self._new) < _NEW_ONES:
            self._new.append(jti)
        else:
            self._old.append(jti)

    def ask(self, jti: str) -> str:
        text = self._texts[jti]
        began = time.monotonic()
        try:
            self._replica.verify(text)
        except annul.ReplicaStale as error:
            outcome = error.cause
        except annul.AnnulError as error:
            outcome = error.code
        else:
            outcome = ACCEPTED
        ended = time.monotonic()
        if outcome == ACCEPTED or outcome != self._last.get(jti):
            self._last[jti] = outcome
            self._diary.note("answer", jti=jti, outcome=outcome, began=began, ended=ended)
        return outcome

    def audit(self) -> None:
        self._read_on()
        for jti in self._texts:
            self._last.pop(jti, None)
            self.ask(jti)
        self._diary.note("audited", tokens=len(self._texts), at=time.monotonic())

    def _read_on(self) -> None:
        for _, line in self._tokens.news():
            if line["what"] == "token":
                self._texts[line["jti"]] = line["text"]
                self._new.append(line["jti"])


def take(waiting: deque[str], most: int) -> list[str]:
    """Take up to so many from the front."""
    return [waiting.popleft() for _ in range(min(most, len(waiting)))]


def verifier(settings: Settings) -> None:
    diary, clock, orders = settings.diary(), LeapingClock(), Orders()
    with annul.Replica(
        lambda: open_store(settings.url, issuer=ISSUER, clock=clock),
        policy=POLICY,
        max_staleness=settings.delta,
        clock=clock,
    ) as replica:
        reader = Reader(replica, diary, Path(settings.folder))
        diary.note("ready", at=time.monotonic())
        while True:
            began, worked = time.monotonic(), time.process_time()
            reader.round()
            order = orders.next(settings.pause)
            now = time.monotonic()
            # Nothing here waits for anything, so it was ready to run all the rest of the time.
            held = now - began - (time.process_time() - worked) - settings.pause
            if held > _WORTH_NOTING:
                diary.note("held", at=now, seconds=held)
            if order == "end":
                return
            if order == "audit":
                reader.audit()
            elif order is not None and order.startswith("leap "):
                clock.ahead = float(order.removeprefix("leap "))
                diary.note("leapt", by=clock.ahead, at=time.monotonic())


if __name__ == "__main__":
    verifier(Settings(**json.loads(sys.argv[1])))
