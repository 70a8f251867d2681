from django.db import migrations, models


class Migration(migrations.Migration):
    """Two devices in use never share what the second index columns find them by."""

    dependencies = [("devices", "0004_fill_next_indexes")]

    operations = [
        migrations.AddConstraint(
            model_name="device",
            constraint=models.UniqueConstraint(
                fields=("bank", "external_id_index_next"),
                name="device_external_id_next_unique_in_use",
                condition=models.Q(("status", "RETIRED"), _negated=True)
                & models.Q(("external_id_index_next", ""), _negated=True),
            ),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.UniqueConstraint(
                fields=("bank", "push_handle_index_next"),
                name="device_push_handle_next_unique_in_use",
                condition=models.Q(("status", "RETIRED"), _negated=True)
                & models.Q(("push_handle_index_next", ""), _negated=True),
            ),
        ),
    ]
