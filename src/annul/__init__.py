"""annul: JSON Web Tokens that can be taken back.

An *authority* signs access tokens with a private key and records revocations. A *replica* verifies
them with the public key, in memory, and refuses what has been revoked within a stated time, or
refuses everything while it cannot know. Start with ``Authority.open`` and ``Replica.open``.
"""

from annul import errors
from annul.authority.grants import Grant, SessionInfo
from annul.authority.limits import session_limits
from annul.authority.rotation import KeyInfo
from annul.blocking import Authority
from annul.core import events, jws
from annul.core.claims import Claims, VerifiedToken
from annul.core.denylist import Denylist
from annul.core.dpop import DPoP
from annul.core.dpop_nonces import DPoPNonces
from annul.core.dpop_proof import DPoPProof
from annul.core.issuer import IssuedToken, Issuer
from annul.core.jwk import PrivateKey, PublicKey
from annul.core.jwks import JWKS
from annul.core.keyring import Keyring, KeyState
from annul.core.policy import Policy
from annul.core.replay import ReplayMemory
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
from annul.replica import Replica, ReplicaCounters, Watch
from annul.stores import open_store

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604 - strings, all of them
    "JWKS",
    "AsyncAuthority",
    "Authority",
    "Claims",
    "ClientId",
    "DPoP",
    "DPoPNonces",
    "DPoPProof",
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
    "ReplayMemory",
    "Replica",
    "ReplicaCounters",
    "Revocation",
    "RevocationReceipt",
    "SessionId",
    "SessionInfo",
    "SubjectId",
    "TokenId",
    "VerifiedToken",
    "Verifier",
    "Watch",
    "Watermark",
    "__version__",
    "errors",
    "events",
    "jws",
    "open_store",
    "session_limits",
    *errors.__all__,
]
