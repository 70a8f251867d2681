"""A device that sends its own request for the next certificate, and one that shows that it has it."""

from typing import Any

import pytest

from devices.models import Device
from devices.states import DeviceStatus
from devices.tests.factories import customer_actor, make_customer, make_device, make_staff, staff_actor
from pki.models import Certificate, CertificatePolicy, Rotation
from pki.operations import ending
from pki.operations.rotation_keys import rotate_with_key
from pki.operations.rotation_proof import note_use, proof_text, prove_certificate
from pki.operations.rotation_sweeps import plan_rotations
from pki.states import CertificateState, RevocationReason, RotationState
from pki.tests.factories import token_gone
from pki.tests.rotating import due, events, later, live, told, worked
from pki.x509.tests.makers import private, request, sign
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.api.tests.doors import at_most
from portal.core.actor import Actor
from portal.core.errors import DomainError

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEM = Actor.system("test")


def renew(ada: User, phone: Device, number: int, **values: Any) -> Certificate:
    actor = customer_actor(ada, phone)
    return rotate_with_key(actor=actor, device_id=phone.public_id, request=request("p256", number), **values)


def refused(ada: User, phone: Device, number: int, **values: Any) -> str:
    """The code of a refusal after which everything is as it was."""
    before = [list(Certificate.objects.values().order_by("pk")), list(Rotation.objects.values().order_by("pk"))]
    with pytest.raises(DomainError) as error:
        renew(ada, phone, number, **values)
    assert before == [
        list(Certificate.objects.values().order_by("pk")),
        list(Rotation.objects.values().order_by("pk")),
    ]
    return error.value.code


def test_a_new_key_finishes_the_rotation_that_waits_and_its_proof_ends_the_old_one(
    ada: User, phone: Device, old: Certificate
) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old)):
        plan_rotations()
        worked()
        assert refused(ada, phone, 1) == "key-too-old"
        fresh = renew(ada, phone, 2)
        assert live(phone) == ["OVERLAP", "ACTIVE"]
        assert (fresh.replaces_id, fresh.key_since > old.key_since) == (old.pk, True)
        assert refused(ada, phone, 3) == "rotation-open"
        signature = sign(private("p256", 2), proof_text(fresh))
        proved = prove_certificate(
            actor=customer_actor(ada, phone), certificate_id=fresh.public_id, signature=signature
        )
        prove_certificate(actor=customer_actor(ada), certificate_id=fresh.public_id, signature=signature)
    assert proved.proved_at is not None
    assert live(phone) == ["ACTIVE"]
    old.refresh_from_db()
    assert (old.state, old.revocation_reason) == (CertificateState.REVOKED, RevocationReason.SUPERSEDED)
    one = Rotation.objects.get()
    assert (one.state, one.new_id) == (RotationState.DONE, fresh.pk)
    assert [outcome for outcome, _ in told(one)] == ["asked", "issued", "proved"]
    assert events() == ["rotation.planned", "rotation.asked", "rotation.renewed", "rotation.done"]
    assert events("certificate.proved") == ["certificate.proved"]


def test_a_device_renews_by_itself_in_the_window_and_before_it_when_it_may(
    ada: User, phone: Device, old: Certificate
) -> None:
    assert refused(ada, phone, 2) == "not-due"
    assert refused(ada, phone, 1, early=True) == "not-due"  # the key it has can wait
    assert renew(ada, phone, 2, early=True).key_since > old.key_since
    assert Rotation.objects.get().type == "MANUAL"
    assert live(phone) == ["OVERLAP", "ACTIVE"]


def test_keys_that_are_not_taken(ada: User, phone: Device, old: Certificate) -> None:
    from pki.models import CertifiedKey
    from portal.core import clock

    ending.block_key(request("p256", 5).key.fingerprint, "found on a forum")
    other = make_device(ada)
    CertifiedKey.objects.create(
        fingerprint=request("p256", 6).key.fingerprint, device=other, first_seen_at=clock.now()
    )
    assert refused(ada, phone, 5, early=True) == "key-blocked"
    assert refused(ada, phone, 6, early=True) == "key-of-another-device"
    CertificatePolicy.objects.update(profiles={"device": {"keys": ["ed25519"]}})
    assert refused(ada, phone, 7, early=True) == "key-not-in-profile"


def test_a_key_store_that_does_not_answer_lets_the_device_try_again(
    ada: User, phone: Device, old: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    CertificatePolicy.objects.update(key_lifetime_days=90)
    with later(due(old)):
        plan_rotations()
        worked()
        with monkeypatch.context() as patched:
            patched.setattr("pki.operations.issuance.signer_of", token_gone)
            with pytest.raises(DomainError) as error:
                renew(ada, phone, 2)
        assert error.value.code == "signing-failed"
        assert Rotation.objects.get().state == RotationState.AWAITING_DEVICE
        assert renew(ada, phone, 2).state == CertificateState.ACTIVE
    assert [outcome for outcome, _ in told(Rotation.objects.get())] == ["asked", "failed", "issued"]


def test_a_signature_of_another_key_or_about_another_certificate_proves_nothing(
    ada: User, phone: Device, old: Certificate
) -> None:
    fresh = renew(ada, phone, 2, early=True)
    for signature in (
        sign(private("p256", 1), proof_text(fresh)),
        sign(private("p256", 2), proof_text(old)),
        sign(private("p256", 2), proof_text(fresh))[:-1],
        b"",
    ):
        with pytest.raises(DomainError) as error:
            prove_certificate(actor=customer_actor(ada), certificate_id=fresh.public_id, signature=signature)
        assert error.value.code == "proof-wrong"
    assert live(phone) == ["OVERLAP", "ACTIVE"]


def test_who_cannot_prove(ada: User, phone: Device, old: Certificate) -> None:
    cem, bea = make_customer(ada.bank, "Cem"), make_staff(ada.bank, Role.SECURITY_OFFICER)
    signature = sign(private("p256", 1), proof_text(old))
    told_to: list[str] = []
    for actor, name in (
        (customer_actor(cem), old.public_id),
        (staff_actor(bea), old.public_id),
        (customer_actor(ada, make_device(ada)), old.public_id),
        (customer_actor(ada), "CERT_nothing"),
    ):
        with pytest.raises(DomainError) as error:
            prove_certificate(actor=actor, certificate_id=name, signature=signature)
        told_to.append(error.value.code)
    Device.objects.filter(pk=phone.pk).update(status=DeviceStatus.PENDING, activated_at=None)
    with pytest.raises(DomainError) as error:
        prove_certificate(actor=customer_actor(ada), certificate_id=old.public_id, signature=signature)
    assert [*told_to, error.value.code] == [
        "not-found",
        "customer-only",
        "token-bound-elsewhere",
        "not-found",
        "certificate-not-live",
    ]
    old.refresh_from_db()
    assert old.proved_at is None


def test_a_certificate_that_a_proxy_showed_is_proved_once_and_costs_nothing_afterwards(
    phone: Device, old: Certificate
) -> None:
    with later(due(old)):
        plan_rotations()
        worked()
        fresh = Certificate.objects.get(state="ACTIVE")
        assert note_use(SYSTEM, old) is True  # the old one is still in use: that ends nothing
        assert live(phone) == ["OVERLAP", "ACTIVE"]
        assert note_use(SYSTEM, fresh) is True
        with at_most(0):
            assert note_use(SYSTEM, fresh) is False
    assert live(phone) == ["ACTIVE"]
    assert Rotation.objects.get().state == RotationState.DONE
