"""What has happened in the demo when somebody looks for the first time: approvals, a transfer, links and more.

Each by the operation that everybody uses, as the person who would do it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from devices.operations.transfers import request_transfer
from merchants.operations.links import link_device
from merchants.operations.lookups import look_up
from pki.operations.requests import request_certificate
from pki.operations.signing import sign_request
from portal.accounts.actors import client_actor, device_actor, staff_actor
from portal.accounts.models import Application, User
from portal.accounts.roles import Role
from portal.accounts.scopes import BANK_SCOPES, CUSTOMER_SCOPES, MERCHANT_SCOPES
from portal.core.actor import Actor, Channel
from portal.core.errors import ApprovalRequired, NotFound
from portal.core.ids import read, spell
from portal.demo.make import PrivateKey, sign
from twofa.models import TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import request_two_factor
from twofa.operations.clients import set_approval_proof, set_request_rules
from twofa.operations.contents import message_of

type Facts = Mapping[str, str]

SHORT, LONG = 30, 600  # seconds: one request is over soon; the others wait long enough to be looked at
# Customer number → the phrase, and how many of the phones stand for it. The README links somebody else's.
LINKED: Final = {
    "HB-100417": ("Tunde on two wheels", 1),
    "HB-100538": ("한강 Min-ji", 2),
    "FS-2201": ("Ola ved fjorden", 1),
}
ALERT: Final[Facts] = {"email": "tunde.bello@customer.example", "ip": "203.0.113.77", "location": "Unknown place"}


@dataclass(frozen=True)
class Phone:
    """A phone of the demo with its key, acting by its own token."""

    owner: User
    id: str
    key: PrivateKey

    @property
    def actor(self) -> Actor:
        return device_actor(self.owner, UUID(self.id), scopes=CUSTOMER_SCOPES, channel=Channel.HYPHEN)


def make_scenes(content: Mapping[str, Any]) -> None:
    """Once, after all else was made; not inside a transaction. content: of `demo.json`."""
    for bank in content["banks"]:
        server = _server(content, bank["code"])
        people = [_phones(row) for row in content["customers"] if row["bank"] == bank["code"]]
        staff = {row["role"]: row["username"] for row in content["staff"] if row["bank"] == bank["code"]}
        _approvals(server, people, _member(staff[Role.ADMINISTRATOR]))
        _links(replace(server, channel=Channel.PEERE), content, bank["code"])
        if len(people) > 1:
            _alert(server, people[1])
            _transfer(_member(staff[Role.OPERATOR]), people[1][1], people[2][0].owner)
            _second_person(_member(staff[Role.ADMINISTRATOR]), content, bank["code"])
            _certificate(people[2][1], _member(staff[Role.SECURITY_OFFICER]))


def _approvals(server: Actor, people: list[list[Phone]], admin: Actor) -> None:
    """One that nobody answers in time, one that is signed, one that is denied, one that waits."""
    first, last = people[0], people[-1]

    def rules(seconds: int, reason: str) -> None:
        set_request_rules(
            actor=admin, client_id=server.id, number_matching=False, request_seconds=seconds, reason=reason
        )

    rules(SHORT, "To see one that nobody answers")
    _ask(server, last[0], "payment", _payment("45.00", "Northside Garage", "Invoice 2207"))
    rules(LONG, "Time to look at one that waits")
    _approve(_ask(server, first[0], "payment", _payment("129.90", "Corner Books", "Order 40117")), first[0])
    _approve(_ask(server, first[0], "sign-in", _sign_in(first[0], "198.51.100.24", "At home")), first[0])
    denied = _ask(server, first[1], "payment", _payment("980.00", "Quick Loans", "Fee in advance"))
    deny_request(actor=first[1].actor, id=str(denied.pk))
    _ask(
        server,
        last[0],
        "payment",
        _payment("18.40", "Corner Books", "Order 40123"),
        "A note from the shop: thank you.",
    )


def _alert(server: Actor, phones: list[Phone]) -> None:
    asked = _ask(server, phones[0], "sign-in", ALERT)
    deny_request(actor=phones[0].actor, id=str(asked.pk), not_me=True)


def _transfer(operator: Actor, phone: Phone, new_owner: User) -> None:
    reason = "Sold to a colleague; both came to the branch"
    request_transfer(actor=operator, device_id=phone.id, new_owner_id=new_owner.public_id, reason=reason)


def _second_person(admin: Actor, content: Mapping[str, Any], bank: str) -> None:
    mobile = _client(content, bank, "mobile")
    with suppress(ApprovalRequired):  # that is what it is for
        reason = "The old Android application sends transaction ids only"
        set_approval_proof(actor=admin, client_id=mobile.client_id, proof="transaction-id", reason=reason)


def _links(server: Actor, content: Mapping[str, Any], bank: str) -> None:
    """Some phones stand for phrases, and each merchant has seen them; one asked about a phone that nobody linked."""
    rows = {row["customer_number"]: row for row in content["customers"] if row["bank"] == bank}
    linked = [
        (number, phone["external_id"], phrase)
        for number, (phrase, phones) in LINKED.items()
        if number in rows
        for phone in rows[number]["devices"][:phones]
    ]
    for number, device_id, phrase in linked:
        link_device(actor=server, customer_id=number, phrase=phrase, device_id=device_id)
    merchants = [row for row in content["applications"] if (row["bank"], row["kind"]) == (bank, "merchant")]
    for position, row in enumerate(merchants):
        application = Application.objects.select_related("bank").get(client_id=row["client_id"])
        actor = replace(client_actor(application, channel=Channel.PEERE), scopes=MERCHANT_SCOPES)
        for _, device_id, _ in linked[position:]:
            look_up(actor=actor, device_id=device_id)
        with suppress(NotFound):
            look_up(actor=actor, device_id="device_of_a_stranger")


def _certificate(phone: Phone, officer: Actor) -> None:
    asked = request_certificate(actor=phone.actor, device_id=phone.id, csr=_csr(phone)).request
    sign_request(actor=officer, csr_id=asked.public_id)


def _csr(phone: Phone) -> bytes:
    """For a key of its own, because an approval key serves nothing else."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, spell("DEV", UUID(phone.id)))])
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return asked.public_bytes(Encoding.DER)


