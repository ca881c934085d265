"""Which settings let any standby take over, and which only one that has been chosen well."""

from __future__ import annotations

import pytest

from annul.stores.postgres_standbys import awaited_from, danger_of

SETTINGS = {
    "": (1, set()),
    "a": (1, {"a"}),
    "a, b": (1, {"a", "b"}),
    "1 (a)": (1, {"a"}),
    "2 (a, b)": (2, {"a", "b"}),
    "FIRST 2 (a,b,c)": (2, {"a", "b", "c"}),
    "ANY 2(a, b)": (2, {"a", "b"}),
    "any 1 (\n a,\n b )": (1, {"a", "b"}),
    "*": (1, {"*"}),
    "ANY 1 (*)": (1, {"*"}),
    '"Node-1", "say ""hi"" (2, 3)"': (1, {"node-1", 'say "hi" (2, 3)'}),
    "ANY 1 (first, any)": (1, {"first", "any"}),
    "FirstOne": (1, {"firstone"}),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_read_as_the_server_reads_it(setting: str) -> None:
    assert tuple(awaited_from(setting)) == SETTINGS[setting]


def dangers(setting: str, *followers: str, several: bool = False) -> list[bool]:
    """Whether it is a danger if any may be promoted, and if only a confirmed one is."""
    return [
        danger_of(setting, followers, promotion, several_hosts=several) is not None
        for promotion in ("any", "confirmed")
    ]


@pytest.mark.parametrize(
    ("setting", "followers"),
    [
        ("", ""),
        ("a", "a"),
        ("a", ""),
        ("A", "a"),
        ("FIRST 1 (a)", "a"),
        ("ANY 2 (a, b)", "ab"),
        ("ANY 2 (a, b)", "b"),
        ("2 (a, b)", "ab"),
    ],
)
def test_any_standby_may_take_over_that_every_commit_waits_for(
    setting: str, followers: str
) -> None:
    assert dangers(setting, *followers) == [False, False]


@pytest.mark.parametrize(
    ("setting", "followers"),
    [
        ("ANY 1 (a, b)", "ab"),
        ("FIRST 1 (a, b)", "ab"),
        ("a, b", ""),
        ("ANY 2 (a, b, c)", "abc"),
        ("*", "a"),
        ("ANY 2 (a, b, *)", "ab"),
        ("a", "ab"),  # nobody waits for b
        ("a", "b"),
        ("a", "aa"),
    ],
)
def test_only_a_chosen_one_may_take_over_where_a_commit_does_not_wait_for_all(
    setting: str, followers: str
) -> None:
    assert dangers(setting, *followers) == [True, False]


@pytest.mark.parametrize("setting", ["", " "])
def test_none_may_take_over_where_no_commit_waits(setting: str) -> None:
    assert dangers(setting, "a") == [True, True]


def test_a_url_with_several_hosts_says_that_there_are_standbys() -> None:
    assert dangers("", several=True) == [True, True]
    assert dangers("a", several=True) == [False, False]
