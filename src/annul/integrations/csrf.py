"""Requests that another site made a browser send: the token and the judgement.

A browser adds cookies by itself, so a request that is authenticated by a cookie needs two more
things before it may change anything: it must not come from a foreign page
(``annul.integrations.fetch_metadata``), and it must repeat a token that only our own pages can
know. A request whose token comes in a header needs neither: no other site can set that.

The token is a signed double submit: random bytes and an HMAC over them and the session's id. It is
kept nowhere, it is worthless in another session, and a cookie that somebody else managed to set
does not help, because nobody else can sign.
"""

from __future__ import annotations

import os
import re
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING

from annul.core.encoding import b64url_encode
from annul.core.handle import as_plain
from annul.errors import Misconfigured
from annul.integrations.fetch_metadata import ALLOWED, SAFE_METHODS, FetchMetadata, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.integrations.headers import Headers

__all__ = ["CsrfTokens", "Defence"]

_LEAST_KEY_BYTES = 32
_RANDOM_BYTES = 16
_SHAPE = re.compile(r"(?P<random>[A-Za-z0-9_-]{22})\.(?P<tag>[A-Za-z0-9_-]{43})")
_LABEL = b"annul csrf 1"

_MISSING = Verdict("csrf_missing")
_MISMATCH = Verdict("csrf_mismatch")


class CsrfTokens:
    """Makes and judges CSRF tokens with one secret ``key`` of at least 32 bytes.

    All processes of an application need the same one. With another key, the tokens that are about
    are refused and pages have to be loaded again. Raises ``Misconfigured`` for a shorter key.
    """

    __slots__ = ("_entropy", "_key")

    def __init__(self, key: bytes, *, entropy: Callable[[int], bytes] = os.urandom) -> None:
        if not isinstance(key, bytes) or len(key) < _LEAST_KEY_BYTES:
            raise Misconfigured("a CSRF key is at least 32 random bytes")
        self._key = key
        self._entropy = entropy

    def issue(self, session_id: str) -> str:
        """Return a new token for a session; any number of them are good at the same time."""
        random = b64url_encode(self._entropy(_RANDOM_BYTES))
        return f"{random}.{self._tag(session_id, random)}"

    def judge(self, token: str | None, session_id: str | None) -> Verdict:
        """Say whether ``token`` was issued for this session.

        ``token`` is what the page sent back in a header or a form field. Never take it from a
        cookie: those are what others may be able to set. Refusals are ``csrf_missing`` and
        ``csrf_mismatch``.
        """
        if token is None or token == "":
            return _MISSING
        match = _SHAPE.fullmatch(as_plain(token))
        session = as_plain(session_id)
        if match is None or not session:
            return _MISMATCH
        expected = self._tag(session, match["random"])
        return ALLOWED if compare_digest(expected, match["tag"]) else _MISMATCH

    def _tag(self, session_id: str, random: str) -> str:
        name = session_id.encode("utf-8", "surrogatepass")
        # Lengths in front, so that no two pairs of texts are the same bytes.
        parts = (_LABEL, b"%d" % len(name), name, b"%d" % len(random), random.encode("ascii"))
        return b64url_encode(hmac_digest(self._key, b"!".join(parts), "sha256"))


class Defence:
    """The judgement of a whole request: where it comes from, and the token.

    ``metadata`` knows our origins. With ``token_always=False`` the token is asked for only where
    a browser does not say where its request comes from, which no current one does over TLS.
    """

    __slots__ = ("_metadata", "_token_always", "_tokens")

    def __init__(
        self, tokens: CsrfTokens, metadata: FetchMetadata, *, token_always: bool = True
    ) -> None:
        self._tokens = tokens
        self._metadata = metadata
        self._token_always = token_always

    def judge(
        self,
        method: str,
        headers: Headers,
        *,
        from_cookie: bool,
        session_id: str | None,
        submitted: str | None,
    ) -> Verdict:
        """Say whether a request may be answered.

        ``from_cookie`` is ``Credentials.from_cookie``; ``session_id`` is the one in the verified
        token, and ``submitted`` the CSRF token that the page sent back. Methods that change
        nothing (``GET``, ``HEAD``, ``OPTIONS``) need no token.
        """
        if not from_cookie:
            return ALLOWED
        origin = self._metadata.judge(method, headers)
        if method in SAFE_METHODS:
            return origin
        if not origin.allowed and origin.code != "no_origin":
            return origin
        if origin.allowed and not self._token_always:
            return ALLOWED
        return self._tokens.judge(submitted, session_id)
