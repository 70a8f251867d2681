"""Tenants, people, clients, tokens, sessions and second factors."""

from portal.accounts.models.authenticators import BackupCode, Passkey, PasskeyChallenge, TotpAuthenticator
from portal.accounts.models.oauth import (
    AccessToken,
    Application,
    ApplicationKind,
    ApprovalProof,
    DeviceGrant,
    Grant,
    IDToken,
    RefreshToken,
)
from portal.accounts.models.people import Bank, User, UserKind
from portal.accounts.models.sessions import PortalSession, session_digest

__all__ = [
    "AccessToken",
    "Application",
    "ApplicationKind",
    "ApprovalProof",
    "BackupCode",
    "Bank",
    "DeviceGrant",
    "Grant",
    "IDToken",
    "Passkey",
    "PasskeyChallenge",
    "PortalSession",
    "RefreshToken",
    "TotpAuthenticator",
    "User",
    "UserKind",
    "session_digest",
]
