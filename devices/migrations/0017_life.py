"""Who held a device before it was reported lost; steps over many devices."""

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import portal.core.ids

# Migrations 0011 to 0016 are independent of each other; this one comes after those that are there.
EARLIER = [("devices", path.stem) for path in sorted(Path(__file__).parent.glob("001[1-6]_*.py"))]


class Migration(migrations.Migration):

    dependencies = [
        ("devices", "0002_device_life"),
        *EARLIER,
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="device",
            name="held_before_loss",
            field=models.CharField(
                blank=True, choices=[("", "Nobody"), ("owner", "Owner"), ("bank", "Bank")], default="", max_length=10
            ),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("held_before_loss", ""),
                    models.Q(("held_before_loss__in", ["owner", "bank"]), ("lost_at__isnull", False)),
                    _connector="OR",
                ),
                name="device_held_before_loss_known",
            ),
        ),
        migrations.CreateModel(
            name="BulkRun",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=portal.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        choices=[("activate", "Activate"), ("deactivate", "Deactivate"), ("block", "Block")],
                        max_length=10,
                    ),
                ),
                ("outcomes", models.JSONField(default=list)),
                ("ended", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                (
                    "bank",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="bulk_runs", to="accounts.bank"
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("step__in", ["activate", "deactivate", "block"])), name="bulk_step_known"
                    )
                ],
            },
        ),
    ]
