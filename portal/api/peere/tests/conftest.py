"""Each test begins with an empty cache, early in an hour: calls and lookups are counted there."""

from collections.abc import Iterator

import pytest
import time_machine
from django.core.cache import cache

from devices.models import Device
from devices.tests.factories import make_device
from portal import ratelimit
from portal.accounts.models import User
from portal.api.peere.tests.linking import MOMENT, PHONE, server_of, shop_of
from portal.api.tests.doors import Caller


@pytest.fixture(autouse=True)
def _nobody_has_called_yet() -> Iterator[None]:
    """The clock goes on from there: events have an order, and the hour does not end. Tokens are made in it too."""
    with time_machine.travel(MOMENT):
        ratelimit.breaker.reset()
        cache.clear()
        yield
        ratelimit.breaker.reset()


@pytest.fixture
def phone(ada: User) -> Device:
    return make_device(ada, external_id=PHONE)


@pytest.fixture
def server(ada: User) -> Caller:
    return server_of(ada.bank)


@pytest.fixture
def shop(ada: User) -> Caller:
    return shop_of(ada.bank)
