"""Every event of every tree leads to the root that was signed."""

import pytest

from portal.api.tests.doors import at_most
from portal.audit import merkle, sealing
from portal.audit.inclusion import inclusion_of
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.tests.factories import write_event, write_events

pytestmark = pytest.mark.django_db

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(40)]


def root_of(start: int, end: int) -> bytes:
    tree = merkle.Tree()
    for leaf in LEAVES[start:end]:
        tree.append(leaf)
    return tree.root()


def test_each_leaf_of_each_tree_leads_to_its_root() -> None:
    for size in range(1, len(LEAVES)):
        for position in range(size):
            path = merkle.inclusion_path(position, size, root_of)
            assert merkle.root_from_path(LEAVES[position], position, size, path) == root_of(0, size)


def test_no_other_path_place_or_leaf_does() -> None:
    path = merkle.inclusion_path(5, 13, root_of)
    root = root_of(0, 13)
    assert merkle.root_from_path(LEAVES[6], 5, 13, path) != root
    assert merkle.root_from_path(LEAVES[5], 4, 13, path) != root
    assert merkle.root_from_path(LEAVES[5], 5, 13, path[:-1]) is None
    assert merkle.root_from_path(LEAVES[5], 5, 13, [*path, root]) is None
    assert merkle.root_from_path(LEAVES[5], 13, 13, path) is None
    assert merkle.root_from_path(LEAVES[5], -1, 13, path) is None
    for at in range(len(path)):
        assert merkle.root_from_path(LEAVES[5], 5, 13, [*path[:at], LEAVES[0], *path[at + 1 :]]) != root


@pytest.mark.parametrize("batches", [(1,), (3,), (4, 4, 2), (1, 2, 4, 7, 1), (6, 1, 6), (12, 4)])
def test_the_log_proves_each_of_its_events(batches: tuple[int, ...]) -> None:
    events: list[AuditEvent] = []
    for number in batches:
        events += write_events(number)
        sealing.seal_now()
    for event in events:
        found = inclusion_of(event)
        assert found is not None  # it checks its own path against the signed root
        leaf = merkle.leaf_hash(found.leaf.encode()).hex()
        assert AuditLeaf.objects.get(position=found.position).leaf_hash == leaf
    assert AuditCheckpoint.objects.count() == len(batches)


def test_what_is_not_sealed_has_no_proof() -> None:
    assert inclusion_of(write_event()) is None


def test_it_costs_the_same_however_long_the_log() -> None:
    write_events(3)
    sealing.seal_now()
    for number in (2, 30):
        event = write_events(number)[0]
        sealing.seal_now()
        with at_most(5):
            assert inclusion_of(event) is not None


def test_a_log_that_was_changed_proves_nothing(ten: list[AuditEvent]) -> None:
    AuditLeaf.objects.filter(position=4).update(leaf_hash="0" * 64)
    with pytest.raises(sealing.LogBroken, match="does not lead to the root"):
        inclusion_of(ten[5])
    AuditLeaf.objects.filter(position=4).delete()
    with pytest.raises(sealing.LogBroken, match="position 4 is missing"):
        inclusion_of(ten[5])


def test_a_forged_checkpoint_proves_nothing(ten: list[AuditEvent]) -> None:
    AuditCheckpoint.objects.filter(size=10).update(note="nothing")
    with pytest.raises(sealing.LogBroken, match="size 10 was changed"):
        inclusion_of(ten[9])
