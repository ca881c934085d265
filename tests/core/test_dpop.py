"""A DPoP-bound token with its proof: accepted together, and only together."""

from __future__ import annotations

from typing import Any

import pytest

import annul
from annul.core.binding import thumbprint
from annul.core.dpop import DPoP
from annul.core.encoding import b64url_encode
from annul.errors import (
    Expired,
    InvalidDPoPProof,
    InvalidRequest,
    Malformed,
    Misconfigured,
    NotBound,
    NoToken,
    Revoked,
    TokenRejected,
    UseDPoPNonce,
)
from annul.testing import NOW, FixedClock
from tests.core.dpop_samples import (
    CLIENT,
    STRANGER,
    TOKEN,
    UNBOUND,
    URL,
    server,
    verifier,
)
from tests.signing import sample_claims, signed

# RFC 9449 §4.1 and §5, for the token endpoint.
RFC_JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
RFC_AT_TOKEN_ENDPOINT = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjN"
    "oUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VE"
    "RWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIs"
    "Imh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4v"
    "frg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
# RFC 9449 §7.1, for a resource and with an access token.
RFC_TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_AT_RESOURCE = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjN"
    "oUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VE"
    "RWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwi"
    "aHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjY"
    "xOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP"
    "86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)


def get(dpop: DPoP, raw: str, proofs: Any, **changed: Any) -> annul.VerifiedToken:  # noqa: ANN401
    return dpop.verify(verifier(), raw, proofs, **{"method": "GET", "url": URL, **changed})


# --- the examples of the RFC ----------------------------------------------------------------


def test_the_proof_of_the_rfc_for_a_token_endpoint_is_accepted() -> None:
    proof = server(1_562_262_616).prove(
        RFC_AT_TOKEN_ENDPOINT, method="POST", url="https://server.example.com/token"
    )
    assert (proof.jkt, proof.jti, proof.issued_at) == (RFC_JKT, "-BwC3ESc6acc2lTc", 1_562_262_616)


def test_the_proof_of_the_rfc_for_a_resource_is_accepted_with_its_token() -> None:
    url = "https://resource.example.org/protectedresource"
    proof = server(1_562_262_618).prove(
        RFC_AT_RESOURCE, method="GET", url=url, access_token=RFC_TOKEN
    )
    assert proof.binding == {"jkt": RFC_JKT}
    assert proof.ath == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    with pytest.raises(InvalidDPoPProof):
        server(1_562_262_618).prove(
            RFC_AT_RESOURCE, method="GET", url=url, access_token=RFC_TOKEN + "V"
        )


@pytest.mark.parametrize(
    ("late", "accepted"),
    [(0, True), (60, True), (61, False), (-10, True), (-11, False)],
)
def test_a_proof_is_good_for_a_minute_and_ten_seconds_early(late: int, accepted: bool) -> None:
    dpop = server(1_562_262_616 + late)
    url = "https://server.example.com/token"
    if accepted:
        assert dpop.prove(RFC_AT_TOKEN_ENDPOINT, method="POST", url=url).jkt == RFC_JKT
        return
    with pytest.raises(InvalidDPoPProof):
        dpop.prove(RFC_AT_TOKEN_ENDPOINT, method="POST", url=url)


# --- token and proof ------------------------------------------------------------------------


def test_a_bound_token_with_the_proof_of_its_key_is_accepted() -> None:
    token = get(server(), TOKEN, [CLIENT.proof("GET", URL, access_token=TOKEN)])
    assert token.subject == "alice"


def test_a_bound_token_with_the_proof_of_another_key_is_refused() -> None:
    with pytest.raises(NotBound):
        get(server(), TOKEN, STRANGER.proof("GET", URL, access_token=TOKEN))


def test_a_bound_token_without_a_proof_is_refused() -> None:
    nothing: tuple[object, ...] = ([], (), None, "", b"")
    for absent in nothing:
        with pytest.raises(InvalidDPoPProof):
            get(server(), TOKEN, absent)


def test_a_bound_token_as_a_bearer_token_is_refused() -> None:
    with pytest.raises(NotBound):
        verifier().verify(TOKEN)


