"""The figures that annul claims, as ratios measured side by side in one run.

    make bench                 all of it
    make bench ARGS=--quick    a tenth of the work, to see that it runs
    make bench ARGS=--size     ten million revoked ids: room, look-ups, pauses (bench/size.py)
    make bench ARGS=--revocation    how long a revocation takes (bench/revocation.py)
    make bench ARGS=--watching      fifty thousand connections, and closing them (bench/watching.py)

Every block uses texts that are new ``str`` objects, as a server gets them from a socket. Redis
figures need a Valkey or Redis server program; without one they are left out and the table says so.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import jwt
import redis
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import annul

# Run as a script, so the project's own folder is not on the path yet.
sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.binding import binding
from bench.measure import Comparison, compare, per_call
from bench.revocation import revocation
from bench.size import show_sizes
from bench.steps import steps
from bench.watching import show_watching
from tests.servers import RedisServer, redis_binary

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUER, AUDIENCE = "https://auth.example", "https://api.example"
POLICY = annul.Policy(issuer=ISSUER, audience=AUDIENCE)
SINCE = annul.Position(1_700_000_000, 12)
CLAIMS = {"roles": ["staff"]}


def main() -> int:
    """Run everything and print a table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--size", action="store_true", help="measure ten million revoked ids")
    parser.add_argument("--revocation", action="store_true", help="time revocations")
    parser.add_argument("--watching", action="store_true", help="watch 50,000 connections")
    options = parser.parse_args()
    if options.size:
        return show_sizes(quick=options.quick, as_json=options.json)
    if options.watching:
        return show_watching(quick=options.quick, as_json=options.json)
    scale = 10 if options.quick else 1
    if options.revocation:
        rows = [_row(what, took, "ms", aim) for what, took, aim in revocation(scale)]
    else:
        rows = [*first_verification(scale), *signing(scale), *repeat_verification(scale)]
        rows += [_row(what, each.ratio, "x", aim, each) for what, each, aim in binding(scale)]
    if options.json:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        print(json.dumps(machine | {"rows": rows}, indent=1))
    else:
        for row in rows:
            print(f"{row['what']:<58} {row['figure']:>10.3f} {row['unit']:<9} {row['note']}")
    return 0


def issuer_for(key: annul.PrivateKey) -> annul.Issuer:
    """Return an issuer of ordinary tokens."""
    return annul.Issuer(key=key, issuer=ISSUER, audience=AUDIENCE, ttl=3600)


def issue(issuer: annul.Issuer, number: int) -> str:
    """Return a token of about 580 characters."""
    return issuer.issue(
        subject=f"user-{number:08d}",
        client_id="web",
        since=SINCE,
        sid=f"sid-{number:08d}-abcdefghij",
        scope="read write",
        claims=CLAIMS,
    ).text


def fresh(tokens: list[str]) -> list[str]:
    """Return equal texts in new objects, so that no hash is remembered."""
    return [token.encode().decode() for token in tokens]


# --- first verification and signing ---------------------------------------------------


