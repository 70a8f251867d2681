"""Lists: numbers that grow, what they say, and when they are made."""

import threading
from datetime import timedelta

import pytest
import time_machine
from cryptography import x509
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_bank, make_device, make_staff, staff_actor
from pki.models import Certificate, CertificateAuthority, CrlChange, PublishedCrl
from pki.operations import crls, ending
from pki.operations.crls import publish, publish_crl, publish_due, publish_if_due
from pki.operations.revocation import hold_certificate, release_certificate, revoke_certificate
from pki.queries import health
from pki.tests.factories import certify, hang_certificate
from pki.tests.outside import crl_path, fetched_crl, is_listed
from portal.accounts.roles import Role
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import Forbidden, NotFound
from portal.tests.threads import race

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system("test")


@pytest.fixture
def authority(phone: Device) -> CertificateAuthority:
    return CertificateAuthority.objects.issuing_for(phone.bank_id).get()


def revoke(actor: Actor, certificate: Certificate) -> None:
    revoke_certificate(actor=actor, certificate_id=certificate.public_id, cause="superseded", reason="Old")


def serials(crl: PublishedCrl) -> set[int]:
    return {row.serial_number for row in x509.load_der_x509_crl(bytes(crl.der))}


def test_the_first_round_makes_a_list_of_each_authority_and_the_next_none(authority: CertificateAuthority) -> None:
    assert (publish_due(), publish_due()) == (2, 0)
    assert sorted(PublishedCrl.objects.values_list("authority__role", "entries")) == [("issuing", 0), ("root", 0)]
    assert AuditEvent.objects.filter(event="crl.published").count() == 2


def test_each_change_is_in_the_next_list(phone: Device, bea: Actor, authority: CertificateAuthority) -> None:
    certificate = certify(phone)
    publish_due()
    for step, listed in ((hold_certificate, True), (release_certificate, False)):
        step(actor=bea, certificate_id=certificate.public_id, reason="Odd")
        assert publish_if_due(authority.pk)
        assert not CrlChange.objects.exists()
        assert is_listed(certificate) == listed
        assert not publish_if_due(authority.pk)
    revoke(bea, certificate)
    assert publish_if_due(authority.pk)
    [row] = fetched_crl(certificate)
    assert row.serial_number == int(certificate.serial, 16)
    assert row.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.superseded


def test_a_list_is_made_each_hour_and_the_roots_each_day(authority: CertificateAuthority) -> None:
    with time_machine.travel(clock.now(), tick=False) as at:
        assert publish_due() == 2
        at.shift(timedelta(minutes=59))
        assert publish_due() == 0
        at.shift(timedelta(minutes=1))
        assert publish_due() == 1
        at.shift(timedelta(hours=23))
        assert publish_due() == 2
    newest = crls.newest(authority)
    assert newest is not None
    assert newest.next_update - newest.this_update == timedelta(hours=24)
    assert PublishedCrl.objects.filter(authority=authority).count() == 3


def test_an_entry_leaves_only_after_a_list_that_came_after_its_end(
    phone: Device, bea: Actor, authority: CertificateAuthority
) -> None:
    certificate = certify(phone, days=30)
    revoke(bea, certificate)
    with time_machine.travel(certificate.not_after, tick=False) as at:
        serial = int(certificate.serial, 16)
        at.shift(timedelta(hours=2))
        assert serial in serials(publish(SYSTEM, authority))
        at.shift(timedelta(hours=21))
        assert serial in serials(publish(SYSTEM, authority))
        at.shift(timedelta(hours=2))
        assert serial not in serials(publish(SYSTEM, authority))


def test_a_held_one_that_runs_out_stays_listed_until_then(phone: Device, bea: Actor) -> None:
    certificate = certify(phone, days=30)
    hold_certificate(actor=bea, certificate_id=certificate.public_id, reason="Odd")
    with time_machine.travel(certificate.not_after + timedelta(hours=1), tick=False) as at:
        assert ending.expire() == 0
        at.shift(timedelta(days=2))
        assert ending.expire() == 1
    certificate.refresh_from_db()
    assert certificate.state == "EXPIRED"


def test_what_runs_out_is_marked(phone: Device) -> None:
    certificate = certify(phone, days=30)
    with time_machine.travel(certificate.not_after, tick=False):
        assert (ending.expire(), ending.expire()) == (1, 0)


def test_old_lists_are_kept_for_a_week(authority: CertificateAuthority) -> None:
    with time_machine.travel(clock.now(), tick=False) as at:
        publish(SYSTEM, authority)
        at.shift(timedelta(days=8))
        second = publish(SYSTEM, authority)
        assert PublishedCrl.objects.count() == 2
        at.shift(timedelta(seconds=1))
        third = publish(SYSTEM, authority)
        kept = PublishedCrl.objects.order_by("number").values_list("number", flat=True)
        assert list(kept) == [second.number, third.number]


def test_numbers_grow_within_a_second_and_do_not_go_back_after_a_restore(authority: CertificateAuthority) -> None:
    with time_machine.travel(clock.now(), tick=False) as at:
        numbers = [publish(SYSTEM, authority).number for _ in range(3)]
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
        PublishedCrl.objects.all().delete()  # what was there before the lists were made is there again
        CertificateAuthority.objects.filter(pk=authority.pk).update(crl_number=0)
        at.shift(timedelta(seconds=3))
        assert publish(SYSTEM, authority).number > numbers[-1]


