"""Two processes and one store: the one revokes, the other refuses.

    python examples/two_processes.py

The child is a verifier. It has no private key. It says how each token fares, and when the verdict
about a token changes; the parent says how long that took.
"""

import subprocess
import sys
import time

import annul

STORE = "sqlite:///annul.db"
ISSUER, AUDIENCE = "https://auth.example", "https://api.example"


def verifier() -> None:
    """Read one token per line, and answer each with one verdict, as soon as it is not "good"."""
    policy = annul.Policy(issuer=ISSUER, audience=AUDIENCE)
    with annul.Replica.open(STORE, policy=policy) as replica:
        for line in sys.stdin:
            word, _, token = line.strip().partition(" ")
            answer = judge(replica, token)
            while word == "until-refused" and answer.startswith("good"):
                time.sleep(0.001)
                answer = judge(replica, token)
            print(answer, flush=True)


def judge(replica: annul.Replica, token: str) -> str:
    try:
        return f"good, speaks for {replica.verify(token).subject}"
    except annul.TokenRejected as refusal:
        return f"refused: {refusal.code}"
    except annul.Unavailable as problem:
        return f"cannot tell: {problem.code}"


def main() -> None:
    with annul.Authority.open(STORE, issuer=ISSUER, audience=AUDIENCE) as authority:
        grant = authority.login("alice", client_id="web")
        child = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, __file__, "verifier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            if child.stdin is None or child.stdout is None:
                raise RuntimeError("both were asked for above")
            print("now", grant.access_token, file=child.stdin, flush=True)
            print("before:", child.stdout.readline().strip())

            print("until-refused", grant.access_token, file=child.stdin, flush=True)
            authority.revoke(annul.SessionId(grant.session_id), reason="session_hijack")
            returned = time.monotonic()
            print("after:", child.stdout.readline().strip())
            late = time.monotonic() - returned
            print(f"that was {late * 1000:.0f} ms after revoke had returned; promised are 2,000")
            child.stdin.close()


if __name__ == "__main__":
    verifier() if sys.argv[1:] == ["verifier"] else main()
