"""The store in one SQLite file keeps the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.stores.sqlite import from_url
from annul.testing import ISSUER
from annul.testing.store_contract import OpenHandle, StoreContract

if TYPE_CHECKING:
    from pathlib import Path


class TestSQLite(StoreContract):
    @pytest.fixture
    def open_handle(self, tmp_path: Path) -> OpenHandle:
        return lambda: from_url(f"sqlite:///{tmp_path}/annul.db", issuer=ISSUER)
