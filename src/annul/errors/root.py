"""The root of the error tree."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["AnnulError"]


class AnnulError(Exception):
    """The root: catching it catches everything annul raises on purpose.

    ``code`` is stable across releases and safe for logs and metric labels.
    """

    code: ClassVar[str] = "error"
