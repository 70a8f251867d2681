"""After a device has changed hands every call of its old owner about it answers as about an unknown one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, reverse

from devices.models import Device, PinReset, Transfer
from devices.operations.transfer_acceptance import accept_transfer
from devices.tests.factories import customer_actor, make_application, make_customer, make_token, make_transfer
from devices.tests.moving import make_furnished
from merchants.models import Phrase
from pki.models import Certificate, CertificateRequest, Rotation, RotationType
from pki.operations.rotations import plan
from portal.accounts.models import User
from portal.api.base import METHODS
from portal.api.registry import MOUNTED
from portal.api.tests.doors import Caller, refused_once
from portal.audit.models import AuditEvent
from portal.core import ids
from twofa.models import TwoFactorRequest

pytestmark = pytest.mark.django_db

TWO_FACTORS = "/device/v1/2fa"

type Endpoint = tuple[str, str]  # the route's name and the method


@dataclass(frozen=True)
class Named:
    """The names under which calls are about the device: its own, its key's, its reset's, its transfer's, its
    certificate request's, its certificate's, its rotation's."""

    device: str
    key: str
    reset: str
    transfer: str
    csr: str
    certificate: str
    rotation: str


UNKNOWN = Named(
    device=str(ids.new_id()),
    key="04" + "ab" * 64,
    reset=ids.spell("RESET", ids.new_id()),
    transfer=ids.spell("TRF", ids.new_id()),
    csr=ids.spell("CSR", ids.new_id()),
    certificate=ids.spell("CERT", ids.new_id()),
    rotation=ids.spell("ROT", ids.new_id()),
)

PIN = {"pin": "493817", "confirmPin": "493817"}
CHANGE = {"currentPin": "493817", "newPin": "718394", "confirmNewPin": "718394"}
RESET = {"resetMethod": "SMS", "verificationData": {"phoneNumber": "+12025550123"}}
CONFIRM = {"verificationCode": "12345678", "newPin": "718394", "confirmNewPin": "718394"}
PHRASE = "correct horse battery"
PUSH = {"push-platform": "apns", "pns-handle": "handle"}


def calls(named: Named, new_owner: User) -> dict[Endpoint, tuple[str, Any]]:
    """Every call that can be about a device its caller owns: path and body."""
    owned, device = f"/v1/device/owned-devices/{named.device}", {"deviceId": named.device}
    lost, transfer = {"reason": "Lost"}, {"transferId": named.transfer}
    giving = {**device, "newOwnerId": new_owner.public_id, "transferReason": "A gift"}
    return {
        ("asseco:owned-device", "get"): (owned, None),
        ("asseco:nickname", "put"): (f"{owned}/nickname", {"nickname": "Mine"}),
        ("asseco:push-handle", "put"): (f"{owned}/push-notification-handle", PUSH),
        ("asseco:block", "post"): (f"{owned}/block", None),
        ("asseco:unblock", "post"): (f"{owned}/unblock", None),
        ("asseco:owned-loss", "post"): (f"{owned}/report-lost", None),
        ("asseco:unregister-owned", "post"): (f"{owned}/unregister", None),
        ("asseco:device", "get"): (f"/v1/device/devices/{named.device}", None),
        ("asseco:unregister", "post"): (f"/v1/device/devices/{named.device}/unregister", None),
        ("adiba:status", "get"): (f"/v1/device/status?deviceId={named.device}", None),
        ("adiba:status", "post"): ("/v1/device/status", {**device, **lost, "action": "DEACTIVATE"}),
        ("adiba:cert-request", "post"): ("/v1/device/cert/request", {**device, "keyAlgorithm": "EC"}),
        ("adiba:cert-request-poll", "get"): (f"/v1/device/cert/request/{named.csr}", None),
        ("adiba:cert-bundle", "post"): ("/v1/device/cert/bundle", {"csrId": named.csr, "passphrase": PHRASE}),
        ("adiba:pin", "post"): ("/v1/device/pin", device | PIN),
        ("adiba:pin-change", "post"): ("/v1/device/pin/change", device | CHANGE),
        ("adiba:pin-reset", "post"): ("/v1/device/pin/reset", device | RESET),
        ("adiba:pin-confirm", "post"): ("/v1/device/pin/confirm", {"resetId": named.reset, **CONFIRM}),
        ("adiba:cert-rotate", "post"): ("/v1/device/cert/rotate", device),
        ("adiba:cert-rotation", "get"): (f"/v1/device/cert/rotate/{named.rotation}", None),
        ("adiba:cert-prove", "post"): (
            "/v1/device/cert/prove",
            {"certificateId": named.certificate, "signature": "AAAA"},
        ),
        ("adiba:ownership-transfer", "post"): ("/v1/device/ownership/transfer", giving),
        ("adiba:ownership-accept", "post"): (
            "/v1/device/ownership/accept",
            transfer | {"acceptanceCode": "12345678"},
        ),
        ("adiba:ownership-decline", "post"): ("/v1/device/ownership/decline", transfer),
        ("adiba:ownership-cancel", "post"): ("/v1/device/ownership/cancel", transfer),
        ("adiba:ownership-poll", "get"): (f"/v1/device/ownership/{named.transfer}", None),
        ("hyphen:device", "put"): (f"/device/v1/devices/{named.key}", {"name": "Mine"}),
    }


