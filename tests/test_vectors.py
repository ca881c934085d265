"""Runs files of signed tokens against the verifying functions: every row names its outcome.

A file is a JSON array of rows ``{id, alg, jwk, token, expected, reason, now, issuer, audience}``:
``alg`` is the one algorithm that is trusted, ``jwk`` a key or a key set, ``expected`` either
``accept`` or ``reject``. Rows with a ``now`` are access tokens and go through a ``Verifier``; the
others are plain JWS. ``pytest tests/test_vectors.py --vectors FILE`` runs another file as well.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable

SLOWEST = 0.05
COLUMNS = {"id", "alg", "jwk", "token", "expected", "reason", "now", "issuer", "audience"}
OUTCOMES = {"accept", "reject"}


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; fail with what is wrong with it if it has none."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        pytest.fail(f"{path.name}: {error}", pytrace=False)
    if not isinstance(document, list) or not document:
        pytest.fail(f"{path.name} is not an array of rows", pytrace=False)
    for number, row in enumerate(document):
        if not isinstance(row, dict) or not row.keys() >= COLUMNS:
            missing = COLUMNS - row.keys() if isinstance(row, dict) else COLUMNS
            what = f"row {number} of {path.name} has no {', '.join(sorted(missing))}"
            pytest.fail(what, pytrace=False)
        if row["expected"] not in OUTCOMES:
            pytest.fail(f"row {number} of {path.name}: expected is accept or reject", pytrace=False)
    return document


def verification(row: dict[str, Any]) -> Callable[[], object]:
    """Return the call that the row is about, with everything that it takes for granted."""
    jwk = row["jwk"]
    document = jwk if isinstance(jwk, dict) and "keys" in jwk else {"keys": [jwk]}
    jwks = annul.JWKS.from_json(json.dumps(document))
    if row["now"] is None:
        return lambda: annul.jws.verify(row["token"], jwks, algorithms=(row["alg"],))
    policy = annul.Policy.foreign(
        issuer=row["issuer"], audience=row["audience"], algorithms=(row["alg"],)
    )
    verifier = annul.Verifier(
        jwks=jwks, policy=policy, denylist=annul.Denylist(), clock=lambda: float(row["now"])
    )
    return lambda: verifier.verify(row["token"])


def outcome(row: dict[str, Any]) -> str:
    """Return ``accept``, ``reject``, or the name of an exception that is not annul's own."""
    try:
        verify = verification(row)
        # Twice: the second answer may come from what the first one left behind.
        verify()
        verify()
    except annul.AnnulError:
        return "reject"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return type(error).__name__
    return "accept"


def test_every_row_has_the_outcome_it_names(vector_file: Path) -> None:
    wrong, slow = [], []
    for row in rows_of(vector_file):
        if row["alg"].startswith("ML-DSA") and row["alg"] not in ALGORITHMS:
            continue  # an older cryptography
        start = time.perf_counter()
        found = outcome(row)
        took = time.perf_counter() - start
        if found != row["expected"]:
            # Only names: what failed may be a token of somebody's own.
            wrong.append(f"{row['id']}: {found} instead of {row['expected']} ({row['reason']})")
        if took > SLOWEST:
            # Once more: a busy machine is no finding.
            start = time.perf_counter()
            outcome(row)
            if time.perf_counter() - start > SLOWEST:
                slow.append(row["id"])

    if wrong or slow:
        slow = [f"{name}: slower than {SLOWEST} s" for name in slow]
        pytest.fail("\n".join([f"{vector_file.name}:", *wrong, *slow]), pytrace=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"jws": [], "dpop": []}',
        "[1]",
        '[{"id": "x", "token": "a.b.c"}]',
        (
            '[{"id":"","alg":"","jwk":{},"token":"","expected":"maybe","reason":"","now":null,'
            '"issuer":null,"audience":null}]'
        ),
    ],
)
def test_a_file_of_another_shape_fails_with_its_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")

    with pytest.raises(pytest.fail.Exception) as caught:
        rows_of(path)

    assert "other.json" in str(caught.value)


def test_every_algorithm_has_a_row_that_is_accepted_and_one_that_is_not() -> None:
    found = {
        (row["alg"], row["expected"])
        for path in (Path(__file__).parent / "vectors").glob("jws_*.json")
        for row in rows_of(path)
    }

    assert found >= {(alg, expected) for alg in ALGORITHMS for expected in OUTCOMES}
