"""Taking a colleague's second factor away: by two people, never one's own, with everything that it opened."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.tests.factories import make_bank, make_customer, make_staff
from devices.tests.moving import reachable
from portal import vault
from portal.accounts.models import AccessToken, BackupCode, Passkey, PortalSession, TotpAuthenticator, User
from portal.accounts.operations.enrolment import start_enrolment
from portal.accounts.operations.tokens import issue_staff_token
from portal.accounts.roles import Role
from portal.accounts.tests.authenticating import SecurityKey, give_passkey
from portal.accounts.tests.people import enrol, proof_of, signed_in
from portal.approvals.models import ApprovalRequest
from portal.approvals.states import RequestState
from portal.approvals.tests.asking import approve, reject, stored
from portal.audit.models import AuditEvent
from portal.core.errors import ApprovalRequired, Conflict, Forbidden, InvalidInput, InvalidState, NotFound
from portal.outbox.models import Message
from portal.outbox.operations import BODY
from portal.web.tests.helpers import refusals, signed_in_client
from twofa.operations.recovery import lines_of, reset_second_factor, what_ends, what_happens

pytestmark = pytest.mark.django_db

WHY = "Lost the phone; seen in person"


@pytest.fixture
def bea() -> User:
    """An operator with an app, a passkey, two sessions, a token and an address."""
    person = reachable(make_staff(make_bank(), Role.OPERATOR, "Bea", username="bea"))
    enrol(person)
    give_passkey(person, SecurityKey())
    for _ in range(2):
        signed_in_client(person)
    issue_staff_token(actor=signed_in(person), proof=proof_of(person))
    return person


@pytest.fixture
def admin(bea: User) -> User:
    return make_staff(bea.bank, Role.ADMINISTRATOR, "Dan", username="dan")


@pytest.fixture
def avi(bea: User) -> User:
    return make_staff(bea.bank, Role.APPROVER, "Avi", username="avi")


def ask(admin: User, user: User, reason: str = WHY) -> ApprovalRequest:
    with pytest.raises(ApprovalRequired) as waits:
        reset_second_factor(actor=signed_in(admin), user_id=str(user.pk), reason=reason)
    return stored(waits.value.request_id)


def left(user: User) -> tuple[int, int, int, int, int]:
    return (
        TotpAuthenticator.objects.filter(user=user).count(),
        Passkey.objects.filter(user=user).count(),
        BackupCode.objects.filter(user=user).count(),
        PortalSession.objects.filter(user=user).count(),
        AccessToken.objects.live().filter(user=user).count(),
    )


def test_it_waits_for_a_second_person_and_then_takes_everything(bea: User, admin: User, avi: User) -> None:
    request = ask(admin, bea)
    assert left(bea) == (1, 1, 10, 2, 1)
    assert approve(avi, request).state == RequestState.DONE
    assert left(bea) == (0, 0, 0, 0, 0)
    event = AuditEvent.objects.get(event="second-factor.reset")
    assert (event.actor_id, event.object_id, event.reason) == (str(admin.pk), str(bea.pk), WHY)
    secret, codes = enrol(bea)  # once: a second one is a Conflict
    assert (bool(secret), len(codes)) == (True, 10)
    with pytest.raises(Conflict):
        start_enrolment(actor=signed_in(bea), user=bea)


def test_they_are_told_by_e_mail(bea: User, admin: User, avi: User) -> None:
    request = ask(admin, bea)
    assert not Message.objects.exists()
    approve(avi, request)
    message = Message.objects.get()
    assert (message.kind, message.template, message.about_id) == ("email", "second-factor-reset", str(bea.pk))
    assert vault.unseal(BODY, message.pk, message.body_sealed).startswith("Hello Bea,")


def test_without_an_address_nobody_is_told_and_the_second_person_reads_so(bea: User, admin: User, avi: User) -> None:
    cem = make_staff(bea.bank, username="cem")
    enrol(cem)
    assert what_happens(cem)[-1] == (None, "Nobody is told: the person has no e-mail address on file.")
    assert what_happens(bea)[-1] == (1, "e-mail to the person")
    assert approve(avi, ask(admin, cem)).state == RequestState.DONE
    assert not Message.objects.exists()
    assert what_happens(cem) == []


def test_nobody_decides_about_themselves(admin: User, avi: User) -> None:
    enrol(avi)
    request = ask(admin, avi)
    for decide in (approve, reject):
        with pytest.raises(Forbidden) as refused:
            decide(avi, request)
        assert refused.value.code == "about-oneself"
    assert stored(request.public_id).state == RequestState.PENDING
    assert TotpAuthenticator.objects.filter(user=avi).exists()
    other = make_staff(admin.bank, Role.APPROVER, "Other", username="other")
    assert approve(other, request).state == RequestState.DONE


def test_a_superuser_neither_asks_nor_decides(bea: User, admin: User) -> None:
    root = make_staff(bea.bank, Role.AUDITOR, username="root", is_superuser=True)
    with pytest.raises(Forbidden):
        reset_second_factor(actor=signed_in(root), user_id=str(bea.pk), reason=WHY)
    with pytest.raises(Forbidden):
        approve(root, ask(admin, bea))
    User.objects.filter(pk=admin.pk).update(is_superuser=True)
    with pytest.raises(Forbidden):
        approve(User.objects.get(pk=admin.pk), ask(admin, bea))
    assert left(bea) == (1, 1, 10, 2, 1)


def test_the_second_person_sees_what_would_end(bea: User) -> None:
    assert lines_of(what_ends(bea)) == [
        (1, "authenticator app forgotten"),
        (1, "passkey forgotten"),
        (10, "unused backup codes ended"),
        (2, "sessions ended"),
        (1, "API token ended"),
    ]


def test_nobody_elses_is_touched(bea: User, admin: User, avi: User) -> None:
    cem = make_staff(bea.bank, username="cem")
    enrol(cem)
    signed_in_client(cem)
    approve(avi, ask(admin, bea))
    assert left(cem) == (1, 0, 10, 1, 0)


def test_the_same_again_is_the_same_request_and_another_reason_is_not(bea: User, admin: User) -> None:
    assert ask(admin, bea).pk == ask(admin, bea).pk
    with pytest.raises(Conflict):
        reset_second_factor(actor=signed_in(admin), user_id=str(bea.pk), reason="Another reason")


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_only_who_manages_staff_asks(bea: User, role: Role) -> None:
    cem = make_staff(bea.bank, role, username="cem")
    for user_id in (str(bea.pk), str(uuid4())):
        with pytest.raises(Forbidden):
            reset_second_factor(actor=signed_in(cem), user_id=user_id, reason=WHY)
    assert left(bea) == (1, 1, 10, 2, 1)
    assert not ApprovalRequest.objects.exists()


def test_nobody_asks_for_their_own(admin: User) -> None:
    enrol(admin)
    with pytest.raises(Forbidden, match="Somebody else"):
        reset_second_factor(actor=signed_in(admin), user_id=str(admin.pk), reason=WHY)
    assert not ApprovalRequest.objects.exists()


def test_strangers_customers_and_suspended_staff_are_as_unknown(bea: User, admin: User) -> None:
    elsewhere = make_staff(make_bank("other"), username="cem")
    gone = make_staff(bea.bank, username="gone")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    for user_id in (str(elsewhere.pk), str(gone.pk), str(make_customer(bea.bank).pk), str(uuid4()), "bea", ""):
        with pytest.raises(NotFound):
            reset_second_factor(actor=signed_in(admin), user_id=user_id, reason=WHY)
    assert not ApprovalRequest.objects.exists()


def test_a_reason_is_needed_and_something_to_take(bea: User, admin: User, avi: User) -> None:
    with pytest.raises(InvalidInput):
        reset_second_factor(actor=signed_in(admin), user_id=str(bea.pk), reason=" ")
    with pytest.raises(InvalidState):
        reset_second_factor(actor=signed_in(admin), user_id=str(avi.pk), reason=WHY)


# Pages.


def test_the_page_asks_and_says_that_it_waits(bea: User, admin: User) -> None:
    client = signed_in_client(admin)
    path = f"/staff/{bea.pk}/reset-second-factor"
    assert "10" in client.get(path).content.decode()
    answer = client.post(path, {"reason": WHY}, follow=True)
    assert "taken away by two people" in answer.content.decode()
    assert ApprovalRequest.objects.get().object_id == str(bea.pk)
    assert "A reset waits for a second person" in client.get("/staff").content.decode()
    assert left(bea) == (1, 1, 10, 2, 1)


def test_the_page_wants_a_fresh_factor_first(bea: User, admin: User) -> None:
    client = signed_in_client(admin, fresh=False)
    path = f"/staff/{bea.pk}/reset-second-factor"
    assert client.get(path)["Location"].startswith("/account/step-up")
    assert client.post(path, {"reason": WHY}).templates[0].name == "web/step_up.html"
    assert not ApprovalRequest.objects.exists()


def test_the_pages_are_for_who_manages_staff(bea: User, avi: User) -> None:
    client = signed_in_client(avi)
    for path in ("/staff", f"/staff/{bea.pk}/reset-second-factor", f"/staff/{uuid4()}/reset-second-factor"):
        assert client.get(path).status_code == 403
    assert [code for _, code, _, _ in refusals()] == ["capability-missing"] * 3


def test_the_list_costs_the_same_for_many(bea: User, admin: User) -> None:
    client = signed_in_client(admin)
    counts = []
    for round_ in range(2):
        with CaptureQueriesContext(connection) as seen:
            page = client.get("/staff")
        counts.append((len(page.context["colleagues"]), len(seen)))
        for number in range(10):
            make_staff(bea.bank, username=f"more{round_}-{number}")
    assert [shown for shown, _ in counts] == [2, 12]
    assert counts[0][1] == counts[1][1]
