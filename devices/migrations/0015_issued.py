"""Imports that are uploaded and not started yet, and those that nobody goes on with."""

from django.db import migrations, models

CHOICES = [
    ("READY", "Ready to start"),
    ("WAITING", "Waiting"),
    ("RUNNING", "Running"),
    ("DONE", "Done"),
    ("REFUSED", "Refused"),
    ("STOPPED", "Stopped"),
]
OPEN = ["READY", "WAITING", "RUNNING"]


class Migration(migrations.Migration):
    dependencies = [("devices", "0002_device_life")]

    operations = [
        migrations.RemoveConstraint(model_name="importrun", name="import_state_known"),
        migrations.RemoveConstraint(model_name="importrun", name="import_ended_is_wiped"),
        migrations.AlterField(
            model_name="importrun",
            name="state",
            field=models.CharField(choices=CHOICES, default="WAITING", max_length=10),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.CheckConstraint(
                name="import_state_known", condition=models.Q(state__in=[state for state, _ in CHOICES])
            ),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.CheckConstraint(
                name="import_ended_is_wiped",
                condition=models.Q(state__in=OPEN, ended_at__isnull=True)
                | (~models.Q(state__in=OPEN) & models.Q(ended_at__isnull=False, content_sealed="")),
            ),
        ),
    ]
