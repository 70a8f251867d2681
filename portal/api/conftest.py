"""Who knocks at both dialects' doors: a customer with her phone, and her bank's own server."""

import pytest

from devices.models import Device
from devices.tests.factories import make_application, make_bank, make_customer, make_device, make_token
from portal.accounts.models import User
from portal.api.tests.doors import Caller


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada)


@pytest.fixture
def caller(ada: User) -> Caller:
    """Ada, by a token that is bound to no device."""
    return Caller(make_token(user=ada))


@pytest.fixture
def server(ada: User) -> Caller:
    return Caller(make_token(application=make_application(ada.bank, kind="bank", name="core banking")))
