"""The store in memory keeps the contract, within one process."""

from __future__ import annotations

import uuid

import pytest

from annul.stores.memory import from_url
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract


class TestMemory(StoreContract):
    durable = False

    @pytest.fixture
    def open_handle(self) -> OpenHandle:
        name = uuid.uuid4().hex
        return lambda: from_url(f"memory://{name}", issuer=ISSUER)
