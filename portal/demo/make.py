"""Makes the demo's rows by the same operations that everybody uses, and notes what a newcomer needs."""

import base64
import secrets
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from django_otp.oath import hotp

from devices.operations.activation import activate_device
from devices.operations.facts import DeviceFacts
from devices.operations.issued import issue_device
from devices.operations.keys import enrol_key
from devices.operations.registration import register_device
from merchants.operations.merchants import create_merchant
from pki.operations.hierarchy import BankSetUp, set_up_bank
from portal.accounts.models import Bank, User
from portal.accounts.operations.clients import create_application, set_redirect_uris
from portal.accounts.operations.people import create_bank, create_customer, create_staff
from portal.accounts.scopes import BANK_SCOPES, CUSTOMER_SCOPES
from portal.core import clock
from portal.core.actor import Actor, Channel
from portal.demo import provider
from portal.demo.cast import BANKS, STAFF, Customer, DemoBank, Newcomer, Phone
from twofa.models import IdentityProvider
from twofa.operations.enrolment_policy import set_in_person
from twofa.operations.identity_providers import create_provider

type Rows = list[dict[str, Any]]
type PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ACTOR: Final = Actor.system("demo data", channel=Channel.COMMAND)
# What each customer holds one of.
ISSUED: Final[tuple[dict[str, Any], ...]] = (
    {
        "kind": "payment-card",
        "model": "Debit card",
        "capabilities": ["icc", "nfc"],
        "card_kind": "debit-card",
        "card_brand": "Visa",
        "is_primary": True,
    },
    {"kind": "otp-token", "model": "OTP token", "capabilities": ["hmac", "display"]},
)
YEARS_GOOD: Final = 4
RETURN: Final = "com.example.bank:/signed-in"
DIALECTS: Final = {
    "bank": ["asseco", "hyphen", "adiba", "peere"],
    "mobile": ["asseco", "hyphen", "spid", "adiba", "est"],
}


def make_all() -> dict[str, Any]:
    """Make everything, inside the caller's transaction. Returns what `demo.json` holds, but for tokens and TOTP."""
    content: dict[str, Any] = {"base_url": "", "banks": [], "staff": [], "customers": [], "applications": []}
    content["newcomers"] = []
    for position, cast in enumerate(BANKS):
        bank = create_bank(actor=ACTOR, code=cast.code, name=cast.name)
        content["banks"].append({"id": str(bank.pk), "code": bank.code, "name": bank.name})
        content["staff"] += _staff(bank, position)
        content["applications"] += _applications(bank, cast)
        content["customers"] += [_customer(bank, customer) for customer in cast.customers]
        content["newcomers"].append(_newcomer(bank, cast.newcomer))
    return content


def make_authorities() -> None:
    """Each bank's certificate authority, under one root. Not inside a transaction; a repeat makes nothing."""
    for cast in BANKS:
        wanted = BankSetUp(
            country=cast.country, organisation=cast.name, root_name="Demo Root", zone=f"devices.{cast.code}.example"
        )
        for bank in Bank.objects.filter(code=cast.code):
            set_up_bank(actor=ACTOR, bank=bank, wanted=wanted)


def _staff(bank: Bank, position: int) -> Rows:
    rows = []
    for role, names in STAFF.items():
        name = names[position]
        username = name.lower().replace(" ", ".")
        password = secrets.token_urlsafe(12)
        create_staff(
            actor=ACTOR,
            bank=bank,
            username=username,
            name=name,
            role=role,
            password=password,
            email=f"{username}@{bank.code}.example",
        )
        rows.append(
            {
                "username": username,
                "password": password,
                "totp_secret": None,
                "role": role,
                "bank": bank.code,
                "access_token": None,
            }
        )
    return rows


def _applications(bank: Bank, cast: DemoBank) -> Rows:
    wanted = [("bank", f"{bank.name} core", BANK_SCOPES), ("mobile", f"{bank.name} mobile", CUSTOMER_SCOPES)]
    made = [
        create_application(
            actor=ACTOR, bank=bank, kind=kind, name=name, dialects=DIALECTS[kind], scopes=sorted(scopes)
        )
        for kind, name, scopes in wanted
    ]
    made += [create_merchant(actor=ACTOR, bank=bank, name=name) for name in cast.merchants]
    rows = []
    for created in made:
        kind = created.application.kind
        if kind == "mobile":
            client_id = created.application.client_id
            set_redirect_uris(actor=ACTOR, client_id=client_id, uris=[RETURN], reason="For the demo")
        rows.append(
            {
                "name": created.application.name,
                "kind": kind,
                "bank": bank.code,
                "client_id": created.application.client_id,
                "client_secret": created.client_secret,
                "app_secret": created.app_secret or None,
                "redirect_uri": RETURN if kind == "mobile" else None,
                "access_token": None,
            }
        )
    return rows


