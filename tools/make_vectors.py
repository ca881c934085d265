# ruff: noqa: INP001 - scripts of this repository, not a package
"""Writes our own vectors, ``tests/vectors/jws_*.json``, anew: ``python tools/make_vectors.py``.

The private keys are those of ``tests/vectors/keys.json``, made if there are none. What the rows
say comes from the standards, never from annul: this script does not even import it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

sys.path.insert(0, str(Path(__file__).parents[1]))
from tools.vector_claims import rows_of_claims
from tools.vector_keys import rows_of_keys
from tools.vector_rows import AUDIENCE, ISSUER, Row, rows_of_text
from tools.vector_signatures import rows_of_signatures
from tools.vector_signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOLDER = Path(__file__).parents[1] / "tests" / "vectors"
KEYS = FOLDER / "keys.json"

MAKERS: dict[str, Callable[[], Any]] = {
    "RSA": lambda: rsa.generate_private_key(65_537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ES512": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "ML-DSA-44": mldsa.MLDSA44PrivateKey.generate,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey.generate,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey.generate,
    "stranger": lambda: ec.generate_private_key(ec.SECP256R1()),
}
USES = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "Ed25519": ("Ed25519", "EdDSA"),
}


def keys() -> dict[str, str]:
    """Return the private keys in PEM by their names, the same ones in every run."""
    known: dict[str, str] = json.loads(KEYS.read_text("utf-8")) if KEYS.exists() else {}
    for name, make in MAKERS.items():
        if name not in known:
            pem = make().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            known[name] = pem.decode()
    KEYS.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    return known


def write(name: str, rows: Iterable[Row]) -> int:
    """Write one file and return how many rows it has; random signatures stay as they are."""
    path = FOLDER / f"jws_{name}.json"
    before = (
        {row["id"]: row for row in json.loads(path.read_text("utf-8"))} if path.exists() else {}
    )
    written: dict[str, dict[str, Any]] = {}
    for row in rows:
        judged = row.at is not None
        new = {
            "id": row.id,
            "source": "annul",
            "alg": row.alg,
            "jwk": row.key,
            "token": row.token,
            "expected": row.expected,
            "reason": row.reason,
            "now": row.at,
            "issuer": ISSUER if judged else None,
            "audience": AUDIENCE if judged else None,
        }
        if row.id in written:
            raise ValueError(f"two rows are called {row.id}")
        old = before.get(row.id)
        if row.alg.startswith("ML-DSA") and old is not None:
            same_key = old["jwk"] == row.key
            same_start = old["token"].split(".")[:2] == row.token.split(".")[:2]
            new["token"] = old["token"] if same_key and same_start else row.token
        written[row.id] = new
    text = json.dumps(list(written.values()), indent=1, ensure_ascii=True)
    path.write_text(text + "\n", "utf-8")
    return len(written)


def main() -> None:
    """Write every file."""
    pems = keys()
    stranger = Signer("ES256", pems.pop("stranger"))
    signers = {
        alg: Signer(alg, pem) for name, pem in pems.items() for alg in USES.get(name, [name])
    }
    files = dict(rows_of_text(signers["Ed25519"], signers["ES384"]))
    files["claims"] = list(rows_of_claims(signers["Ed25519"]))
    files["signatures"] = list(rows_of_signatures(signers))
    files["keys"] = list(rows_of_keys(signers, stranger))
    for name, rows in files.items():
        sys.stdout.write(f"jws_{name}.json: {write(name, rows)} rows\n")


if __name__ == "__main__":
    main()
