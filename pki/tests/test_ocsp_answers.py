"""OCSP over HTTP: what is said of whom, from stored answers and on the spot, and that nothing surprises it."""

import base64
from datetime import timedelta
from unittest.mock import patch
from urllib.parse import quote

import pytest
import time_machine
from cryptography.x509 import ocsp as library
from django.db import OperationalError, connection
from django.test import Client

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from pki.keystore.errors import StoreUnavailable
from pki.models import Certificate, CertificateAuthority, OcspAnswer, OcspResponder
from pki.operations import ocsp, responders
from pki.operations.revocation import hold_certificate, release_certificate, revoke_certificate
from pki.states import CertificateState
from pki.tests.factories import certify, hang_certificate, make_ca
from pki.tests.outside import about_serial, ask, get, ocsp_path, post, question, said
from pki.x509.ocsp import MALFORMED
from pki.x509.tests import hostile
from pki.x509.tests.test_ocsp import MALFORMED_REQUESTS
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.tests.threads import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def certificate(phone: Device) -> Certificate:
    return certify(phone)


def plain(certificate: Certificate) -> str:
    """What is said to who sends no nonce."""
    return said(post(ocsp_path(certificate), question(certificate, certificate.authority)))


def stored() -> list[str]:
    """What the stored answers say."""
    rows = OcspAnswer.objects.order_by("this_update")
    return [library.load_der_ocsp_response(bytes(row.der)).certificate_status.name.lower() for row in rows]


def test_what_is_said_follows_the_certificate_at_once(certificate: Certificate, bea: Actor) -> None:
    path, asked = ocsp_path(certificate), question(certificate, certificate.authority)
    live = question(certificate, certificate.authority, nonce=b"n" * 32)

    def everywhere() -> set[str]:
        return {said(post(path, asked)), said(get(path, asked)), said(post(path, live)), said(get(path, live))}

    assert everywhere() == {"good"}
    assert ocsp.presign([certificate.pk]) == 1
    assert (everywhere(), stored()) == ({"good"}, ["good"])
    for step, status in ((hold_certificate, "revoked"), (release_certificate, "good")):
        step(actor=bea, certificate_id=certificate.public_id, reason="Odd")
        assert (everywhere(), stored()) == ({status}, [])
        assert ocsp.presign([certificate.pk]) == 1
        assert (everywhere(), stored()) == ({status}, [status])
    revoke_certificate(actor=bea, certificate_id=certificate.public_id, cause="superseded", reason="Old")
    assert (everywhere(), stored()) == ({"revoked"}, [])


def test_a_serial_that_was_never_issued_is_unknown(phone: Device, certificate: Certificate) -> None:
    authority, path = certificate.authority, ocsp_path(certificate)
    assert said(post(path, about_serial(authority, 12345678901234567890))) == "unknown"
    reserved = hang_certificate(make_device(phone.owner))
    for state in (CertificateState.SIGNING, CertificateState.ABORTED):
        Certificate.objects.filter(pk=reserved.pk).update(state=state, der=None, issued_at=None)
        answer = post(path, about_serial(authority, int(reserved.serial, 16)))
        assert (said(answer), answer["Cache-Control"]) == ("unknown", "no-store")
        assert ocsp.presign([reserved.pk]) == 0


def test_what_ran_out_is_not_answered_and_what_was_revoked_still_is(
    phone: Device, certificate: Certificate, bea: Actor
) -> None:
    revoked = certify(make_device(phone.owner))
    revoke_certificate(actor=bea, certificate_id=revoked.public_id, cause="superseded", reason="Old")
    ocsp.refresh()
    with time_machine.travel(certificate.not_after + timedelta(minutes=2), tick=False):
        assert [ask(certificate), ask(revoked)] == ["unauthorized", "revoked"]
        assert ocsp.forget_over() == 2
        assert ocsp.refresh() == 0


def test_another_authoritys_certificates_are_not_ours_to_answer(certificate: Certificate) -> None:
    other = make_ca(make_bank())
    path = ocsp_path(certificate)
    assert said(post(path, about_serial(other, int(certificate.serial, 16)))) == "unauthorized"
    assert said(post("/pki/ocsp/" + "0" * 16, question(certificate, certificate.authority))) == "unauthorized"


