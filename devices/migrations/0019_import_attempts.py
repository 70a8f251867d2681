"""How often an import was claimed since its last batch: one that keeps failing has to end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0018_uploaded_by")]

    operations = [
        migrations.AddField(
            model_name="importrun",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
