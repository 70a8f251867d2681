"""Ada owns the phone, Bea is her bank's staff, Cem is another customer; the server links."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.cache import cache

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from merchants.tests.factories import linking_actor
from portal.accounts.models import Bank, User
from portal.core.actor import Actor


@pytest.fixture
def standing_clock() -> Iterator[None]:
    """For what is counted by the hour: the time stands at twenty past noon, and nothing is counted yet.

    Named by `usefixtures`, it comes before shops and tokens are made. A test may travel on from there.
    """
    with time_machine.travel(datetime(2026, 11, 2, 12, 20, tzinfo=UTC), tick=False):
        cache.clear()
        yield


@pytest.fixture
def bank() -> Bank:
    return make_bank()


@pytest.fixture
def ada(bank: Bank) -> User:
    return make_customer(bank)


@pytest.fixture
def cem(bank: Bank) -> User:
    return make_customer(bank, "Cem")


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, external_id="device_k3x9wq27")


@pytest.fixture
def server(bank: Bank) -> Actor:
    return linking_actor(bank)


@pytest.fixture
def bea(bank: Bank) -> Actor:
    return staff_actor(make_staff(bank))
