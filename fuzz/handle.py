"""Any bytes as a refresh token: the parts of one that was minted here, or InvalidGrant."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from annul.core.handle import mint, read

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = {name: hashlib.sha256(name.encode()).digest() for name in ("k1", "k2", "k" * 32)}


def samples() -> Iterator[bytes]:
    for name, secret in KEYS.items():
        for generation in (0, 1, 10, 999_999_999_999_999):
            yield mint(name, secret, "A" * 22, generation).encode()
    yield mint("k3", bytes(32), "A" * 22, 1).encode()


MINTED = {sample.decode() for sample in samples()}


def target(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "surrogateescape")):
        parts = read(text, KEYS.get)
        # Nothing but what was minted comes through, and it is written back the same.
        assert text in MINTED
        assert mint(parts.key_id, KEYS[parts.key_id], parts.family, parts.generation) == text


if __name__ == "__main__":
    run(target, list(samples()))
