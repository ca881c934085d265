"""A key made by openssl, tokens signed with it, and another library that verifies them.

    python examples/own_rsa_key.py

Needs the openssl command. With PyJWT installed, it is the other library.
"""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import annul

ISSUER, AUDIENCE = "https://auth.example", "https://api.example"


def main() -> None:
    made = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out signing.pem"
    subprocess.run(made.split(), check=True, capture_output=True)  # noqa: S603 - our own words

    # Nobody has cached a key set yet, so the key need not be published before it signs.
    with annul.Authority.open(
        "sqlite:///annul.db", issuer=ISSUER, audience=AUDIENCE, publish_for=0
    ) as authority:
        kid = authority.import_key(Path("signing.pem").read_bytes(), alg="RS256")
        grant = authority.login("alice", client_id="web")
        print("annul accepts it:", authority.verify(grant.access_token).key_id == kid)

        same = authority.export_key(kid) == Path("signing.pem").read_bytes()
        print("the key comes back unchanged:", same)

        # What you would serve at /.well-known/jwks.json:
        document = authority.jwks().to_json()
        Path("jwks.json").write_text(document)
        if find_spec("jwt") is None:
            print("PyJWT is not installed; try it with the library that you have")
            return
        print("PyJWT accepts it:", subject_by_pyjwt(document, grant.access_token) == "alice")

        authority.logout(grant.access_token)
        try:
            authority.verify(grant.access_token)
        except annul.Revoked:
            print("annul refuses it after the logout")
        # It cannot know: that is what short lifetimes are for.
        print("PyJWT goes on:", subject_by_pyjwt(document, grant.access_token) == "alice")


def subject_by_pyjwt(document: str, token: str) -> str:
    import jwt  # noqa: PLC0415 - annul itself does not need it

    keys = jwt.PyJWKSet.from_dict(json.loads(document))
    kid = jwt.get_unverified_header(token)["kid"]
    claims = jwt.decode(token, keys[kid], algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
    return str(claims["sub"])


if __name__ == "__main__":
    main()
