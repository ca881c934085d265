"""The store in a real PostgreSQL server keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.stores import open_store
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer


class TestPostgres(StoreContract):
    @pytest.fixture
    def open_handle(self, postgres_server: PostgresServer) -> OpenHandle:
        url = postgres_server.store_url()
        return lambda: open_store(url, issuer=ISSUER)
