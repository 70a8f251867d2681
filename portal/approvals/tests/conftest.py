"""The people of these tests."""

import pytest

from portal.approvals.tests.asking import People, make_people


@pytest.fixture
def people(db: None) -> People:
    return make_people()
