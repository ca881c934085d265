"""Settings of the command line, and the one place that reads the environment.

Where a setting comes from: the flag, else the environment (``ANNUL_NAME``), else the TOML file
(``name = …`` in ``annul.toml``, or the file that ``--config`` names), else the default. A name that
nobody knows is an error, because a misspelt setting is a setting that silently is not there.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annul.core.encoding import EncodingError, b64url_decode
from annul.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SETTINGS", "Configuration", "load", "redact"]

PREFIX = "ANNUL_"
FILE_NAME = "annul.toml"
_MAX_FILE = 65_536


# --- reading one value, from text or from TOML ------------------------------------------------


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError("must be text, and not empty")


def _names(value: object) -> tuple[str, ...]:
    names = re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value
    if (
        isinstance(names, list | tuple)
        and names
        and all(isinstance(name, str) and name for name in names)
    ):
        return tuple(names)
    raise ValueError("must be one name or several")


def _seconds(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = -1.0
        if isfinite(number) and number >= 0:
            return number
    raise ValueError("must be a number of seconds")


def _whole_seconds(value: object) -> int:
    number = _seconds(value)
    if number != int(number):
        raise ValueError("must be whole seconds")
    return int(number)


def _key(value: object) -> bytes:
    try:
        return b64url_decode(_text(value))
    except EncodingError:
        raise ValueError("must be 32 random bytes as base64url") from None


# --- the table --------------------------------------------------------------------------------


def _setting(
    default: Any,  # noqa: ANN401 - each row has its own type
    help: str,  # noqa: A002 - click's word
    *,
    read: Callable[[object], Any],
    metavar: str,
    secret: bool = False,
) -> Any:  # noqa: ANN401
    """One row. A ``secret`` has no flag and no place in TOML: it comes from the environment."""
    words = {"help": help, "read": read, "metavar": metavar, "secret": secret}
    return field(default=default, metadata=words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Every setting of the command line; the fields are the table of what there is.

    ``defaulted`` names those that nobody set.
    """

    store: str = _setting("sqlite:///annul.db", "the store's URL", read=_text, metavar="URL")
    issuer: str = _setting(
        "https://auth.localhost", "who signs the tokens (iss)", read=_text, metavar="URL"
    )
    audience: tuple[str, ...] = _setting(
        ("https://api.localhost",), "whom they are for (aud)", read=_names, metavar="NAME"
    )
    algorithm: str = _setting("ES256", "for keys made from now on", read=_text, metavar="NAME")
    access_ttl: int = _setting(
        900, "lifetime of access tokens", read=_whole_seconds, metavar="SECONDS"
    )
    session_ttl: int = _setting(
        30 * 86_400, "longest life of a session", read=_whole_seconds, metavar="SECONDS"
    )
    idle_ttl: int = _setting(
        7 * 86_400, "how long a session may go unused", read=_whole_seconds, metavar="SECONDS"
    )
    grace: float = _setting(
        10.0,
        "how long a used refresh token counts as a retry",
        read=_seconds,
        metavar="SECONDS",
    )
    publish_for: float = _setting(
        300.0, "how long a new key is published before it signs", read=_seconds, metavar="SECONDS"
    )
    max_staleness: float = _setting(
        2.0, "after which a verifier refuses everything", read=_seconds, metavar="SECONDS"
    )
    ready_timeout: float = _setting(
        5.0, "how long to wait until ready", read=_seconds, metavar="SECONDS"
    )
    kek_file: str | None = _setting(
        None, "file of the key that seals the signing keys", read=_text, metavar="FILE"
    )
    kek: bytes | None = _setting(
        None, "that key itself, 32 bytes as base64url", read=_key, metavar="KEY", secret=True
    )
    audit_file: str | None = _setting(
        None, "file of the audit log; none is kept without it", read=_text, metavar="FILE"
    )
    passphrase_file: str | None = _setting(
        None, "file whose first line is a passphrase", read=_text, metavar="FILE"
    )
    defaulted: frozenset[str] = frozenset()


SETTINGS: Mapping[str, Field[Any]] = {
    row.name: row for row in fields(Configuration) if row.name != "defaulted"
}
"""The table by name."""

