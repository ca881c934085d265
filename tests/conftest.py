"""What all tests share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        action="append",
        default=[],
        metavar="FILE",
        help="another file of JWS vectors for tests/test_vectors.py (a JSON array of rows)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector_file" in metafunc.fixturenames:
        own = sorted((Path(__file__).parent / "vectors").glob("jws_*.json"))
        files = [*own, *map(Path, metafunc.config.getoption("vectors"))]
        metafunc.parametrize("vector_file", files, ids=[path.name for path in files])
