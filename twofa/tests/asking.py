"""Requests for tests: Ada's phone with a key is asked by her bank's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from devices.models import Device
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_application,
    make_bank,
    make_customer,
    make_device,
    make_key,
    private_key,
)
from portal.accounts.models import Application, User
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import DomainError
from twofa.models import Answer, TwoFactorRequest
from twofa.operations.answering import approve_request, deny_request
from twofa.operations.asking import Asked, request_two_factor
from twofa.operations.contents import content_of, message_of, new_round

SIGN_IN = {"email": "ada@example.org", "ip": "192.0.2.7", "location": "Seoul, KR"}
PAYMENT = {"amount": "12.50", "currency": "EUR", "payee": "Cem", "reference": "Lunch"}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def make_phone(owner: User, name: str, **values: Any) -> Device:
    """A phone that can sign, with the private key of this name; it was heard of just now."""
    phone = make_device(owner, **{"last_activity_at": clock.now(), **values})
    make_key(phone, name)
    return phone


@dataclass
class Scene:
    """Ada, her phone that can sign, and the server that asks."""

    ada: User = field(default_factory=lambda: make_customer(make_bank()))
    rules: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.phone = make_phone(self.ada, "ada")
        self.application: Application = make_application(
            self.ada.bank, kind="bank", name="core banking", **self.rules
        )

    @property
    def server(self) -> Actor:
        return server_of(self.application)

    @property
    def owner(self) -> Actor:
        """Ada, by a token that is bound to her phone."""
        return bound(self.phone)

    def ask(self, **values: Any) -> Asked:
        given = {"account_id": self.ada.public_id, "kind": "sign-in", "facts": SIGN_IN}
        return request_two_factor(actor=self.server, **{**given, **values})


def retold(request: TwoFactorRequest, text: str) -> TwoFactorRequest:
    """The request with this as the caller's text, which nobody would be let to send."""
    new_round(request, replace(content_of(request), text=text), request.destination.keys.get())
    request.save()
    return request


def server_of(application: Application) -> Actor:
    return Actor(
        **{
            **vars(bank_actor(application.bank)),
            "application_id": application.pk,
            "label": application.name,
            "scopes": frozenset({"twofa:request"}),
        }
    )


def bound(device: Device, **values: Any) -> Actor:
    """The device's owner, by a token that is bound to it."""
    return customer_actor(device.owner, device, **values)


def numbers_of(text: str, name: str = "ada") -> tuple[int, int]:
    return decode_dss_signature(private_key(name).sign(text.encode(), ec.ECDSA(SHA256())))


def raw(r: int, s: int) -> str:
    return f"{r:064x}{s:064x}"


def sign(text: str, name: str = "ada") -> str:
    """r‖s in hex, as the SDKs send it."""
    return raw(*numbers_of(text, name))


def signed(request: TwoFactorRequest, name: str = "ada") -> str:
    return sign(message_of(request), name)


def digest(signature: str) -> str:
    return sha256(bytes.fromhex(signature)).hexdigest()


def rows() -> list[dict[str, Any]]:
    """Every request as it stands, but for the counts of wrong proofs."""
    counted = {"wrong_numbers", "wrong_signatures"}
    return [
        {name: value for name, value in row.items() if name not in counted}
        for row in TwoFactorRequest.objects.order_by("pk").values()
    ]


def events(*but: str) -> list[tuple[str, str, str]]:
    """(event, outcome, code) of all that was written, in order."""
    found = AuditEvent.objects.order_by("id").values_list("event", "outcome", "code")
    return [event for event in found if event[0] not in but]


@contextmanager
def nothing_changes(*new: tuple[str, str, str]) -> Iterator[None]:
    """No request and no answer changes; exactly these events are written."""
    requests, answers, before = rows(), Answer.objects.count(), events()
    yield
    assert (rows(), Answer.objects.count()) == (requests, answers)
    assert events() == [*before, *new]


def refused_late(scene: Scene, request: TwoFactorRequest, code: str, signature: str) -> None:
    """Neither an approval nor a denial counts any more."""
    with nothing_changes(), pytest.raises(DomainError) as refused:
        approve_request(actor=scene.owner, id=str(request.pk), signature=signature)
    assert refused.value.code == code
    with nothing_changes(), pytest.raises(DomainError) as refused:
        deny_request(actor=scene.owner, id=str(request.pk))
    assert refused.value.code == code
