"""Asking for certificates: who may, what is refused and by which rule, whose a key is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import (
    bank_actor,
    customer_actor,
    make_bank,
    make_customer,
    make_device,
    make_key,
    make_staff,
    private_key,
    staff_actor,
)
from pki.models import BlockedKey, Certificate, CertificatePolicy, CertificateRequest, CertifiedKey, RequestSource
from pki.operations import server_keys
from pki.operations.requests import MOST_OPEN, SIGNING_TIME, end_open_requests, lapse, request_certificate
from pki.states import CertificateState, RequestState
from pki.tests.factories import csr_for, make_ca
from pki.x509 import der
from pki.x509.tests.makers import checked, extension, raw_request, rdn
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidState,
    NotFound,
    RateLimited,
    RulesBroken,
)
from portal.tests.threads import race

pytestmark = pytest.mark.django_db


def ask(actor: Actor, device: Device | str, csr: bytes | str = b"", **values: Any) -> CertificateRequest:
    name = device if isinstance(device, str) else device.public_id
    return request_certificate(actor=actor, device_id=name, csr=csr, **values).request


@contextmanager
def nothing_changes() -> Iterator[None]:
    """Whatever is refused inside leaves no request, no claim on a key, and no event."""

    def there() -> list[object]:
        rows = (CertificateRequest.objects.values().order_by("pk"), CertifiedKey.objects.values().order_by("pk"))
        return [*(list(one) for one in rows), events()]

    before = there()
    yield
    assert there() == before


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("event", flat=True))


def test_a_request_waits_with_all_it_asks_for(ada: User, phone: Device) -> None:
    before = AuditEvent.objects.count()
    made = request_certificate(actor=customer_actor(ada), device_id=phone.public_id, csr=csr_for(phone, number=1))
    request = CertificateRequest.objects.get()
    assert (made.request, made.certificate, made.created) == (request, None, True)
    assert (request.state, request.source, request.key_sealed) == (RequestState.PENDING, RequestSource.DEVICE, "")
    assert request.key_fingerprint == checked("p256", 1).fingerprint
    assert request.asked == {"subject": [["CN", phone.public_id]], "names": [], "uses": None, "purposes": None}
    assert (request.maker_kind, request.maker_user) == ("customer", ada)
    assert request.expires_at - request.created_at == SIGNING_TIME
    assert CertifiedKey.objects.get().device == phone
    assert events()[before:] == ["csr.requested"]


@pytest.mark.parametrize("spelling", ["public_id", "pk", "external_id"])
def test_the_name_may_be_any_of_the_devices_ids(spelling: str, ada: User, phone: Device) -> None:
    assert ask(customer_actor(ada), phone, csr_for(phone, name=str(getattr(phone, spelling))))


def test_a_request_without_a_name_is_refused(ada: User, phone: Device) -> None:
    """Whoever saw it could file it for a device of their own, and its key with it."""
    bare = raw_request(subject=der.sequence([rdn("2.5.4.10", "Some Bank")]))
    with pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, bare)
    assert [one.rule for one in refused.value.findings] == ["cn-missing"]
    assert not CertificateRequest.objects.exists()
    assert not CertifiedKey.objects.exists()


def test_a_name_of_another_device_is_refused(ada: User, phone: Device) -> None:
    other = make_device(ada)
    with pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, csr_for(other))
    assert (refused.value.code, [one.rule for one in refused.value.findings]) == ("cn-not-device", ["cn-not-device"])
    assert not CertificateRequest.objects.exists()
    assert not CertifiedKey.objects.exists()


def test_every_broken_rule_is_told_at_once(ada: User, phone: Device) -> None:
    server_auth = extension("2.5.29.37", bytes.fromhex("300a06082b06010505070301"))
    ca = extension("2.5.29.19", bytes.fromhex("30030101ff"))
    with pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, csr_for(phone, server_auth, ca))
    assert refused.value.code == "csr-refused"
    assert {one.rule for one in refused.value.findings} == {"asks-server-auth", "asks-ca"}
    assert all(one.message and one.source for one in refused.value.findings)


def test_the_same_again_is_the_same_request(ada: User, phone: Device) -> None:
    """A client that asks again signs anew: the bytes differ, key and wishes do not."""
    first = ask(customer_actor(ada), phone, csr_for(phone, number=2))
    before = AuditEvent.objects.count()
    again = request_certificate(actor=customer_actor(ada), device_id=phone.public_id, csr=csr_for(phone, number=2))
    assert (again.request, again.created, AuditEvent.objects.count()) == (first, False, before)
    with pytest.raises(Conflict) as refused:
        ask(customer_actor(ada), phone, csr_for(phone, number=2, name=str(phone.pk)))
    assert refused.value.code == "key-asked-otherwise"


def test_a_key_is_one_devices_for_good(ada: User, phone: Device) -> None:
    other = make_device(ada)
    first = ask(customer_actor(ada), phone, csr_for(phone, number=3))
    CertificateRequest.objects.filter(pk=first.pk).update(state=RequestState.REJECTED)
    eve = make_customer(make_bank(), "Eve")
    make_ca(eve.bank)
    for owner, device in ((ada, other), (eve, make_device(eve))):
        with pytest.raises(Conflict) as refused:
            ask(customer_actor(owner), device, csr_for(device, number=3))
        assert refused.value.code == "key-of-another-device"
    assert ask(customer_actor(ada), phone, csr_for(phone, number=3)) != first


def test_a_blocked_key_never_comes_back(ada: User, phone: Device) -> None:
    BlockedKey.objects.create(fingerprint=checked("p256", 4).fingerprint, reason="lost", blocked_at=clock.now())
    with pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, csr_for(phone, number=4))
    assert refused.value.code == "key-blocked"
    assert not CertifiedKey.objects.exists()


def test_an_approval_key_is_not_certified(ada: User, phone: Device) -> None:
    make_key(phone)
    subject = der.sequence([rdn("2.5.4.3", phone.public_id)])
    with pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, raw_request(private_key("ada"), subject=subject))
    assert refused.value.code == "key-signs-approvals"


def test_who_may_ask(ada: User, phone: Device) -> None:
    bank = ada.bank
    assert ask(staff_actor(make_staff(bank, Role.OPERATOR)), phone, csr_for(phone)).maker_kind == "staff"
    assert ask(staff_actor(make_staff(bank, Role.SECURITY_OFFICER)), phone, csr_for(phone))
    for actor in (bank_actor(bank), staff_actor(make_staff(bank, Role.SUPPORT))):
        for device in (phone, "unknown"):
            with nothing_changes(), pytest.raises(Forbidden):
                ask(actor, device, csr_for(phone))


def test_foreign_and_unknown_devices_are_not_found(ada: User, phone: Device) -> None:
    cem = make_customer(ada.bank, "Cem")
    card = make_device(ada, kind="payment-card", external_id="")
    stranger = make_device(make_customer(make_bank(), "Eve"))
    for device in (make_device(cem), card, stranger, "unknown"):
        with nothing_changes(), pytest.raises(NotFound):
            ask(customer_actor(ada), device, csr_for(phone))


def test_a_bound_token_speaks_for_its_own_device_only(ada: User, phone: Device) -> None:
    other = make_device(ada)
    bound = customer_actor(ada, phone)
    assert ask(bound, phone, csr_for(phone))
    for device in (other, "unknown"):
        with nothing_changes(), pytest.raises(Forbidden) as refused:
            ask(bound, device, csr_for(other))
        assert refused.value.code == "token-bound-elsewhere"


@pytest.mark.parametrize("status", [DeviceStatus.PENDING, DeviceStatus.INACTIVE, DeviceStatus.BLOCKED])
def test_only_active_devices_ask(status: DeviceStatus, ada: User) -> None:
    device = make_device(ada, status)
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        ask(customer_actor(ada), device, csr_for(device))
    assert refused.value.code == "device-not-active"


def test_without_an_authority_nobody_asks() -> None:
    device = make_device(owner := make_customer(make_bank()))
    with pytest.raises(InvalidState) as refused:
        ask(customer_actor(owner), device, csr_for(device))
    assert refused.value.code == "no-authority"


def test_so_many_requests_wait_for_one_device(ada: User, phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(MOST_OPEN):
        ask(customer_actor(ada), phone, csr_for(phone))
    with pytest.raises(Conflict) as refused:
        ask(customer_actor(ada), phone, csr_for(phone))
    assert refused.value.code == "requests-open"
    monkeypatch.setattr(server_keys, "make", lambda *_: 1 / 0)  # no key is made for nothing
    with pytest.raises(Conflict) as refused:
        ask(customer_actor(ada), phone, key_algorithm="RSA")
    assert refused.value.code == "requests-open"
    assert CertificateRequest.objects.count() == MOST_OPEN


@pytest.mark.django_db(transaction=True)
def test_of_many_devices_that_ask_with_one_key_one_gets_it(ada: User) -> None:
    devices = [make_device(ada) for _ in range(6)]
    requests = [csr_for(device, number=5) for device in devices]
    outcomes = race(len(devices), lambda turn: ask(customer_actor(ada), devices[turn], requests[turn]))
    codes = sorted(getattr(one, "code", "asked") for one in outcomes)
    assert codes == ["asked"] + ["key-of-another-device"] * 5
    assert CertifiedKey.objects.get().device == CertificateRequest.objects.get().device


@pytest.mark.django_db(transaction=True)
def test_of_many_like_requests_one_is_stored(ada: User, phone: Device) -> None:
    outcomes = race(6, lambda _: ask(customer_actor(ada), phone, csr_for(phone, number=6)))
    assert {getattr(one, "pk", one) for one in outcomes} == {CertificateRequest.objects.get().pk}
    assert events().count("csr.requested") == 1


# Keys made here.


@pytest.mark.parametrize(
    ("algorithm", "size", "kind"), [("RSA", 2048, "rsa-2048"), ("EC", 384, "p384"), ("ED25519", None, "ed25519")]
)
def test_a_key_is_made_and_sealed(algorithm: str, size: int | None, kind: str, ada: User, phone: Device) -> None:
    subject = {"CN": str(phone.pk), "O": "Digital Bank Ltd", "OU": "IT Department", "C": "NG"}
    names = ["device.digitalbank.com", "DNS:DEV_001_20241201_001.internal"]
    request = ask(customer_actor(ada), phone, key_algorithm=algorithm, key_size=size, subject=subject, names=names)
    assert (request.source, request.key_algorithm) == (RequestSource.SERVER, kind)
    assert request.key_sealed
    assert "PRIVATE" not in request.key_sealed
    assert dict(request.asked["subject"]) == subject
    assert [name[1] for name in request.asked["names"]] == [name.removeprefix("DNS:") for name in names]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"key_algorithm": "DSA"}, "key_algorithm"),
        ({"key_algorithm": ""}, "csr"),
        ({"key_algorithm": "RSA", "key_size": 1024}, "key_size"),
        ({"key_algorithm": "EC", "key_size": 2048}, "key_size"),
    ],
)
def test_other_keys_are_not_made(values: dict[str, Any], field: str, ada: User, phone: Device) -> None:
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        ask(customer_actor(ada), phone, **values)
    assert [problem.field for problem in refused.value.fields] == [field]


@pytest.mark.parametrize(
    ("subject", "names", "rule"),
    [
        ({"C": "ng"}, [], "subject-country"),
        ({"O": ""}, [], "subject-length"),
        ({"O": "x" * 65}, [], "subject-length"),
        ({"O": "a\x00b"}, [], "subject-characters"),
        ({}, ["bänk.example"], "san-not-ia5"),
        ({}, ["a b"], "san-dns-syntax"),
        ({}, [""], "san-dns-syntax"),
        ({}, ["a.example"] * 21, "san-count"),
    ],
)
def test_claims_that_no_request_can_hold(
    subject: dict[str, str], names: list[str], rule: str, ada: User, phone: Device
) -> None:
    with nothing_changes(), pytest.raises(RulesBroken) as refused:
        ask(customer_actor(ada), phone, key_algorithm="EC", subject=subject, names=names)
    assert (refused.value.code, refused.value.findings[0].rule) == ("ask-refused", rule)


@pytest.mark.parametrize("others", [2, 0])
def test_few_rsa_keys_are_made_at_once_and_one_for_each_owner(
    ada: User, phone: Device, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    making = {f"another {number}" for number in range(others)} or {str(ada.pk)}
    monkeypatch.setattr(server_keys, "_making", making)
    with nothing_changes(), pytest.raises(RateLimited) as refused:
        ask(customer_actor(ada), phone, key_algorithm="RSA", key_size=2048)
    assert (refused.value.code, len(making)) == ("key-making-busy", others or 1)


# What becomes of requests nobody signs.


def test_nobody_signs_in_time(ada: User, phone: Device) -> None:
    request = ask(customer_actor(ada), phone, key_algorithm="EC")
    assert lapse() == 0
    with time_machine.travel(request.expires_at, tick=False):
        assert lapse() == 1
        assert lapse() == 0
    request.refresh_from_db()
    assert (request.state, request.key_sealed) == (RequestState.EXPIRED, "")
    assert events()[-1] == "csr.expired"


def test_a_key_that_nobody_fetched_is_destroyed(ada: User, phone: Device) -> None:
    request = ask(customer_actor(ada), phone, key_algorithm="EC")
    CertificateRequest.objects.filter(pk=request.pk).update(state=RequestState.ISSUED)
    with time_machine.travel(request.created_at + timedelta(days=38), tick=False):
        lapse()
    request.refresh_from_db()
    assert (request.state, request.key_sealed) == (RequestState.ISSUED, "")


def test_what_waits_ends_with_the_device(ada: User, phone: Device) -> None:
    requests = [ask(customer_actor(ada), phone, key_algorithm="EC") for _ in range(2)]
    assert end_open_requests(Actor.system("test", bank_id=ada.bank_id), phone, "It has another owner.") == 2
    for request in requests:
        request.refresh_from_db()
        assert (request.state, request.key_sealed, request.reason) == ("REJECTED", "", "It has another owner.")
    assert events()[-2:] == ["csr.rejected", "csr.rejected"]


# Signing at once.


def auto(ada: User, **values: Any) -> None:
    CertificatePolicy.objects.filter(bank=ada.bank).update(auto_sign=True, **values)


@pytest.mark.django_db(transaction=True)
def test_the_bank_may_have_a_bound_devices_request_signed_at_once(ada: User, phone: Device) -> None:
    auto(ada)
    made = request_certificate(actor=customer_actor(ada, phone), device_id=phone.public_id, csr=csr_for(phone))
    assert made.certificate is not None
    assert made.certificate.state == CertificateState.ACTIVE
    assert made.request.state == RequestState.ISSUED
    assert made.request.decided_by is None


@pytest.mark.django_db(transaction=True)
def test_nobody_elses_request_is_signed_at_once(ada: User, phone: Device) -> None:
    auto(ada)
    operator = staff_actor(make_staff(ada.bank))
    assert ask(customer_actor(ada), phone, csr_for(phone)).state == RequestState.PENDING
    assert ask(operator, phone, csr_for(phone)).state == RequestState.PENDING
    auto(ada, sign_needs_two=True)
    assert ask(customer_actor(ada, phone), phone, csr_for(phone)).state == RequestState.PENDING
    assert not Certificate.objects.exists()


def test_a_terminal_needs_a_name_under_the_banks_zone(phone: Device, bea: Actor) -> None:
    with nothing_changes(), pytest.raises(InvalidState) as refused:
        ask(bea, phone, csr_for(phone), profile="terminal")
    assert refused.value.code == "zone-needed"
    CertificatePolicy.objects.update(zone="terminals.bank.example")
    assert ask(bea, phone, csr_for(phone), profile="terminal").profile == "terminal"
