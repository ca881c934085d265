"""What a Redis URL may say, and that no message repeats what it must not."""

from __future__ import annotations

import pytest

from annul.errors import Misconfigured
from annul.stores import open_store
from annul.stores.redis_url import Host, address_from_url

SECRET = "s3cr3t%25%20word"
SENTINELS = "redis+sentinel://s1,s2:5000,[::1]:26380/shop/2?nodes=3"


def test_a_url_says_where_the_server_is() -> None:
    address = address_from_url(f"rediss://annul:{SECRET}@db.example:6380/4?prefix=shop&timeout=0.5")

    assert (address.hosts, address.via) == ((Host("db.example", 6380),), "")
    assert (address.db, address.prefix, address.timeout) == (4, "shop", 0.5)
    assert (address.username, address.password, address.tls) == ("annul", "s3cr3t% word", True)
    assert (address.place, address.may_fail_over) == ("db.example:6380", True)


def test_what_is_not_said_has_a_default() -> None:
    address = address_from_url("valkey://db.example?failover=never")

    assert (address.hosts, address.db) == ((Host("db.example", 6379),), 0)
    assert (address.username, address.password, address.nodes) == (None, None, None)
    assert not address.may_fail_over


def test_sentinels_and_their_service_can_be_named() -> None:
    address = address_from_url(f"{SENTINELS}&sentinel_username=u&sentinel_password=p%25w")

    assert address.hosts == (Host("s1", 26379), Host("s2", 5000), Host("::1", 26380))
    assert (address.via, address.service, address.db, address.nodes) == ("sentinel", "shop", 2, 3)
    assert (address.sentinel_username, address.sentinel_password) == ("u", "p%w")
    assert address.place == "shop at s1:26379,s2:5000,[::1]:26380"


def test_nodes_of_a_cluster_can_be_named() -> None:
    address = address_from_url(f"valkeys+cluster://annul:{SECRET}@n1:7000,n2/?nodes=2&prefix=shop")

    assert (address.hosts, address.via) == ((Host("n1", 7000), Host("n2", 6379)), "cluster")
    assert (address.nodes, address.tls, address.password) == (2, True, "s3cr3t% word")


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
@pytest.mark.parametrize("rest", ["://h/0", "+sentinel://h/shop?nodes=2", "+cluster://h?nodes=2"])
def test_every_scheme_opens_a_store(scheme: str, rest: str) -> None:
    assert open_store(scheme + rest, issuer="https://auth.example") is not None


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}@/0",
        f"redis://:{SECRET}@h:port/0",
        f"redis://:{SECRET}@h:99999/0",
        f"redis://:{SECRET}@one,two/0",
        f"redis://:{SECRET}@h/zero",
        f"redis://:{SECRET}@h/0#part",
        f"redis://:{SECRET}@h/0?nodes=2",
        f"redis://:{SECRET}@h/0?failover=always",
        f"redis://:{SECRET}@h/0?prefix=a&prefix=b",
        f"redis://:{SECRET}@h/0?prefix={{a}}",
        f"redis://:{SECRET}@h/0?prefix=",
        f"redis://:{SECRET}@h/0?timeout=0",
        f"redis://:{SECRET}@h/0?timeout=nan",
        f"redis://:{SECRET}@h/0?appendfsync=no",
        f"redis://:{SECRET}@h/0?ca=/etc/hosts",
        f"rediss://:{SECRET}@h/0?ca=/nowhere",
        f"redis://:{SECRET}@h/0?sentinel_password=x",
        f"redis+sentinel://:{SECRET}@s1,s2",
        f"redis+sentinel://:{SECRET}@s1,,s2/shop",
        f"redis+sentinel://:{SECRET}@s1,s1:26379/shop",
        f"redis+sentinel://:{SECRET}@s1/shop/zero",
        f"redis+sentinel://:{SECRET}@s1/shop?nodes=1",
        f"redis+sentinel://:{SECRET}@s1/shop?nodes=3.0",
        f"redis+sentinel://:{SECRET}@s1/shop?nodes=33",
        f"redis+sentinel://:{SECRET}@s1/shop?failover=never",
        f"redis+cluster://:{SECRET}@n1/1?nodes=2",
        f"redis+cluster://:{SECRET}@n1/shop?nodes=2",
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        address_from_url(url)
    assert "s3cr3t" not in str(refused.value)


def test_a_password_is_in_no_description() -> None:
    for url in (f"redis://:{SECRET}@h/0", f"{SENTINELS}&sentinel_password={SECRET}"):
        assert "s3cr3t" not in repr(address_from_url(url))
