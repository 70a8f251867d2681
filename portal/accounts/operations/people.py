"""Banks and their people: making them, and correcting what is known about a customer."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from portal import vault
from portal.accounts import policies
from portal.accounts.models import Bank, User, UserKind
from portal.accounts.roles import Capability, Role
from portal.audit import log as audit
from portal.audit.events import Event
from portal.core.actor import Actor
from portal.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from portal.core.texts import line_problems
from portal.races import retried_on_conflict

PHONE, EMAIL = "user.phone", "user.email"
CORRECTABLE = ("name", "customer_number", "phone", "email")
_CODE = re.compile("[a-z0-9][a-z0-9-]{1,31}")
_USERNAME = re.compile("[a-z0-9][a-z0-9._-]{1,63}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164

type NumberListener = Callable[[User], None]
"""Takes a customer whose new number is stored, its row locked, inside the transaction that corrects it."""

_number_listeners: dict[str, NumberListener] = {}


def on_number_changed(name: str, listener: NumberListener) -> None:
    """Tell an application of corrected customer numbers. It registers at start-up; the last one of a name counts."""
    _number_listeners[name] = listener


@dataclass(frozen=True)
class Contact:
    """How to reach a customer: E.164 and an e-mail address, or "" for what is not known."""

    phone: str
    email: str


@retried_on_conflict
def create_bank(*, actor: Actor, code: str, name: str) -> Bank:
    """Make a tenant; our own commands only. Raises InvalidInput, Conflict (`bank-code-taken`)."""
    policies.require_system(actor)
    if not _CODE.fullmatch(code):
        raise InvalidInput.at("code", "format", "A bank's code has 2 to 32 of a-z, 0-9 and -.")
    if Bank.objects.filter(code=code).exists():
        raise Conflict("There is a bank with this code.", code="bank-code-taken")
    bank = Bank.objects.create(code=code, name=_text("name", name, 120))
    audit.record(actor, Event.BANK_CREATED, bank, after={"code": code})
    return bank


def create_staff(
    *, actor: Actor, bank: Bank, username: str, name: str, role: str, password: str, email: str = ""
) -> User:
    """Make a member of staff, who sets up a second factor at the first sign-in.

    email: where they are told when somebody takes that away; sealed. Raises Forbidden, InvalidInput (username, name,
    role, password, email), Conflict (`username-taken`).
    """
    policies.require_capability(actor, Capability.STAFF_MANAGE)
    policies.require_same_bank(actor, bank.pk)
    if not _USERNAME.fullmatch(username):
        raise InvalidInput.at("username", "format", "A user name has 2 to 64 of a-z, 0-9, dot, dash and underscore.")
    if role not in Role.values:
        raise InvalidInput.at("role", "choice", f"A role is one of: {', '.join(Role.values)}.")
    user = User(kind=UserKind.STAFF, bank=bank, username=username, role=role)
    _assign(user, _checked({"name": name, "email": email}))
    _set_password(user, password)  # slow by design, so before the transaction
    return _save_staff(actor, user)


@retried_on_conflict
def _save_staff(actor: Actor, user: User) -> User:
    if User.objects.filter(username=user.username).exists():
        raise Conflict("There is somebody with this user name.", code="username-taken")
    user.save(force_insert=True)
    audit.record(actor, Event.STAFF_CREATED, user, after={"username": user.username, "role": user.role})
    return user


@retried_on_conflict
def create_customer(
    *, actor: Actor, bank: Bank, customer_number: str, name: str, phone: str = "", email: str = ""
) -> User:
    """Make a customer, who never enters the portal. Contact data is sealed.

    Raises Forbidden, InvalidInput, Conflict (`customer-number-taken`).
    """
    policies.require_capability(actor, Capability.DEVICES_CORRECT)
    policies.require_same_bank(actor, bank.pk)
    values = _checked({"customer_number": customer_number, "name": name, "phone": phone, "email": email})
    _require_free_number(bank.pk, values["customer_number"])
    user = User(kind=UserKind.CUSTOMER, bank=bank)
    user.set_unusable_password()
    _assign(user, values)
    user.save(force_insert=True)
    audit.record(actor, Event.CUSTOMER_CREATED, user)
    return user


@retried_on_conflict
def correct_customer(*, actor: Actor, user_id: UUID, changes: Mapping[str, str], reason: str) -> User:
    """Correct a customer's `name`, `customer_number`, `phone` or `email`, and say why.

    What is already so is left alone; where nothing differs, nothing is written. The log names contact data by a
    hint only. Raises NotFound, Forbidden, InvalidInput (a field, the reason), Conflict (`customer-number-taken`).
    """
    policies.require_capability(actor, Capability.DEVICES_CORRECT)
    policies.require_reason(reason)
    people = User.objects.visible_to(actor).customers().select_for_update(of=("self",), no_key=True)
    user = people.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such customer.")
    current = _current(user)
    wanted = {field: value for field, value in _checked(changes).items() if value != current[field]}
    if not wanted:
        return user
    if "customer_number" in wanted:
        _require_free_number(user.bank_id, wanted["customer_number"])
    _assign(user, wanted)
    user.save(update_fields=[_column(field) for field in wanted])
    if "customer_number" in wanted:
        for listener in _number_listeners.values():
            listener(user)
    before, after = _hints({field: current[field] for field in wanted}), _hints(wanted)
    audit.record(actor, Event.CUSTOMER_CORRECTED, user, before=before, after=after, reason=reason)
    return user


def contact_of(user: User) -> Contact:
    """A person's contact data, unsealed: for the gateways that send, and for staff who may see it."""
    return Contact(
        phone=vault.unseal(PHONE, user.pk, user.phone_sealed), email=vault.unseal(EMAIL, user.pk, user.email_sealed)
    )


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    """The values in the form in which they are kept. Raises InvalidInput with every problem."""
    checks = {"name": _name, "customer_number": _customer_number, "phone": _phone, "email": _email}
    checked: dict[str, str] = {}
    problems: list[FieldProblem] = []
    for field, value in values.items():
        if field not in checks:
            problems.append(FieldProblem(field, "unknown-field", "This cannot be corrected."))
            continue
        try:
            checked[field] = checks[field](value)
        except InvalidInput as wrong:
            problems += wrong.fields
    if problems:
        raise InvalidInput(fields=tuple(problems))
    return checked


