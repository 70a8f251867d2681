"""Blind indexes whose key changes: what writers write, what finds it, and that one value is never taken twice."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.tests.factories import make_bank, make_customer, make_device
from portal import indexes, vault
from portal.accounts.models import User
from portal.core.errors import Unavailable
from portal.keys.tests import rings
from portal.models import IndexKeys

pytestmark = pytest.mark.django_db

# What counts for writers, by what they have read: before a change, during it, after its switch.
PHASES = {"old": ("i1", "i1"), "between": ("i1", "i2"), "new": ("i2", "i2")}


def stand(phase: str) -> None:
    now, following = PHASES[phase]
    IndexKeys.objects.update_or_create(pk=1, defaults={"now": now, "next": following})


@pytest.fixture
def ada() -> User:
    return make_customer(make_bank())


def test_one_key_needs_no_query() -> None:
    with CaptureQueriesContext(connection) as captured, rings.before():
        assert indexes.keys() == ("i1", "i1")
    assert len(captured) == 0


def test_two_keys_need_one() -> None:
    with rings.both():
        stand("between")
        with CaptureQueriesContext(connection) as captured:
            assert indexes.keys() == ("i1", "i2")
    assert len(captured) == 1


@pytest.mark.parametrize("phase", PHASES)
def test_writers_write_what_counts(phase: str) -> None:
    now, following = PHASES[phase]
    with rings.both():
        stand(phase)
        pair = indexes.to_write("p", "bank", "value")
        assert pair == (
            vault.blind_index(now, "p", "bank", "value"),
            vault.blind_index(following, "p", "bank", "value"),
        )
        assert pair.now in indexes.to_find("p", "bank", "value")


def test_without_a_row_the_last_key_counts() -> None:
    IndexKeys.objects.all().delete()
    with rings.both():
        assert indexes.keys() == ("i1", "i1")


@pytest.mark.parametrize(("now", "following"), [("gone", "gone"), ("i1", "gone"), ("gone", "i2")])
def test_nothing_is_written_while_a_key_that_counts_is_not_here(ada: User, now: str, following: str) -> None:
    IndexKeys.objects.update_or_create(pk=1, defaults={"now": now, "next": following})
    with rings.both():
        with pytest.raises(Unavailable) as refused:
            make_device(ada, external_id="device_0001")
        assert indexes.missing_keys() == ["gone"]
    assert refused.value.code == "index-key-missing"
    assert not Device.objects.exists()


def test_one_key_that_is_not_the_right_one_is_found_by_whoever_asks() -> None:
    stand("new")
    with rings.before(), CaptureQueriesContext(connection) as captured:
        assert indexes.missing_keys() == ["i2"]
    assert len(captured) == 1
    with rings.after():
        assert indexes.missing_keys() == []
    IndexKeys.objects.all().delete()
    with rings.after():
        assert indexes.missing_keys() == []


def test_to_find_asks_for_every_key_of_the_ring() -> None:
    with rings.both():
        assert indexes.to_find("p", "bank", "value") == [
            vault.blind_index("i2", "p", "bank", "value"),
            vault.blind_index("i1", "p", "bank", "value"),
        ]


@pytest.mark.parametrize("second", ["old", "between"])
@pytest.mark.parametrize("first", ["old", "between"])
def test_one_value_collides_before_the_switch(ada: User, first: str, second: str) -> None:
    collide(ada, first, second)


@pytest.mark.parametrize("second", ["between", "new"])
@pytest.mark.parametrize("first", ["between", "new"])
def test_one_value_collides_after_it(ada: User, first: str, second: str) -> None:
    collide(ada, first, second)


def collide(ada: User, first: str, second: str) -> None:
    with rings.both():
        stand(first)
        make_device(ada, external_id="device_twice")
        stand(second)
        with pytest.raises(IntegrityError), transaction.atomic():
            make_device(ada, external_id="device_twice")
        assert Device.objects.named_externally(ada.bank_id, "device_twice").count() == 1
        make_device(ada, external_id="device_other")
