"""Rows for tests, always the same people: Ada owns the device, Bea is her bank's staff, Cem is a stranger."""

from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from devices.models import (
    ISSUED_KINDS,
    Device,
    DeviceKey,
    DevicePin,
    ExternalIdKind,
    IssuedDetails,
    Kind,
    Transfer,
)
from devices.operations.transfers import code_digest
from devices.states import TRANSFER_OPEN, Category, DeviceStatus, HeldBy, TransferState
from portal.accounts.models import AccessToken, Application, Bank, User, UserKind
from portal.accounts.roles import Role
from portal.accounts.scopes import SCOPES_BY_KIND
from portal.core import clock, ids
from portal.core.actor import Actor, ActorKind, Channel
from portal.crypto.keys import parse_public_key
from portal.crypto.pins import hash_pin

_numbers = count(1)


def make_bank(code: str = "") -> Bank:
    code = code or f"bank-{next(_numbers)}"
    return Bank.objects.create(code=code, name=code.title())


def make_customer(bank: Bank, name: str = "Ada", **values: Any) -> User:
    number = values.pop("customer_number", f"C{next(_numbers):06}")
    return User.objects.create(
        bank=bank, kind=UserKind.CUSTOMER, name=name, customer_number=number, password="!", **values
    )


def make_staff(bank: Bank, role: str = Role.OPERATOR, name: str = "Bea", **values: Any) -> User:
    username = values.pop("username", f"{name.lower()}-{next(_numbers)}")
    return User.objects.create(
        bank=bank, kind=UserKind.STAFF, name=name, username=username, role=role, password="!", **values
    )


def make_application(bank: Bank, kind: str = "mobile", **values: Any) -> Application:
    defaults: dict[str, Any] = {
        "name": f"{kind}-{next(_numbers)}",
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
        "dialects": ["asseco", "hyphen", "spid", "adiba", "est", "peere"],
        "allowed_scopes": sorted(SCOPES_BY_KIND[kind]),
    }
    return Application.objects.create(bank=bank, kind=kind, **(defaults | values))


def make_device(owner: User, status: str = DeviceStatus.ACTIVE, **values: Any) -> Device:
    """A phone of the owner's; `external_id` and `push_handle` are sealed."""
    now = clock.now()
    external_id = values.pop("external_id", f"35{next(_numbers):013}")
    push_handle = values.pop("push_handle", "")
    off = status in {DeviceStatus.INACTIVE, DeviceStatus.BLOCKED}
    kind = values.get("kind", Kind.MOBILE)
    defaults: dict[str, Any] = {
        "category": Category.ISSUED if kind in ISSUED_KINDS else Category.OWNED,
        "kind": kind,
        "held_by": HeldBy.BANK if off else HeldBy.NOBODY,
        "model": "IP-6S",
        "registered_at": now,
        "updated_at": now,
        "activated_at": None if status == DeviceStatus.PENDING else now,
        "switched_off_at": now if off else None,
        "retired_at": now if status == DeviceStatus.RETIRED else None,
    }
    nickname = values.pop("nickname", "")
    device = Device(bank_id=owner.bank_id, owner=owner, status=status, **(defaults | values))
    if external_id:
        device.set_external_id(ExternalIdKind.IMEI if external_id.isdigit() else ExternalIdKind.APP_ID, external_id)
    device.set_nickname(nickname)
    device.set_push_handle("gcm", push_handle, now + timedelta(days=30))
    device.save(force_insert=True)
    return device


@cache
def private_key(name: str = "ada") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def make_key(device: Device, name: str = "ada", *, proved: bool = True) -> DeviceKey:
    numbers = private_key(name).public_key().public_numbers()
    key = parse_public_key(f"{numbers.x:064x}{numbers.y:064x}")
    now = clock.now()
    return DeviceKey.objects.create(
        device=device,
        algorithm=key.algorithm,
        public_key=key.canonical,
        spelling=key.spelling,
        fingerprint=key.fingerprint,
        registered_at=now,
        proved_at=now if proved else None,
    )


