"""A whole story at the most talkative log level: no token, no handle and no key is in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import DELTA, POLICY, Stage, clock_of_now, listed
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEK = bytes(range(32, 64))
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # RFC 9449 §6.1


def counting() -> Callable[[int], bytes]:
    """Return entropy that tests can foresee; no two calls give the same bytes."""
    numbers = iter(range(1, 1 << 20))
    return lambda size: next(numbers).to_bytes(4, "big").rjust(size, b"\x5a")[-size:]


def pieces(grant: annul.Grant) -> Iterator[str]:
    """Yield everything of a grant that must stay between the client and us."""
    yield grant.access_token
    yield grant.access_token.rpartition(".")[2]
    yield grant.refresh_token
    family, _generation, tag = grant.refresh_token.split(".")[2:]
    yield from (family, tag)


def tell(stage: Stage) -> tuple[list[annul.Grant], list[str], list[object], list[str]]:
    """Do everything that can be done; return the grants, the secrets, the values, the errors."""
    clock = clock_of_now()
    clock.advance(-20)
    authority = stage.authority(clock=clock, kek=KEK, publish_for=0, entropy=counting(), grace=10.0)
    replica = stage.replica()
    values: list[object] = [authority, replica]
    errors: list[str] = []

    def expect(kind: type[annul.AnnulError], work: Callable[[], object]) -> None:
        with pytest.raises(kind) as raised:
            work()
        error: BaseException | None = raised.value
        while error is not None:
            errors.extend((str(error), repr(error)))
            error = error.__cause__ or error.__context__

    grants = [authority.login("alice", client_id="web", claims={"pin": "a claim of hers"})]
    grants.append(authority.refresh(grants[0].refresh_token))
    values += [authority.refresh(grants[0].refresh_token), authority.verify(grants[1].access_token)]
    clock.advance(20)
    expect(annul.RefreshReplayed, lambda: authority.refresh(grants[0].refresh_token))
    expect(annul.SessionEnded, lambda: authority.refresh(grants[1].refresh_token))
    expect(annul.InvalidGrant, lambda: authority.refresh(grants[1].refresh_token + "A"))
    expect(annul.InvalidGrant, lambda: authority.logout(grants[1].refresh_token[:-1]))
    expect(annul.TokenRejected, lambda: authority.verify(grants[1].access_token + "A"))
    eventually(lambda: authority.replica.fresh)
    expect(annul.Revoked, lambda: authority.verify(grants[1].access_token))
    grants.append(authority.login("bob", client_id="web", jkt=JKT))
    expect(annul.NotBound, lambda: replica.verify(grants[2].access_token))
    expect(annul.InvalidGrant, lambda: authority.refresh(grants[2].refresh_token))
    values += [authority.logout(grants[2].access_token), *authority.sessions("alice")]

    old = listed(authority)[0].kid
    pems = [authority.export_key(key.kid) for key in listed(authority)]
    new = authority.rotate_keys()
    pems.append(authority.export_key(new))
    values += [*authority.keys(), authority.jwks(), annul.PrivateKey.from_pem(pems[0])]
    expect(annul.InvalidRequest, lambda: authority.import_key(pems[1]))
    expect(annul.NotYetConfirmed, lambda: authority.revoke(annul.KeyId(old), wait=True, timeout=0))
    expect(annul.InvalidKey, lambda: authority.import_key(pems[0]))
    expect(annul.InvalidKey, lambda: stage.authority(kek=KEK[::-1]))
    values.append(stage.ask(lambda store: store.ring()))
    values.append(stage.ask(lambda store: store.session(grants[1].session_id)))
    stage.close()
    expect(annul.AnnulError, lambda: replica.verify(grants[0].access_token))

    secrets = [line for pem in pems for line in pem.decode().splitlines()[1:-1] if len(line) > 16]
    secrets += [KEK.hex(), KEK.decode("latin-1"), "a claim of hers"]
    return grants, secrets, values, errors


def test_nothing_secret_is_logged_or_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        grants, secrets, values, errors = tell(stage)
    secrets += [piece for grant in grants for piece in pieces(grant)]
    logged = [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert any(record.name.startswith("annul") for record in caplog.records)
    said = "\n".join([*logged, *errors, *map(repr, values), *map(repr, grants)])
    assert [secret for secret in secrets if secret in said] == []


def test_a_grant_can_be_shown_without_giving_its_tokens_away(stage: Stage) -> None:
    grant = stage.authority().login("alice", client_id="web", scope="read")
    shown = repr(grant) + str(grant)
    assert grant.session_id in shown
    assert [piece for piece in pieces(grant) if piece in shown] == []


def test_a_store_url_with_a_password_is_never_repeated(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for url in ("redis://user:hunter2@127.0.0.1:1/0", "nonsense://user:hunter2@host/0"):
            with pytest.raises(annul.AnnulError) as raised:
                annul.Authority.open(
                    url, issuer=POLICY.issuer, audience="api", max_staleness=DELTA, kek=KEK
                )
            assert "hunter2" not in str(raised.value) + repr(raised.value)
    assert "hunter2" not in caplog.text
