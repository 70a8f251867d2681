"""Both engines refuse to change the log, whoever asks and in whatever words."""

from importlib import import_module

import pytest
from django.db import Error, connection, transaction

from portal.audit import sealing, triggers
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.testing import without_triggers
from portal.audit.tests.factories import write_events
from portal.audit.triggers import MESSAGE, TABLES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _sealed_log() -> None:
    write_events(2)
    assert sealing.seal_now() == 2


def contents() -> list[list[tuple[object, ...]]]:
    tables = (AuditEvent.objects, AuditLeaf.objects, AuditCheckpoint.objects)
    return [list(table.order_by("pk").values_list()) for table in tables]


def refused(statement: str) -> None:
    before = contents()
    with pytest.raises(Error, match=MESSAGE), connection.cursor() as cursor:
        cursor.execute(statement)
    assert contents() == before


@pytest.mark.parametrize(("table", "column"), [(table, keys[0]) for table, keys in TABLES.items()])
def test_rows_are_neither_changed_nor_removed(table: str, column: str) -> None:
    refused(f"UPDATE {table} SET {column} = {column}")
    refused(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_not_emptied(table: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    refused(f"TRUNCATE {table}")


@pytest.mark.parametrize("table", TABLES)
def test_a_row_is_not_replaced(table: str) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    refused(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def test_the_models_cannot_do_it_either() -> None:
    event = AuditEvent.objects.first()
    assert event is not None
    event.reason = "another"
    with pytest.raises(Error, match=MESSAGE), transaction.atomic():
        event.save()
    with pytest.raises(Error, match=MESSAGE), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.filter(reason="another").count() == 0


def test_they_are_back_after_somebody_took_them_away() -> None:
    with without_triggers():
        AuditEvent.objects.update(reason="changed")
    refused("UPDATE audit_auditevent SET reason = 'changed again'")


def test_they_are_back_after_the_flush_of_another_test() -> None:
    assert AuditEvent.objects.count() == 2  # the tests before left nothing
    refused("DELETE FROM audit_auditevent")


def test_the_migration_did_what_the_module_says_today() -> None:
    migration = import_module("portal.audit.migrations.0002_only_adds")
    assert triggers._sqlite_install() == migration.SQLITE_INSTALL
    assert triggers._sqlite_drop() == migration.SQLITE_REMOVE
    assert triggers._postgresql_install() == migration.POSTGRESQL_INSTALL
    assert triggers._postgresql_drop() == migration.POSTGRESQL_REMOVE
