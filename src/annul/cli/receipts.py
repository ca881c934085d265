"""How a receipt is shown, by every command that takes something back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annul.cli.options import Invocation
    from annul.core.revocation import RevocationReceipt

__all__ = ["show_receipt"]


def show_receipt(
    run: Invocation,
    receipt: RevocationReceipt,
    done: str,
    *,
    counted: bool = True,
    **more: object,
) -> None:
    """Print a receipt. ``done`` says what was done; ``counted`` whether sessions were counted."""
    result: dict[str, Any] = {
        "done": None if receipt.dry_run else done,
        **more,
        "dry_run": receipt.dry_run,
        "epoch": receipt.epoch,
        "seq": receipt.seq,
        "sessions": receipt.sessions if counted else None,
        "verifiers": receipt.verifiers,
        "waited_ms": round(receipt.waited_ms, 1),
        "laggards": list(receipt.laggards),
        "idempotency_key": receipt.idempotency_key,
    }
    if run.out.as_json:
        run.out.document(result)
        return
    if receipt.dry_run:
        sentence = "nothing was changed"
        if counted and receipt.sessions is not None:
            sentence += "; it would end " + _sessions(receipt.sessions)
    else:
        sentence = f"{done} at position {receipt.epoch}.{receipt.seq}"
        if counted and receipt.sessions is not None:
            sentence += ", ending " + _sessions(receipt.sessions)
        if receipt.waited_ms:
            sentence += (
                f"; after {receipt.waited_ms:.0f} ms no verifier can still accept"
                f" ({receipt.verifiers} confirmed, {len(receipt.laggards)} silent)"
            )
    run.out.lines([sentence])


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count} sessions"