def test_the_root_answers_for_its_authorities_and_each_for_its_responders(certificate: Certificate) -> None:
    authority = certificate.authority
    assert authority.parent is not None
    assert said(post(ocsp_path(authority), question(authority, authority.parent))) == "good"
    ask(certificate)
    responder = OcspResponder.objects.get(authority=authority)
    assert said(post(ocsp_path(certificate), about_serial(authority, int(responder.serial, 16)))) == "good"


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA384", "SHA512"])
def test_every_hash_is_answered_in_its_own_words(certificate: Certificate, algorithm: str) -> None:
    ocsp.presign([certificate.pk])
    asked = question(certificate, certificate.authority, algorithm=algorithm)
    answer = post(ocsp_path(certificate), asked)
    assert said(answer) == "good"
    read, sent = library.load_der_ocsp_response(answer.content), library.load_der_ocsp_request(asked)
    assert (read.hash_algorithm.name, read.issuer_key_hash, read.serial_number) == (
        algorithm.lower(),
        sent.issuer_key_hash,
        sent.serial_number,
    )


def test_a_nonce_comes_back_and_is_not_cached(certificate: Certificate) -> None:
    ocsp.presign([certificate.pk])
    answer = post(ocsp_path(certificate), question(certificate, certificate.authority, nonce=b"n" * 32))
    assert b"n" * 32 in answer.content
    assert (answer["Cache-Control"], "ETag" in answer) == ("no-store", False)


