"""What people do at the authorities: log in, refresh, steal, log out, revoke and block."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from annul.core.encoding import b64url_decode, parse_object
from annul.core.issuer import Issuer
from annul.core.revocation import (
    ClientId,
    Everything,
    KeyId,
    Kind,
    Position,
    SessionId,
    SubjectId,
    Target,
    TokenId,
)
from annul.errors import AnnulError, NotYetConfirmed, RefreshReplayed, StoreUnavailable
from tests.simulation.edges import wall
from tests.simulation.history import Fact, History, Login, Token, Use
from tests.simulation.probes import about

if TYPE_CHECKING:
    from random import Random

    from annul.authority.grants import Grant
    from annul.core.revocation import RevocationReceipt
    from annul.door import AsyncAuthority
    from tests.simulation.cast import AuthorityMember, Stage

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
SUBJECTS = ("ann", "bob", "cleo")
CLIENTS = ("web", "app")
_ATTEMPTS = 4
_LATELY = 30

ALWAYS = {"login": 30, "refresh": 22, "revoke": 12}
SOMETIMES = {
    "revoke_and_wait": 6,
    "steal": 6,
    "logout": 6,
    "block": 4,
    "unblock": 4,
    "rotate_keys": 2,
    "end_others": 1,
    "forge": 4,
}


class Desk:
    """The people at one authority, as long as its process lives."""

    def __init__(self, stage: Stage, member: AuthorityMember) -> None:
        self.stage = stage
        self.member = member
        self.history: History = stage.history
        self.random: Random = member.process.random
        self.process = member.process

    @property
    def now(self) -> float:
        return self.stage.world.now

    def authority(self) -> AsyncAuthority:
        if self.member.authority is None:
            raise StoreUnavailable("it has not opened yet")
        return self.member.authority

    async def open(self, until: float, every: float) -> None:
        """Serve people until then."""
        running: set[asyncio.Task[None]] = set()
        while self.now < until:
            await asyncio.sleep(self.random.expovariate(1 / every))
            if self.member.authority is None:
                continue
            verbs = self.stage.verbs
            (verb,) = self.random.choices(list(verbs), list(verbs.values()))
            if verb == "rotate_keys" and self.stage.revokes_keys:
                verb = "revoke_key"
            task = asyncio.create_task(self.serve(verb))
            running.add(task)
            task.add_done_callback(running.discard)

    async def serve(self, verb: str, *about: str) -> None:
        """Do one thing; what annul raises on purpose is an answer."""
        try:
            await getattr(self, verb)(*about)
        except AnnulError as error:
            self.history.note(self.member.name, verb, error.code)
        except Exception as error:  # noqa: BLE001 - a foreign exception is a finding
            self.history.unexpected.append(f"{verb}: {error!r}")

    # --- sessions ---------------------------------------------------------------------

    async def login(self, subject: str | None = None, client: str | None = None) -> Token:
        invoked = self.now
        subject = subject or self.random.choice(SUBJECTS)
        client = client or self.random.choice(CLIENTS)
        grant = await self.authority().login(subject, client_id=client)
        login = Login(subject, client, invoked, self.now, grant.session_id)
        self.history.logins.append(login)
        token = self._minted(login, grant)
        self.history.note(self.member.name, "login", subject, client)
        return token

    def _minted(self, login: Login, grant: Grant) -> Token:
        if grant.refresh_token not in login.handles:
            login.handles.append(grant.refresh_token)
        token = read(grant.access_token, login, self.now)
        login.tokens.append(token)
        self.history.tokens.append(token)
        return token

    def _some_login(self) -> Login | None:
        logins = self.history.logins
        return self.random.choice(logins[-8:]) if logins else None

    async def refresh(self) -> None:
        login = self._some_login()
        if login is None or login.busy:
            return
        login.busy = True
        try:
            for _ in range(self.random.choice((1, 2, 3))):
                handle = login.handles[-1]
                twice = self.random.random() < 0.3
                uses = await asyncio.gather(
                    *(self.present(login, handle) for _ in range(1 + twice))
                )
                if {use.outcome for use in uses} == {"store_unavailable"}:
                    # Whoever has got no answer tries again, long after the time for retries.
                    await asyncio.sleep(self.random.uniform(1, 5))
        finally:
            login.busy = False

    async def come_back(self) -> None:
        logins = [login for login in self.history.logins if len(login.handles) > 1]
        if logins:
            login = self.random.choice(logins)
            await self.present(login, login.handles[-1])

    async def steal(self) -> None:
        login = self._some_login()
        if login is not None and len(login.handles) > 1:
            old = login.handles[:-2] or login.handles[:-1]
            await self.present(login, self.random.choice(old))

    async def present(self, login: Login, handle: str) -> Use:
        use = Use(login, handle, int(handle.split(".")[3]), self.now)
        login.used.append(use)
        self.history.uses.append(use)
        try:
            grant = await self.authority().refresh(handle)
        except AnnulError as error:
            use.returned, use.outcome = self.now, error.code
            if isinstance(error, RefreshReplayed):
                tags = self.stage.model.ended.get(login.sid, set())
                self._fact(Kind.SESSION, login.sid, use.invoked, "replay", tags=tags, proven=False)
        else:
            use.returned, use.outcome, use.successor = self.now, "ok", grant.refresh_token
            self._minted(login, grant)
        self.history.note(self.member.name, "refresh", use.generation, use.outcome)
        return use

    def _fact(self, kind: Kind, value: str, invoked: float, name: str, **more: Any) -> None:  # noqa: ANN401 - the fields of Fact
        fact = Fact(kind, value, self.process, invoked, name, acked=self.now, **more)
        fact.returned = self.now
        self.history.facts.append(fact)

    async def logout(self) -> None:
        login = self._some_login()
        if login is None:
            return
        token = self.random.choice([login.handles[-1], login.tokens[-1].text])
        fact = self._begin(Kind.SESSION, login.sid)
        self._end(fact, await self.authority().logout(token))

    async def end_others(self) -> None:
        login = self._some_login()
        if login is None:
            return
        # Which sessions there are is the store's to say: it may end any that has begun by then. As
        # nobody says which, this is never acknowledged.
        fact = self._begin(Kind.SUBJECT, login.subject)
        await self.authority().end_others(login.tokens[-1].text)
        fact.returned = self.now

    # --- taking back ------------------------------------------------------------------

    def _begin(self, kind: Kind, value: str) -> Fact:
        fact = Fact(kind, value, self.process, self.now, f"fact-{len(self.history.facts)}")
        self.history.facts.append(fact)
        self.stage.on_fact(fact)
        return fact

    def _end(self, fact: Fact, receipt: RevocationReceipt) -> None:
        fact.acked = fact.returned = self.now
        fact.tags.add(b64url_decode(receipt.idempotency_key))
        self.history.note(self.member.name, fact.kind, fact.name, receipt.seq)

    async def revoke_and_wait(self) -> None:
        """Revoke a session that nobody has revoked yet, and wait until nobody accepts it."""
        facts = self.history.facts
        tokens = [token for token in self.history.tokens[-_LATELY:] if not token.forged]
        for token in reversed(tokens):
            if not any(about(fact, token) for fact in facts):
                await self.take_back(SessionId(token.login.sid), wait=True)
                return

    async def revoke(self, *, wait: bool | None = None) -> None:
        login = self._some_login()
        if login is None:
            return
        token = self.random.choice(login.tokens[-3:])
        target: Target
        (target,) = self.random.choices(
            (
                TokenId(token.jti),
                SessionId(login.sid),
                SubjectId(login.subject),
                ClientId(login.client),
                Everything(),
            ),
            (6, 6, 6, 4, 1),
        )
        await self.take_back(target, wait=self.random.random() < 0.4 if wait is None else wait)

    async def take_back(self, target: Target, *, wait: bool) -> None:
        fact = self._begin(target.kind, target.id)
        timeout = self.random.choice((0.5, 4.0, 8.0))
        key: str | None = None
        for _ in range(_ATTEMPTS):
            try:
                receipt = await self.authority().revoke(
                    target, actor=fact.name, wait=wait, timeout=timeout, idempotency_key=key
                )
            except NotYetConfirmed as error:
                self._end(fact, error.receipt)
                return
            except StoreUnavailable as error:
                key = error.idempotency_key or key
                await asyncio.sleep(self.random.random())
            else:
                self._end(fact, receipt)
                if wait:
                    fact.fenced = self.now
                return

    async def block(self, subject: str | None = None) -> None:
        subject = subject or self.random.choice(SUBJECTS)
        fact = self._begin(Kind.BLOCK, subject)
        self._end(fact, await self.authority().block(subject, actor=fact.name))

    async def unblock(self) -> None:
        subject = self.random.choice(SUBJECTS)
        fact = self._begin(Kind.UNBLOCK, subject)
        self._end(fact, await self.authority().unblock(subject, actor=fact.name))
        other = self.random.choice(self.stage.authorities)
        if self.random.random() < 0.5 and not other.process.dead:
            # Somebody elsewhere, who may not have heard of it, sees it otherwise.
            other.process.start(Desk(self.stage, other).serve("block", subject))

    # --- keys -------------------------------------------------------------------------

    async def rotate_keys(self) -> None:
        await self.authority().rotate_keys()

    async def revoke_key(self) -> None:
        """Revoke the key that signs, which somebody else has by now."""
        ring = self.authority()._rotation.ring
        stolen = ring.signing_key(wall())
        self.stage.stolen.append(stolen)
        await self.take_back(KeyId(stolen.kid), wait=self.random.random() < 0.4)

    async def forge(self) -> None:
        """Sign something with a key that was stolen."""
        if self.stage.stolen:
            issuer = Issuer(
                key=self.random.choice(self.stage.stolen),
                issuer=ISSUER,
                audience=AUDIENCE,
                ttl=900,
                clock=wall,
                entropy=self.process.entropy,
            )
            thief = Login("mallory", "forged", self.now, self.now, "forged")
            issued = issuer.issue(
                subject="mallory", client_id="forged", since=Position(2**40, 0), sid="forged"
            )
            token = read(issued.text, thief, self.now)
            token.forged = True
            self.history.tokens.append(token)


def read(text: str, login: Login, now: float) -> Token:
    """Return what an access token says of itself, to somebody who trusts it."""
    header, payload, _ = text.split(".")
    claims = parse_object(b64url_decode(payload))
    kid = parse_object(b64url_decode(header))["kid"]
    return Token(text, claims["jti"], kid, login, now, float(claims["exp"]))
