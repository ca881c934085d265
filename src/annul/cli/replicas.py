"""``annul replicas``: the lease table, which says who verifies and how far everybody has read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from annul.cli.opening import identity_of
from annul.cli.options import Invocation, uses
from annul.cli.settings import redact
from annul.errors import WrongStore
from annul.portal import portal
from annul.stores import open_store
from annul.stores.base import Lease

if TYPE_CHECKING:
    from annul.core.revocation import Watermark
    from annul.stores.base import Identity

__all__ = ["replicas"]


@click.command()
@uses("store", "issuer")
def replicas(run: Invocation) -> None:
    """List the verifiers that are registered with the store.

    Every replica is one, and so is every process with an authority. One that has ended without
    closing stands here for a little longer than the largest Δ.
    """
    identity = identity_of(run)
    if identity is None:
        raise WrongStore(
            f"nobody has opened the store {redact(run.config.store)} as an authority yet: check"
            " --store, or begin with annul login"
        )
    leases, head = portal.call(_look(run, identity))
    run.out.table(
        "replicas",
        [_record(lease, head) for lease in sorted(leases, key=lambda each: each.label)],
        {
            "label": "VERIFIER",
            "max_staleness": "DELTA",
            "epoch": "EPOCH",
            "seq": "SEQ",
            "behind": "BEHIND",
            "beat": "BEAT",
        },
    )


async def _look(run: Invocation, identity: Identity) -> tuple[tuple[Lease, ...], Watermark | None]:
    """Return the table, and where the log stands; ``None`` if the store was emptied meanwhile."""
    store = open_store(run.config.store, issuer=run.config.issuer)
    own = Lease(
        id=os.urandom(9).hex(),
        watermark=None,
        max_staleness=identity.horizon,
        label="annul replicas",
    )
    try:
        # Before our own lease is among them, which is how one learns where the log stands.
        leases = await store.leases()
        renewal = await store.renew(own)
        await store.release(own.id)
    finally:
        await store.close()
    return leases, None if renewal is None else renewal.head


def _record(lease: Lease, head: Watermark | None) -> dict[str, Any]:
    mark = lease.watermark
    behind = None
    if mark is not None and head is not None and mark.epoch == head.epoch:
        # Numbers have no gaps within an epoch. Our own look came later, and more may have come.
        behind = max(0, head.seq - mark.seq)
    return {
        "label": lease.label or lease.id,
        "max_staleness": lease.max_staleness,
        "epoch": None if mark is None else mark.epoch,
        "seq": None if mark is None else mark.seq,
        "behind": behind,
        "beat": lease.beat,
    }
