"""Planted bugs: changes to the code under test, each of which breaks a promise.

A bug is a context manager that is given the world and changes something for as long as one seed
runs. Its name says what is done wrong, its docstring why that loses something.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.simulation.virtual_time import World


class Bug(NamedTuple):
    """One planted bug."""

    name: str
    why: str
    plant: Callable[[World], AbstractContextManager[None]]


BUGS: dict[str, Bug] = {}


def bug(change: Callable[[World], Iterator[None]]) -> Callable[[World], Iterator[None]]:
    """Enter a generator, which changes something until it is resumed, in the table of bugs."""
    name = change.__name__
    BUGS[name] = Bug(name, change.__doc__ or "", contextmanager(change))
    return change


def swap(owner: object, name: str, value: Any) -> AbstractContextManager[Any]:  # noqa: ANN401 - whatever stands there
    """Put something else in the place of what is called so."""
    return patch.object(owner, name, value)