def test_a_stored_answer_comes_with_what_caches_need(certificate: Certificate) -> None:
    ocsp.presign([certificate.pk])
    row = OcspAnswer.objects.get()
    answer = get(ocsp_path(certificate), question(certificate, certificate.authority))
    assert answer.content == bytes(row.der)
    assert answer["Cache-Control"] == "max-age=300, public, no-transform, must-revalidate"
    assert set(answer.headers) >= {"ETag", "Last-Modified", "Expires", "Content-Length"}
    assert not answer.cookies
    path = (
        f"{ocsp_path(certificate)}/{quote(base64.b64encode(question(certificate, certificate.authority)), safe='')}"
    )
    again = Client().get(path, headers={"if-none-match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_get_is_read_however_its_slashes_and_signs_were_written(certificate: Certificate) -> None:
    """An address may end in a slash; base64 has slashes and plus signs of its own."""
    path = ocsp_path(certificate)
    for number in range(256):  # until one is found with all of them
        asked = question(certificate, certificate.authority, nonce=bytes([number, 255, 239, 255, 190]) * 4)
        text = base64.b64encode(asked).decode()
        if "/" in text and "+" in text:
            break
    for spelling in (text, quote(text, safe=""), quote(text), text.rstrip("=")):
        for prefix in ("/", "//"):
            assert said(Client().get(f"{path}{prefix}{spelling}")) == "good", spelling  # type: ignore[arg-type]


def test_a_stored_answer_takes_one_query(certificate: Certificate) -> None:
    ocsp.presign([certificate.pk])
    plain(certificate)  # the authority is known afterwards
    with at_most(1):
        assert plain(certificate) == "good"


def test_nothing_that_is_sent_surprises_it(certificate: Certificate) -> None:
    path = ocsp_path(certificate)
    for name, data in MALFORMED_REQUESTS.items():
        assert post(path, data).content == MALFORMED, name
        if data:
            assert get(path, data).content == MALFORMED, name
    for address in (
        path,
        f"{path}/",
        f"{path}/%",
        f"{path}/%FF%00",
        f"{path}/{'A' * 9000}",
        f"{path}/../x",
        f"{path}/é",
    ):
        answer = Client().get(address)
        assert (answer.status_code, getattr(answer, "content", b"")) == (200, MALFORMED), address
    for size in (8 * 1024, 8 * 1024 + 1, 300_000):
        assert post(path, bytes(size)).content == MALFORMED
    assert Client().put(path, b"x").status_code == 405


def test_no_mutation_of_a_request_is_good_for_another(certificate: Certificate) -> None:
    asked = question(certificate, certificate.authority)
    serial = int(certificate.serial, 16)
    for data in hostile.mutations(asked, 150):
        answer = post(ocsp_path(certificate), data)
        if said(answer) == "good":
            assert library.load_der_ocsp_response(answer.content).serial_number == serial


def test_an_answer_that_was_signed_before_a_change_is_not_stored_after_it(
    certificate: Certificate, bea: Actor
) -> None:
    store = ocsp._store

    def late(*args: object) -> int:
        revoke_certificate(actor=bea, certificate_id=certificate.public_id, cause="superseded", reason="Old")
        return store(*args)  # type: ignore[arg-type]

    with patch.object(ocsp, "_store", late):
        assert ocsp.presign([certificate.pk]) == 0
    assert not OcspAnswer.objects.exists()
    assert plain(certificate) == "revoked"


@pytest.mark.django_db(transaction=True)
def test_presigning_while_it_is_revoked_leaves_no_good_answer() -> None:
    bank = make_bank()
    make_ca(bank)
    bea = staff_actor(make_staff(bank, Role.SECURITY_OFFICER))
    owner = make_customer(bank)
    certificates = [certify(make_device(owner)) for _ in range(4)]
    keys = [certificate.pk for certificate in certificates]

    def work(number: int) -> object:
        if number % 2:
            return ocsp.presign(keys)
        certificate = certificates[number // 2]
        return revoke_certificate(
            actor=bea, certificate_id=certificate.public_id, cause="superseded", reason="Old"
        ).changed

    outcomes = race(8, work)
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    assert "good" not in stored()
    assert {plain(certificate) for certificate in certificates} == {"revoked"}


def test_answers_are_signed_anew_at_half_of_their_life(certificate: Certificate) -> None:
    with time_machine.travel(clock.now(), tick=False) as at:
        assert (ocsp.refresh(), ocsp.refresh()) == (1, 0)
        at.shift(timedelta(hours=12))
        assert ocsp.refresh() == 0
        at.shift(timedelta(seconds=1))
        assert (ocsp.refresh(), ocsp.refresh()) == (1, 0)
        at.shift(timedelta(hours=25))
        assert plain(certificate) == "good"  # the stored one is over: signed on the spot


def test_a_responder_is_made_when_it_is_needed_and_renewed_in_time(certificate: Certificate) -> None:
    authority = certificate.authority
    with time_machine.travel(clock.now(), tick=False) as at:
        ask(certificate)
        first = OcspResponder.objects.get()
        assert AuditEvent.objects.filter(event="responder.created").count() == 1
        assert responders.renew_responders() == 1  # the root's
        at.shift(timedelta(days=19, hours=23))
        assert responders.renew_responders() == 0
        at.shift(timedelta(hours=2))
        assert responders.renew_responders() == 2
        newest = responders.newest(authority, clock.now())
        assert newest is not None
        assert newest.pk != first.pk
        assert ask(certificate) == "good"
        at.shift(timedelta(days=60))  # everything has run out, and nobody renewed
        assert ask(certificate) == "good"
    assert OcspResponder.objects.filter(authority=authority).count() == 3


def test_a_responder_that_was_never_signed_answers_nothing(certificate: Certificate) -> None:
    with (
        patch.object(responders, "issue", side_effect=StoreUnavailable("no token")),
        patch.dict(responders._open, clear=True),
    ):
        assert ask(certificate) == "try_later"
    assert list(OcspResponder.objects.values_list("der", flat=True)) == [None]
    assert ask(certificate) == "good"


def test_a_key_store_that_does_not_answer_is_try_later_and_stored_answers_go_on(certificate: Certificate) -> None:
    ocsp.presign([certificate.pk])
    with patch.object(ocsp, "responder_of", side_effect=StoreUnavailable("no token")):
        assert (ask(certificate, nonce=b"n" * 16), plain(certificate)) == ("try_later", "good")


def test_too_many_at_once_are_told_to_come_back(certificate: Certificate) -> None:
    taken = 0
    while ocsp._signing.acquire(blocking=False):
        taken += 1
    try:
        assert ask(certificate, nonce=b"n" * 16) == "try_later"
    finally:
        for _ in range(taken):
            ocsp._signing.release()


def test_a_database_that_does_not_answer_is_try_later(certificate: Certificate) -> None:
    def down(*args: object) -> None:
        raise OperationalError("gone")

    path, asked = ocsp_path(certificate), question(certificate, certificate.authority)
    with connection.execute_wrapper(down):
        assert said(post(path, asked)) == "try_later"


def test_an_ended_authority_answers_no_more(certificate: Certificate) -> None:
    from pki import public

    CertificateAuthority.objects.filter(pk=certificate.authority_id).update(state="ENDED")
    with patch.dict(public._authorities, clear=True):
        assert ask(certificate) == "unauthorized"