# Calls that name no device of their caller: lists (looked at below), what the bank issued, the bank's own business,
# and registering, where a device of somebody else is refused like any other.
OTHERS: set[Endpoint] = {
    ("asseco:owned-devices", "get"),
    ("asseco:owned-devices", "post"),
    ("asseco:approval-request", "get"),
    ("asseco:issued-devices", "get"),
    ("asseco:issued-device", "get"),
    ("asseco:issued-nickname", "put"),
    ("asseco:issued-loss", "post"),
    ("asseco:classifications", "get"),
    ("asseco:classification", "get"),
    ("adiba:approval", "get"),
    ("adiba:cert-sign", "post"),
    ("hyphen:devices", "get"),
    ("hyphen:two-factors", "get"),
    ("hyphen:two-factors", "post"),
    ("hyphen:evidence", "get"),
    # Signing in: by a provider's word and a key, before there is a token.
    ("hyphen-auth:challenge", "post"),
    ("hyphen-auth:respond", "post"),
    ("hyphen-auth:new-device", "post"),
    ("hyphen-auth:finish", "post"),
    ("hyphen-auth:refresh", "post"),
    ("hyphen-auth:sign-up", "post"),
    # What was asked is the customer's own, wherever the device is now; answering takes a token bound to the device.
    ("hyphen:two-factor", "get"),
    ("hyphen:two-factor", "put"),
    ("hyphen:two-factor", "delete"),
    ("hyphen:approve", "post"),
    # Servers' calls: no customer reaches them. What is left of the old owner's link is looked at below.
    ("peere-bank:link", "post"),
    ("peere-bank:unlink", "post"),
    ("peere-bank:devices", "get"),
    ("peere-customer:lookup", "post"),
    ("spid:devices", "post"),
    ("spid:devices-json", "post"),
}


def endpoints(patterns: list[Any], space: str = "") -> Iterator[Endpoint]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from endpoints(pattern.url_patterns, pattern.app_name or space)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)
            yield from ((f"{space}:{pattern.name}", method) for method in METHODS if hasattr(view, method))


@pytest.fixture
def cem(ada: User) -> User:
    return make_customer(ada.bank, "Cem")


@pytest.fixture
def moved(ada: User, cem: User) -> Device:
    """A phone that was Ada's and is Cem's."""
    phone = make_furnished(ada)
    certificate = Certificate.objects.get()
    plan(phone, certificate, certificate.authority, RotationType.MANUAL).save()
    offer = make_transfer(phone, cem, code="12345678")
    accept_transfer(actor=customer_actor(cem), transfer_id=offer.public_id, acceptance_code="12345678")
    phone.refresh_from_db()
    return phone


def names_of(device: Device) -> list[Named]:
    """Under each of the device's spellings."""
    key = device.keys.get().spelling
    reset, transfer = PinReset.objects.get().public_id, Transfer.objects.get().public_id
    csr = CertificateRequest.objects.get().public_id
    spellings = (str(device.pk), device.public_id, device.external_id)
    certificate, rotation = Certificate.objects.get().public_id, Rotation.objects.get().public_id
    return [
        Named(
            device=spelling,
            key=key,
            reset=reset,
            transfer=transfer,
            csr=csr,
            certificate=certificate,
            rotation=rotation,
        )
        for spelling in spellings
    ]


def test_every_endpoint_is_looked_at(ada: User) -> None:
    """A new endpoint goes into `calls` when a customer can name a device with it, else into `OTHERS`."""
    found = {one for mounted in MOUNTED for one in endpoints(mounted.patterns())}
    assert found == set(calls(UNKNOWN, ada)) | OTHERS