def _server(content: Mapping[str, Any], bank: str) -> Actor:
    actor = client_actor(_client(content, bank, "bank"), channel=Channel.HYPHEN)
    return replace(actor, scopes=BANK_SCOPES)


def _client(content: Mapping[str, Any], bank: str, kind: str) -> Application:
    rows = (row for row in content["applications"] if (row["bank"], row["kind"]) == (bank, kind))
    return Application.objects.select_related("bank").get(client_id=next(rows)["client_id"])


def _member(username: str) -> Actor:
    return staff_actor(User.objects.staff().get(username=username), channel=Channel.PORTAL)


def _phones(row: Mapping[str, Any]) -> list[Phone]:
    owner = User.objects.get(pk=read("USR", row["user_id"]))
    keys = [load_pem_private_key(phone["private_key_pem"].encode(), None) for phone in row["devices"]]
    return [
        Phone(owner, phone["uuid"], cast("PrivateKey", key)) for phone, key in zip(row["devices"], keys, strict=True)
    ]


def _ask(server: Actor, phone: Phone, kind: str, facts: Facts, text: str = "") -> TwoFactorRequest:
    return request_two_factor(
        actor=server,
        account_id=phone.owner.public_id,
        kind=kind,
        facts=facts,
        text=text,
        destination_id=phone.id,
    ).request


def _approve(asked: TwoFactorRequest, phone: Phone) -> None:
    signature = sign(phone.key, message_of(asked).encode()).hex()
    approve_request(actor=phone.actor, id=str(asked.pk), signature=signature)


def _payment(amount: str, payee: str, reference: str) -> Facts:
    return {"amount": amount, "currency": "EUR", "payee": payee, "reference": reference}


def _sign_in(phone: Phone, ip: str, location: str) -> Facts:
    email = f"{phone.owner.name.lower().replace(' ', '.')}@customer.example"
    return {"email": email, "ip": ip, "location": location}
