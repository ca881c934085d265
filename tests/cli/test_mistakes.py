"""What a person can get wrong: one sentence, the code of the table, and nothing is changed."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.cli.running import annul, log_in

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Mistake:
    """A command, what is wrong before it is run, and how it must end."""

    name: str
    words: str
    code: str
    exit_code: int
    prepare: Callable[[], object] = lambda: None
    environment: dict[str, str] = field(default_factory=dict)


def toml(text: str) -> Callable[[], object]:
    return lambda: Path("annul.toml").write_text(text, "utf-8")


def file(name: str, content: bytes | str) -> Callable[[], object]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda: Path(name).write_bytes(data)


def command(*words: str) -> Callable[[], object]:
    def run() -> None:
        assert annul(*words).code == 0

    return run


def all_of(*steps: Callable[[], object]) -> Callable[[], object]:
    def run() -> None:
        for step in steps:
            step()

    return run


def sql(statement: str) -> Callable[[], object]:
    def run() -> None:
        db = sqlite3.connect("annul.db")
        db.execute(statement)
        db.commit()
        db.close()

    return run


def weak_key() -> None:
    key = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - weak on purpose
    Path("weak.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def encrypted_key() -> None:
    Path("right").write_text("correct horse\n")
    Path("wrong").write_text("incorrect horse\n")
    command("keys", "new", "--out", "key.pem", "--passphrase-file", "right")()


LOGIN = "login alice --client web"
OLD_KEK = "A" * 43
A_PEM = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"

SETTINGS = [
    Mistake("a TOML key that nobody knows", LOGIN, "misconfigured", 3, toml("stroe = 'x'")),
    Mistake("a file that is not TOML", LOGIN, "misconfigured", 3, toml("store = sqlite:")),
    Mistake("a file that is not text", LOGIN, "misconfigured", 3, file("annul.toml", b"\xff\xfe")),
    Mistake("a secret in TOML", LOGIN, "misconfigured", 3, toml(f"kek = '{OLD_KEK}'")),
    Mistake(
        "a danger in TOML", LOGIN, "misconfigured", 3, toml("allow_volatile_store = true")
    ),
    Mistake("a word for a number", LOGIN, "misconfigured", 3, toml("access_ttl = 'soon'")),
    Mistake("true for a number", LOGIN, "misconfigured", 3, toml("access_ttl = true")),
    Mistake("half a second", LOGIN, "misconfigured", 3, toml("access_ttl = 0.5")),
    Mistake("a table for a name", LOGIN, "misconfigured", 3, toml("[issuer]\nname = 'x'")),
    Mistake("no audience", LOGIN, "misconfigured", 3, toml("audience = []")),
    Mistake("a lifetime of nothing", LOGIN, "misconfigured", 3, toml("access_ttl = 0")),
    Mistake("no such --config", f"{LOGIN} --config no.toml", "misconfigured", 3),
    Mistake("a folder as --config", f"{LOGIN} --config .", "misconfigured", 3),
    Mistake(
        "a variable that nobody knows",
        LOGIN,
        "misconfigured",
        3,
        environment={"ANNUL_STROE": "sqlite:///x.db"},
    ),
    Mistake(
        "a variable in lower case", LOGIN, "misconfigured", 3, environment={"ANNUL_store": "x"}
    ),
    Mistake("an empty variable", LOGIN, "misconfigured", 3, environment={"ANNUL_ISSUER": ""}),
    Mistake(
        "a danger in the environment",
        LOGIN,
        "misconfigured",
        3,
        environment={"ANNUL_ALLOW_VOLATILE_STORE": "1"},
    ),
    Mistake(
        "two key-encryption keys",
        LOGIN,
        "misconfigured",
        3,
        environment={"ANNUL_KEK": OLD_KEK, "ANNUL_KEK_FILE": "x"},
    ),
    Mistake(
        "a short key-encryption key",
        LOGIN,
        "misconfigured",
        3,
        environment={"ANNUL_KEK": "AAAA"},
    ),
    Mistake(
        "a file for the store that is not there",
        LOGIN,
        "misconfigured",
        3,
        environment={"ANNUL_STORE_FILE": "nowhere"},
    ),
    Mistake(
        "a store twice",
        LOGIN,
        "misconfigured",
        3,
        file("url", "sqlite:///x.db"),
        {"ANNUL_STORE": "sqlite:///x.db", "ANNUL_STORE_FILE": "url"},
    ),
    Mistake("an empty issuer", f"{LOGIN} --issuer=", "usage", 2),
    Mistake("a negative time", f"{LOGIN} --access-ttl -1", "usage", 2),
    Mistake("an algorithm that does not exist", f"{LOGIN} --algorithm HS256", "misconfigured", 3),
    Mistake("no algorithm at all", f"{LOGIN} --algorithm none", "misconfigured", 3),
    Mistake("a staleness of nothing", "verify x --max-staleness 0", "misconfigured", 3,
            command(*LOGIN.split())),
    Mistake("a staleness beyond the store's", "verify x --max-staleness 60", "misconfigured", 3,
            command(*LOGIN.split())),
]  # fmt: skip

STORES = [
    Mistake("a scheme with a typo", f"{LOGIN} --store sqllite:///x.db", "misconfigured", 3),
    Mistake("a path instead of a URL", f"{LOGIN} --store annul.db", "misconfigured", 3),
    Mistake("two slashes", f"{LOGIN} --store sqlite://x.db", "misconfigured", 3),
    Mistake("an option SQLite has not", f"{LOGIN} --store sqlite:///x.db?a=b", "misconfigured", 3),
    Mistake("a store in memory", f"{LOGIN} --store memory://", "misconfigured", 3),
    Mistake("a folder that is not there", f"{LOGIN} --store sqlite:///no/x.db", "misconfigured", 3),
    Mistake("a folder as a database", f"{LOGIN} --store sqlite:///.", "misconfigured", 3),
    Mistake("a file that is no database", LOGIN, "wrong_store", 3, file("annul.db", "text" * 999)),
    Mistake("somebody else's database", LOGIN, "wrong_store", 3, sql("CREATE TABLE t (x)")),
    Mistake(
        "a newer schema",
        LOGIN,
        "wrong_store",
        3,
        all_of(command(*LOGIN.split()), sql("PRAGMA user_version = 999")),
    ),
    Mistake(
        "another issuer's store",
        f"{LOGIN} --issuer https://other.example",
        "wrong_store",
        3,
        command(*LOGIN.split()),
    ),
    Mistake(
        "the key-encryption key is gone",
        LOGIN,
        "misconfigured",
        3,
        all_of(command(*LOGIN.split()), lambda: Path("annul.db.kek").unlink()),
    ),
    Mistake(
        "the key-encryption key is another one",
        LOGIN,
        "invalid_key",
        3,
        all_of(command(*LOGIN.split()), file("annul.db.kek", OLD_KEK)),
    ),
    Mistake(
        "the key-encryption key is damaged",
        LOGIN,
        "misconfigured",
        3,
        all_of(command(*LOGIN.split()), file("annul.db.kek", "no key")),
    ),
    Mistake(
        "the key-encryption key cannot be there",
        f"{LOGIN} --kek-file annul.db/kek",
        "misconfigured",
        3,
        command(*LOGIN.split()),
    ),
]

KEYS = [
    Mistake("no such key file", "keys import no.pem", "invalid_key", 3),
    Mistake("a folder as a key file", "keys import .", "invalid_key", 3),
    Mistake("text as a key", "keys import k", "invalid_key", 3, file("k", "text")),
    Mistake("a damaged key", "keys import k", "invalid_key", 3,
            file("k", A_PEM.format("PRIVATE KEY"))),
    Mistake("a public key", "keys import k", "invalid_key", 3,
            file("k", A_PEM.format("PUBLIC KEY"))),
    Mistake("a certificate", "keys import k", "invalid_key", 3,
            file("k", A_PEM.format("CERTIFICATE"))),
    Mistake("a weak key", "keys import weak.pem", "invalid_key", 3, weak_key),
    Mistake("an algorithm of another key", "keys import key.pem --algorithm RS256", "invalid_key",
            3, command("keys", "new", "--out", "key.pem")),
    Mistake("no passphrase", "keys import key.pem", "invalid_key", 3, encrypted_key),
    Mistake("a wrong passphrase", "keys import key.pem --passphrase-file wrong", "invalid_key", 3,
            encrypted_key),
    Mistake("no such passphrase file", "keys import key.pem --passphrase-file no",
            "misconfigured", 3, encrypted_key),
    Mistake("an empty passphrase file", "keys new --passphrase-file empty", "misconfigured", 3,
            file("empty", "\n")),
    Mistake("nobody to ask for a passphrase", "keys new --encrypt", "invalid_key", 3),
    Mistake("an algorithm that is not there", "keys new --algorithm RS257", "invalid_key", 3),
    Mistake("a key file that exists", "keys new --out k", "invalid_request", 5, file("k", "")),
    Mistake("a folder for the key that is not there", "keys new --out no/k", "invalid_key", 3),
]  # fmt: skip

REQUESTS = [
    Mistake("no token", "verify", "invalid_request", 5),
    Mistake("a reserved claim", f"{LOGIN} --claim sub=bob", "invalid_request", 5),
    Mistake("a claim without a value", f"{LOGIN} --claim admin", "invalid_request", 5),
    Mistake("a claim that is not JSON", f"{LOGIN} --claim a=[1", "invalid_request", 5),
    Mistake("a claim that adds another", f'{LOGIN} --claim a=1,"b":2', "invalid_request", 5),
    Mistake("Python's True", f"{LOGIN} --claim admin=True", "invalid_request", 5),
    Mistake("a claim twice", f"{LOGIN} --claim a=1 --claim a=2", "invalid_request", 5),
    Mistake("a subject that is the client", "login web --client web", "invalid_request", 5,
            command(*LOGIN.split())),
    Mistake("no subject", "login --client web", "usage", 2),
    Mistake("a scope in quotes", f'{LOGIN} --scope "read"', "invalid_request", 5),
    Mistake("no client", "login alice", "usage", 2),
    Mistake("no such command", "lgoin alice", "usage", 2),
    Mistake("no such option", f"{LOGIN} --deviec x", "usage", 2),
    Mistake("not a token", "inspect x", "malformed", 1),
    Mistake("a token of nonsense", "inspect a.b.c", "malformed", 1),
]  # fmt: skip

EVERY = [*SETTINGS, *STORES, *KEYS, *REQUESTS]


LASTING = ("log", "sessions")
IDENTITY = "issuer, lineage, horizon, longest_token, longest_session, keys_version, ring"


def snapshot() -> dict[str, object]:
    """Return what is in the folder, without the files that SQLite keeps while it is open."""
    passing = ("-shm", "-wal", "-bell", "-journal")
    return {
        str(path): content(path)
        for path in sorted(Path().rglob("*"))
        if not path.name.endswith(passing)
    }


def content(path: Path) -> object:
    """Return what a file holds; of a store everything but leases and its clock."""
    if path.is_dir():
        return "folder"
    db = sqlite3.connect(path)
    try:
        rows = [db.execute(f"SELECT * FROM {table}").fetchall() for table in LASTING]  # noqa: S608
        return [*rows, db.execute(f"SELECT {IDENTITY} FROM identity").fetchone()]  # noqa: S608
    except sqlite3.Error:
        return path.read_bytes()
    finally:
        db.close()


@pytest.mark.parametrize("mistake", EVERY, ids=[mistake.name for mistake in EVERY])
def test_a_mistake_gets_a_sentence_and_changes_nothing(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake.prepare()
    for name, value in mistake.environment.items():
        monkeypatch.setenv(name, value)
    before = snapshot()

    for_machines = annul(*mistake.words.split(), "--json")
    for_people = annul(*mistake.words.split())

    assert for_machines.code == for_people.code == mistake.exit_code, for_people.err
    error = for_machines.document
    assert (error["code"], error["exit_code"]) == (mistake.code, mistake.exit_code)
    assert for_machines.out == for_people.out == ""
    lines = for_people.err.splitlines()
    assert lines
    assert lines[-1] == f"annul: {error['message']}"
    assert all(line.startswith("annul: ") for line in lines)
    assert not lines[-1].endswith(".")
    # The words of the library are for programmers; here things are called by their flags.
    assert "kek_file=" not in lines[-1]
    assert snapshot() == before


def test_a_message_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("stroe = 'x'")()
    assert "stroe" in annul("sessions", "alice").err
    Path("annul.toml").unlink()
    monkeypatch.setenv("ANNUL_STROE", "x")
    assert "ANNUL_STROE" in annul("sessions", "alice").err


def test_looking_changes_nothing() -> None:
    log_in("alice", "--access-ttl", "60", "--session-ttl", "3600")
    before = snapshot()
    for words in ("sessions alice", "keys list", "doctor", "revoke all --dry-run", "verify x"):
        annul(*words.split())
    assert snapshot() == before


def test_defaults_do_not_stretch_what_a_store_promises() -> None:
    log_in("alice", "--access-ttl", "60", "--session-ttl", "3600")
    assert log_in("bob")["expires_in"] == 60
    limits = "SELECT horizon, longest_token, longest_session FROM identity"
    db = sqlite3.connect("annul.db")
    assert db.execute(limits).fetchone() == (2.0, 60, 3600)
    # Named, a longer lifetime is wanted, and so promised from now on.
    assert log_in("bob", "--access-ttl", "120")["expires_in"] == 120
    assert db.execute(limits).fetchone() == (2.0, 120, 3600)
    db.close()
