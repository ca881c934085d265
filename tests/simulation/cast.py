"""Who takes part: processes with the real ``Replica`` in them, and some with an authority too."""

from __future__ import annotations

import asyncio
import copy
import weakref
from typing import TYPE_CHECKING, Any

from annul.authority.kek import KekSource
from annul.authority.recovery import Recovery
from annul.authority.rotation import Rotation
from annul.authority.settings import Settings
from annul.core.encoding import b64url_encode
from annul.core.policy import Policy
from annul.door import AsyncAuthority
from annul.errors import AnnulError
from annul.stores.base import Identity
from tests.simulation.edges import Died, HeldDenylist, Hold, SimulatedReplica, wall
from tests.simulation.history import Answer, Fact, History, Token, Watcher
from tests.simulation.network import Link
from tests.simulation.store_client import ClientStore
from tests.simulation.virtual_time import Machine, Process, World
from tests.simulation.workload import AUDIENCE, ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.jwk import PrivateKey
    from annul.core.jwks import JWKS
    from tests.simulation.store_model import StoreModel

HORIZON = 3.0
GRACE = 2.0


class Member:
    """One process with a replica, which can be started again after it has died."""

    def __init__(
        self, stage: Stage, machine: Machine, name: str, *, delta: float, leeway: float = 0.0
    ) -> None:
        self.stage = stage
        self.machine = machine
        self.name = name
        self.delta = delta
        self.leeway = leeway
        self.fixed = False
        """Whether it trusts, whatever the store says, the keys that there were at first."""
        self.policy = Policy(issuer=ISSUER, audience=AUDIENCE, leeway=leeway)
        self.start()

    def start(self) -> None:
        """Start a process; what another one knew is gone."""
        self.process = Process(self.stage.world, self.machine, self.name)
        self.link = Link(self.stage.world, self.process)
        self.replica: SimulatedReplica | None = None
        self.watcher = self._watcher()
        self.process.start(self._open())

    def _watcher(self) -> Watcher:
        watcher = Watcher(self.name, self.process, self.delta, self.leeway)
        self.stage.history.watchers.append(watcher)
        return watcher

    def store(self) -> ClientStore:
        store = ClientStore(self.process, self.link, self.stage.model)
        self.watcher.stores.append(store)
        return store

    async def _open(self) -> None:
        if self.fixed and self.stage.first_keys is None:
            # The deployer has nothing to give it yet.
            self.process.loop.call_later(0.05, self._try_again)
        else:
            self._follow()

    def _try_again(self) -> None:
        self.process.start(self._open())

    def _follow(self) -> None:
        self.replica = SimulatedReplica(
            self.store,
            policy=self.policy,
            max_staleness=self.delta,
            ready_timeout=0,
            jwks=self.stage.first_keys if self.fixed else None,
            clock=wall,
        )

    def leave(self) -> None:
        """Stop following and give up the lease, as a process does that ends in good order."""
        if self.replica is not None and not self.process.dead:
            self.stage.history.note(self.name, "leaves")
            self.stage.world.entered.append(self.process)
            try:
                self.replica._stop()
            finally:
                self.stage.world.entered.pop()
            self.process.look()

    def die(self) -> None:
        self.stage.history.note(self.name, "dies")
        self.process.die()

    def fork(self) -> None:
        """Go on as the child of a fork: with what was in memory, and nobody following."""
        parent, self.process = self.process, Process(self.stage.world, self.machine, self.name)
        self.stage.history.note(self.name, "forks")
        self.link = Link(self.stage.world, self.process)
        self.watcher = self._watcher()
        if self.replica is not None:
            self.replica = forked(self.replica, self)
        parent.die()

    def verify(self, token: Token, *, holds: int = 0) -> str | None:
        """Present a token here and now; return what came of it."""
        process, watcher, replica = self.process, self.watcher, self.replica
        if replica is None or process.dead or not process.runs:
            return None
        world = self.stage.world
        began = world.now
        world.entered.append(process)
        Hold.left = holds
        try:
            replica.verify(token.text)
            outcome = "accepted"
        except AnnulError as error:
            outcome = getattr(error, "cause", None) or error.code
        except Died:
            return None
        finally:
            Hold.left = 0
            world.entered.pop()
        if process.dead:
            return None
        history = self.stage.history
        off = self.machine.wall() - self.stage.model.machine.wall()
        history.answers.append(Answer(watcher, token, began, world.now, outcome, off))
        history.note(self.name, "verify", history.tokens.index(token), outcome)
        process.look()
        return outcome

    def wake(self) -> None:
        """Let the child of a fork begin to follow, as the first good token would."""
        if self.replica is not None and not self.process.dead:
            self.stage.world.entered.append(self.process)
            try:
                self.replica.resume()
            finally:
                self.stage.world.entered.pop()