# The store's URL may hold a password, so it can be kept in a file like any other secret.
_FROM_FILE = {"store_file": "store"}


# --- putting them together --------------------------------------------------------------------


def load(
    flags: Mapping[str, object], config: str | None, environment: Mapping[str, str] = os.environ
) -> Configuration:
    """Return the settings. ``flags`` are those that were given, ``config`` is ``--config``.

    Raises ``Misconfigured`` with the name of the first setting that cannot be used and where it
    was found, never with its value.
    """
    given = _from_environment(environment)
    path = config or environment.get(PREFIX + "CONFIG")
    document = _from_toml(Path(path or FILE_NAME), optional=path is None)
    layers = ({name: (None, value) for name, value in flags.items()}, given, document)
    values: dict[str, object] = {}
    for layer in layers:
        # Two ways to say one thing are judged together: the higher layer wins, whichever it uses.
        keys = {name for name in ("kek", "kek_file") if name in layer}
        if len(keys) > 1:
            raise Misconfigured("both ANNUL_KEK and ANNUL_KEK_FILE are set: keep one of them")
        taken = {"kek", "kek_file"} if keys and not {"kek", "kek_file"}.isdisjoint(values) else ()
        for name, (place, raw) in layer.items():
            if name not in values and name not in taken:
                values[name] = raw if place is None else _read(name, raw, place)
    return Configuration(**values, defaulted=frozenset(SETTINGS) - set(values))  # type: ignore[arg-type]


def _read(name: str, raw: object, place: str) -> object:
    try:
        return SETTINGS[name].metadata["read"](raw)
    except ValueError as error:
        raise Misconfigured(f"{place} {error}") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, object]]:
    found: dict[str, tuple[str, object]] = {}
    for variable, raw in environment.items():
        if not variable.startswith(PREFIX) or variable == PREFIX + "CONFIG":
            continue
        name = variable.removeprefix(PREFIX).lower()
        if variable == variable.upper() and name in _FROM_FILE:
            name, raw = _FROM_FILE[name], read_file(raw, variable)  # noqa: PLW2901 - its content
        elif variable != variable.upper() or name not in SETTINGS:
            known = [PREFIX + each.upper() for each in (*SETTINGS, *_FROM_FILE, "config")]
            raise Misconfigured(f"{variable} is no setting of annul{_meant(variable, known)}")
        if name in found:
            raise Misconfigured(f"both {PREFIX}{name.upper()} and its file are set: keep one")
        found[name] = (variable, raw)
    return found


def _from_toml(path: Path, *, optional: bool) -> dict[str, tuple[str, object]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if optional:
            return {}
        raise Misconfigured(f"there is no configuration file {path}") from None
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise Misconfigured(f"cannot read the configuration file {path}: {why}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"at line \d+", str(error))
        raise Misconfigured(f"{path} is not TOML{f' ({line[0]})' if line else ''}") from None
    known = [name for name, row in SETTINGS.items() if not row.metadata["secret"]]
    for name in document:
        if name not in known:
            raise Misconfigured(f"{path}: {name} is no setting of annul{_meant(name, known)}")
    return {name: (f"{path}: {name}", value) for name, value in document.items()}


def read_file(path: str, what: str) -> str:
    """Return the text of a small file without its last newline; ``what`` names it in errors."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise Misconfigured(f"cannot read the file that {what} names: {why}") from None
    try:
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _MAX_FILE:
        raise Misconfigured(f"the file that {what} names holds no text that could be used")
    return text


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"


def redact(url: str) -> str:
    """Return a store URL without what may be a password in it.

    Of the options only ``prefix`` is kept: it is part of the store's name, the others may hold
    anything.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme == "sqlite":
        return url
    # Up to the last "@", because a password may hold any character.
    _user, at, place = rest.rpartition("@")
    host, _query, options = place.partition("?")
    prefix = next((each for each in options.split("&") if each.startswith("prefix=")), None)
    return scheme + mark + ("***@" if at else "") + host + (f"?{prefix}" if prefix else "")