def _customer(bank: Bank, cast: Customer) -> dict[str, Any]:
    user = create_customer(
        actor=ACTOR, bank=bank, customer_number=cast.number, name=cast.name, phone=cast.phone, email=cast.email
    )
    keys: list[PrivateKey] = [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()]
    return {
        "user_id": user.public_id,
        "customer_number": cast.number,
        "bank": bank.code,
        "access_token": None,
        "devices": [_phone(user, phone, key) for phone, key in zip(cast.phones, keys, strict=True)],
        "issued": [_issued(user, facts) for facts in ISSUED],
    }


def _newcomer(bank: Bank, cast: Newcomer) -> dict[str, Any]:
    """Somebody without a device, to sign one up."""
    user = create_customer(
        actor=ACTOR, bank=bank, customer_number=cast.number, name=cast.name, phone=cast.phone, email=cast.email
    )
    return {"user_id": user.public_id, "customer_number": cast.number, "bank": bank.code, "activation_code": None}


def make_providers() -> None:
    """Let each bank believe the demo's identity provider, and hand codes over. A repeat makes nothing."""
    for bank in Bank.objects.filter(code__in=[cast.code for cast in BANKS]):
        actor = Actor.system("demo data", bank_id=bank.pk, channel=Channel.COMMAND)
        set_in_person(actor=actor, allowed=True, reason="For the demo")
        if IdentityProvider.objects.filter(bank=bank, name=provider.NAME).exists():
            continue
        create_provider(
            actor=actor,
            name=provider.NAME,
            issuer=provider.issuer(),
            audience=provider.AUDIENCE,
            algorithms=[provider.ALGORITHM],
            key_set=provider.key_set(),
            authorization_endpoint=f"{provider.issuer()}/authorize",
            token_endpoint=f"{provider.issuer()}/token",
            reason="For the demo",
        )


def _phone(user: User, cast: Phone, key: PrivateKey) -> dict[str, Any]:
    facts = DeviceFacts(
        external_id=cast.external_id,
        kind="mobile",
        nickname=cast.nickname,
        manufacturer=cast.manufacturer,
        model=cast.model,
        operating_system=cast.operating_system,
        app_version=cast.app_version,
        push_platform=cast.push,
        push_handle=f"demo-{cast.external_id}" if cast.push else "",
    )
    actor = Actor.system("demo data", bank_id=user.bank_id, channel=Channel.COMMAND)
    device = register_device(actor=actor, facts=facts, customer_id=user.public_id).device
    row = enrol_key(
        actor=actor,
        device_id=str(device.pk),
        public_key=public_hex(key),
        challenge=(challenge := secrets.token_bytes(32)),
        signature=sign(key, challenge),
    )
    return {
        "device_id": device.public_id,
        "uuid": str(device.pk),
        "external_id": cast.external_id,
        "public_key": row.spelling,
        "private_key_pem": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "access_token": None,
    }


def _issued(user: User, facts: dict[str, Any]) -> dict[str, Any]:
    """A card or token, delivered and in use. Numbers begin as the schemes' test numbers do; only the ends differ."""
    actor = Actor.system("demo data", bank_id=user.bank_id, channel=Channel.COMMAND)
    today = clock.now().date()
    values: dict[str, Any] = {**facts, "reference": f"{facts['kind']}.{user.customer_number}"}
    if facts["kind"] == "payment-card":
        last_four = sum(map(ord, str(user.customer_number))) % 10_000
        values |= {
            "card_number": f"411111******{last_four:04}",
            "cardholder_name": user.name.upper(),
            "expires_on": today.replace(year=today.year + YEARS_GOOD, day=1).isoformat(),
        }
    device = issue_device(
        actor=actor, customer_id=user.public_id, delivered_on=today.isoformat(), reason="Made for the demo", **values
    ).device
    activate_device(actor=actor, device_id=str(device.pk), reason="Handed over at the branch")
    return {"device_id": device.public_id, "kind": device.kind}


def public_hex(key: PrivateKey) -> str:
    """The public key as mobile applications send it: X‖Y for P-256, 32 bytes for Ed25519, lower-case hex."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = key.public_key().public_numbers()
        return f"{numbers.x:064x}{numbers.y:064x}"
    return key.public_key().public_bytes_raw().hex()


def sign(key: PrivateKey, message: bytes) -> bytes:
    """As a phone signs: DER of P-256, or Ed25519."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    return key.sign(message)


def earlier_code(secret_base32: str) -> str:
    """The code that an authenticator app showed 30 seconds ago: still good, and the present one stays unused."""
    step = int(clock.now().timestamp()) // 30
    return f"{hotp(base64.b32decode(secret_base32), step - 1):06d}"
