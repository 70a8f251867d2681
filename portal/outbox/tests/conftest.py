"""What the tests of gateways share."""

from collections.abc import Iterator

import pytest

from portal.outbox.gateways import http


@pytest.fixture
def new_connections() -> Iterator[None]:
    """No connection is left from the test before, and none after."""
    http.close_clients()
    yield
    http.close_clients()
