"""Somebody who owns the database changes the log. Verification finds it and names the first bad row."""

from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F

from portal.audit import sealing
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.tests.factories import write_event, write_events
from portal.audit.tests.tampering import cut_to, found, leaf_of, named, records, resign, row_of
from portal.audit.verification import verify
from portal.core import clock, ids

CHANGES: dict[str, object] = {
    "at": clock.parse_rfc3339("2020-01-01T00:00:00Z"),
    "event": "device.blocked",
    "actor_kind": "system",
    "actor_id": "id-of-piotr",
    "actor_label": "Piotr",
    "channel": "admin",
    "bank_id": UUID(int=1),
    "device_id": UUID(int=1),
    "object_type": "device",
    "object_id": "x",
    "object_label": "x",
    "reason": "",
    "ip": "192.0.2.8",
    "request_id": "req-2",
    "data": '{"after":"x"}',
    "mac_key": "a0",
    "mac": "0" * 64,
}


@pytest.mark.parametrize("column", CHANGES)
def test_an_edited_column(ten: list[AuditEvent], column: str) -> None:
    AuditEvent.objects.filter(pk=ten[5].pk).update(**{column: CHANGES[column]})
    assert found().startswith(f"{named(ten, 5)} was edited after it was sealed")


def test_an_outcome_turned_over(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[5].pk).update(outcome="refused", code="forbidden")
    assert found().startswith(f"{named(ten, 5)} was edited after it was sealed")


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("change", ["at = 'soon'", "bank_id = 'x'", "reason = x'00ff'", "mac = x'00'", "data = 7"])
def test_a_column_with_what_no_database_of_ours_writes(ten: list[AuditEvent], change: str, sealed: bool) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL keeps to the column's type")
    event = ten[5] if sealed else write_event()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditevent SET {change} WHERE id = %s", [event.pk.hex])
    assert found().startswith(f"event {event.pk} ")


def test_the_first_of_several_is_named(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk__in=[ten[7].pk, ten[2].pk]).update(reason="x")
    assert found().startswith(named(ten, 2))


def test_an_edited_row_with_a_good_mac(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[5].pk).update(reason="x")
    resign(ten[5])
    assert found().startswith(f"{named(ten, 5)} was edited after it was sealed")


def test_an_edited_row_with_a_good_mac_and_leaf(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[5].pk).update(reason="x")
    resign(ten[5])
    AuditLeaf.objects.filter(position=5).update(leaf_hash=leaf_of(ten[5]))
    assert "positions 4 to 7" in found()


def test_an_edited_leaf(ten: list[AuditEvent]) -> None:
    AuditLeaf.objects.filter(position=3).update(leaf_hash="0" * 64)
    assert found().startswith(named(ten, 3))


def test_a_removed_event(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[6].pk).delete()
    assert found().startswith(f"{named(ten, 6)} is missing")


def test_a_removed_event_and_leaf(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[6].pk).delete()
    AuditLeaf.objects.filter(position=6).delete()
    assert found() == "the leaf at position 6 is missing"


def test_a_removed_event_with_the_gap_closed(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=ten[6].pk).delete()
    AuditLeaf.objects.filter(position=6).delete()
    for position in (7, 8, 9):
        AuditLeaf.objects.filter(position=position).update(position=F("position") - 1)
    assert "positions 4 to 7" in found()


def test_a_removed_leaf_alone(ten: list[AuditEvent]) -> None:
    AuditLeaf.objects.filter(position=0).delete()
    assert found() == "the leaf at position 0 is missing"


def test_an_end_cut_off_from_the_events(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk__gte=ten[8].pk).delete()
    assert found().startswith(f"{named(ten, 8)} is missing")


def test_an_end_cut_off_from_events_and_leaves(ten: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk__gte=ten[8].pk).delete()
    AuditLeaf.objects.filter(position__gte=8).delete()
    assert found() == "the leaf at position 8 is missing"


@pytest.mark.parametrize("size", [4, 8])
def test_an_end_cut_off_from_every_table(ten: list[AuditEvent], size: int) -> None:
    cut_to(ten, size)
    following = {4: 8, 8: 10}[size]
    assert found() == (
        f"the log's end was cut off: the file goes on with checkpoint {following}, the database ends at {size}"
    )


def test_every_row_removed(ten: list[AuditEvent]) -> None:
    cut_to(ten, 0)
    assert "the file goes on with checkpoint 4, the database ends at 0" in found()