def forked(parent: SimulatedReplica, member: Member) -> SimulatedReplica:
    """Return the replica that the child of a fork has."""
    child = copy.copy(parent)
    child._denylist = HeldDenylist(list(parent._denylist))
    child._denylist.watermark = parent._denylist.watermark
    child._archive = type(parent._archive)(child._denylist, issuer=ISSUER)
    child._verifier = copy.copy(parent._verifier)
    child._verifier.denylist = child._denylist
    child._follower = copy.copy(parent._follower)
    child._open_reader = member.store
    child._stop = weakref.finalize(child, asyncio.Event().set)  # type: ignore[call-arg,arg-type]  # nobody follows for it
    child._after_fork()
    return child


class AuthorityMember(Member):
    """One process with an authority and the replica beside it."""

    def __init__(self, stage: Stage, machine: Machine, name: str, **options: Any) -> None:  # noqa: ANN401 - those of Member
        self.authority: AsyncAuthority | None = None
        super().__init__(stage, machine, name, **options)

    def start(self) -> None:
        self.authority = None
        super().start()

    def _watcher(self) -> Watcher:
        watcher = super()._watcher()
        watcher.beside = True
        return watcher

    async def _open(self) -> None:
        while True:
            try:
                await self._open_authority()
            except AnnulError as error:
                self.stage.history.note(self.name, "cannot open", error.code)
                await asyncio.sleep(0.2)
            else:
                return

    async def _open_authority(self) -> None:
        stage, process = self.stage, self.process
        store = ClientStore(process, self.link, stage.model)
        settings = Settings(
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithm="Ed25519",
            access_ttl=stage.access_ttl,
            session_ttl=stage.session_ttl,
            idle_ttl=stage.session_ttl,
            grace=GRACE,
            publish_for=4.0,
            clock=wall,
            entropy=process.entropy,
        )
        identity = await store.found(
            Identity(
                issuer=ISSUER,
                lineage=b64url_encode(process.entropy(12)),
                horizon=HORIZON,
                longest_token=stage.access_ttl,
                longest_session=stage.session_ttl,
            ),
            wall(),
        )
        kek = KekSource.choose("", issuer=ISSUER, kek=bytes(32), kek_file=None)
        rotation = Rotation(store, settings, kek)
        await rotation.load()
        self._follow()
        replica = self.replica
        if replica is None:
            raise AssertionError("it has just been opened")
        recovery = Recovery(store, rotation, identity, replica, clock=wall, may_found=lambda: True)
        stage.first_keys = stage.first_keys or rotation.jwks()
        stage.lineage = stage.lineage or identity.lineage
        self.authority = AsyncAuthority(store, settings, rotation, replica, recovery)
        self.authority._look_after_store()
        stage.history.note(self.name, "opens")


class Stage:
    """The world, its store, what happens and who takes part."""

    def __init__(self, world: World, model: StoreModel, history: History) -> None:
        self.world = world
        self.model = model
        self.history = history
        self.verbs: dict[str, int] = {}
        """What people do at the authorities, and how often."""
        self.access_ttl = 900
        self.session_ttl = 86_400
        self.first_keys: JWKS | None = None
        self.stolen: list[PrivateKey] = []
        """Signing keys that somebody else has, too."""
        self.on_fact: Callable[[Fact], None] = lambda _fact: None
        """Is told of every revocation that somebody is about to make."""
        self.revokes_keys = False
        """Whether keys are revoked here, or else rotated."""
        self.authorities: list[AuthorityMember] = []
        self.verifiers: list[Member] = []
        self.lineage: str | None = None
        """What the store was founded as."""

    @property
    def members(self) -> list[Member]:
        return [*self.authorities, *self.verifiers]
