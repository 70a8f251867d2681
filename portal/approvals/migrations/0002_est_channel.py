"""EST is one more door that requests may come through."""

from django.db import migrations, models

CHANNELS = ("portal", "admin", "asseco", "hyphen", "spid", "adiba", "est", "oauth", "command", "task")


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="approvalrequest",
            name="channel",
            field=models.CharField(choices=[(channel, channel) for channel in CHANNELS], max_length=10),
        ),
    ]
