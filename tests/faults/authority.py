"""An authority of a scene: it logs in, refreshes and takes back, in a few threads.

``python -m tests.faults.authority SETTINGS``, settings as JSON. Orders: ``quiet``, ``leap SECONDS``
and ``end``.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import annul
from tests.faults.inside import LeapingClock, Orders
from tests.faults.settings import AUDIENCE, ISSUER, Settings

if TYPE_CHECKING:
    from tests.faults.diary import Diary

ACCESS_TTL = 14_400
"""Longer than any scene, so that no token runs out in one."""

LASTING_EVERY = 25
"""One of so many sessions is never ended."""

_HELD = 4
_PATIENCE = 0.02


@dataclass(kw_only=True)
class Held:
    """A session that is going to be ended."""

    subject: str
    jti: str
    sid: str
    access: str


class Writer:
    """One thread of an authority: it logs in, refreshes, and after a while takes back."""

    def __init__(self, authority: annul.Authority, diary: Diary, name: str, pause: float) -> None:
        self._authority = authority
        self._diary = diary
        self._name = name
        self._pause = pause
        self._held: deque[Held] = deque()
        self._count = 0
        self.loud = threading.Event()
        self.idle = threading.Event()
        self.over = False

    def work(self) -> None:
        while not self.over:
            if not self.loud.is_set():
                self.idle.set()
                self.loud.wait()
                self.idle.clear()
                continue
            self._count += 1
            subject = f"{self._name}.{self._count}"
            lasting = self._count % LASTING_EVERY == 1
            held = self._login(subject, lasting=lasting)
            if held is not None and not lasting:
                self._held.append(held)
            if len(self._held) > _HELD:
                self._take_back(self._held.popleft())
            time.sleep(self._pause)
        self.idle.set()

    def _login(self, subject: str, *, lasting: bool = False) -> Held | None:
        began = time.monotonic()
        try:
            grant = self._authority.login(subject, client_id="web")
        except annul.AnnulError as error:
            self._refused("login", error)
            return None
        held = self._hold(subject, grant, began, lasting=lasting)
        if self._count % 3 == 0:
            began = time.monotonic()
            try:
                grant = self._authority.refresh(grant.refresh_token)
            except annul.AnnulError as error:
                self._refused("refresh", error)
            else:
                return self._hold(subject, grant, began, lasting=lasting)
        return held

    def _hold(self, subject: str, grant: annul.Grant, began: float, *, lasting: bool) -> Held:
        ended = time.monotonic()
        self._diary.note(
            "token", jti=grant.jti, sid=grant.session_id, subject=subject, lasting=lasting,
            began=began, ended=ended, text=grant.access_token,
        )  # fmt: skip
        return Held(subject=subject, jti=grant.jti, sid=grant.session_id, access=grant.access_token)

    def _take_back(self, held: Held) -> None:
        way = self._count % 4
        if way == 0:
            target: annul.TokenId | annul.SubjectId | annul.SessionId = annul.TokenId(held.jti)
        elif way == 1:
            target = annul.SubjectId(held.subject)
        else:
            target = annul.SessionId(held.sid)
        fact = f"{self._name}.{self._count}"
        self._diary.note(
            "revoking", fact=fact, kind=target.kind.value, id=target.id, began=time.monotonic()
        )
        key: str | None = None

        def once() -> annul.RevocationReceipt:
            if way == 3:
                return self._authority.logout(held.access)
            return self._authority.revoke(target, idempotency_key=key)

        while True:
            try:
                once()
            except annul.AnnulError as error:
                key = getattr(error, "idempotency_key", None) or key
                self._refused("revoke", error)
                if self.over:
                    return
                continue
            self._diary.note("revoked", fact=fact, ended=time.monotonic())
            break
        if way == 1 and (again := self._login(held.subject)) is not None:
            # A login after an acknowledged cut-off is good, until it is taken back by itself.
            self._held.append(again)

    def _refused(self, verb: str, error: annul.AnnulError) -> None:
        self._diary.note("refused", verb=verb, code=error.code, at=time.monotonic())
        time.sleep(_PATIENCE)


def authority(settings: Settings) -> None:
    diary, clock, orders = settings.diary(), LeapingClock(), Orders()
    with annul.Authority.open(
        settings.url,
        issuer=ISSUER,
        audience=AUDIENCE,
        access_ttl=ACCESS_TTL,
        max_staleness=settings.delta,
        kek_file=Path(settings.folder) / "scene.kek",
        clock=clock,
    ) as opened:
        writers = [
            Writer(opened, diary, f"{settings.name}.{number}", settings.pause)
            for number in range(settings.workers)
        ]
        for writer in writers:
            writer.loud.set()
            threading.Thread(target=writer.work, daemon=True).start()
        diary.note("ready", at=time.monotonic())
        while (order := orders.next(60.0)) != "end":
            if order == "quiet":
                for writer in writers:
                    writer.loud.clear()
                for writer in writers:
                    writer.idle.wait()
                diary.note("quiet", at=time.monotonic())
            elif order is not None and order.startswith("leap "):
                clock.ahead = float(order.removeprefix("leap "))
                diary.note("leapt", by=clock.ahead, at=time.monotonic())
        for writer in writers:
            writer.over = True
            writer.loud.set()
        for writer in writers:
            writer.idle.wait(5.0)


if __name__ == "__main__":
    authority(Settings(**json.loads(sys.argv[1])))
