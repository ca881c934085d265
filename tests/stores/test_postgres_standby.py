"""The store in a primary that waits for its standby keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.stores import open_store
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract

if TYPE_CHECKING:
    from tests.postgres_cluster import PostgresCluster


class TestPostgresWithStandby(StoreContract):
    @pytest.fixture
    def open_handle(self, postgres_pair: PostgresCluster) -> OpenHandle:
        url = postgres_pair.store_url()
        return lambda: open_store(url, issuer=ISSUER)
