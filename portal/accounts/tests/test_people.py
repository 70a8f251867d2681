"""Making people, and correcting what is known about a customer."""

from collections.abc import Mapping

import pytest

from devices.tests.factories import bank_actor, customer_actor, make_bank, make_customer, make_staff
from portal.accounts.models import Bank, User
from portal.accounts.operations.people import (
    Contact,
    contact_of,
    correct_customer,
    create_bank,
    create_customer,
    create_staff,
)
from portal.accounts.roles import Role
from portal.accounts.tests.people import SYSTEM, events, signed_in
from portal.audit.models import AuditEvent
from portal.core.actor import Actor
from portal.core.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from portal.core.ids import new_id

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def bank() -> Bank:
    return make_bank("first")


@pytest.fixture
def ada(bank: Bank) -> User:
    return create_customer(
        actor=SYSTEM, bank=bank, customer_number="C1", name="Ada", phone="+381641234567", email="ada@example.com"
    )


@pytest.fixture
def bea(bank: Bank) -> User:
    return make_staff(bank, Role.OPERATOR)


def codes(error: DomainError) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in getattr(error, "fields", ())]


def test_a_bank_is_made_once() -> None:
    bank = create_bank(actor=SYSTEM, code="first", name=" First Bank ")
    assert (bank.code, bank.name) == ("first", "First Bank")
    with pytest.raises(Conflict):
        create_bank(actor=SYSTEM, code="first", name="Another")
    assert Bank.objects.count() == 1
    assert events() == [("bank.created", "")]


@pytest.mark.parametrize("code", ["", "x", "First", "a b", "ä1", "-ab", "x" * 33, "ab\n"])
def test_a_banks_code_is_plain(code: str) -> None:
    with pytest.raises(InvalidInput):
        create_bank(actor=SYSTEM, code=code, name="First")
    assert Bank.objects.count() == 0


def test_nobody_but_our_commands_makes_banks(bank: Bank) -> None:
    with pytest.raises(Forbidden):
        create_bank(actor=signed_in(make_staff(bank, Role.ADMINISTRATOR)), code="second", name="Second")


def test_an_administrator_makes_staff_of_the_own_bank(bank: Bank) -> None:
    actor = signed_in(make_staff(bank, Role.ADMINISTRATOR))
    made = create_staff(actor=actor, bank=bank, username="dan", name="Dan", role="auditor", password=PASSWORD)
    assert (made.is_staff, made.role, made.bank, made.check_password(PASSWORD)) == (True, "auditor", bank, True)
    assert events() == [("staff.created", "")]
    assert PASSWORD not in str(AuditEvent.objects.values())
    with pytest.raises(Conflict):
        create_staff(actor=actor, bank=bank, username="dan", name="Dan", role="auditor", password=PASSWORD)
    with pytest.raises(Forbidden):
        create_staff(actor=actor, bank=make_bank(), username="eve", name="E", role="auditor", password=PASSWORD)
    assert User.objects.count() == 2


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMINISTRATOR])
def test_other_roles_make_no_staff(bank: Bank, role: str) -> None:
    actor = signed_in(make_staff(bank, role))
    with pytest.raises(Forbidden) as refused:
        create_staff(actor=actor, bank=bank, username="dan", name="Dan", role="auditor", password=PASSWORD)
    assert refused.value.details["roles"] == ["Administrator"]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"username": "Dan Smith"}, "username"),
        ({"username": "dan\n"}, "username"),
        ({"username": "d"}, "username"),
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"role": "king"}, "role"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"username": "danielson", "password": "danielson1234"}, "password"),
    ],
)
def test_staff_need_sound_values(bank: Bank, values: dict[str, str], field: str) -> None:
    good = {"username": "dan", "name": "Dan", "role": "auditor", "password": PASSWORD}
    with pytest.raises(InvalidInput) as refused:
        create_staff(actor=SYSTEM, bank=bank, **{**good, **values})
    assert {problem.field for problem in refused.value.fields} == {field}
    assert User.objects.count() == 0


def test_a_customers_contact_data_is_sealed(ada: User) -> None:
    ada.refresh_from_db()
    assert contact_of(ada) == Contact("+381641234567", "ada@example.com")
    kept = str(User.objects.values().get()) + str(list(AuditEvent.objects.values()))
    assert not any(part in kept for part in ("641234567", "4567", "ada@", "example.com"))
    assert not ada.has_usable_password()
    assert events() == [("customer.created", "")]


def test_contact_data_may_be_missing_and_numbers_are_tidied(bank: Bank) -> None:
    made = create_customer(actor=SYSTEM, bank=bank, customer_number=" C2 ", name="Ada", phone="+381 (64) 123-4567")
    assert (made.customer_number, contact_of(made)) == ("C2", Contact("+381641234567", ""))


