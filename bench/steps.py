"""Where the time of a first verification goes: each step alone, in the order of the verifier.

Alone, a step is measured in a warm loop. Between two signatures the same code runs colder, so the
steps add up to less than what the whole takes beyond the bare signature; the rest says how much.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from annul.core.ecdsa import der_from_raw
from annul.core.encoding import decode_segment, parse_object
from annul.core.jws import MAX_TOKEN_LENGTH, split
from bench.measure import per_call

if TYPE_CHECKING:
    from collections.abc import Callable

    import annul

__all__ = ["steps"]

_ROUNDS = 15


def steps(tokens: list[str], policy: annul.Policy, *, ecdsa: bool) -> list[tuple[str, float]]:
    """Return the steps of a first verification and their seconds per token, medians."""
    parts = [split(token) for token in tokens]
    payloads = [decode_segment(payload) for _, payload, _, _ in parts]
    signatures = [decode_segment(signature) for _, _, signature, _ in parts]
    claims = [parse_object(payload) for payload in payloads]
    rows = [
        ("size, ASCII, two dots", _time(lambda token: split(token, MAX_TOKEN_LENGTH), tokens)),
        ("payload as canonical base64url", _time(decode_segment, [part[1] for part in parts])),
        ("signature as canonical base64url", _time(decode_segment, [part[2] for part in parts])),
        ("payload as strict JSON", _time(parse_object, payloads)),
        ("claims against the policy", _time(policy.check, claims)),
    ]
    if ecdsa:
        rows.append(("R and S as DER", _time(lambda raw: der_from_raw(raw, 32), signatures)))
    return rows


def _time(step: Callable[[Any], object], inputs: list[Any]) -> float:
    def block() -> int:
        for value in inputs:
            step(value)
        return len(inputs)

    return median(per_call(block) for _ in range(_ROUNDS))
