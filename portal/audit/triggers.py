"""The database's own guard: rows of the audit log are added, never changed and never removed, whoever asks.

A guard against mistakes and against the application's own database user. Somebody who owns the tables can drop
it; what they change then, `audit_verify` finds.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = {
    "audit_auditevent": ("id",),
    "audit_auditleaf": ("position", "event_id"),
    "audit_auditcheckpoint": ("size",),
}
MESSAGE = "rows of the audit log are only added"


def install_triggers(connection: BaseDatabaseWrapper) -> None:
    """Refuse UPDATE and DELETE (PostgreSQL: TRUNCATE too) on the log's tables. A repeat changes nothing."""
    drop_triggers(connection)
    _run(connection, _postgresql_install() if connection.vendor == "postgresql" else _sqlite_install())


def drop_triggers(connection: BaseDatabaseWrapper) -> None:
    """Take the guard away: for the reverse of the migration and for test databases."""
    _run(connection, _postgresql_drop() if connection.vendor == "postgresql" else _sqlite_drop())


def _run(connection: BaseDatabaseWrapper, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _sqlite_install() -> list[str]:
    statements = []
    for table, keys in TABLES.items():
        for verb in ("update", "delete"):
            statements.append(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        # INSERT OR REPLACE removes the old row without asking the trigger for DELETE.
        taken = " OR ".join(f"{key} = NEW.{key}" for key in keys)
        statements.append(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608  names from this file
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken}) "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
    return statements


def _sqlite_drop() -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {table}_no_{verb}" for table in TABLES for verb in ("update", "delete", "replace")
    ]


def _postgresql_install() -> list[str]:
    statements = [
        "CREATE OR REPLACE FUNCTION audit_only_adds() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    ]
    for table in TABLES:
        statements.append(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION audit_only_adds()"
        )
        statements.append(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_adds()"
        )
    return statements


def _postgresql_drop() -> list[str]:
    return [
        *(
            f"DROP TRIGGER IF EXISTS {table}_no_{verb} ON {table}"
            for table in TABLES
            for verb in ("change", "truncate")
        ),
        "DROP FUNCTION IF EXISTS audit_only_adds()",
    ]
