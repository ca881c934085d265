"""Where the key-encryption key comes from: given as bytes, or kept in a file of its own.

It is what keeps a copy of the database from being a copy of the signing keys, so it never goes
into the store, and a file is made for it only when there is nothing sealed yet that it could lose.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.core.sealing import KEK_BYTES, SealingKey
from annul.errors import Misconfigured
from annul.stores import file_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KekSource"]

log = logging.getLogger("annul.authority")

_of_this_process = SealingKey(os.urandom(KEK_BYTES))


@dataclass(frozen=True, slots=True)
class KekSource:
    """A key-encryption key that was given, or a file that holds one."""

    given: SealingKey | None = None
    path: Path | None = None

    @classmethod
    def choose(
        cls,
        url: str,
        *,
        issuer: str,
        kek: bytes | None,
        kek_file: str | os.PathLike[str] | None,
    ) -> KekSource:
        """Return where the key of the store at ``url`` is: as given, or its usual place.

        That is a file beside a database file, one in ``~/.annul`` for a store on a server, and
        nowhere for a store in memory, which takes its keys with it.
        """
        if kek is not None:
            return cls(given=SealingKey(kek))
        if kek_file is not None:
            if not isinstance(kek_file, str | os.PathLike):
                raise Misconfigured("kek_file is the path of a file")
            return cls(path=Path(kek_file))
        if not isinstance(url, str):
            raise Misconfigured('a store URL is a str such as "sqlite:///annul.db"')
        if url.startswith("memory:"):
            return cls(given=_of_this_process)
        beside = file_of(url)
        if beside is not None:
            return cls(path=beside.with_name(beside.name + ".kek"))
        name = hashlib.sha256(issuer.encode("utf-8")).hexdigest()[:16]
        return cls(path=Path.home() / ".annul" / f"{name}.kek")

    def load(self) -> SealingKey:
        """Return the key. Raises ``Misconfigured`` if the file is missing or is not such a key."""
        if self.given is not None:
            return self.given
        path = self._named()
        try:
            text = path.read_text("ascii").strip()
            return SealingKey(b64url_decode(text))
        except FileNotFoundError:
            raise Misconfigured(
                f"the signing keys are sealed and their key-encryption key is not at {path}:"
                " put the file back, or pass kek_file= or kek="
            ) from None
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise Misconfigured(f"cannot read the key-encryption key {path}: {why}") from None
        except (EncodingError, UnicodeDecodeError, Misconfigured):
            raise Misconfigured(
                f"{path} does not hold a key-encryption key: {KEK_BYTES} bytes as base64url"
            ) from None

    def load_or_make(self, entropy: Callable[[int], bytes]) -> SealingKey:
        """Return the key, making the file if there is none. Only while nothing is sealed yet."""
        if self.given is not None:
            return self.given
        path = self._named()
        if not path.exists():
            self._make(path, b64url_encode(entropy(KEK_BYTES)))
        return self.load()

    def _named(self) -> Path:
        if self.path is None:
            raise Misconfigured("give a key-encryption key: kek_file= or kek=")
        return self.path

    @staticmethod
    def _make(path: Path, text: str) -> None:
        draft = path.with_name(f"{path.name}.{os.urandom(6).hex()}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link, not a rename: whoever comes second must use what the first one made.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
                log.info(
                    "made the key-encryption key %s; back it up, every authority needs it", path
                )
            # The name has to last as long as what is going to be sealed with it.
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise Misconfigured(
                f"cannot keep a key-encryption key at {path}: {why}; pass kek_file= or kek="
            ) from None
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
