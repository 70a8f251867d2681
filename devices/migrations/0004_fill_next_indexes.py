from django.db import migrations
from django.db.models import F, Q

BATCH = 5000


def fill(apps, schema_editor):
    """Outside a change of keys both columns of an index are the same. Short transactions; a repeat goes on."""
    devices = apps.get_model("devices", "Device").objects.using(schema_editor.connection.alias).order_by("pk")
    empty = Q(external_id_index_next="") & ~Q(external_id_index="")
    empty |= Q(push_handle_index_next="") & ~Q(push_handle_index="")
    rows = devices.all()
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        devices.filter(empty, pk__gte=keys[0], pk__lte=keys[-1]).order_by().update(
            external_id_index_next=F("external_id_index"), push_handle_index_next=F("push_handle_index")
        )
        rows = devices.filter(pk__gt=keys[-1])


class Migration(migrations.Migration):
    """Fills the second index columns from the first, in the order of the primary key."""

    atomic = False

    dependencies = [("devices", "0003_next_indexes")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
