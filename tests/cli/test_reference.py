"""The page of the command line has every command, option, code and setting, and no other."""

from __future__ import annotations

import re
from dataclasses import fields

import click
import pytest

from annul.cli.exits import EXITS
from annul.cli.settings import PREFIX, SETTINGS, Configuration
from annul.core.revocation import Reason
from tests.cli.reference import (
    COMMANDS,
    LEAVES,
    codes,
    flags,
    item,
    options,
    page,
    part,
    rows,
    sections,
)
from tests.cli.running import annul

# --- commands -------------------------------------------------------------------------------


def test_every_command_has_a_section_and_no_other_has() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", LEAVES)
def test_the_section_of_a_command_names_its_options_and_no_other(name: str) -> None:
    assert set(flags(sections()[name])) == set(options(LEAVES[name]))


@pytest.mark.parametrize("name", LEAVES)
def test_a_section_begins_with_what_is_typed(name: str) -> None:
    command = LEAVES[name]
    context = click.Context(command, info_name=f"annul {name}")
    pieces = command.collect_usage_pieces(context)
    required = [
        f"{flag} ID" for flag, option in options(command).items() if option.required
    ]  # the one that is required takes an id
    shown = sections()[name].partition("```text\n")[2].partition("\n```")[0]
    assert shown == " ".join([f"annul {name}", *pieces[1:], *required])


@pytest.mark.parametrize("name", LEAVES)
def test_options_with_a_row_and_settings_are_told_apart(name: str) -> None:
    shared = {f"--{setting.replace('_', '-')}" for setting in SETTINGS}
    shared |= {"--json", "--config", "--allow-volatile-store"}
    own = set(options(LEAVES[name])) - shared
    if name == "keys import":
        own.add("--algorithm")  # that of an RSA key, which is another thing than the setting
    if name == "demo":
        own.add("--store")  # its own, because it reads no setting
    described = {found for row in rows(sections()[name]) for found in flags(row[0])}
    assert described == own
    settings = set(flags(item(name, "Settings")))
    assert settings == set(options(LEAVES[name])) - own


@pytest.mark.parametrize("name", LEAVES)
def test_an_option_that_takes_a_value_says_so(name: str) -> None:
    known = options(LEAVES[name])
    for row in rows(sections()[name]):
        for flag in flags(row[0]):
            takes = re.search(rf"`{flag} [A-Z]+[A-Z=]*`", row[0]) is not None
            assert takes is not known[flag].is_flag, flag


def test_what_can_be_revoked_is_in_a_table() -> None:
    (kinds,) = (each for each in LEAVES["revoke"].params if each.name == "kind")
    assert isinstance(kinds.type, click.Choice)
    shown = [row[0].strip("`").split()[0] for row in rows(sections()["revoke"])]
    assert [kind for kind in shown if not kind.startswith("--")] == list(kinds.type.choices)


def test_every_reason_is_named() -> None:
    words = set(codes(part("Taking back")))
    assert words == {reason.value for reason in Reason}


def test_the_parts_that_can_be_printed_alone_are_named() -> None:
    (row,) = (row for row in rows(sections()["login"]) if row[0].startswith("`--only"))
    choice = options(LEAVES["login"])["--only"].type
    assert isinstance(choice, click.Choice)
    assert codes(row[1]) == list(choice.choices)


def test_the_flags_of_many_commands_are_explained() -> None:
    explained = set(flags(part("Flags of many commands")))
    assert explained == {"--json", "--config", "--allow-volatile-store", "--help", "--version"}
    counted = [flag for command in LEAVES.values() for flag in options(command)]
    assert min(counted.count(flag) for flag in explained - {"--help", "--version"}) > 10


# --- exit codes and settings ----------------------------------------------------------------


def test_the_exit_codes_are_those_of_the_program() -> None:
    expected = [
        [str(row.code), ", ".join(f"`{error.__name__}`" for error in row.errors), row.meaning]
        for row in EXITS
    ]
    assert rows(part("Exit codes")) == expected


def plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str | tuple):
        return f"`{value if isinstance(value, str) else ' '.join(value)}`"
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_settings_are_those_of_the_program() -> None:
    given = {flag for command in LEAVES.values() for flag in options(command)}
    expected = []
    for name, row in SETTINGS.items():
        flag = f"--{name.replace('_', '-')}"
        secret = row.metadata["secret"]
        assert secret is (flag not in given)
        expected.append(
            [
                "" if secret else f"`{name}`",
                "" if secret else f"`{flag}`",
                f"`{PREFIX}{name.upper()}`",
                plain(row.default),
            ]
        )
    assert [row[:4] for row in rows(part("Settings"))] == expected
    assert len(expected) == len(fields(Configuration)) - 1


@pytest.mark.parametrize("name", re.findall(r"`(ANNUL_\w+)`", page()))
def test_a_variable_of_the_page_is_one_of_the_program(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "no/such/file")
    # It may be wrong, or harmless here; what it may not be is a name that nobody knows.
    assert "is no setting" not in annul("sessions", "alice").err


def test_the_defaults_of_commands_are_in_their_rows() -> None:
    for name in ("revoke", "keys revoke"):
        (row,) = (row for row in rows(sections()[name]) if row[0].startswith("`--timeout"))
        assert f", {options(LEAVES[name])['--timeout'].default:g} by default" in row[1]
