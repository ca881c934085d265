"""The store in a real Valkey or Redis server keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.stores.redis import from_url
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract

if TYPE_CHECKING:
    from tests.servers import RedisServer


class TestRedis(StoreContract):
    @pytest.fixture
    def open_handle(self, redis_server: RedisServer) -> OpenHandle:
        return lambda: from_url(redis_server.url, issuer=ISSUER)
