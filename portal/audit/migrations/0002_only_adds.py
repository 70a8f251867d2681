from django.db import migrations

# Written out, so that what this migration did stays what it did: `portal.audit.triggers` may change.
SQLITE_INSTALL = [
    "CREATE TRIGGER audit_auditevent_no_update BEFORE UPDATE ON audit_auditevent BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditevent_no_delete BEFORE DELETE ON audit_auditevent BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditevent_no_replace BEFORE INSERT ON audit_auditevent WHEN EXISTS (SELECT 1 FROM audit_auditevent WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditleaf_no_update BEFORE UPDATE ON audit_auditleaf BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditleaf_no_delete BEFORE DELETE ON audit_auditleaf BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditleaf_no_replace BEFORE INSERT ON audit_auditleaf WHEN EXISTS (SELECT 1 FROM audit_auditleaf WHERE position = NEW.position OR event_id = NEW.event_id) BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditcheckpoint_no_update BEFORE UPDATE ON audit_auditcheckpoint BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditcheckpoint_no_delete BEFORE DELETE ON audit_auditcheckpoint BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
    "CREATE TRIGGER audit_auditcheckpoint_no_replace BEFORE INSERT ON audit_auditcheckpoint WHEN EXISTS (SELECT 1 FROM audit_auditcheckpoint WHERE size = NEW.size) BEGIN SELECT RAISE(ABORT, 'rows of the audit log are only added'); END",
]
SQLITE_REMOVE = [
    "DROP TRIGGER IF EXISTS audit_auditevent_no_update",
    "DROP TRIGGER IF EXISTS audit_auditevent_no_delete",
    "DROP TRIGGER IF EXISTS audit_auditevent_no_replace",
    "DROP TRIGGER IF EXISTS audit_auditleaf_no_update",
    "DROP TRIGGER IF EXISTS audit_auditleaf_no_delete",
    "DROP TRIGGER IF EXISTS audit_auditleaf_no_replace",
    "DROP TRIGGER IF EXISTS audit_auditcheckpoint_no_update",
    "DROP TRIGGER IF EXISTS audit_auditcheckpoint_no_delete",
    "DROP TRIGGER IF EXISTS audit_auditcheckpoint_no_replace",
]
POSTGRESQL_INSTALL = [
    "CREATE OR REPLACE FUNCTION audit_only_adds() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'rows of the audit log are only added' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    "CREATE TRIGGER audit_auditevent_no_change BEFORE UPDATE OR DELETE ON audit_auditevent FOR EACH ROW EXECUTE FUNCTION audit_only_adds()",
    "CREATE TRIGGER audit_auditevent_no_truncate BEFORE TRUNCATE ON audit_auditevent FOR EACH STATEMENT EXECUTE FUNCTION audit_only_adds()",
    "CREATE TRIGGER audit_auditleaf_no_change BEFORE UPDATE OR DELETE ON audit_auditleaf FOR EACH ROW EXECUTE FUNCTION audit_only_adds()",
    "CREATE TRIGGER audit_auditleaf_no_truncate BEFORE TRUNCATE ON audit_auditleaf FOR EACH STATEMENT EXECUTE FUNCTION audit_only_adds()",
    "CREATE TRIGGER audit_auditcheckpoint_no_change BEFORE UPDATE OR DELETE ON audit_auditcheckpoint FOR EACH ROW EXECUTE FUNCTION audit_only_adds()",
    "CREATE TRIGGER audit_auditcheckpoint_no_truncate BEFORE TRUNCATE ON audit_auditcheckpoint FOR EACH STATEMENT EXECUTE FUNCTION audit_only_adds()",
]
POSTGRESQL_REMOVE = [
    "DROP TRIGGER IF EXISTS audit_auditevent_no_change ON audit_auditevent",
    "DROP TRIGGER IF EXISTS audit_auditevent_no_truncate ON audit_auditevent",
    "DROP TRIGGER IF EXISTS audit_auditleaf_no_change ON audit_auditleaf",
    "DROP TRIGGER IF EXISTS audit_auditleaf_no_truncate ON audit_auditleaf",
    "DROP TRIGGER IF EXISTS audit_auditcheckpoint_no_change ON audit_auditcheckpoint",
    "DROP TRIGGER IF EXISTS audit_auditcheckpoint_no_truncate ON audit_auditcheckpoint",
    "DROP FUNCTION IF EXISTS audit_only_adds()",
]


def run(schema_editor, statements):
    with schema_editor.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def install(apps, schema_editor):
    remove(apps, schema_editor)
    postgresql = schema_editor.connection.vendor == "postgresql"
    run(schema_editor, POSTGRESQL_INSTALL if postgresql else SQLITE_INSTALL)


def remove(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    run(schema_editor, POSTGRESQL_REMOVE if postgresql else SQLITE_REMOVE)


class Migration(migrations.Migration):
    """The triggers that refuse UPDATE, DELETE and TRUNCATE on the log's tables."""

    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]
