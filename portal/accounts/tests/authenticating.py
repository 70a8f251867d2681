"""A security key made of software: it answers what the portal asks a browser, as a browser would send it on."""

import hashlib
import json
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.conf import settings

from portal.accounts.models import Passkey, User
from portal.accounts.operations.passkeys import Purpose, add_passkey, start_adding, start_proving
from portal.accounts.tests.people import proof_of, signed_in
from portal.crypto.passkeys import spelled

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
BROWSER = "the session of one browser"


class SecurityKey:
    """One credential. The arguments of its answers are what a hostile one would change."""

    def __init__(self, credential_id: bytes = b"key-1") -> None:
        self.credential_id = credential_id
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.uses = 0

    def make(self, options: str, *, origin: str = "", flags: int = PRESENT | VERIFIED, **changes: Any) -> str:
        """The answer to registration options."""
        wanted = json.loads(options)
        numbers = self.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)} | changes.get("cose", {})
        length = len(self.credential_id).to_bytes(2)
        attested = bytes(16) + length + self.credential_id + cbor2.dumps(cose)
        data = self._data(changes.get("domain") or wanted["rp"]["id"], flags | ATTESTED) + attested
        client = _client("webauthn.create", changes.get("challenge") or wanted["challenge"], origin)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def sign(self, options: str, *, origin: str = "", flags: int = PRESENT | VERIFIED, **changes: Any) -> str:
        """The answer to what is to be proved."""
        wanted = json.loads(options)
        self.uses += changes.get("step", 1)
        data = self._data(changes.get("domain") or wanted["rpId"], flags)
        kind = changes.get("kind", "webauthn.get")
        client = _client(kind, changes.get("challenge") or wanted["challenge"], origin)
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        if changes.get("broken"):
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _data(self, domain: str, flags: int) -> bytes:
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4)

    def _answer(self, **response: bytes) -> str:
        name = spelled(self.credential_id)
        fields = {field: spelled(value) for field, value in response.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": fields})


def _client(kind: str, challenge: str, origin: str) -> bytes:
    where = origin or settings.PASSKEY_ORIGINS[0]
    return json.dumps({"type": kind, "challenge": challenge, "origin": where, "crossOrigin": False}).encode()


def give_passkey(user: User, key: SecurityKey, name: str = "Blue key") -> Passkey:
    """Add the key to a person who has set up the authenticator app."""
    actor, proof = signed_in(user), proof_of(user)
    answer = key.make(start_adding(actor=actor, user=user, proof=proof, session=BROWSER))
    return add_passkey(actor=actor, user=user, name=name, answer=answer, proof=proof, session=BROWSER)


def asked_of(user: User, purpose: Purpose = Purpose.SIGN_IN, session: str = BROWSER) -> str:
    """What the browser would be asked."""
    return start_proving(actor=signed_in(user), user=user, purpose=purpose, session=session)
