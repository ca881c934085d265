"""Where a setting comes from: flag, then environment, then TOML, then default."""

from __future__ import annotations

from pathlib import Path

import pytest

from annul.cli.settings import SETTINGS, load, redact
from annul.errors import Misconfigured
from tests.cli.running import annul


def test_a_flag_wins_over_the_environment_over_toml_over_the_default() -> None:
    assert load({}, None, {}).issuer == "https://auth.localhost"
    Path("annul.toml").write_text("issuer = 'https://toml.example'\ngrace = 3\n")
    assert load({}, None, {}).issuer == "https://toml.example"
    environment = {"ANNUL_ISSUER": "https://environment.example", "HOME": "/"}
    assert load({}, None, environment).issuer == "https://environment.example"
    settings = load({"issuer": "https://flag.example"}, None, environment)
    assert settings.issuer == "https://flag.example"
    assert settings.grace == 3
    assert settings.defaulted == set(SETTINGS) - {"issuer", "grace"}


def test_the_file_is_the_named_one() -> None:
    Path("annul.toml").write_text("issuer = 'https://here.example'\n")
    Path("other.toml").write_text("issuer = 'https://other.example'\n")
    assert load({}, "other.toml", {}).issuer == "https://other.example"
    assert load({}, None, {"ANNUL_CONFIG": "other.toml"}).issuer == "https://other.example"
    assert load({}, "annul.toml", {"ANNUL_CONFIG": "other.toml"}).issuer == "https://here.example"


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("ANNUL_ACCESS_TTL", "60", 60),
        ("ANNUL_MAX_STALENESS", "0.5", 0.5),
        ("ANNUL_AUDIENCE", "https://a.example, https://b.example", ("https://a.example", "https://b.example")),
        ("ANNUL_STORE", " sqlite:///x.db ", "sqlite:///x.db"),
        ("ANNUL_KEK", "A" * 43, bytes(32)),
    ],
)  # fmt: skip
def test_the_environment_is_read_as_the_setting_needs(
    variable: str, text: str, value: object
) -> None:
    assert (
        getattr(load({}, None, {variable: text}), variable.removeprefix("ANNUL_").lower()) == value
    )


@pytest.mark.parametrize("text", ["", " ", "soon", "nan", "inf", "-1", "1e999", "0x10"])
def test_a_time_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(Misconfigured):
        load({}, None, {"ANNUL_GRACE": text})


def test_a_secret_may_be_in_a_file() -> None:
    Path("url").write_text("redis://:secret@127.0.0.1/0\n")
    assert load({}, None, {"ANNUL_STORE_FILE": "url"}).store == "redis://:secret@127.0.0.1/0"


def test_the_higher_place_decides_between_a_key_and_its_file() -> None:
    Path("annul.toml").write_text("kek_file = 'from-toml'\n")
    assert load({}, None, {}).kek_file == "from-toml"
    settings = load({}, None, {"ANNUL_KEK": "A" * 43})
    assert (settings.kek, settings.kek_file) == (bytes(32), None)
    settings = load({"kek_file": "flag"}, None, {"ANNUL_KEK": "A" * 43})
    assert (settings.kek, settings.kek_file) == (None, "flag")


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(Misconfigured) as raised:
        load({}, None, {"ANNUL_KEK": "not-the-right-length-but-secret!"})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/annul@home.db", "sqlite:////var/lib/annul@home.db"),
        ("redis://localhost/0", "redis://localhost/0"),
        ("redis://user:pa@ss/word@host:1/0?prefix=x", "redis://***@host:1/0?prefix=x"),
        ("redis://:secret@host/0?password=secret&prefix=x", "redis://***@host/0?prefix=x"),
        ("redis://host/0?password=secret", "redis://host/0"),
        ("secret", "secret"),
    ],
)
def test_a_shown_url_holds_no_password(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_help_reads_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNUL_NONSENSE", "1")
    assert annul("--help").code == 0
    assert annul("login", "--help").code == 0
    assert annul("inspect", "x", "--json").document["code"] == "malformed"
    assert annul("keys", "new").code == 3
