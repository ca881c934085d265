"""Users, thieves and admins at one authority, which is compared with ``tests.tabs.model``."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

import annul
from annul.core.encoding import b64url_decode, parse_object
from annul.core.revocation import Kind
from annul.door import AsyncAuthority
from annul.testing import FixedClock
from tests.stage import AUDIENCE, ISSUER, POLICY, clock_of_now, outcome
from tests.tabs.desk import StandingTime
from tests.tabs.model import (
    ACCEPTED,
    ACCESS,
    GRACE,
    IDLE,
    LONGEST,
    OVER,
    REPLAYED,
    RETRIED,
    ROTATED,
    Life,
    Model,
    Token,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

PEOPLE = st.sampled_from(("alice", "bob"))
CLIENTS = st.sampled_from(("web", "cli"))
WHICH = st.sampled_from((0, 0, 0, 1, 2, 3))
BACK = st.sampled_from((0, 0, 0, 1, 1, 2, 3))
KINDS = st.sampled_from(
    (None, Kind.TOKEN, Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER, Kind.BLOCK)
)
PAUSES = st.sampled_from((0.0, 0.25, GRACE - 0.25, GRACE, GRACE + 0.25, 45.0, 350.0))
GONE = {OVER, "invalid_grant"}
"""What is said of a session that is over; nobody has to remember which one it was."""

_JUDGED = 8


_NUMBERS = count()


class AuthorityMachine(RuleBasedStateMachine):
    """Does to an authority and to the model the same, and compares every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = clock_of_now()
        self.model = Model()
        self.authority = self.run(
            AsyncAuthority.open(
                self.url(),
                issuer=ISSUER,
                audience=AUDIENCE,
                access_ttl=ACCESS,
                session_ttl=LONGEST,
                idle_ttl=IDLE,
                grace=GRACE,
                max_staleness=0.3,
                kek=bytes(32),
                clock=self.clock,
            )
        )
        self.authority._rotation.keep_time_with(StandingTime(self.authority.replica))

    def url(self) -> str:
        """Return where the store of this run is: in memory, unless a subclass says otherwise."""
        return f"memory://model-{next(_NUMBERS)}"

    def lose_confirmation(self, sid: str) -> bool:
        """Have the store say that nobody may have heard of a rotation; return whether it can."""
        del sid
        return False

    def run(self, verb: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(verb)

    def attempt(self, verb: Coroutine[Any, Any, T]) -> T | str:
        """Return what a verb returns, or the code of its error."""
        try:
            return self.run(verb)
        except annul.AnnulError as error:
            return error.code

    @property
    def now(self) -> float:
        return self.clock()

    def life(self, number: int) -> Life:
        """Return one of the last sessions: those alive come first."""
        alive = [life for life in self.model.lives if self.model.alive(life, self.now)]
        return [*alive[::-1], *self.model.lives][number % len(self.model.lives)]

    def teardown(self) -> None:
        self.run(self.authority.close())
        self.runner.close()
        self.folder.cleanup()

    # --- what users and thieves do ----------------------------------------------------

    @rule(subject=PEOPLE, client=CLIENTS)
    def login(self, subject: str, client: str) -> None:
        answer = self.attempt(self.authority.login(subject, client_id=client))

        if self.model.blocked(subject):
            assert answer == "subject_blocked"
        else:
            assert isinstance(answer, annul.Grant)
            self.begin(answer, subject, client, self.now + LONGEST)

    def begin(self, grant: annul.Grant, subject: str, client: str, ends_at: float) -> None:
        life = Life(
            sid=grant.session_id,
            subject=subject,
            client=client,
            born=len(self.model.log),
            as_of=len(self.model.log),
            last_seen=self.now,
            ends_at=ends_at,
            handles=[grant.refresh_token],
        )
        self.model.lives.append(life)
        self.take(life, grant)

    def take(self, life: Life, grant: annul.Grant) -> None:
        payload = parse_object(b64url_decode(grant.access_token.split(".")[1]))
        token = Token(grant.access_token, grant.jti, life, life.as_of, payload["exp"])
        self.model.tokens.append(token)

    @precondition(lambda self: self.model.lives)
    @rule(number=WHICH, steps=st.lists(st.tuples(PAUSES, BACK, st.booleans()), min_size=1))
    def use(self, number: int, steps: list[tuple[float, int, bool]]) -> None:
        """Present tokens of one session, with pauses; the store may not hear of an answer."""
        life = self.life(number)
        for pause, back, confirmed in steps:
            self.clock.advance(pause)
            self.refresh(life, back)
            if life.generation and not confirmed:
                life.confirmed = not self.lose_confirmation(life.sid)

    def refresh(self, life: Life, back: int) -> None:
        presented = max(0, life.generation - back)
        answer = self.attempt(self.authority.refresh(life.handles[presented]))
        self.compare(life, presented, answer)

    def compare(self, life: Life, presented: int, answer: annul.Grant | str) -> bool:
        expected = self.model.present(life, presented, self.now)
        if expected == OVER:
            assert answer in GONE
        elif expected == REPLAYED:
            assert answer == REPLAYED
        else:
            assert isinstance(answer, annul.Grant)
            if expected == ROTATED:
                assert answer.refresh_token not in life.handles
                life.handles.append(answer.refresh_token)
            assert answer.refresh_token == life.handles[-1]
            assert answer.session_id == life.sid
            self.take(life, answer)
        return expected in {ROTATED, RETRIED}

    @precondition(lambda self: self.model.lives)
    @rule(number=WHICH, ahead=st.integers(-2, 2), client=st.none() | CLIENTS)
    def present_what_is_not_theirs(self, number: int, ahead: int, client: str | None) -> None:
        life = self.life(number)
        token = life.handles[-1]
        if client in {None, life.client}:
            # Somebody has counted on, but cannot sign.
            *first, generation, tag = token.split(".")
            token = ".".join([*first, str(int(generation) + ahead), tag])
            assume(token != life.handles[-1])
        assert self.attempt(self.authority.refresh(token, client_id=client)) == "invalid_grant"

    @precondition(lambda self: self.model.tokens)
    @rule(number=WHICH)
    def end_others(self, number: int) -> None:
        token = self.model.tokens[-1 - number % len(self.model.tokens)]
        eventually(lambda: self.authority.replica.fresh)
        others = [
            life
            for life in self.model.lives
            if life.subject == token.life.subject and life.sid != token.life.sid
        ]
        ended = [life.sid for life in others if self.model.alive(life, self.now)]

        answer = self.attempt(self.authority.end_others(token.text))

        expected = self.model.judge(token, self.now)
        if expected != ACCEPTED:
            assert answer == expected
            return
        assert isinstance(answer, annul.RevocationReceipt)
        assert answer.sessions == len(ended)
        self.model.log.extend((Kind.SESSION, sid) for sid in ended)

    # --- what admins and stores do ----------------------------------------------------

    @precondition(lambda self: self.model.lives)
    @rule(kind=KINDS, number=WHICH)
    def take_back(self, kind: Kind | None, number: int) -> None:
        life, tokens = self.life(number), self.model.tokens
        targets: dict[Kind, Any] = {
            Kind.TOKEN: annul.TokenId(tokens[-1 - number % len(tokens)].jti),
            Kind.SESSION: annul.SessionId(life.sid),
            Kind.SUBJECT: annul.SubjectId(life.subject),
            Kind.CLIENT: annul.ClientId(life.client),
            Kind.ISSUER: annul.Everything(),
        }
        if kind is None:
            self.log_out(life)
        elif kind is Kind.BLOCK:
            self.run(self.authority.block(life.subject))
            self.model.log.append((kind, life.subject))
        else:
            self.run(self.authority.revoke(targets[kind]))
            self.model.log.append((kind, targets[kind].id or ""))

    def log_out(self, life: Life) -> None:
        answer = self.attempt(self.authority.logout(life.handles[life.generation // 2]))
        if isinstance(answer, str):
            assert answer == "invalid_grant"
            assert not self.model.alive(life, self.now)
        self.model.log.append((Kind.SESSION, life.sid))

    @precondition(lambda self: any(map(self.model.blocked, ("alice", "bob"))))
    @rule()
    def unblock(self) -> None:
        for subject in ("alice", "bob"):
            self.run(self.authority.unblock(subject))
            self.model.log.append((Kind.UNBLOCK, subject))

    @rule(subject=PEOPLE)
    def require_refresh(self, subject: str) -> None:
        self.run(self.authority.require_refresh(subject))
        self.model.log.append((Kind.CLAIMS, subject))

    @rule(seconds=PAUSES)
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.model.lives)
    @rule(
        number=WHICH,
        limit=st.sampled_from(("grace", "idle", "end")),
        beside=st.sampled_from((-0.25, 0.0, 0.25)),
        back=st.sampled_from((0, 1)),
    )
    def somebody_comes_at_a_limit(self, number: int, limit: str, beside: float, back: int) -> None:
        life = self.life(number)
        moment = {
            "grace": life.rotated_at + GRACE,
            "idle": life.last_seen + IDLE,
            "end": life.ends_at,
        }[limit]
        self.clock.set(max(self.now, moment + beside))
        self.refresh(life, back)

    # --- what must be true ------------------------------------------------------------

    @invariant()
    def every_access_token_is_judged_as_the_model_says(self) -> None:
        entries = self.run(self.authority._store.snapshot()).entries
        verifier = annul.Verifier(
            jwks=self.run(self.authority.jwks()),
            policy=POLICY,
            denylist=annul.Denylist(entries),
            clock=FixedClock(self.now),
        )
        for token in self.model.tokens[-_JUDGED:]:
            assert outcome(verifier.verify, token.text) == self.model.judge(token, self.now)

    @invariant()
    def the_sessions_listed_are_those_alive(self) -> None:
        for subject in ("alice", "bob"):
            alive = {
                life.sid
                for life in self.model.lives
                if life.subject == subject and self.model.alive(life, self.now)
            }
            listed = self.run(self.authority.sessions(subject))
            assert {session.session_id for session in listed} == alive
