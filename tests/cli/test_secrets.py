"""What must not be seen: tokens and passphrases in errors, signatures, keys others may read."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from annul.core.jwk import PrivateKey
from tests.cli.running import Ran, annul, log_in

# Where a token may end up by mistake. TOKEN stands for it.
MISPLACED = [
    "TOKEN",
    "verify x TOKEN",
    "verify TOKEN TOKEN",
    "sessions alice TOKEN",
    "sessions --token=TOKEN alice",
    "sessions alice --max TOKEN",
    "login alice --client",
    "revoke TOKEN",
    "revoke session TOKEN",
    "revoke subject TOKEN",
    "revoke token TOKEN TOKEN",
    "revoke subject alice --reason TOKEN",
    "revoke subject alice --timeout TOKEN",
    "revoke subject alice --idempotency-key TOKEN",
    "keys TOKEN",
    "keys export TOKEN",
    "keys import TOKENx",
    "refresh TOKEN --client other",
    "refresh TOKENx",
    "verify TOKENx",
    "logout TOKENx",
    "login alice --client web --claim TOKEN",
    "login alice --client web --only TOKEN",
    "login alice --client web --access-ttl TOKEN",
    "follow TOKEN",
    "doctor TOKEN",
    "demo TOKEN",
]


def pieces(token: str) -> list[str]:
    """Return the parts of a token that nobody may see: for a JWT everything but its header."""
    return [part for part in token.split(".")[1:] if len(part) > 16]


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_misplaced_token_is_not_repeated(kind: str) -> None:
    token = str(log_in()[kind])
    for words in MISPLACED:
        for more in ([], ["--json"]):
            ran = annul(*words.replace("TOKEN", token).split(), *more)
            shown = ran.out + ran.err
            leaked = [part for part in pieces(token) if part in shown]
            assert not leaked, words
            assert "Traceback" not in shown


def test_commands_that_take_a_token_do_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    grant = log_in()
    runs: list[Ran] = []
    for words in ("verify", "inspect", "logout", "verify", "revoke token -"):
        runs += [annul(*words.split(), stdin=grant["access_token"])]
    runs += [annul("refresh", stdin=grant["refresh_token"])]
    shown = "".join(ran.out + ran.err for ran in runs) + caplog.text
    secrets = [grant["access_token"].split(".")[2], *pieces(grant["refresh_token"])]
    assert [part for part in secrets if part in shown] == []


def test_inspect_shows_no_signature_and_says_that_nothing_is_verified() -> None:
    token = log_in()["access_token"]
    header, payload, signature = token.split(".")
    for forged in (token, f"{header}.{payload}.{'A' * len(signature)}"):
        ran = annul("inspect", forged)
        assert ran.code == 0
        assert signature not in ran.out + ran.err
        assert "NOT VERIFIED" in ran.out
        assert "NOT VERIFIED" in ran.err
        document = annul("inspect", forged, "--json").document
        assert document["verified"] is False
        assert signature not in json.dumps(document)


def test_a_refresh_token_is_not_taken_apart() -> None:
    token = log_in()["refresh_token"]
    assert annul("inspect", "--json", stdin=token).document["kind"] == "refresh_token"


def test_a_key_file_is_its_owners_alone() -> None:
    assert annul("keys", "new", "--out", "key.pem").code == 0
    assert stat.S_IMODE(Path("key.pem").stat().st_mode) == 0o600
    annul("login", "alice", "--client", "web")
    assert stat.S_IMODE(Path("annul.db.kek").stat().st_mode) == 0o600


def test_a_new_key_is_one_that_openssl_could_have_made() -> None:
    for algorithm in ("ES256", "Ed25519"):
        ran = annul("keys", "new", "--algorithm", algorithm)
        assert ran.code == 0
        assert ran.out.startswith("-----BEGIN PRIVATE KEY-----\n")
        assert ran.out.endswith("-----END PRIVATE KEY-----\n")
        assert PrivateKey.from_pem(ran.out, alg=algorithm).alg == algorithm


def test_a_key_comes_back_as_it_was() -> None:
    Path("secret").write_text("correct horse\n")
    encrypted = ["--passphrase-file", "secret"]
    made = annul("keys", "new", "--json", *encrypted).document
    assert "ENCRYPTED" in made["pem"]
    ran = annul("keys", "import", "-", *encrypted, "--publish-for", "0", stdin=made["pem"])
    assert ran.code == 0, ran.err
    plain = annul("keys", "export", made["kid"]).out
    private = PrivateKey.from_pem(made["pem"], password=b"correct horse")
    assert plain.encode() == private.to_pem()
    again = annul("keys", "export", made["kid"], *encrypted).out
    assert PrivateKey.from_pem(again, password=b"correct horse").kid == made["kid"]
    public = annul("keys", "export", made["kid"], "--public").out
    assert public.encode() == private.public.to_pem()


def test_a_configured_passphrase_encrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text("correct horse\n")
    monkeypatch.setenv("ANNUL_PASSPHRASE_FILE", "secret")
    assert "ENCRYPTED" in annul("keys", "new").out


def test_the_key_encryption_key_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANNUL_KEK", "_" * 42 + "8")
    log_in()
    assert not Path("annul.db.kek").exists()
    assert annul("doctor").code == 0
    monkeypatch.setenv("ANNUL_KEK", "A" * 43)
    assert annul("keys", "list", "--json").document["code"] == "invalid_key"


def test_a_revoked_key_never_comes_back() -> None:
    token = log_in()["access_token"]
    (kid,) = (
        key["kid"]
        for key in annul("keys", "list", "--json").document["keys"]
        if key["purpose"] == "token"
    )
    pem = annul("keys", "export", kid).out
    assert annul("keys", "revoke", kid, "--json").document["kind"] == "key"
    assert annul("verify", "--json", stdin=token).document["code"] == "unknown_key"
    assert annul("verify", "--json", stdin=log_in()["access_token"]).code == 0
    back = annul("keys", "import", "-", "--json", stdin=pem)
    assert (back.code, back.document["code"]) == (3, "invalid_key")
    # One that is not in the ring can be revoked too, and is then said to be none of its.
    assert annul("revoke", "key", "nobody", "--unknown", "--json").document["notes"]
