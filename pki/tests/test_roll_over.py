"""Letting a new authority take an old one's place. Cleo (a security officer) asks, Avi approves."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff
from pki.keystore.errors import StoreUnavailable
from pki.models import Certificate, CertificateAuthority, RollOver
from pki.operations import authority_making
from pki.operations.roll_over import order_roll_over
from pki.operations.roll_over_work import CLAIM, MOST_TRIES, carry_out, sweep
from pki.states import CaRole, CaState, RollOverState
from pki.tests.factories import certify, make_ca
from pki.x509.building import issue
from portal import jobs
from portal.accounts.models import Bank, User
from portal.accounts.roles import Role
from portal.accounts.tests.people import signed_in
from portal.approvals.models import ApprovalRequest
from portal.approvals.queries import shown
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import approve, stored
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.tests.threads import race

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "Its key is five years old"


@pytest.fixture
def bank() -> Bank:
    return make_bank("harbour")


@pytest.fixture
def old(bank: Bank) -> CertificateAuthority:
    return make_ca(bank)


@pytest.fixture
def cleo(bank: Bank) -> User:
    return make_staff(bank, Role.SECURITY_OFFICER, "Cleo")


@pytest.fixture
def avi(bank: Bank) -> User:
    return make_staff(bank, Role.APPROVER, "Avi")


def system(old: CertificateAuthority) -> Actor:
    return Actor.system("roll_over_ca", bank_id=old.bank_id)


def order(old: CertificateAuthority, **values: Any) -> RollOver:
    wanted: dict[str, Any] = {"actor": system(old), "authority_id": old.public_id, "reason": WHY}
    return order_roll_over(**(wanted | values))


def asked(cleo: User, old: CertificateAuthority, **values: Any) -> ApprovalRequest:
    with pytest.raises(ApprovalRequired) as waits:
        order(old, actor=signed_in(cleo), **values)
    return stored(waits.value.request_id)


def states(bank: Bank) -> list[tuple[str, str]]:
    rows = CertificateAuthority.objects.filter(bank=bank).order_by("created_at")
    return list(rows.values_list("name", "state"))


def told(old: CertificateAuthority) -> list[str]:
    events = AuditEvent.objects.filter(object_id=str(old.pk)).order_by("id")
    return list(events.values_list("event", flat=True))


def test_old_and_new_change_places_at_once(bank: Bank, old: CertificateAuthority) -> None:
    CertificateAuthority.objects.filter(pk=old.pk).update(rotation_rate=7, paused_at=clock.now())
    phone = make_device(make_customer(bank))
    before = certify(phone)
    ordered = order(old)
    assert carry_out(ordered.pk)
    assert states(bank) == [("Harbour CA", CaState.RETIRING), ("Harbour CA 2", CaState.ACTIVE)]
    new = CertificateAuthority.objects.get(bank=bank, state=CaState.ACTIVE)
    ordered.refresh_from_db()
    assert (ordered.state, ordered.new) == (RollOverState.DONE, new)
    assert (new.rotation_rate, new.paused_at is None) == (7, False)
    after = certify(phone)
    assert (before.authority_id, after.authority_id) == (old.pk, new.pk)
    root = CertificateAuthority.objects.get(role=CaRole.ROOT)
    leaf, issuing, top = (x509.load_der_x509_certificate(bytes(each.der or b"")) for each in (after, new, root))
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(top)
    assert told(old) == ["ca.started", "ca.created", "ca-roll-over.requested", "ca.retired"]


def test_staff_ask_a_second_person_and_a_worker_makes_it(
    bank: Bank, old: CertificateAuthority, cleo: User, avi: User
) -> None:
    certify(make_device(make_customer(bank)))
    request = asked(cleo, old)
    assert shown(signed_in(avi), request).preview == [
        (None, "A new authority, Harbour CA 2, issues from then on"),
        (None, "Its key is made anew (p256, file)"),
        (None, "Harbour CA issues nothing any more; it goes on revoking, and publishes its CRL and OCSP answers"),
        (1, "certificates of the old authority stay good until they are rotated or run out"),
    ]
    assert RollOver.objects.count() == 0
    with jobs.recorded() as rung:
        done = approve(avi, request)
        ordered = RollOver.objects.get()
        assert ("pki.roll_over", str(ordered.pk)) in [(ring.name, ring.pk) for ring in rung]
    assert (done.state, done.result) == (RequestState.DONE, {"new_authority": "Harbour CA 2"})
    assert states(bank) == [("Harbour CA", CaState.ACTIVE)]
    assert sweep() == 1
    assert states(bank) == [("Harbour CA", CaState.RETIRING), ("Harbour CA 2", CaState.ACTIVE)]
    assert sweep() == 0


def test_whoever_asked_does_not_approve(old: CertificateAuthority, cleo: User) -> None:
    request = asked(cleo, old)
    with pytest.raises(Forbidden):
        approve(cleo, request)
    assert RollOver.objects.count() == 0


def test_without_the_right_nobody_asks(old: CertificateAuthority, avi: User) -> None:
    with pytest.raises(Forbidden) as refused:
        order(old, actor=signed_in(avi))
    assert (refused.value.code, ApprovalRequest.objects.count()) == ("capability-missing", 0)


def test_a_foreign_authority_looks_unknown(old: CertificateAuthority) -> None:
    cem = make_staff(make_bank(), Role.SECURITY_OFFICER, "Cem")
    for authority_id in (old.public_id, "CA_" + "0" * 26, "nothing"):
        with pytest.raises(NotFound):
            order(old, actor=signed_in(cem), authority_id=authority_id)
    assert ApprovalRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"key": "rsa-1024"}, "key"),
        ({"keystore": "cloud"}, "keystore"),
        ({"name": "Harbour CA"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"reason": ""}, "reason"),
    ],
)
def test_what_cannot_be_made_is_refused_at_its_field(
    old: CertificateAuthority, values: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        order(old, **values)
    assert [problem.field for problem in refused.value.fields] == [field]
    assert RollOver.objects.count() == 0


def test_a_root_and_a_retired_authority_are_not_rolled_over(bank: Bank, old: CertificateAuthority) -> None:
    carry_out(order(old).pk)
    assert old.parent is not None
    for authority in (old.parent, old):
        with pytest.raises(InvalidState) as refused:
            order(authority, actor=system(old))
        assert refused.value.code == "authority-not-active"


def test_a_repeat_while_it_is_made_is_a_conflict(old: CertificateAuthority) -> None:
    order(old)
    with pytest.raises(Conflict) as refused:
        order(old)
    assert (refused.value.code, RollOver.objects.count()) == ("roll-over-pending", 1)


def test_of_many_orders_at_once_one_is_made(bank: Bank, old: CertificateAuthority) -> None:
    outcomes = race(8, lambda _: order(old))
    assert sum(isinstance(outcome, RollOver) for outcome in outcomes) == 1
    assert {type(outcome) for outcome in outcomes} <= {RollOver, Conflict}
    assert RollOver.objects.count() == 1


def test_of_many_workers_one_makes_it(bank: Bank, old: CertificateAuthority) -> None:
    ordered = order(old)
    outcomes = race(8, lambda _: carry_out(ordered.pk))
    assert sorted(outcomes, key=bool) == [False] * 7 + [True]
    assert states(bank) == [("Harbour CA", CaState.RETIRING), ("Harbour CA 2", CaState.ACTIVE)]
    assert AuditEvent.objects.filter(event="ca.created").count() == 3  # the root, the old one, the new one


def test_a_store_that_does_not_answer_is_tried_again_and_then_given_up(
    bank: Bank, old: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = order(old)

    def away(*_: object) -> None:
        raise StoreUnavailable("the token is not there")

    monkeypatch.setattr(authority_making, "make_signer", away)
    now = clock.now()
    for tried in range(1, MOST_TRIES):
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        assert (sweep(), sweep()) == (0, 0)
        ordered.refresh_from_db()
        assert (ordered.state, ordered.tries) == (RollOverState.WAITING, tried)
        assert ordered.last_reason == "The key store made no key: the token is not there."
        now = ordered.next_try_at
    monkeypatch.setattr(clock, "now", lambda: now)
    sweep()
    ordered.refresh_from_db()
    assert ordered.state == RollOverState.FAILED
    assert states(bank) == [("Harbour CA", CaState.ACTIVE)]
    assert told(old)[-1] == "ca-roll-over.failed"
    assert order(old).pk != ordered.pk  # it can be asked for anew


def test_a_store_that_comes_back_makes_it(
    bank: Bank, old: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = order(old)
    with monkeypatch.context() as patched:
        patched.setattr(authority_making, "issue", lambda *_: 1 / 0)
        assert not carry_out(ordered.pk)
    ordered.refresh_from_db()
    assert ordered.last_reason == "Something broke; the log says what."
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert sweep() == 1
    assert states(bank)[-1] == ("Harbour CA 2", CaState.ACTIVE)


def test_what_a_dead_worker_had_is_taken_over(
    bank: Bank, old: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = order(old)
    RollOver.objects.update(claim_until=clock.now() + CLAIM)  # it died right after its claim
    assert sweep() == 0
    later = clock.now() + CLAIM
    monkeypatch.setattr(clock, "now", lambda: later)
    assert sweep() == 1
    ordered.refresh_from_db()
    assert ordered.state == RollOverState.DONE


def test_a_worker_that_was_too_slow_changes_nothing(
    bank: Bank, old: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered = order(old)

    def slow(*arguments: Any) -> Any:
        RollOver.objects.update(claim_until=clock.now() + 2 * CLAIM)  # another has it meanwhile
        return issue(*arguments)

    monkeypatch.setattr(authority_making, "issue", slow)
    assert not carry_out(ordered.pk)
    assert states(bank) == [("Harbour CA", CaState.ACTIVE)]
    ordered.refresh_from_db()
    assert (ordered.state, ordered.tries) == (RollOverState.WAITING, 0)


def test_what_was_reserved_before_is_still_signed_by_the_old_one(bank: Bank, old: CertificateAuthority) -> None:
    phone: Device = make_device(make_customer(bank))
    first = certify(phone)
    carry_out(order(old).pk)
    certify(phone)
    assert Certificate.objects.live().filter(pk=first.pk, authority=old).exists()