def test_a_slow_list_hides_nothing(
    phone: Device, bea: Actor, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list takes its number, and then another is made, and something is revoked, before it reads."""
    certificate = certify(phone)
    waiting = crls._waiting

    def overtaken(row: CertificateAuthority, number: int) -> list[int]:
        monkeypatch.setattr(crls, "_waiting", waiting)
        publish(SYSTEM, row)
        revoke(bea, certificate)
        return waiting(row, number)

    monkeypatch.setattr(crls, "_waiting", overtaken)
    slow = publish(SYSTEM, authority)
    assert int(certificate.serial, 16) in serials(slow)
    assert not is_listed(certificate)  # the other one has the higher number
    assert CrlChange.objects.count() == 1  # so it still waits, and the next round says it
    assert publish_if_due(authority.pk)
    assert is_listed(certificate)


@pytest.mark.django_db(transaction=True)
def test_parallel_lists_have_different_numbers_and_the_highest_says_all(bea: Actor, phone: Device) -> None:
    authority = CertificateAuthority.objects.issuing_for(phone.bank_id).get()
    owner = phone.owner
    certificates = [hang_certificate(make_device(owner)) for _ in range(12)]
    published: list[int] = []
    guard = threading.Lock()

    def work(number: int) -> int:
        if number % 3 == 2:
            return publish(SYSTEM, authority).number
        revoke(bea, certificates[number * 12 // 18])
        publish_if_due(authority.pk)
        # What is committed is said by whatever is served from now on.
        served = x509.load_der_x509_crl(Client().get(f"/pki/crl/{authority.key_id[:16]}.crl").content)
        listed = served.get_revoked_certificate_by_serial_number(int(certificates[number * 12 // 18].serial, 16))
        with guard:
            published.append(served.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        return 0 if listed is not None or CrlChange.objects.exists() else -1

    outcomes = race(18, work)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert -1 not in outcomes
    numbers = list(PublishedCrl.objects.filter(authority=authority).values_list("number", flat=True))
    assert len(numbers) == len(set(numbers))
    authority.refresh_from_db()
    assert authority.crl_number == max(numbers)
    while publish_if_due(authority.pk):
        pass
    newest = PublishedCrl.objects.filter(authority=authority).latest("number")
    revoked = Certificate.objects.filter(state="REVOKED")
    assert serials(newest) == {int(row.serial, 16) for row in revoked}


def test_it_is_served_with_a_tag_and_304(phone: Device, authority: CertificateAuthority) -> None:
    certificate = certify(phone)
    assert Client().get(crl_path(certificate)).status_code == 404
    publish_due()
    answer = Client().get(crl_path(certificate))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pkix-crl")
    assert answer["Cache-Control"] == "max-age=300, public, no-transform, must-revalidate"
    assert answer["ETag"] == f'"{authority.key_id[:16]}-{PublishedCrl.objects.get(authority=authority).number}"'
    assert "Last-Modified" in answer
    assert not answer.cookies
    again = Client().get(crl_path(certificate), headers={"if-none-match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    head = Client().head(crl_path(certificate))
    assert (head.status_code, head.content, head["ETag"]) == (200, b"", answer["ETag"])
    assert Client().post(crl_path(certificate)).status_code == 405
    for key in ("0" * 16, "x", authority.key_id[:15], authority.key_id[:16].upper()):
        assert Client().get(f"/pki/crl/{key}.crl").status_code == 404


def test_publishing_by_hand_is_for_who_looks_after_authorities(
    phone: Device, bea: Actor, authority: CertificateAuthority
) -> None:
    crl = publish_crl(actor=bea, authority_id=authority.pk)
    assert AuditEvent.objects.get(event="crl.published").actor_label == "Bea"
    assert PublishedCrl.objects.get() == crl
    with pytest.raises(Forbidden):
        publish_crl(actor=staff_actor(make_staff(phone.bank)), authority_id=authority.pk)
    stranger = staff_actor(make_staff(make_bank(), Role.SECURITY_OFFICER))
    with pytest.raises(NotFound):
        publish_crl(actor=stranger, authority_id=authority.pk)
    assert PublishedCrl.objects.count() == 1


def test_health_counts_what_waits_and_what_is_over(
    phone: Device, bea: Actor, authority: CertificateAuthority
) -> None:
    assert health.standing().overdue == 2
    publish_due()
    assert health.standing() == health.Standing(0, 0, None)
    certificate = certify(phone)
    revoke(bea, certificate)
    root, issuing = health.authority_health(bea)
    assert None not in (root.number, issuing.number)
    assert (issuing.waiting, issuing.entries) == (1, 0)
    assert (issuing.answered, issuing.unanswered) == (0, 1)
    now = clock.now()
    assert (issuing.list_state(now), issuing.list_state(now + timedelta(minutes=6))) == ("ok", "late")
    assert issuing.list_state(now + timedelta(hours=25)) == "down"
