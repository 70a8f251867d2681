from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def forget_answers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Their headers are in clear, and they live a day at most."""
    apps.get_model("portal", "StoredAnswer").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_initial")]

    operations = [
        migrations.RunPython(forget_answers, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("storedanswer", "headers"),
    ]