def test_an_unbound_token_under_the_scheme_dpop_is_refused() -> None:
    certified = signed(sample_claims(cnf={"x5t#S256": "thumb"}))
    proof = CLIENT.proof("GET", URL, access_token=UNBOUND)
    with pytest.raises(NotBound):
        get(server(), UNBOUND, proof)
    proof = CLIENT.proof("GET", URL, access_token=certified)
    with pytest.raises(NotBound):
        get(server(), certified, proof, binding={"x5t#S256": "thumb"})


def test_a_token_bound_to_a_key_and_a_certificate_needs_both() -> None:
    both = signed(sample_claims(cnf={"jkt": CLIENT.jkt, "x5t#S256": "thumb"}))

    def proof() -> str:
        return CLIENT.proof("GET", URL, access_token=both)

    assert get(server(), both, proof(), binding={"x5t#S256": "thumb"}).subject == "alice"
    for binding in (None, {}, {"x5t#S256": "other"}, {"jkt": CLIENT.jkt}, "thumb"):
        with pytest.raises(NotBound):
            get(server(), both, proof(), binding=binding)
    # What was proven here is not overridden by what the caller brings.
    stolen = STRANGER.proof("GET", URL, access_token=both)
    with pytest.raises(NotBound):
        get(server(), both, stolen, binding={"x5t#S256": "thumb", "jkt": CLIENT.jkt})


def test_the_verifier_still_has_the_last_word() -> None:
    late = signed(sample_claims(cnf={"jkt": CLIENT.jkt}, exp=NOW - 1))
    with pytest.raises(Expired):
        get(server(), late, CLIENT.proof("GET", URL, access_token=late))
    for raw in ("", "a.b.c", "ł", b"\xff", None):
        with pytest.raises(TokenRejected):
            get(server(), raw, CLIENT.proof("GET", URL, access_token="a"))  # type: ignore[arg-type]  # the point


def test_a_revoked_token_stays_revoked_with_a_good_proof() -> None:
    with annul.Authority.open(
        "memory://", issuer="https://auth.example", audience="https://api.example"
    ) as authority:
        grant = authority.login("alice", client_id="web", jkt=CLIENT.jkt)
        dpop, client = DPoP(), annul.testing.ProofForge(key=CLIENT.key)

        def ask() -> annul.VerifiedToken:
            proof = client.proof("GET", URL, access_token=grant.access_token)
            return dpop.verify(authority, grant.access_token, proof, method="GET", url=URL)

        assert ask().subject == "alice"
        authority.logout(grant.access_token)
        with pytest.raises(Revoked):
            ask()


def test_the_hash_of_the_token_must_be_in_the_proof() -> None:
    other = CLIENT.proof("GET", URL, access_token=UNBOUND)
    none = CLIENT.proof("GET", URL)
    odd = CLIENT.proof("GET", URL, claims={"ath": ["x"]})
    for proof in (other, none, odd):
        with pytest.raises(InvalidDPoPProof):
            get(server(), TOKEN, proof)


def test_a_proof_that_was_not_checked_with_a_token_binds_nothing() -> None:
    proof = server().prove(CLIENT.proof("POST", URL), method="POST", url=URL)
    assert proof.ath is None
    with pytest.raises(InvalidRequest):
        _ = proof.binding


def test_the_binding_of_a_proof_is_what_verify_takes() -> None:
    dpop = server()
    proof = dpop.prove(
        CLIENT.proof("GET", URL, access_token=TOKEN), method="GET", url=URL, access_token=TOKEN
    )
    assert verifier().verify(TOKEN, binding=proof.binding).subject == "alice"


@pytest.mark.parametrize("raw", ["ł", b"\xff", None, 5, "\ud800"])
def test_an_access_token_that_is_no_text_is_malformed(raw: Any) -> None:  # noqa: ANN401
    with pytest.raises(Malformed):
        get(server(), raw, CLIENT.proof("GET", URL, access_token="a"))


def test_the_key_that_was_announced_is_the_one_that_counts() -> None:
    # RFC 9449 §10, dpop_jkt.
    def prove(jkt: str) -> annul.DPoPProof:
        return server().prove(CLIENT.proof("POST", URL), method="POST", url=URL, jkt=jkt)

    assert prove(CLIENT.jkt).jkt == CLIENT.jkt
    with pytest.raises(InvalidDPoPProof):
        prove(STRANGER.jkt)
    with pytest.raises(InvalidRequest):
        prove("thumbprint")


