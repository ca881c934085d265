"""The blocking authority: the async one, called through the portal. One implementation."""

from __future__ import annotations

import contextlib
import weakref
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from annul.door import AsyncAuthority
from annul.errors import Unavailable
from annul.portal import portal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from annul.core.claims import VerifiedToken
    from annul.replica import Replica
    from annul.replica.watch import Watch

__all__ = ["Authority"]

P = ParamSpec("P")
R = TypeVar("R")


def _blocking(
    verb: Callable[Concatenate[AsyncAuthority, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Authority, P], R]:
    def call(self: Authority, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return portal.call(verb(self._authority, *args, **kwargs))

    update_wrapper(call, verb)
    return call


def _opening(
    verb: Callable[P, Coroutine[Any, Any, AsyncAuthority]],
) -> Callable[Concatenate[type[Authority], P], Authority]:
    def call(cls: type[Authority], /, *args: P.args, **kwargs: P.kwargs) -> Authority:
        return cls(portal.call(verb(*args, **kwargs)))

    # The function under the bound method, whose signature still has the class in front.
    update_wrapper(call, getattr(verb, "__func__", verb))
    return call


class Authority:
    """The side that signs and takes back, for blocking code; the verbs of ``AsyncAuthority``.

    Thread-safe, and usable after ``fork``. Called from a running event loop, which it would block,
    it raises ``Misconfigured``.

    Example::

        with annul.Authority.open("sqlite:///annul.db", issuer="https://auth.example",
                                  audience="https://api.example") as authority:
            grant = authority.login("alice", client_id="web")
            authority.logout(grant.access_token)
    """

    def __init__(self, authority: AsyncAuthority) -> None:
        self._authority = authority
        self._leave = weakref.finalize(self, _close, authority)
        self._leave.atexit = False

    open = classmethod(_opening(AsyncAuthority.open))

    login = _blocking(AsyncAuthority.login)
    refresh = _blocking(AsyncAuthority.refresh)
    logout = _blocking(AsyncAuthority.logout)
    sessions = _blocking(AsyncAuthority.sessions)
    end_others = _blocking(AsyncAuthority.end_others)
    revoke = _blocking(AsyncAuthority.revoke)
    block = _blocking(AsyncAuthority.block)
    unblock = _blocking(AsyncAuthority.unblock)
    require_refresh = _blocking(AsyncAuthority.require_refresh)
    rotate_keys = _blocking(AsyncAuthority.rotate_keys)
    import_key = _blocking(AsyncAuthority.import_key)
    export_key = _blocking(AsyncAuthority.export_key)
    keys = _blocking(AsyncAuthority.keys)
    jwks = _blocking(AsyncAuthority.jwks)

    def verify(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> VerifiedToken:
        """Verify with this authority's own replica; see ``Replica.verify``."""
        return self._authority.verify(token, binding)

    def watch(self, token: str | bytes, binding: Mapping[str, str] | None = None) -> Watch:
        """Verify, and return a watch for a block that lasts; see ``Replica.watch``."""
        return self._authority.watch(token, binding)

    @property
    def replica(self) -> Replica:
        """The replica that ``verify`` uses."""
        return self._authority.replica

    def close(self) -> None:
        """Stop following the store and give up connections. Closing twice is harmless."""
        self._leave.detach()
        with contextlib.suppress(Unavailable):
            portal.call(self._authority.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _close(authority: AsyncAuthority) -> None:
    # Garbage may be collected on any thread, the portal's own included, so nothing is waited for.
    portal.post(authority.close)