def test_a_customer_number_is_taken_in_its_bank_only(ada: User) -> None:
    with pytest.raises(Conflict):
        create_customer(actor=SYSTEM, bank=ada.bank, customer_number="C1", name="Cem")
    create_customer(actor=SYSTEM, bank=make_bank(), customer_number="C1", name="Cem")
    assert User.objects.count() == 2


def test_every_problem_is_named(bank: Bank) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_customer(actor=SYSTEM, bank=bank, customer_number="", name="\0", phone="0641234567", email="ada")
    assert codes(refused.value) == [
        ("customer_number", "required"),
        ("name", "invalid-format"),
        ("phone", "format"),
        ("email", "format"),
    ]
    assert User.objects.count() == 0


def correct(actor: Actor, user: User, changes: Mapping[str, str], reason: str = "Asked by phone") -> User:
    return correct_customer(actor=actor, user_id=user.pk, changes=changes, reason=reason)


def test_a_correction_says_what_changed_and_why_and_nothing_sealed(ada: User, bea: User) -> None:
    changes = {"name": "Ada L.", "customer_number": "C9", "phone": "+381649999999", "email": "new@example.org"}
    correct(signed_in(bea), ada, changes)
    ada.refresh_from_db()
    assert (ada.name, ada.customer_number) == ("Ada L.", "C9")
    assert contact_of(ada) == Contact("+381649999999", "new@example.org")
    event = AuditEvent.objects.get(event="customer.corrected")
    assert (event.actor_id, event.object_id, event.reason) == (str(bea.pk), str(ada.pk), "Asked by phone")
    for part in ('"name":"Ada"', '"name":"Ada L."', '"phone":"··4567"', '"phone":"··9999"', '"email":"a··"'):
        assert part in event.data
    assert not any(part in event.data for part in ("example", "64999", "64123"))


def test_only_what_differs_is_written(ada: User, bea: User) -> None:
    correct(signed_in(bea), ada, {"name": "Ada", "phone": "+381 64 123 4567", "email": "ada@example.com"})
    assert events() == [("customer.created", "")]
    correct(signed_in(bea), ada, {"name": "Ada", "phone": ""})
    event = AuditEvent.objects.get(event="customer.corrected")
    assert event.data == '{"after":{"phone":""},"before":{"phone":"··4567"}}'
    assert contact_of(User.objects.get(pk=ada.pk)).phone == ""


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"name": "X"}, " ", "reason"),
        ({"name": "X"}, "x" * 501, "reason"),
        ({"name": "X"}, "why\nreally", "reason"),
        ({"role": "operator"}, "why", "role"),
        ({"is_active": ""}, "why", "is_active"),
        ({"name": ""}, "why", "name"),
        ({"phone": "12"}, "why", "phone"),
    ],
)
def test_an_unsound_correction_changes_nothing(
    ada: User, bea: User, changes: dict[str, str], reason: str, field: str
) -> None:
    before = User.objects.filter(pk=ada.pk).values().get()
    with pytest.raises(InvalidInput) as refused:
        correct(signed_in(bea), ada, changes, reason)
    assert [problem.field for problem in refused.value.fields] == [field]
    assert User.objects.filter(pk=ada.pk).values().get() == before
    assert events() == [("customer.created", "")]


def test_a_number_of_another_customer_is_refused(ada: User, bea: User) -> None:
    make_customer(ada.bank, "Cem", customer_number="C2")
    with pytest.raises(Conflict):
        correct(signed_in(bea), ada, {"customer_number": "C2"})
    assert User.objects.get(pk=ada.pk).customer_number == "C1"


def test_whoever_lacks_the_right_corrects_nothing(ada: User) -> None:
    for role in set(Role) - {Role.OPERATOR}:
        with pytest.raises(Forbidden):
            correct(signed_in(make_staff(ada.bank, role)), ada, {"name": "X"})
    for actor in (customer_actor(ada), bank_actor(ada.bank)):
        with pytest.raises(Forbidden):
            correct(actor, ada, {"name": "X"})
    assert User.objects.get(pk=ada.pk).name == "Ada"


def test_whoever_lacks_the_right_does_not_learn_who_is_a_customer(ada: User) -> None:
    auditor = signed_in(make_staff(ada.bank, Role.AUDITOR))
    for key in (ada.pk, make_customer(make_bank()).pk, new_id()):
        with pytest.raises(Forbidden):
            correct_customer(actor=auditor, user_id=key, changes={"name": "X"}, reason="why")


def test_foreign_customers_and_staff_are_as_unknown(ada: User, bea: User) -> None:
    stranger = make_staff(make_bank(), Role.OPERATOR)
    with pytest.raises(NotFound):
        correct(signed_in(stranger), ada, {"name": "X"})
    with pytest.raises(NotFound):
        correct(signed_in(bea), bea, {"name": "X"})
    assert User.objects.get(pk=ada.pk).name == "Ada"
