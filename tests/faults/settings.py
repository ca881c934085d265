"""What the process of a scene is told on its command line, and the names that all of them share.

Nothing here imports pytest, because scenes start many processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.faults.diary import Diary

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"

ACCEPTED = "accepted"
"""The outcome of a verification that is none of the codes of errors."""

AUTHORITIES = "authority-*.jsonl"
VERIFIERS = "verifier-*.jsonl"
"""The names of the diaries."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``pause`` is how long a process rests between two rounds of its work, in seconds."""

    url: str
    folder: str
    name: str
    delta: float
    pause: float
    workers: int = 2

    def diary(self) -> Diary:
        return Diary(Path(self.folder) / f"{self.name}.jsonl")
