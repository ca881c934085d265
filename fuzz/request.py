"""Any bytes as the headers of a request: one token and what binds it, or an error of ours."""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from annul.integrations import bearer, cookies
from annul.integrations.certificates import ForwardedCertificates, from_asgi
from annul.integrations.csrf import CsrfTokens, Defence
from annul.integrations.fetch_metadata import FetchMetadata
from annul.integrations.headers import Headers

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run
from tests.integrations.sample_certificates import der, pem

if TYPE_CHECKING:
    from collections.abc import Iterator

HASH = hashlib.sha256(der()).hexdigest()
TOKENS = CsrfTokens(bytes(32))
DEFENCE = Defence(TOKENS, FetchMetadata(["https://app.example"]))
PROXIES = [
    ForwardedCertificates(["10.0.0.0/8"]),
    ForwardedCertificates(["10.0.0.0/8"], form="pem", header="X-Cert"),
    ForwardedCertificates(["10.0.0.0/8"], form="xfcc"),
]


def samples() -> Iterator[bytes]:
    yield b"Authorization: Bearer a.b.c\nOrigin: https://app.example"
    yield b"Cookie: __Host-access=a.b.c; other=1\nSec-Fetch-Site: same-origin"
    yield b"Cookie: __Host-bound=" + b"A" * 43 + b"\nSec-Fetch-Site: cross-site"
    yield b"Referer: https://app.example/page\nX-CSRF-Token: " + TOKENS.issue("s").encode()
    yield b"Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document"
    yield b"Client-Cert: :" + base64.b64encode(der()) + b":"
    yield f"X-Cert: {quote(pem())}".encode()
    yield f'X-Forwarded-Client-Cert: Hash={HASH};Cert="{quote(pem())}";Subject="CN=a"'.encode()


def target(data: bytes) -> None:
    lines = [line.partition(b":") for line in data.split(b"\n")]
    headers = Headers([(name, value) for name, _, value in lines])
    submitted, session = headers.all("X-CSRF-Token"), headers.all("X-Session")
    verdict = DEFENCE.judge(
        "POST",
        headers,
        from_cookie=True,
        session_id=session[0] if session else "s",
        submitted=submitted[0] if submitted else None,
    )
    # Only what was signed here opens the door.
    if verdict.allowed:
        assert TOKENS.judge(submitted[0], "s").allowed
    for proxy in PROXIES:
        assert proxy.binding(headers, "203.0.113.9") == {}
        thumbprint = proxy.binding(headers, "10.0.0.1").get("x5t#S256", "A" * 43)
        assert len(thumbprint) == 43
    from_asgi({"extensions": {"tls": {"client_cert_chain": headers.all("X-Cert")}}})
    value = cookies.BOUND_COOKIE.read(headers)
    assert value is None or cookies.BOUND_COOKIE.set(value)
    found = bearer.read(headers, cookie=cookies.ACCESS_COOKIE, query=data[:100])
    assert found.token.isascii()
    assert not set(found.token) & set(' ,;"\\')


if __name__ == "__main__":
    run(target, list(samples()))
