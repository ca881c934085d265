"""Stores against a model that forgets nothing: sessions, the log, and whoever follows it."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annul.core.denylist import Denylist
from annul.core.revocation import (
    CLOCK_SKEW,
    MAX_LEEWAY,
    Fingerprinter,
    Kind,
    Position,
    remember_until,
)
from annul.core.session import Replayed
from annul.stores import open_store
from annul.stores.base import Began, Covered, Diverged
from annul.testing import ISSUER, NOW, sample_draft, sample_identity, sample_session
from tests.core.store_model import GRACE, Life, Model

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from annul.core.denylist import Facts
    from annul.stores.base import Store

T = TypeVar("T")

LONGEST_TOKEN = 50
LONGEST_SESSION = 100
LIMITS = ("grace", "idle", "end", "last token")
REVOKED = [kind for kind in Kind if kind is not Kind.KEY]
PEOPLE = ("alice", "bob")
CLIENTS = ("web", "cli")

people = st.sampled_from(PEOPLE)
clients = st.sampled_from(CLIENTS)
which = st.integers(0, 5)


class StoreMachine(RuleBasedStateMachine):
    """Does to a store and to the model the same, and compares every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.numbers = count(1)
        self.model = Model()
        self.now = NOW
        self.tokens: list[tuple[Life, str, float]] = []
        self.follower = Denylist()
        self.fingerprint = Fingerprinter(ISSUER)
        self.store = self.open()

    def open(self) -> Store:
        raise NotImplementedError

    def run(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(verb)

    def entropy(self, size: int) -> bytes:
        return next(self.numbers).to_bytes(size, "big")

    def life(self, number: int) -> Life:
        return self.model.lives[number % len(self.model.lives)]

    @initialize()
    def found(self) -> None:
        self.run(self.store.found(sample_identity(lineage="model"), NOW))

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()

    # --- what can be done -------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.25, 1.0, 9.75, 45.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.model.lives)
    @rule(
        number=which,
        limit=st.sampled_from(LIMITS),
        beside=st.sampled_from([-0.25, 0.0, 0.25]),
        pruned=st.booleans(),
    )
    def a_limit_comes(self, number: int, limit: str, beside: float, *, pruned: bool) -> None:
        life = self.life(number)
        moment = {
            "grace": life.rotated_at + GRACE,
            "idle": life.last_seen + life.idle,
            "end": life.ends_at,
            "last token": life.last_seen + LONGEST_TOKEN + MAX_LEEWAY + CLOCK_SKEW,
        }[limit]
        self.now = max(self.now, moment + beside)
        if pruned:
            self.prune(0.0)
            self.follow_anew()

    def prune(self, ahead: float) -> None:
        self.model.pruned_at = max(self.model.pruned_at, self.now + ahead)
        self.run(self.store.prune(self.now + ahead))

    @rule(ahead=st.sampled_from([0.0, CLOCK_SKEW, -CLOCK_SKEW]))
    def prune_by_a_clock_of_its_own(self, ahead: float) -> None:
        self.prune(ahead)

    @rule(subject=people, client=clients, bound=st.booleans(), idle=st.sampled_from([30.0, 500.0]))
    def begin(self, subject: str, client: str, bound: bool, idle: float) -> None:
        life = Life(
            sid=self.entropy(16).hex(),
            family=self.entropy(32),
            subject=subject,
            client=client,
            jkt="thumb" if bound else None,
            ends_at=self.now + LONGEST_SESSION,
            idle=idle,
            born=len(self.model.log),
            last_seen=self.now,
        )
        session = sample_session(
            sid=life.sid,
            family=life.family,
            subject=subject,
            client_id=client,
            jkt=life.jkt,
            created_at=self.now,
            last_seen=self.now,
            idle_ttl=idle,
            ends_at=life.ends_at,
        )

        began = self.run(self.store.begin(session))

        if subject in self.model.blocked:
            assert isinstance(began, Covered)
        elif self.model.kept(life):
            assert isinstance(began, Began)
            assert began.session.since == Position(int(NOW), life.born)
            self.model.lives.append(life)

    @precondition(lambda self: self.model.lives)
    @rule(
        number=which,
        back=st.sampled_from([0, 0, 0, 1, 1, 2, 3, -2]),
        client=st.sampled_from([None, None, *CLIENTS]),
        jkt=st.sampled_from([None, "thumb", "thumb", "other"]),
    )
    def rotate(self, number: int, back: int, client: str | None, jkt: str | None) -> None:
        life = self.life(number)
        generation = max(0, life.generation - back)
        expected = self.model.present(life, generation, client=client, jkt=jkt, now=self.now)

        outcome = self.run(
            self.store.rotate(
                life.family,
                generation,
                client_id=client,
                jkt=jkt,
                handle_key="key-1",
                now=self.now,
                grace=GRACE,
                replay_tag=self.entropy(16),
                replay_expires_at=self.expiry(Kind.SESSION),
            )
        )

        assert type(outcome) is expected
        session = getattr(outcome, "session", None)
        assert session is None or (session.sid, session.generation) == (life.sid, life.generation)
        if isinstance(outcome, Replayed):
            assert outcome.revocation is not None
            assert outcome.revocation.position == (int(NOW), len(self.model.log))

    def expiry(self, kind: Kind) -> int:
        until = remember_until(
            kind,
            now=self.now,
            token_exp=self.now + LONGEST_TOKEN,
            longest_token=LONGEST_TOKEN,
            longest_session=LONGEST_SESSION,
        )
        assert until is not None
        return until

    def revoke(self, kind: Kind, value: str) -> None:
        lasting = kind in {Kind.KEY, Kind.BLOCK, Kind.UNBLOCK}
        draft = sample_draft(
            kind,
            value,
            entropy=self.entropy,
            at=self.now,
            expires_at=None if lasting else self.expiry(kind),
        )
        self.model.append(kind, value)

        for _ in range(2):  # the second time, nothing happens
            (entry,) = self.run(self.store.append([draft])).entries
            assert entry.position == (int(NOW), len(self.model.log))

    @precondition(lambda self: self.model.lives)
    @rule(kind=st.sampled_from(REVOKED), number=which)
    def revoke_of_a_session(self, kind: Kind, number: int) -> None:
        life = self.life(number)
        targets = {Kind.SESSION: life.sid, Kind.CLIENT: life.client, Kind.ISSUER: ""}
        if kind is not Kind.TOKEN:
            self.revoke(kind, targets.get(kind, life.subject))
        elif self.tokens:
            self.revoke(kind, self.tokens[number % len(self.tokens)][1])

    @precondition(lambda self: self.model.lives)
    @rule(number=which)
    def mint_a_token(self, number: int) -> None:
        life = self.life(number)
        if self.model.alive(life, self.now):
            self.tokens.append((life, self.entropy(16).hex(), self.now + LONGEST_TOKEN))

    @rule()
    def restart(self) -> None:
        before, self.store = self.store, self.open()
        # What is in memory lasts as long as somebody uses it.
        assert self.run(self.store.identity()) is not None
        self.run(before.close())

    # --- what must be true ------------------------------------------------------------

    @rule()
    def follow_the_log(self) -> None:
        mark = self.follower.watermark
        news = Diverged(pruned=False) if mark is None else self.run(self.store.changes(mark, 3))
        if isinstance(news, Diverged):
            assert mark is None or news.pruned
            snapshot = self.run(self.store.snapshot())
            news, self.follower.watermark = snapshot.entries, snapshot.watermark
        elif news:
            self.follower.watermark = news[-1].watermark
        self.follower.apply(news)

        if self.follower.watermark == self.run(self.store.snapshot()).watermark:
            self.judge(self.follower)

    @rule()
    def follow_anew(self) -> None:
        self.judge(Denylist(self.run(self.store.snapshot()).entries))

    def judge(self, denylist: Denylist) -> None:
        for life, jti, exp in self.tokens:
            # Until here some verifier may take the token for alive; after it, nobody asks.
            if max(self.now, self.model.pruned_at) < exp + MAX_LEEWAY + CLOCK_SKEW:
                dead = self.model.covered(life) or (Kind.TOKEN, jti) in self.model.log
                assert (denylist.find(self.facts(life, jti)) is not None) is dead

    def facts(self, life: Life, jti: str) -> Facts:
        session = sample_session(
            sid=life.sid,
            subject=life.subject,
            client_id=life.client,
            since=Position(int(NOW), life.born),
        )
        return session.facts(self.fingerprint)._replace(token=self.fingerprint(Kind.TOKEN, jti))

    @invariant()
    def the_sessions_listed_are_those_alive(self) -> None:
        for subject in PEOPLE if self.model.lives else ():
            alive = {
                life.sid
                for life in self.model.lives
                if life.subject == subject and self.model.alive(life, self.now)
            }
            listed = self.run(self.store.sessions(subject, self.now))
            assert {session.sid for session in listed} == alive


class MemoryMachine(StoreMachine):
    def open(self) -> Store:
        return open_store("memory://model", issuer=ISSUER)


class SQLiteMachine(StoreMachine):
    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    def open(self) -> Store:
        return open_store(f"sqlite:///{Path(self.folder.name) / 'annul.db'}", issuer=ISSUER)

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


def plays(examples: int) -> settings:
    return settings(
        deadline=None,
        max_examples=examples,
        stateful_step_count=60,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


def test_memory_does_what_a_model_that_forgets_nothing_does() -> None:
    run_state_machine_as_test(MemoryMachine, settings=plays(180))


def test_sqlite_does_what_a_model_that_forgets_nothing_does() -> None:
    run_state_machine_as_test(SQLiteMachine, settings=plays(25))
