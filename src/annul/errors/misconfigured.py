"""The deployer's fault: raised when things are constructed."""

from __future__ import annotations

from annul.errors.root import AnnulError

__all__ = ["InvalidKey", "Misconfigured", "MissingDependency", "UnsafeStore", "WrongStore"]


class Misconfigured(AnnulError):
    """A setting cannot work; raised when an object is constructed, never while verifying."""

    code = "misconfigured"


class InvalidKey(Misconfigured, ValueError):
    """Key material that cannot be read, is too weak, or is not what it claims to be."""

    code = "invalid_key"


class UnsafeStore(Misconfigured):
    """The store would lose acknowledged revocations. The message names the setting to change."""

    code = "unsafe_store"


class WrongStore(Misconfigured):
    """The store belongs to another issuer, is not annul's, or has a newer schema."""

    code = "wrong_store"


class MissingDependency(Misconfigured, ImportError):
    """An optional dependency is missing; the message has the install command."""

    code = "missing_dependency"
