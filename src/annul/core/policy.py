"""What a verifier insists on, decided once; a policy that contradicts itself is not built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annul.core.algorithms import ALGORITHMS
from annul.core.jws import MAX_TOKEN_LENGTH, check_algorithms, media_type
from annul.core.revocation import MAX_ID_LENGTH, MAX_LEEWAY
from annul.errors import ClaimMismatch, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Policy"]

ANNUL_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "since")
FOREIGN_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "jti")
_ALWAYS = ("iss", "aud", "exp")

# Revocation is keyed on these, so a value that no denylist could hold must not get through.
_IDENTIFIERS = ("sub", "jti", "sid", "client_id")

LATEST = 253_402_300_799
"""The last second of the year 9999: later dates are mistakes, or attacks on arithmetic."""

_MAX_POSITION = 2**53
_IAT_AHEAD = 10
"""Seconds by which the clock of annul's own issuer may be ahead; ``exp`` knows no such grace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What tokens must be, to be accepted. This constructor is for tokens made by annul.

    ``issuer`` must equal ``iss`` exactly; ``audience`` (one name or several) must share a name
    with ``aud``. ``leeway`` is granted on ``exp`` and ``nbf``, in seconds, at most 300.
    ``max_age`` refuses tokens issued longer ago than so many seconds, whatever their ``exp``.
    ``algorithms`` narrows what is trusted; each key allows exactly one algorithm anyway.

    Contradictions, empty names and out-of-range numbers raise ``Misconfigured`` here, never
    while verifying. For somebody else's tokens use ``Policy.foreign``.

    Example: ``Policy(issuer="https://auth.example", audience="https://api.example")``.
    """

    issuer: str
    audience: str | tuple[str, ...]
    algorithms: tuple[str, ...] = tuple(ALGORITHMS)
    typ: str | None = "at+jwt"
    leeway: float = 0
    max_age: float | None = None
    required: tuple[str, ...] = ANNUL_CLAIMS
    max_token_length: int = MAX_TOKEN_LENGTH
    audiences: frozenset[str] = field(init=False, repr=False)
    media_types: frozenset[str | None] = field(init=False, repr=False)
    needed: frozenset[str] = field(init=False, repr=False)
    is_annul: bool = field(init=False, repr=False)
    ahead: float = field(init=False, repr=False)

    @classmethod
    def foreign(
        cls,
        *,
        issuer: str,
        audience: str | Collection[str],
        algorithms: Collection[str],
        typ: str | None = "at+jwt",
        leeway: float = 0,
        max_age: float | None = None,
        required: Collection[str] = FOREIGN_CLAIMS,
        max_token_length: int = MAX_TOKEN_LENGTH,
    ) -> Policy:
        """Return a policy for tokens of another issuer: no session, no log position in them.

        ``algorithms`` must be named. ``typ=None`` accepts tokens that state no kind of their own
        (``typ`` absent or ``JWT``), as many identity providers still issue them; prefer a typed
        one (RFC 8725 §3.11). ``required`` may leave out ``sub``, ``iat`` or ``jti``, but a token
        without them cannot be revoked by them.
        """
        return cls(
            issuer=issuer,
            audience=audience if isinstance(audience, str) else _names(audience),
            algorithms=check_algorithms(algorithms),
            typ=typ,
            leeway=leeway,
            max_age=max_age,
            required=_names(required),
            max_token_length=max_token_length,
        )

    def __post_init__(self) -> None:
        names = (self.audience,) if isinstance(self.audience, str) else _names(self.audience)
        if not (_is_text(self.issuer) and self.issuer):
            raise Misconfigured(
                'issuer must be the exact iss of the tokens, "https://auth.example"'
            )
        if not all(name and _is_text(name) for name in names or ("",)):
            raise Misconfigured("audience must name who the tokens are for, one name or several")
        object.__setattr__(self, "algorithms", check_algorithms(self.algorithms))
        object.__setattr__(self, "required", _names(self.required))
        if self.typ is not None and not (
            isinstance(self.typ, str) and self.typ and self.typ.isascii()
        ):
            raise Misconfigured('typ must be a media type such as "at+jwt", or None')
        _number(self.leeway, "leeway", 0, MAX_LEEWAY)
        if self.max_age is not None:
            _number(self.max_age, "max_age", 1, LATEST)
        _number(self.max_token_length, "max_token_length", 64, 1 << 20)
        # A token that carries a log position is annul's own, and then the rules need all of these.
        is_annul = "since" in self.required
        always = ANNUL_CLAIMS if is_annul else _ALWAYS
        missing = [name for name in always if name not in self.required]
        if missing:
            raise Misconfigured(f"required must include {', '.join(missing)}")
        if self.max_age is not None and "iat" not in self.required:
            raise Misconfigured("max_age needs iat among the required claims")
        if not isinstance(self.audience, str):
            object.__setattr__(self, "audience", names)
        # What check() reads, worked out once.
        object.__setattr__(self, "is_annul", is_annul)
        object.__setattr__(self, "ahead", max(self.leeway, _IAT_AHEAD if is_annul else 0))
        object.__setattr__(self, "needed", frozenset(self.required))
        object.__setattr__(self, "audiences", frozenset(names))
        object.__setattr__(
            self,
            "media_types",
            frozenset({None, "application/jwt"} if self.typ is None else {media_type(self.typ)}),
        )

    def check(self, claims: dict[str, Any]) -> tuple[float, float, tuple[int, int] | None]:
        """Check everything about ``claims`` that does not change with time.

        Returns the time from which and the time until which they hold, and the log position of
        the session. Raises ``ClaimMismatch`` for the first claim that fails.
        """
        if not claims.keys() >= self.needed:
            missing = next(name for name in self.required if name not in claims)
            raise ClaimMismatch(f"the claim {missing} is missing", claim=missing)
        if claims["iss"] != self.issuer:
            raise ClaimMismatch("iss is not the trusted issuer", claim="iss")
        aud = claims["aud"]
        if type(aud) is not str:
            self._check_audiences(aud)
        elif aud not in self.audiences:
            raise ClaimMismatch("aud does not name us", claim="aud")
        for name in _IDENTIFIERS:
            value = claims.get(name, name)
            if type(value) is not str or not 0 < len(value) <= MAX_ID_LENGTH:
                raise ClaimMismatch(f"{name} is not a usable identifier", claim=name)
        starts, ends = self._window(claims)
        if not self.is_annul:
            return starts, ends, None
        if "sid" not in claims and claims["sub"] != claims["client_id"]:
            # RFC 9068 §2.2: only client credentials have no user, and then sub is the client.
            raise ClaimMismatch("the claim sid is missing", claim="sid")
        if "as_of" in claims:
            _position(claims["as_of"], "as_of")
        return starts, ends, _position(claims["since"], "since")

    def _window(self, claims: dict[str, Any]) -> tuple[float, float]:
        """Return when the claims begin and cease to hold (RFC 7519 §4.1.4 to 4.1.6)."""
        exp = claims["exp"]
        # Whole seconds are judged here, the rest where there is time for it.
        if type(exp) is not int or not 0 <= exp <= LATEST:
            exp = _date(claims, "exp")
        ends = exp + self.leeway
        starts = 0.0
        if "iat" in claims:
            iat = claims["iat"]
            if type(iat) is not int or not 0 <= iat <= LATEST:
                iat = _date(claims, "iat")
            starts = iat - self.ahead
            if self.max_age is not None:
                ends = min(ends, iat + self.max_age + self.leeway)
        if "nbf" in claims:
            starts = max(starts, _date(claims, "nbf") - self.leeway)
        if "auth_time" in claims:
            _date(claims, "auth_time")
        return starts, ends

    def _check_audiences(self, aud: object) -> None:
        # RFC 7519 §4.1.3: an array of case-sensitive strings in the general case.
        if (
            not isinstance(aud, list)
            or not aud
            or not all(isinstance(name, str) for name in aud)
            or self.audiences.isdisjoint(aud)
        ):
            raise ClaimMismatch("aud does not name us", claim="aud")


def _is_text(value: object) -> bool:
    # A lone surrogate has no UTF-8 form, so no token could hold it and nothing fingerprint it.
    try:
        return isinstance(value, str) and value.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, tuple | list | set | frozenset) and all(
        _is_text(name) and name for name in value
    ):
        return tuple(value)
    raise Misconfigured('audience and required are tuples of names, for example ("sub", "jti")')


def _date(claims: dict[str, Any], name: str) -> float:
    # RFC 7519 §2, NumericDate: a number. bool is an int to Python and is refused by type().
    value = claims[name]
    if type(value) not in (int, float) or not 0 <= value <= LATEST:
        raise ClaimMismatch(f"{name} is not a date", claim=name)
    return value  # type: ignore[no-any-return]  # int or float, just checked


def _position(value: object, name: str) -> tuple[int, int]:
    if type(value) is list and len(value) == 2:  # noqa: PLR2004 - epoch and seq
        epoch, seq = value
        if (
            type(epoch) is int
            and type(seq) is int
            and 0 <= epoch < _MAX_POSITION
            and 0 <= seq < _MAX_POSITION
        ):
            return epoch, seq
    raise ClaimMismatch(f"{name} is not a log position", claim=name)


def _number(value: object, name: str, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Misconfigured(f"{name} must be a number from {least} to {most}")
