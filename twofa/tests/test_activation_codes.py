"""Activation codes: what ends one, and what is written of that."""

import json
from datetime import timedelta

import pytest
import time_machine

from devices.tests.factories import bank_actor, make_bank, make_customer
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.actor import Actor
from portal.core.errors import VerificationFailed
from twofa.models import CODE_TRIES, ActivationCode, EnrolmentPolicy
from twofa.operations.activation_codes import IssuedCode, cancel_activation_code, issue_activation_code, try_code

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada() -> User:
    found = make_customer(make_bank())
    EnrolmentPolicy.objects.create(bank=found.bank, in_person=True)
    return found


@pytest.fixture
def server(ada: User) -> Actor:
    return bank_actor(ada.bank)


@pytest.fixture
def issued(ada: User, server: Actor) -> IssuedCode:
    return issue_activation_code(actor=server, customer_id=ada.public_id, in_person=True)


def guess(server: Actor, ada: User, times: int) -> None:
    for _ in range(times):
        with pytest.raises(VerificationFailed):
            try_code(server, ada, "wrong")


def details() -> list[tuple[int, bool]]:
    """The number of each wrong try, 0 for one without a code, and whether it was the last."""
    events = AuditEvent.objects.filter(event="activation-code.refused")
    found = [json.loads(event.data)["details"] for event in events]
    return sorted((one.get("tries", 0), one.get("closed", False)) for one in found)


def test_the_fifth_wrong_try_ends_a_code(server: Actor, ada: User, issued: IssuedCode) -> None:
    with time_machine.travel(clock.now(), tick=False):
        now = clock.now()
        guess(server, ada, CODE_TRIES - 1)
        assert ActivationCode.objects.get().closed_at is None
        guess(server, ada, 1)
        assert (ActivationCode.objects.get().closed_at, ActivationCode.objects.get().tries) == (now, 5)
    guess(server, ada, 1)  # there is no code any more that could count it
    assert details() == [(0, False), (1, False), (2, False), (3, False), (4, False), (5, True)]


def test_a_right_fifth_try_is_good(server: Actor, ada: User, issued: IssuedCode) -> None:
    guess(server, ada, CODE_TRIES - 1)
    assert try_code(server, ada, issued.code) == issued.row
    assert ActivationCode.objects.get().closed_at is None


@pytest.mark.parametrize("how", ["expired", "used up"])
def test_one_that_opens_nothing_any_more_is_not_taken_back(
    server: Actor, ada: User, issued: IssuedCode, how: str
) -> None:
    later = clock.now() + timedelta(hours=25 if how == "expired" else 0)
    if how == "used up":
        guess(server, ada, CODE_TRIES - 1)
        try_code(server, ada, issued.code)  # the last try is right, and nothing came of it
    with time_machine.travel(later, tick=False):
        row = cancel_activation_code(actor=server, code_id=issued.row.public_id, reason="Wrong person")
    assert (row.closed_at, row.cancelled_by) == (None, "")
    assert not AuditEvent.objects.filter(event="activation-code.cancelled").exists()
