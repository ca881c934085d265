"""What a person hands to a command besides flags: tokens, key files, passphrases, claims."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click

from annul.cli.settings import read_file
from annul.core.encoding import EncodingError, parse_object
from annul.errors import InvalidKey, InvalidRequest, Misconfigured

__all__ = ["claims_from", "key_from", "passphrase_for", "token_argument", "token_from", "write_new"]

_MAX_INPUT = 1 << 20
_WORD = re.compile(r"[A-Za-z][\w.@-]*")
_NO_WORDS = frozenset({"true", "false", "null", "none", "nan", "infinity"})

token_argument = click.argument("token", required=False, metavar="[TOKEN|-]")


def token_from(argument: str | None) -> str:
    """Return the token: the argument, or what stdin holds if that is ``-`` or absent.

    Prefer stdin: arguments are seen by everybody who may list processes, and kept by shells.
    """
    if argument is not None and argument != "-":
        return argument.strip()
    if argument is None and sys.stdin.isatty():
        raise click.UsageError("give a token, or pipe one in", click.get_current_context())
    data = _stdin()
    text = data.decode("utf-8", "replace").strip()
    if not text:
        raise InvalidRequest("there is no token on stdin")
    return text


def key_from(path: str) -> bytes:
    """Return the content of a key file, ``-`` being stdin. Raises ``InvalidKey``."""
    if path == "-":
        return _stdin()
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_INPUT)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise InvalidKey(f"cannot read the key file {path}: {why}") from None


def passphrase_for(what: str, path: str | None, *, confirm: bool) -> bytes:
    """Return the first line of the file at ``path``, or ask for a passphrase on a terminal.

    ``what`` says what it is for; ``confirm`` asks twice. Raises ``InvalidKey`` if there is neither
    file nor terminal, ``Misconfigured`` for a file without a first line.
    """
    if path is not None:
        source = "--passphrase-file or ANNUL_PASSPHRASE_FILE"
        line = read_file(path, source).partition("\n")[0].removesuffix("\r")
        if not line:
            raise Misconfigured(f"the first line of the file that {source} names is empty")
        return line.encode()
    if not sys.stdin.isatty():
        raise InvalidKey(
            f"{what} needs a passphrase: name a file with --passphrase-file or"
            " ANNUL_PASSPHRASE_FILE, or run this on a terminal"
        )
    answer: str = click.prompt(
        f"Passphrase for {what}", hide_input=True, confirmation_prompt=confirm, err=True
    )
    return answer.encode()


def claims_from(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return the claims of ``name=json`` pairs; a plain word may stand without its quotes."""
    claims: dict[str, Any] = {}
    for pair in pairs:
        name, mark, text = pair.partition("=")
        if not mark or not name:
            raise InvalidRequest("write a claim as name=json, for example roles='[\"staff\"]'")
        if name in claims:
            raise InvalidRequest("a claim is given twice")
        claims[name] = _json_or_word(text)
    return claims


def _json_or_word(text: str) -> Any:  # noqa: ANN401 - JSON values
    try:
        # Strict, like everything that becomes part of a token.
        document = parse_object(b'{"value":%s}' % text.encode("utf-8"))
    except (EncodingError, UnicodeEncodeError):
        document = {}
    if set(document) == {"value"}:
        return document["value"]
    # True and None are Python's spelling of something that would come out as a string.
    if _WORD.fullmatch(text) and text.lower() not in _NO_WORDS:
        return text
    raise InvalidRequest("the value of a claim is not JSON; text goes in quotes: name='\"text\"'")


def write_new(path: str, data: bytes) -> None:
    """Write a file that only its owner may read, and that was not there before.

    Raises ``InvalidRequest`` if it exists: a key that is overwritten is gone.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise InvalidRequest(f"{path} exists and is not overwritten; name another file") from None
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # Half a key is worse than none.
        Path(path).unlink()
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError) -> InvalidKey:
    return InvalidKey(f"cannot write {path}: {os.strerror(error.errno or 0).lower()}")


def _stdin() -> bytes:
    data = sys.stdin.buffer.read(_MAX_INPUT + 1)
    if len(data) > _MAX_INPUT:
        raise InvalidRequest("stdin holds far more than a token or a key")
    return data
