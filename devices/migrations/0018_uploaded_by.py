"""Who uploaded an import, beside who started it; the index of open imports has those that wait to be started."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0017_life"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AddField(
            model_name="importrun",
            name="uploaded_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RemoveIndex(model_name="importrun", name="import_waiting"),
        migrations.AddIndex(
            model_name="importrun",
            index=models.Index(
                fields=["created_at"],
                name="import_waiting",
                condition=models.Q(state__in=["READY", "WAITING", "RUNNING"]),
            ),
        ),
    ]
