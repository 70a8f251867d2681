"""Peere is one more door that requests may come through."""

from django.db import migrations, models

CHANNELS = ("portal", "admin", "asseco", "hyphen", "spid", "adiba", "peere", "est", "oauth", "command", "task")


class Migration(migrations.Migration):
    dependencies = [("approvals", "0002_est_channel")]

    operations = [
        migrations.AlterField(
            model_name="approvalrequest",
            name="channel",
            field=models.CharField(choices=[(channel, channel) for channel in CHANNELS], max_length=10),
        ),
    ]
