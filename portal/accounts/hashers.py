"""How passwords and client secrets are kept.

Passwords: Argon2id with 46 MiB, one pass, one lane (OWASP Password Storage Cheat Sheet). Django's 100 MiB on eight
lanes would let sixteen people who sign in at once take 1.6 GB.

A client secret is 128 random characters: no dictionary holds it, so a slow hash would protect nothing and cost the
token endpoint a quarter of a second per call. One salted SHA-256 is enough (people's passwords use Argon2id).
"""

import hashlib
from typing import TYPE_CHECKING

from django.contrib.auth.hashers import Argon2PasswordHasher, BasePasswordHasher

from portal.crypto.codes import same

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id for people's passwords; other parameters are taken over at the next sign-in."""

    time_cost = 1
    memory_cost = 46 * 1024  # KiB
    parallelism = 1


class ClientSecretHasher(BasePasswordHasher):
    """Salted SHA-256, `portal_client_secret$<salt>$<hex>`. For long random secrets only."""

    algorithm = "portal_client_secret"

    def encode(self, password: str, salt: str) -> str:
        if not salt or "$" in salt:
            raise ValueError("a salt is not empty and has no $")
        digest = hashlib.sha256(f"{salt}${password}".encode()).hexdigest()
        return f"{self.algorithm}${salt}${digest}"

    def decode(self, encoded: str) -> dict[str, str]:
        algorithm, salt, digest = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the secret; the time taken does not tell where they differ. Never raises for bad input."""
        if encoded.count("$") != 2 or not encoded.startswith(f"{self.algorithm}$"):
            return False
        return same(self.encode(password, self.decode(encoded)["salt"]), encoded)

    def safe_summary(self, encoded: str) -> "dict[str | _StrPromise, str]":
        return {"algorithm": self.algorithm}

    def must_update(self, encoded: str) -> bool:
        return False

    def harden_runtime(self, password: str, encoded: str) -> None:
        """There is no work factor to make up for."""
