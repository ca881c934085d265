"""Tokens of somebody else's identity provider: checked strictly, and revocable.

    python examples/foreign_issuer.py

The provider is played by a key of our own. Needs nothing but annul.
"""

import base64
import json
import time

import annul

PROVIDER = "https://idp.example"


def provider_token(key: annul.PrivateKey, **changes: object) -> str:
    """Sign what a provider would: no session position in it, and typ is plain JWT."""
    now = int(time.time())
    who = {"iss": PROVIDER, "aud": "my-api", "sub": "u-17", "jti": "a1", "sid": "s-9"}
    claims = {**who, "iat": now - 5, "exp": now + 300, **changes}
    header = json.dumps({"alg": key.alg, "typ": "JWT", "kid": key.kid}).encode()
    segment = base64.urlsafe_b64encode(header).rstrip(b"=")
    return annul.jws.sign(segment, json.dumps(claims).encode(), key)


def main() -> None:
    key = annul.PrivateKey.generate("RS256")
    keys = annul.JWKS.from_json(annul.JWKS([key.public]).to_json())  # fetched, in real life
    policy = annul.Policy.foreign(
        issuer=PROVIDER, audience="my-api", algorithms=("RS256",), typ=None
    )

    # The store that holds the revocations belongs to an authority of our own.
    with (
        annul.Authority.open(
            "sqlite:///annul.db", issuer="https://annul.example", audience="my-api"
        ) as authority,
        annul.Replica.open("sqlite:///annul.db", policy=policy, jwks=keys) as replica,
    ):
        good = provider_token(key)
        print("a good token:", judge(replica, good))
        print("for another API:", judge(replica, provider_token(key, aud="their-api")))
        print("expired:", judge(replica, provider_token(key, exp=int(time.time()) - 1)))
        print("by another key:", judge(replica, provider_token(annul.PrivateKey.generate("RS256"))))

        # Their token, our decision. wait=True returns when no verifier can accept it any more.
        authority.revoke(annul.SessionId("s-9"), issuer=PROVIDER, reason="logout", wait=True)
        print("after the logout:", judge(replica, good))
        print("another session:", judge(replica, provider_token(key, sid="s-10")))


def judge(replica: annul.Replica, token: str) -> str:
    try:
        return f"accepted for {replica.verify(token).subject}"
    except annul.TokenRejected as refusal:
        return refusal.code


if __name__ == "__main__":
    main()
