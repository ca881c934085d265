"""What is done to a scene: each story is a function of one and of how often to do it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from tests.faults.targets import Fillable, Weakenable
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.actor import Actor
    from tests.faults.harness import Scene

_TRIES = 5


def kill_server(scene: Scene, times: int, *, enough: int = 25) -> None:
    """Kill the server under load, as often as ``enough`` revocations were acknowledged."""
    for _ in range(times):
        scene.await_acknowledged(enough)
        scene.target.kill()
        scene.target.start()
        healed = scene.now()
        scene.await_service(healed)
        scene.await_accepting(healed)
        scene.verdict.amount += 1


def kill_authority(scene: Scene, times: int, *, enough: int = 25) -> None:
    """Kill the authority in the middle of writing, and start another one."""
    for _ in range(times):
        scene.await_acknowledged(enough)
        scene.kill_authority()
        scene.add_authority()
        scene.verdict.amount += 1
    scene.await_accepting(scene.now())


def freeze(scene: Scene, times: int) -> None:
    """Freeze the store for longer than Δ, and let it go on."""
    silence(scene, times, scene.target.freeze, scene.target.thaw)


def unreachable(scene: Scene, times: int) -> None:
    """Take the store away for longer than Δ, and bring it back."""
    silence(scene, times, scene.target.kill, scene.target.start)


def silence(
    scene: Scene, times: int, harm: Callable[[], object], heal: Callable[[], object]
) -> None:
    """Silence the store until everybody refuses everything, and heal it.

    Nobody may accept what is presented more than Δ after the store has fallen silent, to the
    last microsecond: it is the same clock that verifiers and this process read.
    """
    for _ in range(times):
        scene.await_acknowledged(5)
        harm()
        silent = scene.now()
        try:
            until = silent + 1.5 * scene.delta
            scene.await_moment(until)
            # Not before everybody has been asked again since then.
            for witness in scene.witnesses():
                scene.wait(lambda witness=witness: not witness.accepts)  # type: ignore[misc]  # a lambda with a default
            until = scene.now()
        finally:
            heal()
        healed = scene.now()
        scene.await_accepting(healed)
        for witness in scene.witnesses():
            at = witness.accepted_between(silent + scene.delta, until)
            if at is not None:
                scene.violations.append(
                    Violation("accepted in silence", at, f"{witness.name} {at - silent:.3f} s")
                )
        scene.verdict.amount += 1


def start_in_silence(scene: Scene, times: int) -> None:
    """Start a verifier while the store is away or frozen; it must not accept before it has read."""
    target = scene.target
    for number in range(times):
        harm, heal = [(target.kill, target.start), (target.freeze, target.thaw)][number % 2]
        scene.await_acknowledged(5)
        harm()
        silent = scene.now()
        try:
            starter = scene.add_verifier()
            witness = scene.witness(starter)
            scene.wait(lambda witness=witness: witness.asked)  # type: ignore[misc]  # a lambda with a default
            until = scene.now()
        finally:
            heal()
        scene.await_accepting(scene.now())
        if witness.accepted_between(silent, until) is not None:
            scene.violate("accepted before it could know", starter.name)
        scene.retire(starter)
        scene.verdict.amount += 1


def weaken(scene: Scene, times: int) -> None:
    """Change the running server to where it may lose what it acknowledges, and back again."""
    target = scene.target
    assert isinstance(target, Weakenable)
    for _ in range(times):
        scene.await_acknowledged(5)
        target.weaken()
        weak = scene.now()
        try:
            scene.await_moment(weak + 1.0 + scene.delta)
            for name, fact in scene.history.facts.items():
                if weak + 1.0 < fact.acked < inf:
                    scene.violate("acknowledged by an unsafe store", name)
        finally:
            target.mend()
        scene.await_accepting(scene.now())
        scene.await_acknowledged(5)
        scene.verdict.amount += 1


def empty(scene: Scene, times: int) -> None:
    """Let the running store lose everything."""
    _lose(scene, times, scene.target.empty)


def wipe(scene: Scene, times: int) -> None:
    """Let the store be restarted with nothing in it."""
    _lose(scene, times, scene.target.wipe)


def _lose(scene: Scene, times: int, harm: Callable[[], object]) -> None:
    for _ in range(times):
        scene.await_acknowledged(25)
        scene.lose(harm)
        scene.await_accepting(scene.now())
        scene.verdict.amount += 1


def suspend_verifier(scene: Scene, times: int) -> None:
    """Suspend a verifier for longer than Δ while its tokens are taken back, and wake it."""
    for _ in range(times):
        scene.await_acknowledged(5)
        if not any(_suspend(scene, scene.verifiers[0]) for _ in range(_TRIES)):
            scene.violate("nothing shown", "no token of the suspended verifier was taken back")
        scene.verdict.amount += 1


def _suspend(scene: Scene, sleeper: Actor) -> bool:
    """Do it once; say whether it has been asked about a token that was taken back meanwhile."""
    sleeper.suspend()
    asleep = scene.now()
    # One that is stopped while it holds the only lock of a file keeps everybody from writing.
    enough = scene.history.acknowledged + 15
    longest = asleep + 4 * scene.delta
    scene.wait(lambda: scene.history.acknowledged >= enough or scene.now() > longest)
    scene.await_moment(max(scene.history.latest, asleep) + scene.delta)
    witness = scene.witness(sleeper)
    revoked = [
        jti
        for jti in witness.last
        if jti not in witness.refused and _was_taken_back(scene, jti, asleep)
    ]
    woken = scene.now()
    sleeper.wake()
    scene.await_accepting(woken)
    scene.wait(lambda: all(jti in witness.refused for jti in revoked))
    for jti in revoked:
        if witness.last[jti][0] >= woken:
            scene.violate("accepted on waking", jti)
    return bool(revoked)


def _was_taken_back(scene: Scene, jti: str, since: float) -> bool:
    token = scene.history.tokens[jti]
    return any(
        since <= fact.acked <= scene.now() - scene.delta
        and fact.id in {token.jti, token.sid, token.subject}
        for fact in scene.history.facts.values()
        if fact.acked < inf and (fact.id != token.subject or token.ended <= fact.began)
    )


def leap(scene: Scene, times: int) -> None:
    """Set the clock of a verifier, then of the authority, an hour forward and an hour back."""
    for _ in range(times):
        for seconds in (3600, -3600):
            scene.await_acknowledged(5)
            _leap(scene, scene.verifiers[0], seconds)
            scene.authorities[0].tell(f"leap {seconds}")
            # An hour before its keys were made it gives nothing out, and acknowledges nothing.
            scene.await_moment(scene.now() + scene.delta)
            scene.authorities[0].tell("leap 0")
            scene.await_acknowledged(5)
        scene.verdict.amount += 1


def _leap(scene: Scene, verifier: Actor, seconds: int) -> None:
    witness = scene.witness(verifier)
    leaps = len(witness.leaps)
    verifier.tell(f"leap {seconds}")
    scene.wait(lambda: len(witness.leaps) > leaps)
    scene.await_acknowledged(5)
    scene.await_moment(scene.now() + scene.delta)
    verifier.tell("leap 0")
    scene.wait(lambda: len(witness.leaps) == leaps + 2)
    (gone, _), (back, _) = witness.leaps[-2:]
    at = witness.accepted_between(gone, back)
    if at is not None:
        scene.violations.append(Violation("accepted by a wrong clock", at, verifier.name))
    scene.await_accepting(back)


def fill_disk(scene: Scene, times: int) -> None:
    """Fill the disk of the store until nothing is acknowledged any more, and make room again."""
    target = scene.target
    assert isinstance(target, Fillable)
    for _ in range(times):
        scene.await_acknowledged(10)
        target.fill()
        scene.await_moment(scene.now() + scene.delta)
        acknowledged = scene.history.acknowledged
        scene.await_moment(scene.now() + scene.delta)
        if scene.history.acknowledged > acknowledged:
            scene.violate("nothing shown", "the full disk kept nobody from writing")
        target.make_room()
        scene.await_accepting(scene.now())
        scene.await_acknowledged(10)
        scene.verdict.amount += 1