def test_an_end_cut_off_from_the_checkpoints(ten: list[AuditEvent], audit_checkpoint_file: Path) -> None:
    AuditCheckpoint.objects.filter(size=10).delete()
    assert "the file goes on with checkpoint 10" in found()
    audit_checkpoint_file.write_text("".join(records(audit_checkpoint_file)[:-1]))
    assert found().startswith(f"{named(ten, 8)} stands in the tree where no checkpoint covers it")


def test_a_copy_restored_from_before(ten: list[AuditEvent]) -> None:
    """The tables as they were at size 4, and the portal went on with other events."""
    cut_to(ten, 4)
    write_events(3)
    assert "the file goes on with checkpoint 8" in found()
    with pytest.raises(sealing.LogBroken):
        sealing.seal_now()


def test_a_copy_restored_from_before_and_sealed_on_elsewhere(
    ten: list[AuditEvent], audit_checkpoint_file: Path
) -> None:
    """The file was put away while the portal sealed on, and comes back."""
    kept = audit_checkpoint_file.read_bytes()
    cut_to(ten, 4)
    audit_checkpoint_file.unlink()
    write_events(4)
    sealing.seal_now()
    assert found() == ""
    audit_checkpoint_file.write_bytes(kept)
    assert found() == "checkpoint 8 is not the next one in the file, which has 8"


def test_a_row_inserted_by_hand(ten: list[AuditEvent]) -> None:
    row = row_of(ten[5])
    row.id, row.mac = ids.uuid7(), "0" * 64
    row.save(force_insert=True)
    assert found().startswith(f"event {row.id} (not sealed yet) was inserted or edited by hand")


def test_a_row_copied_from_a_good_one(ten: list[AuditEvent]) -> None:
    row = row_of(ten[5])
    row.id = ids.uuid7()
    row.save(force_insert=True)
    assert found().startswith(f"event {row.id} (not sealed yet) was inserted or edited by hand")


def test_a_row_inserted_by_hand_and_sealed(ten: list[AuditEvent]) -> None:
    row = row_of(ten[5])
    row.id = ids.uuid7()
    row.save(force_insert=True)
    assert sealing.seal_now() == 1
    assert found().startswith(f"event {row.id} (position 10) was inserted or edited by hand before it was sealed")


def test_a_row_inserted_into_the_tree(ten: list[AuditEvent]) -> None:
    """With a good MAC and a leaf of its own, the others moved on."""
    extra = write_event()
    for position in reversed(range(5, 10)):
        AuditLeaf.objects.filter(position=position).update(position=position + 1)
    AuditLeaf.objects.create(position=5, event_id=extra.pk, leaf_hash=leaf_of(extra))
    assert found() == f"{named(ten, 5).replace('position 5', 'position 6')} was reordered"


@pytest.mark.parametrize("position", [-1, 10, 1000])
def test_a_row_hidden_behind_a_leaf_outside_the_tree(ten: list[AuditEvent], position: int) -> None:
    row = row_of(ten[5])
    row.id = ids.uuid7()
    row.save(force_insert=True)
    AuditLeaf.objects.create(position=position, event_id=row.id, leaf_hash="0" * 64)
    assert found() == f"event {row.id} (position {position}) stands in the tree where no checkpoint covers it"


def exchange(first: int, second: int) -> None:
    for old, new in ((first, -1), (second, first), (-1, second)):
        AuditLeaf.objects.filter(position=old).update(position=new)


def test_two_leaves_exchanged_under_one_checkpoint(ten: list[AuditEvent]) -> None:
    exchange(5, 6)
    assert found() == f"event {ten[5].pk} (position 6) was reordered"


def test_two_leaves_exchanged_across_checkpoints(ten: list[AuditEvent]) -> None:
    exchange(3, 4)
    assert found() == (
        f"the leaves at positions 0 to 3, up to event {ten[4].pk}, were inserted, exchanged or reordered: "
        "they do not give the root"
    )


def test_two_events_that_exchanged_their_contents(ten: list[AuditEvent]) -> None:
    first, second = row_of(ten[5]), row_of(ten[6])
    first.id, second.id = second.id, first.id
    first.save(force_update=True)
    second.save(force_update=True)
    assert found().startswith(named(ten, 5))


def test_a_removed_event_that_was_not_sealed_yet_cannot_be_noticed(ten: list[AuditEvent]) -> None:
    """The limit of the design, and the reason why the window is a second long and watched."""
    unsealed = write_events(2)
    AuditEvent.objects.filter(pk=unsealed[0].pk).delete()
    report = verify()
    assert (report.problem, report.unsealed) == ("", 1)
