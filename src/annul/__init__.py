"""annul: JSON Web Tokens that can be taken back.

An *authority* signs access tokens with a private key and records revocations. A *replica* verifies
them with the public key, in memory, and refuses what has been revoked within a stated time, or
refuses everything while it cannot know. Start with ``Authority.open`` and ``Replica.open``.
"""

from annul import errors
from annul.authority.rotation import KeyInfo
from annul.authority.sessions import Grant, SessionInfo
from annul.blocking import Authority
from annul.core import jws
from annul.core.claims import Claims, VerifiedToken
from annul.core.denylist import Denylist
from annul.core.issuer import IssuedToken, Issuer
from annul.core.jwk import PrivateKey, PublicKey
from annul.core.jwks import JWKS
from annul.core.keyring import Keyring, KeyState
from annul.core.policy import Policy
from annul.core.revocation import (
    ClientId,
    Everything,
    KeyId,
    Kind,
    Position,
    Reason,
    Revocation,
    RevocationReceipt,
    SessionId,
    SubjectId,
    TokenId,
    Watermark,
)
from annul.core.verifier import Verifier
from annul.door import AsyncAuthority
from annul.errors import *  # noqa: F403 - the error tree has its own complete __all__
from annul.replica import Replica
from annul.stores import open_store

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604 - strings, all of them
    "JWKS",
    "AsyncAuthority",
    "Authority",
    "Claims",
    "ClientId",
    "Denylist",
    "Everything",
    "Grant",
    "IssuedToken",
    "Issuer",
    "KeyId",
    "KeyInfo",
    "KeyState",
    "Keyring",
    "Kind",
    "Policy",
    "Position",
    "PrivateKey",
    "PublicKey",
    "Reason",
    "Replica",
    "Revocation",
    "RevocationReceipt",
    "SessionId",
    "SessionInfo",
    "SubjectId",
    "TokenId",
    "VerifiedToken",
    "Verifier",
    "Watermark",
    "__version__",
    "errors",
    "jws",
    "open_store",
    *errors.__all__,
]