def first_verification(scale: int) -> list[dict[str, Any]]:
    """Compare the first verification of a token with the bare signature check."""
    rows = []
    for alg, aim in (("ES256", 1.15), ("RS256", 1.45)):
        key = annul.PrivateKey.from_pem(_rsa_2048(), alg=alg) if alg == "RS256" else None
        key = key or annul.PrivateKey.generate(alg)
        issuer = issuer_for(key)
        tokens = [issue(issuer, number) for number in range(2000 // scale)]
        verifier = annul.Verifier(
            jwks=annul.JWKS([key.public]),
            policy=POLICY,
            denylist=annul.Denylist(),
            cache_size=0,
        )
        found = compare(
            _each(verifier.verify, tokens), _raw_checks(key, tokens), rounds=30 // min(scale, 3)
        )
        rows.append(_row(f"first verification {alg}", found.ratio, "x raw", aim, found))
        rest = found.ours - found.theirs
        for step, seconds in steps(tokens, POLICY, ecdsa=alg == "ES256"):
            rows.append(_row(f"    of which {step}", seconds * 1e6, "us", None))
            rest -= seconds
        rows.append(
            _row("    of which the rest, and what a cold cache costs", rest * 1e6, "us", None)
        )
    return rows


def signing(scale: int) -> list[dict[str, Any]]:
    """Compare issuing a token with the bare signature."""
    key = annul.PrivateKey.generate("ES256")
    issuer = issuer_for(key)
    private = load_pem_private_key(key.to_pem(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    algorithm = ec.ECDSA(hashes.SHA256())
    data = issue(issuer, 1).rpartition(".")[0].encode()
    count = 3000 // scale
    names = [(f"user-{number:08d}", f"sid-{number:08d}-abcdefghij") for number in range(count)]

    def ours() -> int:
        for subject, sid in names:
            issuer.issue(
                subject=subject,
                client_id="web",
                since=SINCE,
                sid=sid,
                scope="read write",
                claims=CLAIMS,
            )
        return count

    def raw() -> int:
        for _ in range(count):
            private.sign(data, algorithm)
        return count

    found = compare(ours, raw, rounds=30 // min(scale, 3))
    return [_row("issue an ES256 token", found.ratio, "x raw", 1.25, found)]


def _raw_checks(key: annul.PrivateKey, tokens: list[str]) -> Callable[[], int]:
    private = load_pem_private_key(key.to_pem(), None)
    prepared = []
    for token in tokens:
        signed, _, signature = token.rpartition(".")
        raw = jwt.utils.base64url_decode(signature)
        if key.alg == "ES256":
            raw = encode_dss_signature(
                int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
            )
        prepared.append((raw, signed.encode()))
    if isinstance(private, RSAPrivateKey):
        public_rsa = private.public_key()
        pkcs, sha = padding.PKCS1v15(), hashes.SHA256()

        def check_rsa() -> int:
            for raw, data in prepared:
                public_rsa.verify(raw, data, pkcs, sha)
            return len(prepared)

        return check_rsa
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public_ec = private.public_key()
    ecdsa = ec.ECDSA(hashes.SHA256())

    def check_ec() -> int:
        for raw, data in prepared:
            public_ec.verify(raw, data, ecdsa)
        return len(prepared)

    return check_ec


def _rsa_2048() -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


# --- repeat verification --------------------------------------------------------------


def repeat_verification(scale: int) -> list[dict[str, Any]]:
    """Time tokens that were verified before, through a replica with every check, beside a peer."""
    rows = []
    count = 20_000 // scale
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        with annul.Authority.open(
            url, issuer=ISSUER, audience=AUDIENCE, access_ttl=3600, max_staleness=60.0
        ) as authority:
            for number in range(200):
                authority.revoke(annul.SubjectId(f"gone-{number}"))
                authority.revoke(annul.TokenId(f"gone-{number}"))
            authority.block("mallory")
            key = annul.PrivateKey.from_pem(authority.export_key(authority.keys()[0].kid))
            issuer = issuer_for(key)
            position = annul.Position(*authority.replica.watermark[:2])  # type: ignore[index]
            tokens = [_issue_at(issuer, number, position) for number in range(count)]
            with annul.Replica.open(url, policy=POLICY, max_staleness=60.0) as replica:
                rows += _repeat_rows(replica, tokens, key, scale)
    return rows


def _issue_at(issuer: annul.Issuer, number: int, since: annul.Position) -> str:
    return issuer.issue(
        subject=f"user-{number:08d}",
        client_id="web",
        since=since,
        sid=f"sid-{number:08d}-abcdefghij",
        scope="read write",
        claims=CLAIMS,
    ).text


def _repeat_rows(
    replica: annul.Replica, tokens: list[str], key: annul.PrivateKey, scale: int
) -> list[dict[str, Any]]:
    for token in tokens:
        replica.verify(token)
    hot = fresh(tokens[:1] * (50_000 // scale))
    mixed = fresh(tokens)
    random.Random(1).shuffle(mixed)
    hot_time = median(per_call(_each(replica.verify, fresh(hot))) for _ in range(7))
    mixed_time = median(per_call(_each(replica.verify, fresh(mixed))) for _ in range(7))
    rows = [
        _row("repeat verification, one hot token", hot_time * 1e6, "us", 0.7),
        _row(f"repeat verification, {len(tokens)} in random order", mixed_time * 1e6, "us", 2.0),
    ]
    binary = redis_binary()
    if binary is None:
        return [*rows, _row("no Valkey or Redis server here, so no peer", 0.0, "", None)]
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(binary, Path(folder))
        server.start()
        try:
            rows.append(_against_peer(replica, hot, tokens[:500], key, server.port))
        finally:
            server.kill()
    return rows


def _against_peer(
    replica: annul.Replica, hot: list[str], tokens: list[str], key: annul.PrivateKey, port: int
) -> dict[str, Any]:
    client = redis.Redis(port=port)
    public = key.public.to_pem()

    def peer(token: str) -> None:
        claims = jwt.decode(token, public, algorithms=[key.alg], audience=AUDIENCE, issuer=ISSUER)
        if client.exists(f"revoked:{claims['jti']}"):
            raise AssertionError

    found = compare(_each(replica.verify, hot), _each(peer, fresh(tokens)), rounds=5)
    what = "PyJWT + Redis EXISTS, against one hot token"
    return _row(what, 1 / found.ratio, "x ours", 150, found)


def _each(call: Callable[[str], object], tokens: list[str]) -> Callable[[], int]:
    def block() -> int:
        for token in tokens:
            call(token)
        return len(tokens)

    return block


def _row(
    what: str, figure: float, unit: str, aim: float | None, found: Comparison | None = None
) -> dict[str, Any]:
    note = "" if aim is None else f"aim {aim:g}"
    if found is not None:
        note += f"; {found.ours * 1e6:.2f} us against {found.theirs * 1e6:.2f} us"
    return {"what": what, "figure": figure, "unit": unit, "aim": aim, "note": note}


if __name__ == "__main__":
    raise SystemExit(main())