def make_token(
    *,
    user: User | None = None,
    application: Application | None = None,
    device: Device | None = None,
    scope: str | None = None,
    lifetime: timedelta = timedelta(hours=1),
    raw: str = "",
) -> str:
    """A live token; returns what the bearer sends."""
    raw = raw or f"token-{next(_numbers)}-{ids.new_id().hex}"
    if application is None and user is not None and user.kind == UserKind.CUSTOMER:
        application = make_application(user.bank)
    if scope is None:
        scope = "staff" if application is None else " ".join(application.allowed_scopes)
    token = AccessToken(
        user=user, application=application, device=device, scope=scope, expires=clock.now() + lifetime, token=""
    )
    token._raw_token = raw
    token.save()
    return raw


def customer_actor(user: User, device: Device | None = None, **values: Any) -> Actor:
    return Actor(
        kind=ActorKind.CUSTOMER,
        id=str(user.pk),
        label=user.name,
        channel=Channel.ASSECO,
        bank_id=user.bank_id,
        user_id=user.pk,
        device_id=device.pk if device else None,
        scopes=frozenset({"devices"}),
        **values,
    )


def staff_actor(user: User, **values: Any) -> Actor:
    return Actor(
        kind=ActorKind.STAFF,
        id=str(user.pk),
        label=user.name,
        channel=Channel.PORTAL,
        bank_id=user.bank_id,
        user_id=user.pk,
        capabilities=user.capabilities,
        **values,
    )


def bank_actor(bank: Bank, **values: Any) -> Actor:
    return Actor(
        kind=ActorKind.BANK,
        id="1",
        label=f"{bank.name} server",
        channel=Channel.ADIBA,
        bank_id=bank.pk,
        application_id=1,
        scopes=frozenset({"devices:admin"}),
        **values,
    )


def make_transfer(device: Device, new_owner: User, state: str = TransferState.APPROVED, **values: Any) -> Transfer:
    """A transfer of the owner's device. `code` is the acceptance code; once approved it has one."""
    now = clock.now()
    code = values.pop("code", "12345678")
    decided = state not in {TransferState.PENDING_APPROVAL, TransferState.CANCELLED, TransferState.EXPIRED}
    accepted = state in {TransferState.ACCEPTED, TransferState.COMPLETED}
    defaults: dict[str, Any] = {
        "bank_id": device.bank_id,
        "old_owner": device.owner,
        "reason": "A gift",
        "requested_at": now,
        "expires_at": now + timedelta(hours=72),
        "decided_at": now if decided else None,
        "accepted_at": now if accepted else None,
        "completed_at": now if state == TransferState.COMPLETED else None,
        "closed_at": None if state in TRANSFER_OPEN else now,
        "effective_at": now + timedelta(days=1) if state == TransferState.ACCEPTED else None,
    }
    if decided and "decided_by" not in values:
        values["decided_by"] = make_staff(device.bank, Role.APPROVER, "Avi")
    transfer = Transfer(device=device, new_owner=new_owner, state=state, **(defaults | values))
    if decided:
        transfer.code_digest = code_digest(transfer, code)
    transfer.save(force_insert=True)
    return transfer


def make_pin(device: Device, pin: str = "194738", **values: Any) -> DevicePin:
    now = clock.now()
    digest = hash_pin(pin, device.pk.bytes, settings.PIN_PEPPERS, settings.PIN_COST)
    return DevicePin.objects.create(
        device=device, **({"digest": digest, "created_at": now, "changed_at": now} | values)
    )


CARD_NUMBERS = {"number_start": "411111", "number_end": "1111"}


def make_card(owner: User, status: str = DeviceStatus.ACTIVE, **values: Any) -> Device:
    """A delivered card of the owner's, or with `kind` another thing that the bank issues."""
    today = clock.now().date()
    kind = values.pop("kind", Kind.PAYMENT_CARD)
    names = {field.name for field in IssuedDetails._meta.get_fields()} - {"device", "bank"}
    given = {name: values.pop(name) for name in list(values) if name in names}
    card = {
        "card_kind": "debit-card",
        "card_brand": "Visa",
        "cardholder_name": owner.name.upper(),
        "is_primary": True,
        "expires_on": today + timedelta(days=900),
        **CARD_NUMBERS,
    }
    device = make_device(owner, status, kind=kind, external_id="", **values)
    details: dict[str, Any] = {"delivered_on": today, **(card if kind == Kind.PAYMENT_CARD else {}), **given}
    IssuedDetails.objects.create(device=device, bank_id=device.bank_id, **details)
    return device
