"""``annul doctor``: looks at everything a deployment needs, changes nothing, says what to do."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import click

from annul.cli import exits
from annul.cli.opening import authority, identity_of
from annul.cli.opening import replica as open_replica
from annul.cli.options import AUTHORITY, Invocation, uses
from annul.cli.output import printable
from annul.cli.settings import SETTINGS, redact
from annul.core.revocation import CLOCK_SKEW
from annul.errors import AnnulError, Misconfigured, WrongStore
from annul.portal import portal
from annul.stores import open_store
from annul.stores.base import Identity, Lease, Renewal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["doctor"]

_NOTICEABLE = 2.0
"""Seconds between two clocks that are worth a word, though nothing refuses tokens for them yet."""

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "bright_black"}


@dataclass(frozen=True, slots=True)
class Check:
    """What one look has found. ``code`` is that of the error, if it was one."""

    status: Literal["ok", "warning", "failed", "skipped"]
    found: str
    code: str | None = None


@dataclass(slots=True)
class Patient:
    """The store being examined, and what the checks so far know about it."""

    run: Invocation
    recorded: Identity | None = None
    renewal: Renewal | None = None
    leases: tuple[Lease, ...] = ()
    own: str = field(default_factory=lambda: os.urandom(9).hex())

    @property
    def identity(self) -> Identity:
        """The identity; raises ``WrongStore`` if nobody has founded the store."""
        if self.recorded is None:
            raise WrongStore(
                "nobody has opened this store as an authority yet: begin with annul login, or check"
                " --store"
            )
        return self.recorded


def _store(patient: Patient) -> Check:
    began = time.perf_counter()
    patient.recorded = identity_of(patient.run)
    took = (time.perf_counter() - began) * 1000
    return Check("ok", f"{redact(patient.run.config.store)} answers in {took:.1f} ms")


def _identity(patient: Patient) -> Check:
    known = patient.identity
    return Check(
        "ok",
        f"belongs to {known.issuer}; verifiers may be {known.horizon:g} s behind, tokens live"
        f" {known.longest_token} s and sessions {known.longest_session} s at most",
    )


def _durability(patient: Patient) -> Check:
    run = patient.run

    async def found_again() -> None:
        store = open_store(
            run.config.store,
            issuer=run.config.issuer,
            allow_volatile=run.allow_volatile_store,
        )
        try:
            # Founding a store as what it is changes nothing, and is where a backend refuses a
            # set-up that would lose what it acknowledges.
            await store.found(patient.identity, time.time())
        finally:
            await store.close()

    portal.call(found_again())
    if run.allow_volatile_store:
        return Check("warning", "not asked for: --allow-volatile-store accepts losing revocations")
    return Check("ok", "what it acknowledges is on stable storage")


def _keys(patient: Patient) -> Check:
    run = patient.run
    # With everything left to its default, no limit of the store can grow by being looked at.
    careful = replace(run.config, defaulted=frozenset(SETTINGS))
    with authority(replace(run, config=careful)) as opened:
        keys = opened.keys()
    states = Counter(str(key.state) for key in keys if key.purpose == "token")
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    if not states["active"]:
        raise Misconfigured("no key signs now: annul keys rotate makes one")
    return Check("ok", f"they open with the key-encryption key: {counted}")


def _clock(patient: Patient) -> Check:
    async def renew() -> None:
        store = open_store(patient.run.config.store, issuer=patient.run.config.issuer)
        try:
            # Before our own lease is among them.
            patient.leases = await store.leases()
            patient.renewal = await store.renew(
                Lease(
                    id=patient.own,
                    watermark=None,
                    max_staleness=patient.identity.horizon,
                    label="annul doctor",
                )
            )
            await store.release(patient.own)
        finally:
            await store.close()

    portal.call(renew())
    if patient.renewal is None:
        raise WrongStore("the store has lost its identity; restore it")
    apart = abs(patient.renewal.store_time - time.time())
    if apart > CLOCK_SKEW:
        raise Misconfigured(
            f"this machine's clock and the store's are {apart:.0f} s apart, so verifiers refuse"
            f" everything (beyond {CLOCK_SKEW} s): synchronise the clocks"
        )
    if apart > _NOTICEABLE:
        return Check("warning", f"{apart:.0f} s from the store's: synchronise the clocks")
    return Check("ok", f"{apart * 1000:.0f} ms from the store's")


def _leases(patient: Patient) -> Check:
    if patient.renewal is None:
        return Check("skipped", "needs the check before it")
    head = patient.renewal.head.position
    behind = [
        lease.label or lease.id
        for lease in patient.leases
        if lease.watermark is None or lease.watermark.position < head
    ]
    count = len(patient.leases)
    known = f"{count} verifier{'' if count == 1 else 's'} registered"
    if behind:
        names = ", ".join(printable(name) for name in behind[:5])
        return Check(
            "warning",
            f"{known}, {len(behind)} not up to date ({names}): look again in a moment; one that"
            " stays so was killed, or has lost the store and refuses tokens",
        )
    return Check("ok", f"{known}, all up to date")


def _staleness(patient: Patient) -> Check:
    with open_replica(patient.run) as verifier:
        keys, age, alarms = len(verifier.jwks), verifier.staleness, verifier.alarms
        if not verifier.fresh:
            raise Misconfigured(
                "a verifier does not become ready: mend what failed above, or raise"
                " --ready-timeout if the store is only slow"
            )
    known = f"a verifier is ready with {keys} public key{'' if keys == 1 else 's'}"
    if alarms:
        times = "once" if alarms == 1 else f"{alarms} times"
        return Check(
            "warning",
            f"{known}, but has seen the store lose data {times}: find out why, and look at the log"
            " of the verifiers",
        )
    return Check("ok", f"{known}, {age * 1000:.0f} ms behind, no alarm")


CHECKS: tuple[tuple[str, Callable[[Patient], Check]], ...] = (
    ("store", _store),
    ("identity", _identity),
    ("durability", _durability),
    ("keys", _keys),
    ("clock", _clock),
    ("leases", _leases),
    ("staleness", _staleness),
)
_FIRST = {"store", "identity"}


@click.command()
@uses(*AUTHORITY, "ready_timeout", volatile=True)
def doctor(run: Invocation) -> int:
    """Examine a deployment, and say what to do.

    Looks at the store, its keys, its clock and its verifiers, and changes nothing. It exits with 1
    if a check failed.
    """
    patient = Patient(run)
    checks: list[tuple[str, Check]] = []
    lost = False
    for name, look in CHECKS:
        if lost:
            check = Check("skipped", "needs the checks before it")
        else:
            try:
                check = look(patient)
            except AnnulError as error:
                check = Check("failed", exits.sentence(error), error.code)
                lost = name in _FIRST
        checks.append((name, check))
    healthy = all(check.status != "failed" for _name, check in checks)
    if run.out.as_json:
        found = [{"name": name, **asdict(check)} for name, check in checks]
        run.out.document({"healthy": healthy, "checks": found})
    else:
        for name, check in checks:
            mark = f"{check.status:<8}"
            if run.out.colour:
                mark = click.style(mark, fg=_COLOURS[check.status])
            run.out.lines([f"{mark} {name:<10}  {printable(check.found)}"])
    return 0 if healthy else exits.REFUSED
