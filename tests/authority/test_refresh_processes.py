"""Authorities in several processes share one session: they agree on its one successor."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

import annul
from tests.children import THREADS, Child
from tests.stage import ACCEPTED, outcome

if TYPE_CHECKING:
    from tests.stage import Stage

PROCESSES = 2


def test_threads_of_two_processes_get_one_and_the_same_successor(shared_stage: Stage) -> None:
    authority = shared_stage.authority()
    first = authority.login("alice", client_id="web")
    words = ("authority", shared_stage.url, str(shared_stage.kek_file))
    with ExitStack() as stack:
        children = [Child(*words) for _ in range(PROCESSES)]
        for child in children:
            stack.enter_context(child)
        token = first.refresh_token
        for generation in range(1, 4):
            for child in children:
                child.tell(token)
            answers = [answer for child in children for answer in child.hear()]
            assert len(answers) == PROCESSES * THREADS
            (token,) = set(answers)
            session = shared_stage.ask(lambda store: store.session(first.session_id))
            assert session is not None
            assert session.generation == generation
    assert shared_stage.entries() == ()
    assert outcome(authority.refresh, token) == ACCEPTED
    with pytest.raises(annul.RefreshReplayed):
        authority.refresh(first.refresh_token)
