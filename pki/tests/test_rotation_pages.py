"""The pages about rotations: the ledger, one rotation with its tries, the switch and rate, the dashboard's part."""

from datetime import timedelta
from unittest import mock

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.models import Certificate, CertificateAuthority, CertificatePolicy, Rotation
from pki.operations.rotation_sweeps import plan_rotations
from pki.tests.factories import certify, token_gone
from pki.tests.rotating import due, events, later, worked
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.core import clock
from portal.web.tests.helpers import refusals, signed_in_client

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/certificates/rotations"


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, nickname="Ada's phone")


@pytest.fixture
def authority(ada: User) -> CertificateAuthority:
    return CertificateAuthority.objects.get(bank=ada.bank)


def browser(ada: User, role: str = Role.SECURITY_OFFICER) -> Client:
    return signed_in_client(make_staff(ada.bank, role))


def page(client: Client, path: str, **query: str) -> str:
    response = client.get(path, query)
    assert response.status_code == 200
    return response.content.decode()


def test_the_ledger_shows_what_is_planned_stuck_and_done(ada: User, phone: Device, old: Certificate) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old)):
        client = browser(ada)
        assert "No rotation found" in page(client, LIST)
        plan_rotations()
        assert "Planned" in page(client, LIST)
        worked()
        html = page(client, LIST)
        one = Rotation.objects.get()
        assert html.count("Waiting for the device") == 2  # in the table and among what is stuck
        assert "The key is older than" in html
        assert reverse("pki:rotation", args=[one.pk]) in html
        assert one.public_id in page(client, LIST, q=phone.public_id)
        assert one.public_id in page(client, LIST, q=old.public_id, state="AWAITING_DEVICE")
        assert one.public_id not in page(client, LIST, state="DONE")
        assert one.public_id not in page(client, LIST, q="nothing")


def test_the_list_costs_the_same_however_long_it_is(ada: User) -> None:
    made = [certify(make_device(ada)) for _ in range(6)]
    with later(max(due(one) for one in made)):
        client = browser(ada)
        plan_rotations()
        Rotation.objects.filter(pk__in=Rotation.objects.values("pk")[:3]).update(state="DONE", closed_at=clock.now())
        client.get(LIST)
        with at_most(16):
            assert client.get(LIST).status_code == 200
        with at_most(8):
            assert client.get(LIST, headers={"HX-Request": "true"}).status_code == 200


def test_what_nobody_takes_up_is_among_what_is_stuck(ada: User, phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        assert "Nothing is stuck" in page(browser(ada), LIST)
    with later(due(old) + timedelta(hours=2)):
        assert "No worker takes it up" in page(browser(ada), LIST)


def test_one_rotation_tells_every_try(ada: User, phone: Device, old: Certificate) -> None:
    with later(due(old)):
        plan_rotations()
        with mock.patch("pki.operations.issuance.signer_of", token_gone):
            worked()
        client, path = browser(ada), reverse("pki:rotation", args=[Rotation.objects.get().pk])
        html = page(client, path)
        assert "Try failed" in html
        assert "The certificate cannot be signed right now." in html
        assert "Try again now" not in html  # it goes on by itself
    with later(due(old) + timedelta(minutes=5)):
        client = browser(ada)
        worked()
        html = page(client, path)
        assert "New certificate issued" in html
        assert "The same, EC P-256" in html
        fresh = Certificate.objects.get(state="ACTIVE")
        assert reverse("pki:certificate", args=[fresh.pk]) in html


def test_staff_of_another_bank_and_staff_without_the_right_see_nothing(
    ada: User, phone: Device, old: Certificate
) -> None:
    with later(due(old)):
        plan_rotations()
        path = reverse("pki:rotation", args=[Rotation.objects.get().pk])
        stranger = browser(make_customer(make_bank()))
        assert stranger.get(path).status_code == 404
        assert Rotation.objects.get().public_id not in page(stranger, LIST)
        admin = browser(ada, Role.ADMINISTRATOR)
        assert [admin.get(LIST).status_code, admin.get(path).status_code] == [403, 403]


def test_an_officer_pauses_resumes_and_changes_the_rate(ada: User, authority: CertificateAuthority) -> None:
    client = browser(ada)
    pause, resume, rate = (
        reverse(f"pki:rotations-{step}", args=[authority.pk]) for step in ("pause", "resume", "rate")
    )
    assert client.get(pause).status_code == 302
    assert client.post(pause, {"switch-reason": "the token is being moved"}).status_code == 302
    assert "Paused since" in page(client, LIST)
    assert client.post(resume, {"switch-reason": "moved"}).status_code == 302
    assert client.post(rate, {"rate-rate": "30", "rate-reason": "a slow token"}).status_code == 302
    assert "<strong>30</strong> a minute" in page(client, LIST)
    assert events("rotation") == ["rotation.paused", "rotation.resumed", "rotation-rate.changed"]


def test_what_is_missing_is_said_at_the_field_and_changes_nothing(ada: User, authority: CertificateAuthority) -> None:
    client = browser(ada)
    answer = client.post(reverse("pki:rotations-pause", args=[authority.pk]), {"switch-reason": " "})
    assert (answer.status_code, b"This is required." in answer.content) == (422, True)
    answer = client.post(
        reverse("pki:rotations-rate", args=[authority.pk]), {"rate-rate": "0", "rate-reason": "stop"}
    )
    assert answer.status_code == 422
    assert b"<details open>" in answer.content
    authority.refresh_from_db()
    assert (authority.paused_at, authority.rotation_rate) == (None, 600)
    assert events("rotation") == []


def test_who_may_not_pause_sees_no_button_and_is_refused_once(ada: User, authority: CertificateAuthority) -> None:
    client = browser(ada, Role.OPERATOR)
    html = page(client, LIST)
    assert "need a right that you do not have" in html
    assert reverse("pki:rotations-pause", args=[authority.pk]) not in html
    answer = client.post(reverse("pki:rotations-pause", args=[authority.pk]), {"switch-reason": "so"})
    assert answer.status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"]
    other = browser(make_customer(make_bank()))
    assert other.post(reverse("pki:rotations-pause", args=[authority.pk]), {"switch-reason": "so"}).status_code == 404


def test_one_that_was_given_up_can_be_tried_again(ada: User, phone: Device, old: Certificate) -> None:
    at = old.not_after - timedelta(minutes=6)
    with later(at):
        plan_rotations()
        with mock.patch("pki.operations.issuance.signer_of", token_gone):
            worked()
        client, path = browser(ada), reverse("pki:rotation", args=[Rotation.objects.get().pk])
        assert "Try again now" in page(client, path)
        answer = client.post(reverse("pki:rotate", args=[phone.pk]))
        again = Rotation.objects.get(state="PLANNED")
        assert (answer.status_code, answer["Location"]) == (302, reverse("pki:rotation", args=[again.pk]))
        assert worked() == 1
        assert "Try again now" not in page(browser(ada, Role.SUPPORT), path)


def test_the_dashboard_shows_the_days_and_what_is_stuck(ada: User, phone: Device, old: Certificate) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old) - timedelta(days=3)):
        html = page(browser(ada), reverse("web:dashboard"))
        assert "0 renewed in the last 14 days, 1 planned for the next 14." in html
    with later(due(old)):
        plan_rotations()
        worked()
        assert "1 certificate renewal does not go on without somebody." in page(
            browser(ada), reverse("web:dashboard")
        )
    assert "renewed in the last" not in page(browser(make_customer(make_bank())), reverse("web:dashboard"))
