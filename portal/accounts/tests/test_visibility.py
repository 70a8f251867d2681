import pytest

from devices.tests.factories import make_application, make_bank
from portal.accounts.models import Application, Bank
from portal.core.actor import Actor, ActorKind, Channel

pytestmark = pytest.mark.django_db


def actor(kind: ActorKind, bank: Bank | None) -> Actor:
    return Actor(kind=kind, id="one", label="One", channel=Channel.ADMIN, bank_id=bank.pk if bank else None)


@pytest.fixture
def banks() -> tuple[Bank, Bank]:
    ours, theirs = make_bank(), make_bank()
    make_application(ours)
    make_application(theirs)
    return ours, theirs


@pytest.mark.parametrize("kind", [ActorKind.STAFF, ActorKind.SYSTEM])
def test_staff_and_a_banks_own_jobs_see_its_clients_and_no_other_banks(
    kind: ActorKind, banks: tuple[Bank, Bank]
) -> None:
    shown = Application.objects.visible_to(actor(kind, banks[0]))
    assert [client.bank for client in shown] == [banks[0]]


@pytest.mark.parametrize("kind", [ActorKind.CUSTOMER, ActorKind.BANK, ActorKind.MERCHANT, ActorKind.ANONYMOUS])
def test_clients_are_shown_to_nobody_else(kind: ActorKind, banks: tuple[Bank, Bank]) -> None:
    assert Application.objects.visible_to(actor(kind, banks[0])).count() == 0


@pytest.mark.parametrize("kind", ActorKind)
def test_everybody_sees_the_own_bank_only(kind: ActorKind, banks: tuple[Bank, Bank]) -> None:
    assert list(Bank.objects.visible_to(actor(kind, banks[0]))) == [banks[0]]


def test_the_system_sees_all_and_a_stranger_nothing(banks: tuple[Bank, Bank]) -> None:
    system, stranger = actor(ActorKind.SYSTEM, None), actor(ActorKind.ANONYMOUS, None)
    assert set(Bank.objects.visible_to(system)) == set(banks)
    assert Application.objects.visible_to(system).count() == 2
    assert Bank.objects.visible_to(stranger).count() == Application.objects.visible_to(stranger).count() == 0
