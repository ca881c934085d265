"""A client certificate counts where TLS ended, and in a header only from our own proxies."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import pytest

from annul.errors import InvalidRequest, Misconfigured
from annul.integrations.certificates import (
    UNIX,
    ForwardedCertificates,
    binding_of_der,
    binding_of_pem,
    from_asgi,
)
from annul.integrations.headers import Headers
from tests.core.any_input import judged
from tests.integrations.sample_certificates import der, pem
from tests.signing import sample_claims, signed

BINDING = binding_of_der(der())
PROXY = "10.1.2.3"
RFC9440 = f":{b64encode(der()).decode()}:"
NGINX = quote(pem(), safe="")
ENVOY = f'Hash={sha256(der()).hexdigest()};Cert="{NGINX}";Subject="CN=a,b;c";URI=spiffe://x'
WRITTEN = {
    "rfc9440": ("Client-Cert", RFC9440),
    "pem": ("X-SSL-Client-Cert", NGINX),
    "xfcc": ("X-Forwarded-Client-Cert", ENVOY),
}


def forwarded(form: str, *networks: str) -> ForwardedCertificates:
    header = WRITTEN[form][0] if form == "pem" else None
    return ForwardedCertificates(networks or ("10.1.0.0/16", "fd00::/8"), form=form, header=header)


def said(form: str, *values: str) -> Headers:
    return Headers([(WRITTEN[form][0], value) for value in values])


def asgi(**tls: Any) -> dict[str, Any]:  # noqa: ANN401 - what a server puts there
    return {"type": "http", "extensions": {"tls": {"client_cert_chain": [], **tls}}}


# --- with the verifier ------------------------------------------------------------------------


def test_a_bound_token_is_good_with_its_certificate_only() -> None:
    token = signed(sample_claims(cnf=BINDING))

    assert judged(token, from_asgi(asgi(client_cert_chain=[pem()]))) is not None
    assert judged(token, from_asgi(asgi(client_cert_chain=[pem(seed=2)]))) is None
    assert judged(token, from_asgi(asgi())) is None
    assert judged(token) is None


def test_a_renewed_certificate_of_the_same_key_is_another_one() -> None:
    assert judged(signed(sample_claims(cnf=BINDING)), binding_of_der(der(serial=2))) is None


def test_a_token_bound_to_a_key_and_a_certificate_needs_both() -> None:
    token = signed(sample_claims(cnf={"jkt": "thumbprint", **BINDING}))

    assert judged(token, {"jkt": "thumbprint", **BINDING}) is not None
    assert judged(token, {"jkt": "thumbprint"}) is None
    assert judged(token, BINDING) is None
    assert judged(token, {"jkt": "other", **BINDING}) is None


# --- from the server itself -------------------------------------------------------------------


def test_a_connection_without_a_certificate_proves_nothing() -> None:
    assert binding_of_der(None) == binding_of_pem(None) == {}
    scopes: list[dict[str, Any]] = [
        {}, {"extensions": None}, {"extensions": {}}, {"extensions": {"tls": None}}, asgi(),
        asgi(client_cert_chain=None), asgi(client_cert_chain=()),
    ]  # fmt: skip
    for scope in scopes:
        assert from_asgi(scope) == {}


def test_the_first_of_a_chain_is_the_peers_own() -> None:
    assert from_asgi(asgi(client_cert_chain=iter([pem(), pem(seed=2)]))) == BINDING


def test_a_certificate_that_the_server_could_not_verify_does_not_count() -> None:
    assert from_asgi(asgi(client_cert_chain=[pem()], client_cert_error="expired")) == {}
    assert from_asgi(asgi(client_cert_chain=[pem()], client_cert_error=None)) == BINDING


# --- from a proxy -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.2.3", "fd00::1"])
def test_a_configured_proxy_is_believed(form: str, peer: str) -> None:
    assert forwarded(form).binding(said(form, WRITTEN[form][1]), peer) == BINDING


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize(
    "peer", ["10.2.0.1", "203.0.113.9", "fe80::1%eth0", "2001:db8::1", "::ffff:10.2.0.1", "", None,
             "10.1.2.3:443", "10.1.2.3, 10.1.2.3", "localhost", "010.1.2.3", "é"]
)  # fmt: skip
def test_anybody_else_is_not_even_listened_to(form: str, peer: str | None) -> None:
    assert forwarded(form).binding(said(form, WRITTEN[form][1]), peer) == {}
    assert forwarded(form).binding(said(form, "garbage", "twice"), peer) == {}


@pytest.mark.parametrize("peer", ["", None])
def test_a_unix_socket_is_a_proxy_only_if_it_is_named(peer: str | None) -> None:
    headers = said("rfc9440", RFC9440)

    assert forwarded("rfc9440", UNIX).binding(headers, peer) == BINDING
    assert forwarded("rfc9440", UNIX).binding(headers, PROXY) == {}
    assert forwarded("rfc9440", UNIX, "10.1.0.0/16").binding(headers, PROXY) == BINDING


@pytest.mark.parametrize("form", WRITTEN)
def test_a_proxy_whose_client_has_no_certificate_proves_nothing(form: str) -> None:
    assert forwarded(form).binding(Headers(), PROXY) == {}
    assert forwarded(form).binding(said(form, ""), PROXY) == {}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_header_that_comes_twice_from_a_proxy_is_refused(form: str) -> None:
    with pytest.raises(InvalidRequest):
        forwarded(form).binding(said(form, WRITTEN[form][1], WRITTEN[form][1]), PROXY)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc9440", RFC9440[1:]),
        ("rfc9440", RFC9440[:-1]),
        ("rfc9440", "x" + RFC9440[1:]),
        ("rfc9440", RFC9440[:-1] + "x"),
        ("rfc9440", RFC9440 + ";a=1"),
        ("rfc9440", f"{RFC9440}, {RFC9440}"),
        ("rfc9440", f": {RFC9440[1:]}"),
        ("rfc9440", ":"),
        ("rfc9440", "::"),
        ("rfc9440", ":é:"),
        ("rfc9440", ":AAAA:"),
        ("rfc9440", pem()),
        ("rfc9440", ":" + "A" * 70_000 + ":"),
        ("pem", RFC9440),
        ("pem", NGINX + NGINX),
        ("pem", NGINX.replace("%0A", "")),
        ("pem", "%ff%zz"),
        ("pem", NGINX + "é"),
        ("xfcc", f"Hash={'0' * 63}"),
        ("xfcc", f"Hash={'g' * 64}"),
        ("xfcc", f"Hash={'0' * 66}"),
        ("xfcc", f'{ENVOY};By="{"a" * 70_000}"'),
        ("xfcc", f'Cert="{NGINX}"'),
        ("xfcc", f"{ENVOY},{ENVOY}"),
        ("xfcc", f"{ENVOY};Hash={'0' * 64}"),
        ("xfcc", f'Hash={"0" * 64};Cert="{NGINX}"'),
        ("xfcc", f'{ENVOY};Cert="garbage"'),
        ("xfcc", "Hash"),
        ("xfcc", 'Subject="open'),
        ("xfcc", ";;"),
        ("xfcc", "é=1"),
    ],
)
def test_a_header_of_a_proxy_that_cannot_be_read_is_refused(form: str, value: str) -> None:
    with pytest.raises(InvalidRequest):
        forwarded(form).binding(said(form, value), PROXY)


def test_what_envoy_says_beside_the_hash_is_not_needed() -> None:
    digest = sha256(der()).hexdigest()

    for value in (
        f"Hash={digest}",
        f"By=spiffe://y;hash={digest.upper()};URI=",
        f'Hash="{digest}"',
    ):
        assert forwarded("xfcc").binding(said("xfcc", value), PROXY) == BINDING


# --- setting it up ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"networks": ()},
        {"networks": "10.1.0.0/16"},
        {"networks": ("0.0.0.0/0",)},
        {"networks": ("10.0.0.0/8", "::/0")},
        {"networks": ("10.1.2.3/16",)},
        {"networks": ("proxy.example",)},
        {"networks": (5,)},
        {"networks": ("10.1.0.0/16",), "form": "der"},
        {"networks": ("10.1.0.0/16",), "form": "pem"},
    ],
)
def test_a_set_up_that_would_believe_anybody_or_nobody_is_misconfigured(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(Misconfigured):
        ForwardedCertificates(**settings)
