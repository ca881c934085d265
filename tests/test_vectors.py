"""Runs files of signed tokens against the verifying functions: every row names its outcome.

A file is a JSON array of rows ``{id, alg, jwk, token, expected, reason, now, issuer, audience}``:
``alg`` is the one algorithm that is trusted, ``jwk`` a key or a key set, ``expected`` either
``accept`` or ``reject``. Rows with a ``now`` are access tokens and go through a ``Verifier``; the
others are plain JWS. ``pytest tests/test_vectors.py --vectors FILE`` runs another file as well.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import annul

if TYPE_CHECKING:
    from pathlib import Path

SLOWEST = 0.05


def outcome(row: dict[str, Any]) -> str:
    """Return ``accept`` or ``reject``; any exception that is not annul's own escapes."""
    document = row["jwk"] if "keys" in row["jwk"] else {"keys": [row["jwk"]]}
    try:
        jwks = annul.JWKS.from_json(json.dumps(document))
        if row["now"] is None:
            annul.jws.verify(row["token"], jwks, algorithms=(row["alg"],))
        else:
            policy = annul.Policy.foreign(
                issuer=row["issuer"], audience=row["audience"], algorithms=(row["alg"],)
            )
            annul.Verifier(
                jwks=jwks,
                policy=policy,
                denylist=annul.Denylist(),
                clock=lambda: float(row["now"]),
            ).verify(row["token"])
    except annul.AnnulError:
        return "reject"
    return "accept"


def test_every_row_has_the_outcome_it_names(vector_file: Path) -> None:
    rows = json.loads(vector_file.read_text("utf-8"))
    wrong = []
    for row in rows:
        start = time.perf_counter()
        found = outcome(row)
        took = time.perf_counter() - start
        if found != row["expected"]:
            wrong.append(f"{row['id']}: {found} instead of {row['expected']} ({row['reason']})")
        if took > SLOWEST:
            # Once more: a busy machine is no finding.
            start = time.perf_counter()
            outcome(row)
            assert time.perf_counter() - start < SLOWEST, row["id"]

    assert rows
    assert not wrong, "\n".join(wrong)
