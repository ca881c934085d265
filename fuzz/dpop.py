"""Any bytes as a DPoP proof, or as what one says: a proven key, or a refusal of the request."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import annul
from annul.core.encoding import b64url_bytes, b64url_decode
from annul.core.htu import UnusableURL, normalize
from annul.testing import ProofForge

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.0
URL = "https://api.example/orders"
REQUEST = {"method": "GET", "url": URL, "access_token": "abc.def.ghi"}
CLIENTS = [
    ProofForge(key=annul.PrivateKey.generate(alg), clock=lambda: NOW)
    for alg in ("ES256", "Ed25519", "RS256")
]
KNOWN = {client.jkt for client in CLIENTS}
CLIENT = CLIENTS[1]
HEADER = CLIENT.proof("GET", URL).split(".")[0].encode()
# Kept for the whole run, so that remembered keys and proofs are in play as well.
KEPT = annul.DPoP(clock=lambda: NOW)


def samples() -> Iterator[bytes]:
    for client in CLIENTS:
        yield client.proof("GET", URL, access_token=REQUEST["access_token"]).encode()
    good = CLIENT.proof("GET", URL, access_token=REQUEST["access_token"], nonce="n").encode()
    yield b64url_decode(good.split(b".")[1])
    yield URL.encode()
    yield b"HTTPS://API.example:443/a/./b/../%7E%2f?x#y"


def target(data: bytes) -> None:
    say_url(data.decode("latin-1"))
    if data.startswith(b"{"):
        start = HEADER + b"." + b64url_bytes(data)
        data = start + b"." + b64url_bytes(CLIENT.key.sign(start))
    # A proof that was accepted joins the samples, so only a server of its own has never seen it.
    dpop = annul.DPoP(clock=lambda: NOW)
    with contextlib.suppress(annul.InvalidDPoPProof):
        KEPT.prove(data, **REQUEST)
    proof = dpop.prove(data, **REQUEST)
    claims = json.loads(b64url_decode(data.split(b".")[1]))
    assert proof.jkt in KNOWN
    assert (claims["htm"], claims["jti"]) == ("GET", proof.jti)
    assert normalize(claims["htu"]) == URL
    assert NOW - 60 <= claims["iat"] <= NOW + 10
    with contextlib.suppress(annul.InvalidDPoPProof):
        dpop.prove(data, **REQUEST)
        raise AssertionError("a proof was accepted twice")


def say_url(url: str) -> None:
    try:
        normal = normalize(url)
    except UnusableURL:
        return
    assert normal.startswith(("http://", "https://"))
    assert normalize(normal) == normal
    assert not set("?#\\ ") & set(normal)


if __name__ == "__main__":
    run(target, list(samples()))
