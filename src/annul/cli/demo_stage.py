"""The stage of the demonstration: a store, an authority, and a verifier in another process."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import annul
from annul.cli.settings import PREFIX, redact
from annul.errors import ReplicaStale, StoreUnavailable, WrongStore
from annul.portal import portal
from annul.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AUDIENCE", "ISSUER", "Stage", "Verdict", "VerifierProcess", "set_up"]

ISSUER = "https://demo.localhost"
AUDIENCE = "https://api.localhost"

_PATIENCE = 10.0
"""Seconds after which an answer that does not come is a failure, also on a busy machine."""

_REMOVALS = 200
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_UNDECIDED = ReplicaStale.code
_POLL_EVERY = 0.001


class Verdict(NamedTuple):
    """What the verifier process said: ``accepted``, or the code of its refusal, and after what."""

    word: str
    ms: float


class VerifierProcess:
    """``annul follow`` in a process of its own. It knows the store's public side and no key.

    Give the file with its settings: a store URL may hold a password, and arguments are public.
    """

    def __init__(self, settings: Path) -> None:
        self._errors = settings.with_suffix(".errors")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(PREFIX)
        }
        # It must find the same annul, wherever this one was found; -P keeps the folder that the
        # person happens to stand in out of it.
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [sys.executable, "-P", "-m", "annul", "follow", "--config", str(settings)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="annul-demo", daemon=True).start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until it can answer."""
        while self._next()["event"] != "ready":
            pass

    def ask(self, token: str) -> str:
        """Return ``accepted``, or the code of the refusal."""
        pipe = self._process.stdin
        if pipe is None:
            raise StoreUnavailable("the verifier process has no input")
        try:
            pipe.write(token.encode("ascii") + b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise StoreUnavailable("the verifier process ended") from None
        while True:
            event = self._next()
            if event["event"] in ("accepted", "refused"):
                return str(event.get("code", event["event"]))

    def until(self, token: str, wanted: str) -> Verdict:
        """Ask again and again until the answer is ``wanted``; it took so long from the call on.

        After ``_PATIENCE`` the last answer is returned, whatever it is.
        """
        began = time.perf_counter()
        while True:
            word = self.ask(token)
            took = time.perf_counter() - began
            if word == wanted or took > _PATIENCE:
                return Verdict(word, took * 1000)
            time.sleep(_POLL_EVERY)

    def now(self, token: str) -> Verdict:
        """Ask once; once more only if it could not tell, because the machine is too busy."""
        began = time.perf_counter()
        while True:
            word = self.ask(token)
            took = time.perf_counter() - began
            if word != _UNDECIDED or took > _PATIENCE:
                return Verdict(word, took * 1000)
            time.sleep(_POLL_EVERY)

    def close(self) -> None:
        """End it: it goes by itself when its stdin ends."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it was faster
                self._process.stdin.close()
        try:
            self._process.wait(timeout=3)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            self._events.put(json.loads(line))
        self._events.put(None)

    def _next(self) -> dict[str, Any]:
        try:
            event = self._events.get(timeout=_PATIENCE)
        except queue.Empty:
            event = None
        if event is None:
            words = self._errors.read_text("utf-8", "replace").strip().splitlines()
            why = words[-1] if words else "it does not answer"
            raise StoreUnavailable(f"the verifier process failed: {why.removeprefix('annul: ')}")
        return event


@dataclass(slots=True)
class Stage:
    """What the steps play on; ``grants`` are the tokens that Alice's devices hold now."""

    authority: annul.Authority
    url: str
    settings: Path
    grants: dict[str, annul.Grant]
    verifier: VerifierProcess | None = None

    def start_verifier(self) -> VerifierProcess:
        """Start the verifier process; it is ended with the stage."""
        self.verifier = VerifierProcess(self.settings)
        self.verifier.wait_ready()
        return self.verifier

    @property
    def elsewhere(self) -> VerifierProcess:
        """The verifier process, which an earlier step has started."""
        if self.verifier is None:
            raise StoreUnavailable("the verifier process has not been started")
        return self.verifier


@contextmanager
def set_up(url: str | None, *, allow_volatile: bool) -> Iterator[Stage]:
    """Give a stage on the store at ``url``, which must be empty, or on one of its own.

    Whatever happens inside, the verifier process is ended and the folder removed.
    """
    with _folder() as folder:
        if url is None:
            url = f"sqlite:///{quote(str(folder))}/annul.db"
        else:
            _refuse_used(url, allow_volatile=allow_volatile)
        settings = folder / "verifier.toml"
        _write_settings(settings, url)
        # The key-encryption key lives in this process only, so nothing that stays can sign.
        with annul.Authority.open(
            url,
            issuer=ISSUER,
            audience=AUDIENCE,
            kek=os.urandom(32),
            allow_volatile_store=allow_volatile,
        ) as authority:
            stage = Stage(authority, url, settings, {})
            try:
                yield stage
            finally:
                with _undisturbed():
                    if stage.verifier is not None:
                        stage.verifier.close()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="annul-demo-"))
    try:
        yield folder
    finally:
        with _undisturbed():
            # What was interrupted may still be writing for a moment.
            for _ in range(_REMOVALS):
                shutil.rmtree(folder, ignore_errors=True)
                if not folder.exists():
                    break
                time.sleep(_POLL_EVERY)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore the signals that end a command: tidying up must not be interrupted half-way."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse_used(url: str, *, allow_volatile: bool) -> None:
    async def issuer() -> str | None:
        store = open_store(url, issuer=None, allow_volatile=allow_volatile)
        try:
            identity = await store.identity()
        finally:
            await store.close()
        return None if identity is None else identity.issuer

    if url.startswith("memory:"):
        raise WrongStore("the verifier is another process, and cannot see a store in memory")
    found = portal.call(issuer())
    if found is not None:
        raise WrongStore(
            f"{redact(url)} already belongs to the issuer {found}: the demonstration needs an empty"
            " store, and touches no other"
        )


def _write_settings(path: Path, url: str) -> None:
    # A JSON string is a TOML string too.
    settings = {"store": url, "issuer": ISSUER, "audience": AUDIENCE}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
