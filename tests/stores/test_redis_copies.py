"""When enough nodes have a write, and who keeps a slot: decided without any server."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from annul.errors import StoreUnavailable, UnsafeStore
from annul.stores.redis_cluster import Shard, shards_in
from annul.stores.redis_copies import ALONE, Copies
from annul.stores.redis_url import Host

ASKED = Host("asked", 1)
NODES = """\
a1 10.0.0.1:7000@17000,db1 myself,master - 0 0 5 connected 0-99 200 [300->-b1]
a2 10.0.0.2:7000@17000 slave a1 0 0 5 connected
a3 :0@0 slave,fail,noaddr a1 0 0 5 disconnected
b1 ::1:7001@17001 master - 0 0 6 connected 100-199 201-400
b2 :7002@17002 master,fail - 0 0 2 connected 50
c1 10.0.0.9:7000@17000 handshake - 0 0 0 connected
"""


def info(replicas: int) -> bytes:
    return b"# Replication\r\nrole:master\r\nconnected_slaves:%d\r\n" % replicas


@pytest.mark.parametrize("nodes", [2, 3, 5])
@pytest.mark.parametrize("synced", [False, True])
def test_every_node_has_to_have_a_write(nodes: int, synced: bool) -> None:
    copies = Copies(nodes, synced=synced)

    def answers(replicas: int, on_disk: list[int]) -> list[object]:
        return [1, replicas, *([on_disk] if synced else []), info(nodes - 1)]

    copies.check_all(answers(nodes - 1, [1, nodes - 1]), "here")
    with pytest.raises(StoreUnavailable):
        copies.check_all(answers(nodes - 2, [1, nodes - 1]), "here")
    if synced:
        for on_disk in ([0, nodes - 1], [1, nodes - 2]):
            with pytest.raises(StoreUnavailable):
                copies.check_all(answers(nodes - 1, on_disk), "here")


def test_a_node_that_was_not_counted_makes_it_unsafe() -> None:
    with pytest.raises(UnsafeStore):
        Copies(3).check_all([1, 3, info(3)], "here")


def test_somebody_who_follows_in_the_place_of_a_node_is_not_counted_for_it() -> None:
    line = b"slave%d:ip=10.0.0.%d,port=6379,state=%s,offset=1,lag=0\r\n"
    one, two = Host("10.0.0.1", 6379), Host("10.0.0.2", 6379)

    def told(*replicas: tuple[int, bytes]) -> bytes:
        return info(2) + b"".join(line % (n, *said) for n, said in enumerate(replicas))

    Copies(3).check_all([1, 2, told((1, b"online"), (2, b"online"))], "here", [one, two])
    for other in (told((1, b"online"), (9, b"online")), told((1, b"online"), (2, b"wait_bgsave"))):
        with pytest.raises(StoreUnavailable):
            Copies(3).check_all([1, 2, other], "here", [one, two])


@pytest.mark.parametrize("answer", [b"role:master\r\n", ResponseError("NOPERM"), None])
def test_a_server_that_does_not_tell_its_replicas_is_unsafe(answer: object) -> None:
    with pytest.raises(UnsafeStore):
        Copies(2).check_all([1, 1, answer], "here")


@pytest.mark.parametrize(("nodes", "enough"), [(2, 1), (3, 1), (4, 2), (5, 2), (9, 4)])
def test_most_nodes_have_to_confirm_a_lease(nodes: int, enough: int) -> None:
    copies = Copies(nodes)

    assert copies.for_most(100) == (("WAIT", enough, 100),)
    copies.check_most([enough], "here")
    with pytest.raises(StoreUnavailable):
        copies.check_most([enough - 1], "here")


@pytest.mark.parametrize("nodes", [2, 3, 4, 9])
def test_any_most_and_the_nodes_without_one_have_a_node_in_common(nodes: int) -> None:
    (wait,) = Copies(nodes).for_most(100)
    most = 1 + int(wait[1])

    assert most > nodes - most


def test_whoever_stands_alone_waits_for_nobody() -> None:
    assert ALONE.for_all("annul", 100) == ALONE.for_most(100) == ()
    ALONE.check_all([], "here")
    ALONE.check_most([], "here")


def test_there_is_always_something_written_to_wait_for() -> None:
    pulse, wait, also, _info = Copies(3, synced=True).for_all("annul", 100)

    assert pulse[0] == "INCR"
    assert (wait, also) == (("WAIT", 2, 100), ("WAITAOF", 1, 2, 100))


def test_a_slot_is_its_primarys_and_its_replicas() -> None:
    for slot in (0, 99, 200):
        (shard,) = [one for one in shards_in(NODES, slot, ASKED) if one.epoch == 5]
        assert shard == Shard(Host("10.0.0.1", 7000), 5, (Host("10.0.0.2", 7000),))
        assert shard.hosts == (Host("10.0.0.1", 7000), Host("10.0.0.2", 7000))


def test_a_slot_that_moves_is_still_its_owners() -> None:
    (shard,) = shards_in(NODES, 300, ASKED)

    assert shard == Shard(Host("::1", 7001), 6, ())


def test_two_that_claim_a_slot_are_both_told() -> None:
    claims = {shard.primary: shard.epoch for shard in shards_in(NODES, 50, ASKED)}

    assert claims == {Host("10.0.0.1", 7000): 5, Host("asked", 7002): 2}


def test_a_slot_of_nobodys_is_not_made_up() -> None:
    assert list(shards_in(NODES, 16383, ASKED)) == []
    assert list(shards_in("", 0, ASKED)) == []
