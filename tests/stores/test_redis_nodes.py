"""The store on several real servers, under Sentinel and as a cluster, keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.stores.redis import from_url
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract
from tests.redis_nodes import shared_cluster, shared_sentinels

if TYPE_CHECKING:
    from tests.redis_nodes import Cluster, Sentinels

__all__ = ["shared_cluster", "shared_sentinels"]


@pytest.mark.xdist_group("sentinel")
class TestSentinel(StoreContract):
    @pytest.fixture
    def open_handle(self, shared_sentinels: Sentinels) -> OpenHandle:
        shared_sentinels.clear()
        return lambda: from_url(shared_sentinels.url, issuer=ISSUER)


@pytest.mark.xdist_group("cluster")
class TestCluster(StoreContract):
    @pytest.fixture
    def open_handle(self, shared_cluster: Cluster) -> OpenHandle:
        shared_cluster.clear()
        return lambda: from_url(shared_cluster.url, issuer=ISSUER)
