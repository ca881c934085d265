"""One process: log in, refresh, list the devices, change the password, log out.

    python examples/login_logout.py

Makes annul.db and its key file in the current folder.
"""

import annul


def main() -> None:
    with annul.Authority.open(
        "sqlite:///annul.db", issuer="https://auth.example", audience="https://api.example"
    ) as authority:
        # The application has checked the password; annul takes its word for who this is.
        laptop = authority.login("alice", client_id="web", scope="read write", device="Laptop")
        phone = authority.login("alice", client_id="app", scope="read", device="Phone")

        token = authority.verify(laptop.access_token)
        print("the laptop speaks for", token.subject, "and may", *sorted(token.scopes))

        laptop = authority.refresh(laptop.refresh_token)
        print("the session after a refresh:", verdict(authority, laptop))

        for session in authority.sessions("alice"):
            print("device:", session.device)

        authority.logout(phone.access_token)
        print("the phone after its logout:", verdict(authority, phone))
        print("the laptop meanwhile:", verdict(authority, laptop))

        # Everything that began before is over; what begins now is good, even in the same second.
        authority.revoke(annul.SubjectId("alice"), reason="password_changed")
        fresh = authority.login("alice", client_id="web", device="Laptop")
        print("the laptop after the password change:", verdict(authority, laptop))
        print("the laptop after a new login:", verdict(authority, fresh))


def verdict(authority: annul.Authority, grant: annul.Grant) -> str:
    try:
        authority.verify(grant.access_token)
    except annul.Revoked as refusal:
        reason = refusal.revocation.reason if refusal.revocation else "unknown"
        return f"refused, because of {reason}"
    return "accepted"


if __name__ == "__main__":
    main()