def _name(value: str) -> str:
    return _text("name", value, 120)


def _customer_number(value: str) -> str:
    return _text("customer_number", value, 64)


def _phone(value: str) -> str:
    number = re.sub(r"[ ()/.-]", "", value)
    if number and not _PHONE.fullmatch(number):
        raise InvalidInput.at("phone", "format", "A phone number begins with + and the country, e.g. +381641234567.")
    return number


def _email(value: str) -> str:
    address = value.strip()
    try:
        if address:
            validate_email(address)
    except ValidationError:
        raise InvalidInput.at("email", "format", "This is no e-mail address.") from None
    return address


def _text(field: str, value: str, longest: int) -> str:
    text = value.strip()
    if problems := line_problems(field, text, longest=longest, required=True):
        raise InvalidInput(fields=tuple(problems))
    return text


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as weak:
        problems = tuple(FieldProblem("password", "password", message) for message in weak.messages)
        raise InvalidInput(fields=problems) from None
    user.set_password(password)


def _require_free_number(bank_id: UUID, number: str) -> None:
    if User.objects.filter(bank_id=bank_id, customer_number=number).exists():
        raise Conflict("Another customer has this number.", code="customer-number-taken")


def _current(user: User) -> dict[str, str]:
    contact = contact_of(user)
    return {
        "name": user.name,
        "customer_number": user.customer_number or "",
        "phone": contact.phone,
        "email": contact.email,
    }


def _assign(user: User, values: Mapping[str, str]) -> None:
    for field, value in values.items():
        sealed = {"phone": PHONE, "email": EMAIL}.get(field)
        setattr(user, _column(field), vault.seal(sealed, user.pk, value) if sealed else value)


def _column(field: str) -> str:
    return f"{field}_sealed" if field in {"phone", "email"} else field


def _hints(values: Mapping[str, str]) -> dict[str, str]:
    """The same for the log: of what is sealed only that it changed, and a number's last four digits."""
    hints = dict(values)
    if values.get("phone"):
        hints["phone"] = f"··{values['phone'][-4:]}"
    if values.get("email"):
        hints["email"] = f"{values['email'][0]}··"
    return hints
