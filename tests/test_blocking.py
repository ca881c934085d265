"""One authority in two colours: what blocks and what is awaited are the same verbs."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.stores import open_store
from tests.stage import AUDIENCE, DELTA, ISSUER, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTINGS: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "max_staleness": DELTA}


def verbs(owner: type) -> dict[str, inspect.Signature]:
    functions = inspect.getmembers(owner, lambda member: isinstance(member, FunctionType))
    return {name: inspect.signature(value) for name, value in functions if not name.startswith("_")}


def test_the_verbs_have_equal_signatures() -> None:
    blocking, waiting = verbs(annul.Authority), verbs(annul.AsyncAuthority)
    assert blocking.keys() == waiting.keys()
    assert [name for name in blocking if blocking[name] != waiting[name]] == []


def test_every_verb_that_waits_in_one_blocks_in_the_other() -> None:
    for name in verbs(annul.AsyncAuthority):
        assert not inspect.iscoroutinefunction(getattr(annul.Authority, name)), name
    awaited = {
        name
        for name in verbs(annul.AsyncAuthority)
        if inspect.iscoroutinefunction(getattr(annul.AsyncAuthority, name))
    }
    assert verbs(annul.AsyncAuthority).keys() - awaited == {"verify", "watch"}


def test_every_verb_has_its_documentation() -> None:
    for name in verbs(annul.Authority):
        assert inspect.getdoc(getattr(annul.Authority, name)), name


VERBS: dict[str, Callable[[annul.Authority], object]] = {
    "login": lambda authority: authority.login("alice", client_id="web"),
    "refresh": lambda authority: authority.refresh("v1."),
    "logout": lambda authority: authority.logout("v1."),
    "sessions": lambda authority: authority.sessions("alice"),
    "revoke": lambda authority: authority.revoke(annul.Everything()),
    "block": lambda authority: authority.block("alice"),
    "unblock": lambda authority: authority.unblock("alice"),
    "rotate_keys": lambda authority: authority.rotate_keys(),
    "import_key": lambda authority: authority.import_key(b""),
    "export_key": lambda authority: authority.export_key("kid"),
    "keys": lambda authority: authority.keys(),
    "jwks": lambda authority: authority.jwks(),
    "require_refresh": lambda authority: authority.require_refresh("alice"),
    "end_others": lambda authority: authority.end_others("a.b.c"),
    "close": lambda authority: authority.close(),
}


def test_a_blocking_verb_in_a_running_loop_says_so_and_does_nothing() -> None:
    with annul.Authority.open("memory://colours", **SETTINGS) as authority:
        before = authority.jwks().to_json()
        assert VERBS.keys() == verbs(annul.Authority).keys() - {"verify", "watch"}

        async def call(verb: Callable[[annul.Authority], object]) -> None:
            verb(authority)

        for name, verb in VERBS.items():
            with pytest.raises(annul.Misconfigured) as raised:
                asyncio.run(call(verb))
            assert raised.value.code == "misconfigured", name
        assert authority.sessions("alice") == ()
        assert authority.jwks().to_json() == before


def test_opening_in_a_running_loop_says_so() -> None:
    async def go() -> None:
        annul.Authority.open("memory://colours", **SETTINGS)

    with pytest.raises(annul.Misconfigured):
        asyncio.run(go())


def test_verifying_in_a_running_loop_is_what_it_is_for() -> None:
    with annul.Authority.open("memory://colours", **SETTINGS) as authority:
        grant = authority.login("alice", client_id="web")

        async def go() -> str | None:
            return authority.verify(grant.access_token).session_id

        assert asyncio.run(go()) == grant.session_id


async def story(url: str) -> list[str]:
    """Live a whole life with the awaited verbs; return what was seen."""
    async with await annul.AsyncAuthority.open(url, publish_for=0, **SETTINGS) as authority:
        grant = await authority.login("alice", client_id="web")
        seen = [outcome(authority.verify, grant.access_token)]
        grant = await authority.refresh(grant.refresh_token)
        other = await authority.login("alice", client_id="web")
        await authority.end_others(grant.access_token)
        seen.append(outcome(authority.verify, other.access_token))
        seen.append(str(len(await authority.sessions("alice"))))
        kid = await authority.rotate_keys()
        seen.append(str(kid in {key.kid for key in await authority.jwks()}))
        await authority.export_key(kid)
        await authority.block("alice")
        seen.append(outcome(authority.verify, grant.access_token))
        await authority.unblock("alice")
        seen.append(outcome(authority.verify, grant.access_token))
        await authority.revoke(annul.Everything(), wait=True)
        seen.append(outcome(authority.verify, grant.access_token))
    seen.append(outcome(authority.verify, grant.access_token))
    return seen


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_awaited_verbs_tell_the_same_story(tmp_path: Path, store: str) -> None:
    url = "memory://story" if store == "memory" else f"sqlite:///{tmp_path}/annul.db"
    seen = asyncio.run(story(url))
    expected = ["accepted", "revoked", "1", "True", "revoked", "accepted", "revoked"]
    assert seen[:-1] == expected
    assert seen[-1] in {"revoked", "replica_stale"}  # closed, and bad in itself


def test_verbs_after_closing_say_that_it_is_closed() -> None:
    authority = annul.Authority.open("memory://colours", **SETTINGS)
    grant = authority.login("alice", client_id="web")
    authority.close()
    authority.close()
    with pytest.raises(annul.StoreUnavailable):
        authority.login("alice", client_id="web")
    with pytest.raises(annul.ReplicaStale):
        authority.verify(grant.access_token)


def test_an_authority_that_is_garbage_gives_up_its_lease(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/annul.db"
    keeper = annul.Authority.open(url, **SETTINGS)

    async def leases() -> int:
        store = open_store(url, issuer=ISSUER)
        try:
            return len(await store.leases())
        finally:
            await store.close()

    dropped = annul.Authority.open(url, **SETTINGS)
    assert asyncio.run(leases()) == 2
    gone = weakref.ref(dropped)
    del dropped
    gc.collect()
    assert gone() is None
    eventually(lambda: asyncio.run(leases()) == 1)
    keeper.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"algorithm": "HS256"},
        {"algorithm": None},
        {"access_ttl": 0},
        {"access_ttl": 86_401},
        {"access_ttl": True},
        {"access_ttl": 900.5},
        {"session_ttl": 899},
        {"idle_ttl": 0},
        {"grace": -1},
        {"grace": float("nan")},
        {"publish_for": -1},
        {"publish_for": 90_000},
        {"issuer": ""},
        {"issuer": None},
        {"audience": ""},
        {"audience": ()},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_said_when_opening(settings: dict[str, Any]) -> None:
    with pytest.raises(annul.Misconfigured):
        annul.Authority.open("memory://never", **SETTINGS | settings)


def test_opening_has_equal_parameters() -> None:
    owners = (annul.Authority, annul.AsyncAuthority)
    blocking, waiting = (list(inspect.signature(owner.open).parameters) for owner in owners)
    assert blocking == waiting
