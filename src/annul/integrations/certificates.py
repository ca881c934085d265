"""Client certificates: what a request proves by TLS, as ``binding`` for ``verify`` (RFC 8705).

A certificate counts only if whoever ended TLS says so: this server, through the ASGI ``tls``
extension or its own socket, or a proxy, through a header. Anybody can write a header, so one is
looked at only if the connection came from a configured address. It is taken for granted that the
proxy removes the header from what its own clients send.

Everything here returns an empty binding where no certificate was proven. A bound token is then
``NotBound``, and a token that is not bound is none the worse.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from annul.core.encoding import b64url_encode
from annul.core.x5t import X5T, binding_of_certificate, der_of_base64, der_of_pem
from annul.errors import InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from annul.integrations.headers import Headers

__all__ = ["UNIX", "ForwardedCertificates", "binding_of_der", "binding_of_pem", "from_asgi"]

UNIX = "unix"
"""In place of a network: connections that have no address, over a Unix socket."""

_MAX_HEADER = 65_536
_HASH = re.compile(r"[0-9A-Fa-f]{64}")
_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*+"|[^",;]*+)(;|$)')


def binding_of_der(certificate: bytes | None) -> dict[str, str]:
    """Return the binding for ``ssl.SSLSocket.getpeercert(binary_form=True)``."""
    return {} if certificate is None else binding_of_certificate(certificate)


def binding_of_pem(certificate: str | bytes | None) -> dict[str, str]:
    """Return the binding for a certificate in PEM; ``InvalidRequest`` unless it is just one."""
    return {} if certificate is None else binding_of_certificate(der_of_pem(certificate))


def from_asgi(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the binding for an ASGI connection whose server has the ``tls`` extension.

    The first certificate of the chain is the peer's own. One that the server could not verify
    (``client_cert_error``) does not count. Raises ``InvalidRequest`` for what is no certificate.
    """
    extensions = scope.get("extensions") or {}
    tls = extensions.get("tls") or {}
    if tls.get("client_cert_error"):
        return {}
    chain = tls.get("client_cert_chain") or ()
    return binding_of_pem(next(iter(chain), None))


class ForwardedCertificates:
    """Takes client certificates from the header of a proxy that ends TLS.

    ``networks`` are the addresses that the proxies connect from, such as ``("10.1.0.0/16",)``;
    ``UNIX`` stands for a Unix socket. ``form`` is what the proxy writes:

    - ``rfc9440``: ``Client-Cert: :base64 of the DER:``
    - ``pem``: PEM with percent escapes, ``$ssl_client_escaped_cert`` of nginx; name the ``header``
    - ``xfcc``: ``x-forwarded-client-cert`` of Envoy, set to ``SANITIZE_SET``, with its ``Hash``

    Raises ``Misconfigured`` for a network that is everybody, for none, and for an unknown form.
    """

    __slots__ = ("_header", "_networks", "_read", "_unix")

    def __init__(
        self, networks: Iterable[str], *, form: str = "rfc9440", header: str | None = None
    ) -> None:
        named = () if isinstance(networks, str) else tuple(networks)
        if not named:
            raise Misconfigured('networks are the proxies\' addresses, such as ("10.1.0.0/16",)')
        if form not in _FORMS:
            raise Misconfigured(f"form is one of {', '.join(_FORMS)}")
        usual, self._read = _FORMS[form]
        if not (header or usual):
            raise Misconfigured("name the header that the proxy puts the certificate into")
        self._header = header or usual
        self._unix = UNIX in named
        self._networks = tuple(_network(name) for name in named if name != UNIX)

    def binding(self, headers: Headers, peer: str | None) -> dict[str, str]:
        """Return the binding that a proxy states; empty if ``peer`` is not one of the proxies.

        ``peer`` is the address at the other end of the connection itself, ``None`` or empty for a
        Unix socket: not one that a header of the request has replaced.

        Raises ``InvalidRequest`` if a proxy's request has the header twice, which means that it
        lets its clients write one too, and if the header cannot be read.
        """
        if not self._trusts(peer):
            return {}
        value = headers.one(self._header)
        if not value:
            return {}
        if len(value) > _MAX_HEADER:
            raise InvalidRequest("the certificate in the header is too long")
        return self._read(value)

    def _trusts(self, peer: str | None) -> bool:
        if not peer:
            return self._unix
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def _from_rfc9440(value: str) -> dict[str, str]:
    # RFC 9440 §2.1: a byte sequence of RFC 8941 §3.3.5, without parameters.
    if not (value.startswith(":") and value.endswith(":")):
        raise InvalidRequest("Client-Cert is base64 between two colons")
    return binding_of_certificate(der_of_base64(value[1:-1].encode("ascii", "replace")))


def _from_escaped_pem(value: str) -> dict[str, str]:
    return binding_of_pem(unquote_to_bytes(value.encode("ascii", "replace")))


def _from_xfcc(value: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    end = 0
    while end < len(value):
        # Another element would follow a comma: what a proxy passed on from its own client.
        match = _PAIR.match(value, end)
        if match is None:
            raise InvalidRequest("the forwarded certificate is not just one, or cannot be read")
        found.setdefault(match[1].lower(), []).append(match[2].strip('"'))
        end = match.end()
    hashes = found.get("hash", [])
    if len(hashes) != 1 or not _HASH.fullmatch(hashes[0]):
        raise InvalidRequest("the forwarded certificate has no Hash")
    stated = {X5T: b64url_encode(bytes.fromhex(hashes[0]))}
    if any(_from_escaped_pem(pem) != stated for pem in found.get("cert", [])):
        raise InvalidRequest("the forwarded certificate and its Hash differ")
    return stated


_FORMS: dict[str, tuple[str, Callable[[str], dict[str, str]]]] = {
    "rfc9440": ("Client-Cert", _from_rfc9440),
    "pem": ("", _from_escaped_pem),
    "xfcc": ("X-Forwarded-Client-Cert", _from_xfcc),
}


def _network(name: object) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(str(name))
    except ValueError:
        raise Misconfigured("a network is an address and a length, such as 10.1.0.0/16") from None
    if network.prefixlen == 0:
        raise Misconfigured("a network that holds every address would let anybody speak for TLS")
    return network
