"""An identity provider for tests: its keys, and the ID tokens it signs."""

import json
from functools import cache
from typing import Any

from jwcrypto import jwk, jwt

from portal.accounts.models import Bank, User
from portal.core import clock
from twofa.models import IdentityProvider

ISSUER, AUDIENCE = "https://id.bank.example", "mobile-app"
KINDS: dict[str, dict[str, Any]] = {
    "ES256": {"kty": "EC", "crv": "P-256"},
    "RS256": {"kty": "RSA", "size": 2048},
    "PS256": {"kty": "RSA", "size": 2048},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}


@cache
def signing_key(name: str = "k1", algorithm: str = "ES256") -> jwk.JWK:
    return jwk.JWK.generate(kid=name, **KINDS[algorithm])


def key_set(*keys: jwk.JWK) -> str:
    return json.dumps({"keys": [key.export_public(as_dict=True) for key in keys or (signing_key(),)]})


def make_provider(bank: Bank, **values: Any) -> IdentityProvider:
    given = {
        "name": "bank-id",
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ["ES256"],
        "key_set": key_set(),
        "created_at": clock.now(),
    }
    return IdentityProvider.objects.create(bank=bank, **{**given, **values})


def id_token(
    customer: User | str, *, key: jwk.JWK | None = None, header: dict[str, Any] | None = None, **claims: Any
) -> str:
    """What the provider says of a customer; a claim of None is left out."""
    now = int(clock.now().timestamp())
    subject = customer if isinstance(customer, str) else customer.customer_number
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300, **claims}
    key = key or signing_key()
    token = jwt.JWT(
        header={"alg": "ES256", "kid": key["kid"], **(header or {})},
        claims={name: value for name, value in said.items() if value is not None},
    )
    token.make_signed_token(key)
    return str(token.serialize())
