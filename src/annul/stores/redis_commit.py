"""What makes the answer of a script an acknowledgement: all nodes have it, and will keep it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from annul.errors import Misconfigured, StoreUnavailable, UnsafeStore
from annul.stores.redis_copies import ALONE, Copies
from annul.stores.redis_safety import (
    QUESTIONS,
    can_tell_synced,
    check_durable,
    check_others,
    check_usable,
    facts_from,
)
from annul.stores.redis_scripts import key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.stores.redis_lane import Command
    from annul.stores.redis_link import Link
    from annul.stores.redis_safety import Facts
    from annul.stores.redis_scripts import Script
    from annul.stores.redis_url import Host

__all__ = ["Commits"]

_CHECK_EVERY = 0.5
_SHARE_OF_WAITING = 0.4  # of the time that an operation may take; it may wait twice


class Commits:
    """Runs scripts whose answers count only if what they wrote is kept."""

    def __init__(self, link: Link, *, allow_volatile: bool) -> None:
        self._link = link
        self._allow_volatile = allow_volatile
        self._checked_at = float("-inf")
        self._copies: Copies | None = None
        self._named: tuple[Host, ...] = ()

    @property
    def nodes(self) -> int:
        """On how many nodes the store is kept; raises ``Misconfigured`` if nobody says."""
        address = self._link.address
        if not address.via:
            return 1
        if address.nodes is None:
            raise Misconfigured(
                "say how many nodes keep the store, the primary included: ?nodes=3; all of them"
                " have to confirm before a revocation counts"
            )
        return address.nodes

    async def check(self) -> None:
        """Ask every node how it is set up, before anything is written.

        Raises ``Misconfigured`` for a server that annul cannot use, and ``UnsafeStore`` for one
        that would lose what it acknowledged.
        """
        nodes = self.nodes
        facts = self._facts(await self._link.attempt(*QUESTIONS))
        check_usable(facts, self._link.address)
        self._copies = self._copies_by(facts)
        if not self._allow_volatile:
            check_durable(facts, self._link.address.place)
            others = await self._others()
            check_others(others, nodes, self._link.address.place)
            self._named = tuple(others)
            silent = [str(host) for host, known in others.items() if not known]
            if silent or len(others) < nodes - 1:
                raise StoreUnavailable(
                    f"of {nodes} nodes of {self._link.address.place} all must answer before the"
                    f" first write, but {', '.join(silent) or 'not so many are known'}"
                    + (" did not" if silent else "")
                )

    async def run(self, script: Script, *arguments: str) -> Any:  # noqa: ANN401 - its answer
        """Return what a script answers, which acknowledges what it has written.

        Twice a second the server is asked on the same connection, after the script, whether it
        is still set up to keep that, and the other nodes are asked too; raises ``UnsafeStore`` if
        one is not. ``StoreUnavailable`` if not all nodes have it: it may have happened.
        """
        copies = await self._wanted()
        address = self._link.address
        now = asyncio.get_running_loop().time()
        is_due = not self._allow_volatile and now - self._checked_at >= _CHECK_EVERY
        waits = copies.for_all(address.prefix, self._milliseconds())
        also: tuple[Command, ...] = (
            *waits,
            ("HGET", key(address.prefix, "meta"), "nodes"),
            *(QUESTIONS if is_due else ()),
        )
        answers = await self._link.call_and(script, arguments, also)
        (answer,) = self._link.checked(answers[:1])
        confirmed, counted, told = answers[1 : len(waits) + 1], answers[len(waits) + 1], 2
        try:
            copies.check_all(self._link.checked(confirmed), address.place, self._named)
        except StoreUnavailable:
            if not self._allow_volatile:
                # Somebody's settings may be why.
                await self._check_setup(await self._link.attempt(*QUESTIONS))
            # And this may be a primary that has been replaced and cut off from the others.
            self._link.forget()
            raise
        if isinstance(counted, bytes) and int(counted) != self.nodes:
            raise UnsafeStore(
                f"{address.place} is kept on {int(counted)} nodes by now, and this authority waits"
                f" for {self.nodes}: open it again with nodes={int(counted)}"
            )
        if is_due:
            await self._check_setup(answers[len(waits) + told :])
            self._checked_at = now
        return answer

    async def _check_setup(self, answers: Sequence[Any]) -> None:
        check_durable(self._facts(answers), self._link.address.place)
        others = await self._others()
        check_others(others, self.nodes, self._link.address.place)
        self._named = tuple(others)

    async def _wanted(self) -> Copies:
        if self.nodes == 1:
            return ALONE
        if self._copies is None:
            self._copies = self._copies_by(self._facts(await self._link.attempt(*QUESTIONS)))
        return self._copies

    def _copies_by(self, facts: Facts) -> Copies:
        is_strict = not self._allow_volatile and facts["accepted"] == "always"
        return Copies(self.nodes, synced=is_strict and can_tell_synced(facts))

    def _milliseconds(self) -> int:
        return max(1, int(self._link.address.timeout * _SHARE_OF_WAITING * 1000))

    async def _others(self) -> dict[Host, Facts]:
        """Return what is known of the nodes that may be promoted; of those down, nothing."""
        if self.nodes == 1:
            return {}
        answers = await self._link.ask_others(*QUESTIONS)
        return {host: {} if one is None else self._facts(one) for host, one in answers.items()}

    def _facts(self, answers: Sequence[Any]) -> Facts:
        return facts_from(answers, self._link.address)
