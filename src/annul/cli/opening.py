"""Opening what a command works with: an authority, or a verifier of the same store.

Both look at the store first. A command that takes something back must not found a store because
somebody mistyped its name, and one that verifies need not wait for a store that nobody founded.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import annul
from annul.cli.loading import loading
from annul.cli.settings import redact
from annul.errors import Misconfigured, ReplicaStale, StoreUnavailable, WrongStore
from annul.portal import portal
from annul.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.cli.options import Invocation
    from annul.stores.base import Identity

__all__ = ["authority", "following", "identity_of", "replica"]


async def _identity(url: str) -> Identity | None:
    store = open_store(url, issuer=None)
    try:
        return await store.identity()
    finally:
        await store.close()


def identity_of(run: Invocation) -> Identity | None:
    """Return what the store was founded as, ``None`` if nobody has founded it.

    Raises ``WrongStore`` if it belongs to another issuer than the one that was named.
    """
    url, issuer = run.config.store, run.config.issuer
    if url.startswith("memory:"):
        raise Misconfigured(
            "memory:// ends with the process that made it; name a store that stays, such as"
            " sqlite:///annul.db"
        )
    identity = portal.call(_identity(url))
    if identity is not None and identity.issuer != issuer:
        raise WrongStore(
            f"the store {redact(url)} belongs to the issuer {identity.issuer}, not to {issuer}:"
            " set --issuer or ANNUL_ISSUER, or name another store"
        )
    return identity


@contextmanager
def authority(run: Invocation, *, founds: bool = False) -> Iterator[annul.Authority]:
    """Open the authority of the configured store; only ``founds=True`` founds an empty one.

    What nobody has set stays within what the store already promises: a command run with defaults
    must not stretch the staleness or the lifetimes of somebody's deployment.
    """
    config = run.config
    identity = identity_of(run)
    if identity is None and not founds:
        raise WrongStore(
            f"nobody has opened the store {redact(config.store)} as an authority yet: check"
            " --store, or begin with annul login"
        )
    limits = {
        "max_staleness": config.max_staleness,
        "access_ttl": config.access_ttl,
        "session_ttl": config.session_ttl,
    }
    if identity is not None:
        promised = {
            "max_staleness": identity.horizon,
            "access_ttl": identity.longest_token,
            "session_ttl": identity.longest_session,
        }
        for name in config.defaulted.intersection(promised):
            limits[name] = min(limits[name], promised[name])
    audience = config.audience
    with loading(run.out) as progress:
        opened = annul.Authority.open(
            config.store,
            issuer=config.issuer,
            audience=audience[0] if len(audience) == 1 else audience,
            algorithm=config.algorithm,
            access_ttl=int(limits["access_ttl"]),
            session_ttl=int(limits["session_ttl"]),
            idle_ttl=config.idle_ttl,
            grace=config.grace,
            publish_for=config.publish_for,
            max_staleness=limits["max_staleness"],
            ready_timeout=config.ready_timeout,
            kek=config.kek,
            kek_file=config.kek_file,
            allow_volatile_store=run.allow_volatile_store,
            audit_file=config.audit_file,
            progress=progress,
        )
    with opened:
        yield opened


@contextmanager
def replica(run: Invocation) -> Iterator[annul.Replica]:
    """Open a verifier of the configured store, and wait until it is ready.

    Raises ``ReplicaStale`` if nobody has founded the store, because nothing it could be asked has
    an answer then, and ``StoreUnavailable`` if it cannot be reached.
    """
    identity = identity_of(run)
    if identity is None:
        raise ReplicaStale(
            f"nobody has opened the store {redact(run.config.store)} as an authority yet: check"
            " --store",
            cause="store_empty",
        )
    with _replica(run, identity) as opened:
        yield opened


@contextmanager
def following(run: Invocation) -> Iterator[annul.Replica]:
    """Open a verifier that may begin before its store does; it is stale until then."""
    try:
        identity = identity_of(run)
    except StoreUnavailable:
        identity = None
    with _replica(run, identity) as opened:
        yield opened


def _replica(run: Invocation, identity: Identity | None) -> annul.Replica:
    config = run.config
    staleness = config.max_staleness
    if identity is not None and "max_staleness" in config.defaulted:
        staleness = min(staleness, identity.horizon)
    with loading(run.out) as progress:
        return annul.Replica.open(
            config.store,
            policy=annul.Policy(issuer=config.issuer, audience=config.audience),
            max_staleness=staleness,
            ready_timeout=config.ready_timeout,
            progress=progress,
        )
