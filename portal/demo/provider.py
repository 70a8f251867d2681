"""The demo's identity provider: signs whatever one asks it to. It is on in the demo only (portal.E042)."""

import json
import os
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from jwcrypto import jwk, jwt

from portal.core import clock

NAME, AUDIENCE, ALGORITHM = "demo-bank-id", "demo-mobile", "ES256"
LIFETIME: Final = 600  # seconds


class NotInTheDemo(RuntimeError):
    """Somebody asks the demo's provider outside the demo."""


def issuer() -> str:
    return f"{settings.BASE_URL}/demo/provider"


def key_set() -> str:
    """Its public keys, as a JWK set."""
    return json.dumps({"keys": [_key().export_public(as_dict=True)]})


def sign(customer_number: str, *, nonce: str = "") -> str:
    """An ID token that says: this is the customer. Raises NotInTheDemo."""
    now = int(clock.now().timestamp())
    claims: dict[str, Any] = {"iss": issuer(), "aud": AUDIENCE, "sub": customer_number, "iat": now}
    claims |= {"exp": now + LIFETIME, **({"nonce": nonce} if nonce else {})}
    key = _key()
    token = jwt.JWT(header={"alg": ALGORITHM, "kid": key["kid"]}, claims=claims)
    token.make_signed_token(key)
    return str(token.serialize())


def _key() -> jwk.JWK:
    """Made once and kept in the demo's folder, for its owner's eyes only."""
    if not settings.DEMO_PROVIDER:
        raise NotInTheDemo
    path: Path = settings.VAR / "demo-provider.json"
    try:
        return jwk.JWK.from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        made = jwk.JWK.generate(kty="EC", crv="P-256", kid="demo-1")
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(made.export_private())
    except FileExistsError:  # another process was faster
        return jwk.JWK.from_json(path.read_text(encoding="utf-8"))
    return made
