from django.db import migrations

from portal.audit.triggers import drop_triggers, install_triggers


def install(apps, schema_editor):
    install_triggers(schema_editor.connection)


def remove(apps, schema_editor):
    drop_triggers(schema_editor.connection)


class Migration(migrations.Migration):
    """The triggers that refuse UPDATE, DELETE and TRUNCATE on the log's tables."""

    dependencies = [("audit", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]
