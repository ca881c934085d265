"""The headers of one request, as a web framework has them, without losing any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annul.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Headers"]


class Headers:
    """Header fields in the order in which they came; names in any case, repeated ones kept.

    ``pairs`` are names and values as ``str`` or ``bytes``: ``scope["headers"]`` of ASGI, or
    ``request.headers.items()`` of a framework that keeps repeated fields. Values lose the spaces
    and tabs around them (RFC 9110 §5.5) and nothing else. Raises ``InvalidRequest`` for anything
    that is not such pairs.
    """

    __slots__ = ("_fields",)

    def __init__(self, pairs: Iterable[tuple[str | bytes, str | bytes]] = ()) -> None:
        fields: dict[str, tuple[str, ...]] = {}
        try:
            for name, value in pairs:
                key = _text(name).lower()
                fields[key] = (*fields.get(key, ()), _text(value).strip(" \t"))
        except (TypeError, ValueError):
            raise InvalidRequest("headers are pairs of a name and a value, as text") from None
        self._fields = fields

    @classmethod
    def from_wsgi(cls, environ: Mapping[str, Any]) -> Headers:
        """Return the headers in a WSGI environment, which is also ``request.META`` of Django.

        A WSGI server has joined repeated fields with commas already, or kept the last one.
        """
        return cls(
            (name[5:].replace("_", "-"), value)
            for name, value in environ.items()
            if isinstance(name, str) and name.startswith("HTTP_")
        )

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of a field, in order; none if it is absent."""
        return self._fields.get(name.lower(), ())

    def one(self, name: str) -> str | None:
        """Return the value of a field that may occur once, ``None`` if it is absent.

        Raises ``InvalidRequest`` if it occurs twice: two readers would take two different ones.
        """
        values = self.all(name)
        if len(values) > 1:
            raise InvalidRequest(f"the request has several {name} headers")
        return values[0] if values else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __repr__(self) -> str:
        # Names only: values are tokens and cookies, and a repr ends up in logs.
        return f"Headers({', '.join(self._fields)})"


def _text(value: object) -> str:
    # HTTP fields are bytes, of which each stands for one character (RFC 9110 §5.5).
    if isinstance(value, bytes):
        return value.decode("latin-1")
    # By its real type: a lazy text of a framework only claims to be one.
    if issubclass(type(value), str):
        return str.__str__(value)
    raise TypeError
