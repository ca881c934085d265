"""What happened, in true time: everything that the checker may know, and a hash over all of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annul.core.revocation import Kind
    from tests.simulation.store_client import ClientStore
    from tests.simulation.virtual_time import Process, World

FORGER = "forger"
"""Who is named in entries that no authority has decided."""


@dataclass(eq=False)
class Login:
    """One session as its user knows it."""

    subject: str
    client: str
    invoked: float
    returned: float
    sid: str
    tokens: list[Token] = field(default_factory=list)
    handles: list[str] = field(default_factory=list)
    used: list[Use] = field(default_factory=list)
    busy: bool = False


@dataclass(eq=False)
class Use:
    """One presentation of a refresh token."""

    login: Login
    handle: str
    generation: int
    invoked: float
    returned: float | None = None
    outcome: str = "pending"
    successor: str | None = None


@dataclass(eq=False)
class Token:
    """One access token."""

    text: str
    jti: str
    kid: str
    login: Login
    minted: float
    expires: float
    forged: bool = False


@dataclass(eq=False)
class Fact:
    """One revocation as its caller knows it. ``acked`` is when it was first acknowledged."""

    kind: Kind
    id: str
    by: Process
    invoked: float
    name: str
    acked: float | None = None
    fenced: float | None = None
    tags: set[bytes] = field(default_factory=set)
    proven: bool = True
    returned: float | None = None


@dataclass(eq=False)
class Watcher:
    """One replica from its opening to its end; ``beside`` is the authority's process, if any."""

    name: str
    process: Process
    delta: float
    leeway: float
    beside: bool = False
    stores: list[ClientStore] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Answer:
    """One ``verify``: ``outcome`` is "accepted" or the code of the error.

    ``off`` is by how much the wall clock there was ahead of the store's.
    """

    watcher: Watcher
    token: Token
    began: float
    ended: float
    outcome: str
    off: float


class History:
    """Everything that happened."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hash = blake2b(digest_size=16)
        self.latest: deque[str] = deque(maxlen=20000)
        self.length = 0
        self.logins: list[Login] = []
        self.tokens: list[Token] = []
        self.facts: list[Fact] = []
        self.uses: list[Use] = []
        self.watchers: list[Watcher] = []
        self.answers: list[Answer] = []
        self.unexpected: list[str] = []
        self.finals: dict[str, list[tuple[str, Token, str | None]]] = {}
        """What came of presenting every token to everybody, after healing and at the end."""
        self.healed = float("inf")

    def note(self, *words: object) -> None:
        """Write one line of the trace."""
        line = f"{self._world.now:.6f} {' '.join(map(str, words))}"
        self._hash.update(line.encode())
        self.latest.append(line)
        self.length += 1

    @property
    def digest(self) -> str:
        """A hash over the trace, and over how often everybody has thrown dice until now."""
        digest = self._hash.copy()
        for dice in self._world.dice:
            digest.update(repr(dice.getstate()).encode())
        return digest.hexdigest()
