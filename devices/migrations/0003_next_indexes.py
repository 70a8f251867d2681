from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the second index columns, empty. The database fills them for code that does not know them yet."""

    dependencies = [("devices", "0002_device_life")]

    operations = [
        migrations.AddField(
            model_name="device",
            name="external_id_index_next",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="device",
            name="push_handle_index_next",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
