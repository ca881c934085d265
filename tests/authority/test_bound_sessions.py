"""A session that is bound to a cookie or a certificate, in a store of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.cookie_binding import binding_of_cookie
from annul.integrations.bearer import answer_to
from tests.authority.test_secrecy import counting
from tests.stage import ACCEPTED, Stage, outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

X5T = "A" * 43
CERTIFICATE = {"x5t#S256": X5T}


def verdict(verifier: annul.Replica, token: str, binding: Mapping[str, str] | None = None) -> str:
    return outcome(lambda text: verifier.verify(text, binding), token)


def cookie_of(grant: annul.Grant) -> dict[str, str]:
    """Return what a browser proves that has the cookie of this grant."""
    assert grant.cookie is not None
    return binding_of_cookie(grant.cookie)


def test_a_bound_token_is_refused_without_its_cookie_and_with_another(stage: Stage) -> None:
    authority, replica = stage.authority(), stage.replica()
    grant = authority.login("alice", client_id="web", bound_cookie=True)
    other = authority.login("alice", client_id="web", bound_cookie=True)

    assert verdict(replica, grant.access_token, cookie_of(grant)) == ACCEPTED
    assert verdict(replica, grant.access_token, cookie_of(other)) == "not_bound"
    assert verdict(replica, grant.access_token, {}) == "not_bound"
    assert verdict(replica, grant.access_token) == "not_bound"


def test_what_a_client_is_told_about_a_missing_cookie_is_invalid_token(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", bound_cookie=True)

    with pytest.raises(annul.NotBound) as refusal:
        authority.verify(grant.access_token)

    answer = answer_to(refusal.value)
    assert (answer.status, answer.error) == (401, "invalid_token")


def test_every_login_has_a_cookie_of_its_own(stage: Stage) -> None:
    authority = stage.authority()
    grants = [authority.login("alice", client_id="web", bound_cookie=True) for _ in range(3)]

    assert len({grant.cookie for grant in grants}) == 3


def test_a_login_without_the_option_has_no_cookie(stage: Stage) -> None:
    assert stage.authority().login("alice", client_id="web").cookie is None


def test_a_refreshed_token_is_bound_to_the_same_cookie_which_is_shown_only_once(
    stage: Stage,
) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", claims={"roles": ["a"]}, bound_cookie=True)

    first = authority.refresh(grant.refresh_token)
    again = authority.refresh(grant.refresh_token)
    second = authority.refresh(first.refresh_token)

    for later in (first, again, second):
        assert later.cookie is None
        assert verdict(stage.replica(), later.access_token) == "not_bound"
        token = authority.verify(later.access_token, cookie_of(grant))
        assert token.claims["roles"] == ["a"]
        assert set(token.claims["cnf"]) == {"cookie#S256"}


def test_renewed_claims_leave_the_binding_as_it_is(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", claims={"a": 1}, x5t=X5T, bound_cookie=True)

    renewed = authority.refresh(grant.refresh_token, claims=lambda _session: {"b": 2})

    for later in (renewed, authority.refresh(renewed.refresh_token)):
        token = authority.verify(later.access_token, CERTIFICATE | cookie_of(grant))
        assert token.claims["cnf"] == CERTIFICATE | cookie_of(grant)
        assert (token.claims.get("a"), token.claims.get("b")) == (None, 2)


def test_a_bound_token_still_logs_out_and_can_end_the_others(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", bound_cookie=True)
    other = authority.login("alice", client_id="web")

    with pytest.raises(annul.NotBound):
        authority.end_others(grant.access_token)
    assert authority.end_others(grant.access_token, binding=cookie_of(grant)).sessions == 1
    assert outcome(authority.verify, other.access_token) == "revoked"
    authority.logout(grant.access_token)
    with pytest.raises(annul.Revoked):
        authority.verify(grant.access_token, cookie_of(grant))


def test_a_session_may_be_bound_to_a_certificate(stage: Stage) -> None:
    authority, replica = stage.authority(), stage.replica()
    grant = authority.login("alice", client_id="web", x5t=X5T)

    for each in (grant, authority.refresh(grant.refresh_token)):
        assert verdict(replica, each.access_token, CERTIFICATE) == ACCEPTED
        assert verdict(replica, each.access_token, {"x5t#S256": "B" + X5T[1:]}) == "not_bound"
        assert verdict(replica, each.access_token) == "not_bound"


def test_a_session_that_is_bound_to_everything_needs_everything(stage: Stage) -> None:
    authority = stage.authority()
    key = annul.PrivateKey.generate("ES256").kid
    grant = authority.login("alice", client_id="web", jkt=key, x5t=X5T, bound_cookie=True)
    proven = {"jkt": key} | CERTIFICATE | cookie_of(grant)

    for each in (grant, authority.refresh(grant.refresh_token, jkt=key)):
        assert authority.verify(each.access_token, proven).claims["cnf"] == proven
        for name in proven:
            fewer = {other: value for other, value in proven.items() if other != name}
            with pytest.raises(annul.NotBound):
                authority.verify(each.access_token, fewer)


@pytest.mark.parametrize("x5t", ["", "thumbprint", "A" * 42 + "B", "A" * 44])
def test_a_thumbprint_that_is_none_begins_no_session(stage: Stage, x5t: str) -> None:
    authority = stage.authority()

    with pytest.raises(annul.InvalidRequest):
        authority.login("alice", client_id="web", x5t=x5t)

    assert authority.sessions("alice") == ()


def test_the_cookie_is_kept_nowhere_and_shown_nowhere(
    file_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    authority = file_stage.authority(entropy=counting())
    grant = authority.login("alice", client_id="web", bound_cookie=True)
    authority.refresh(grant.refresh_token)
    authority.close()

    assert grant.cookie is not None
    assert grant.cookie not in repr(grant)
    assert grant.cookie not in caplog.text
    kept = [path.read_bytes() for path in file_stage.folder.iterdir()]
    assert any(cookie_of(grant)["cookie#S256"].encode() in data for data in kept)
    assert not any(grant.cookie.encode() in data for data in kept)