# --- one header -----------------------------------------------------------------------------


def test_two_proofs_are_refused_however_they_come() -> None:
    one, two = (CLIENT.proof("GET", URL, access_token=TOKEN) for _ in range(2))
    for proofs in ([one, two], (one, one), f"{one},{two}", f"{one}, {two}", [f"{one},{two}"]):
        with pytest.raises(InvalidDPoPProof):
            get(server(), TOKEN, proofs)


def test_a_proof_may_come_as_text_or_bytes_or_as_the_only_one_of_a_list() -> None:
    dpop = server()
    for form in (str, str.encode, lambda proof: [proof], lambda proof: (proof.encode(),)):
        proof = CLIENT.proof("GET", URL, access_token=TOKEN)
        assert get(dpop, TOKEN, form(proof)).subject == "alice"


# --- what the caller gives ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["", None, 5, b"GET"])
def test_a_method_that_is_no_text_is_the_callers_fault(method: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        get(server(), TOKEN, CLIENT.proof("GET", URL, access_token=TOKEN), method=method)


@pytest.mark.parametrize("url", ["", "/orders", None, b"https://api.example", "ftp://a/"])
def test_a_url_that_is_not_whole_is_the_callers_fault(url: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidRequest):
        get(server(), TOKEN, CLIENT.proof("GET", URL, access_token=TOKEN), url=url)


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    odd: list[dict[str, Any]] = [
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"algorithms": "ES256"},
        {"max_age": 0},
        {"max_age": 301},
        {"max_age": True},
        {"max_age": "60"},
        {"max_age": float("nan")},
        {"ahead": -1},
        {"ahead": 61},
        {"memory": {}},
        {"nonces": True},
        {"nonces": b"k" * 32},
        {"clock": 5},
    ]
    for setting in odd:
        with pytest.raises(Misconfigured):
            DPoP(**setting)


@pytest.mark.parametrize("value", ["", "thumbprint", "A" * 42, "A" * 44, "A" * 42 + "B", "é" * 43])
def test_only_a_sha_256_in_base64url_is_a_thumbprint(value: str) -> None:
    for odd in (value, value.encode(), None):
        with pytest.raises(InvalidRequest):
            thumbprint(odd)
    assert thumbprint(b64url_encode(bytes(32))) == "A" * 43


# --- what is answered -----------------------------------------------------------------------


def test_a_challenge_has_the_codes_of_the_rfc() -> None:
    dpop = DPoP(algorithms=("ES256", "PS256"))
    algs = 'algs="ES256 PS256"'
    plain = {None: "", NoToken(""): ""}
    for error, code in (
        plain
        | {
            InvalidDPoPProof(""): 'error="invalid_dpop_proof", ',
            NotBound(""): 'error="invalid_token", ',
            Revoked(""): 'error="invalid_token", ',
            Expired(""): 'error="invalid_token", ',
        }
    ).items():
        assert dpop.challenge(error) == {"WWW-Authenticate": f"DPoP {code}{algs}"}


def test_a_challenge_for_a_nonce_hands_one_out_and_is_not_to_be_kept() -> None:
    found = DPoP(algorithms=("ES256",)).challenge(UseDPoPNonce("", nonce="n-1"))
    assert found == {
        "WWW-Authenticate": 'DPoP error="use_dpop_nonce", algs="ES256"',
        "DPoP-Nonce": "n-1",
        "Cache-Control": "no-store",
    }


def test_neither_repr_nor_messages_hold_a_proof_or_a_token() -> None:
    proof = CLIENT.proof("GET", URL, access_token=UNBOUND)
    dpop = DPoP(clock=FixedClock(NOW), nonces=annul.DPoPNonces(b"k" * 32))
    with pytest.raises(UseDPoPNonce) as caught:
        get(dpop, UNBOUND, proof)
    for text in (repr(dpop), str(caught.value), repr(dpop.nonces)):
        assert proof not in text
        assert UNBOUND not in text
        assert "kkkk" not in text