def test_to_its_old_owner_the_device_is_as_unknown_everywhere(
    caller: Caller, ada: User, cem: User, moved: Device
) -> None:
    unknown = calls(UNKNOWN, cem)
    for named in names_of(moved):
        for endpoint, (path, body) in calls(named, cem).items():
            method = endpoint[1].upper()
            with refused_once("not-found", who="Ada"):
                answer = caller.send(method, path, body)
            like = caller.send(method, *unknown[endpoint])
            assert (answer.status_code, answer.content) == (like.status_code, like.content), endpoint
            assert answer.status_code == 404, endpoint


def test_its_sessions_are_over_and_lists_do_not_show_it(ada: User, cem: User) -> None:
    phone = make_furnished(ada)
    bound = Caller(make_token(user=ada, device=phone))
    free = Caller(make_token(user=ada))
    offer = make_transfer(phone, cem, code="12345678")
    lists = [reverse("asseco:owned-devices"), reverse("hyphen:devices")]
    assert all(str(phone.pk) in free.get(path).content.decode() for path in lists)
    assert str(phone.pk) in bound.get(TWO_FACTORS).content.decode()
    accept_transfer(actor=customer_actor(cem), transfer_id=offer.public_id, acceptance_code="12345678")
    assert [bound.get(path).status_code for path in (*lists, TWO_FACTORS, "/v1/device/status")] == [401] * 4
    assert all(str(phone.pk) not in free.get(path).content.decode() for path in lists)
    assert free.get("/v1/device/status").status_code == 400  # she has no device that it could be about


def test_what_it_was_asked_stays_with_the_old_owner_and_shows_nothing_of_the_new_one(
    caller: Caller, cem: User, moved: Device
) -> None:
    Device.objects.filter(pk=moved.pk).update(nickname="Cem's phone")
    request = TwoFactorRequest.objects.get()
    path = f"/device/v1/2fa/{request.pk}"
    shown = caller.get(path).json()["twoFactorAuth"]
    assert shown["status"] == "denied"
    asked = shown["request"]["destDevice"]  # as it was when it was hers
    assert (asked["id"], asked["name"], asked["lang"]) == (str(moved.pk), "Phone ada", "en-GB")
    assert asked["pushToken"] == ""
    for new in (Caller(make_token(user=cem)), Caller(make_token(user=cem, device=moved))):
        assert new.get(path).status_code == 404
    assert Caller(make_token(user=cem, device=moved)).get(TWO_FACTORS).json() == {"twoFactorAuths": []}


def test_the_new_owner_finds_it_afresh(cem: User, moved: Device) -> None:
    caller = Caller(make_token(user=cem))
    status = caller.get(f"/v1/device/status?deviceId={moved.external_id}").json()
    assert (status["status"], status["enrollmentStatus"], status["lastActivity"]) == ("ACTIVE", "NOT_ENROLLED", None)
    assert status["securityPosture"]["pinEnabled"] is False
    shown = caller.get(f"/v1/device/owned-devices/{moved.pk}").json()
    assert shown["nickname"] is None
    before = AuditEvent.objects.count()
    named = caller.put(f"/v1/device/owned-devices/{moved.pk}/nickname", {"nickname": "Mine now"})
    assert (named.status_code, AuditEvent.objects.count()) == (204, before + 1)


def test_merchants_know_it_no_more_and_its_bank_links_it_afresh(ada: User, cem: User) -> None:
    phone = make_furnished(ada)
    phrase = Phrase.objects.get().text
    server, shop = (Caller(make_token(application=make_application(ada.bank, kind))) for kind in ("bank", "merchant"))
    lookup, body = "/v1/customer/device/lookup", {"deviceId": phone.external_id}
    assert shop.post(lookup, body).json()["data"]["phrase"] == phrase
    offer = make_transfer(phone, cem, code="12345678")
    accept_transfer(actor=customer_actor(cem), transfer_id=offer.public_id, acceptance_code="12345678")
    answer = shop.post(lookup, body)
    assert (answer.status_code, answer.content) == (404, shop.post(lookup, {"deviceId": UNKNOWN.device}).content)
    assert server.get("/v1/bank/devices/list").json()["data"]["total"] == Phrase.objects.count() == 0
    again = {"customerId": cem.customer_number, "phrase": phrase, "deviceId": phone.external_id}
    assert server.post("/v1/bank/customer/device/link", again).status_code == 200
    assert shop.post(lookup, body).json()["data"]["phrase"] == phrase
