"""Ada with her phone and its certificate, and Bea, who looks after them. A module that needs another kind says so."""

import pytest

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device, make_staff, staff_actor
from pki.models import Certificate
from pki.tests.factories import certify, make_ca
from portal.accounts.models import User
from portal.accounts.roles import Role
from portal.core.actor import Actor


@pytest.fixture
def ada() -> User:
    """A customer of a bank that has an authority."""
    bank = make_bank()
    make_ca(bank)
    return make_customer(bank)


@pytest.fixture
def phone(ada: User) -> Device:
    """Hers, active, without a certificate."""
    return make_device(ada)


@pytest.fixture
def old(phone: Device) -> Certificate:
    """The certificate that it has."""
    return certify(phone, number=1)


@pytest.fixture
def bea(phone: Device) -> Actor:
    """A security officer of the bank."""
    return staff_actor(make_staff(phone.bank, Role.SECURITY_OFFICER, "Bea"))
