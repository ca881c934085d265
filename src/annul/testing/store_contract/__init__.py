"""``StoreContract``: the prose of ``annul.stores.base`` as tests. Needs pytest and nothing else.

A backend subclasses it and says how to open a handle on a store that is empty in each test::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def open_handle(self, tmp_path):
            return lambda: MyStore(tmp_path / "annul", issuer=ISSUER)

Every call must return another handle on the same data; the tests close them all. Each test runs
in an event loop of its own, so a handle must connect when it is used and not when it is made. A
store that keeps nothing once its last handle is closed sets ``durable = False``.
"""

from __future__ import annotations

import pkgutil

import pytest

# Before the modules are imported: a failed assertion in them should say what was compared.
for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    pytest.register_assert_rewrite(_module.name)

from annul.testing.store_contract.bench import Bench, OpenHandle  # noqa: E402
from annul.testing.store_contract.closing import Closing  # noqa: E402
from annul.testing.store_contract.combining import Combining  # noqa: E402
from annul.testing.store_contract.epochs import Epochs  # noqa: E402
from annul.testing.store_contract.following import Following  # noqa: E402
from annul.testing.store_contract.founding import Founding  # noqa: E402
from annul.testing.store_contract.keyring import Keyring  # noqa: E402
from annul.testing.store_contract.log import Log  # noqa: E402
from annul.testing.store_contract.offers import Offers  # noqa: E402
from annul.testing.store_contract.pages import Pages  # noqa: E402
from annul.testing.store_contract.pruning import Pruning  # noqa: E402
from annul.testing.store_contract.rotation import Rotation  # noqa: E402
from annul.testing.store_contract.sessions import Sessions  # noqa: E402
from annul.testing.store_contract.watermarks import Watermarks  # noqa: E402

__all__ = ["Bench", "OpenHandle", "StoreContract"]


class StoreContract(
    Founding,
    Log,
    Watermarks,
    Pages,
    Following,
    Sessions,
    Rotation,
    Combining,
    Keyring,
    Pruning,
    Epochs,
    Offers,
    Closing,
):
    """What every store must do. Supply ``open_handle``; see the module's example."""

    @pytest.fixture
    def open_handle(self) -> OpenHandle:
        """Return a function that opens one more handle on this test's own store."""
        raise NotImplementedError("a StoreContract needs a fixture open_handle of its own")
