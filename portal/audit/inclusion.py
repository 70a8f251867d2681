"""That an event stands in the log: its place in the tree, and the path from it to a root that we signed.

Nobody needs our database or a secret key to check it: `docs/check_evidence.py` does.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portal.audit import encoding, merkle, notes
from portal.audit.models import AuditCheckpoint, AuditEvent, AuditLeaf
from portal.audit.sealing import LogBroken, signing_key


@dataclass(frozen=True)
class Inclusion:
    """One event in the log.

    leaf: the very text that the tree's leaf is a hash of. path: hashes in hex, the nearest sibling first. checkpoint:
    the signed text of the first state of the tree that has the leaf.
    """

    leaf: str
    position: int
    path: tuple[str, ...]
    checkpoint: str


def inclusion_of(event: AuditEvent) -> Inclusion | None:
    """The event's place, proved; None until it is sealed, which takes about a second.

    At most six queries and as many leaves as one checkpoint added, however long the log. Raises LogBroken where the
    tree is not the one that was signed.
    """
    leaf = AuditLeaf.objects.filter(event_id=event.pk).first()
    if leaf is None:
        return None
    checkpoint = AuditCheckpoint.objects.filter(size__gt=leaf.position).order_by("size").first()
    if checkpoint is None:
        return None
    row = encoding.rows_of(AuditEvent.objects.filter(pk=event.pk)).get()
    data = encoding.leaf_data(encoding.encode(row), row[-1])
    path = merkle.inclusion_path(leaf.position, checkpoint.size, _Roots(leaf.position, checkpoint.size).root_of)
    _require_signed(merkle.leaf_hash(data), leaf.position, path, checkpoint)
    return Inclusion(data.decode("ascii"), leaf.position, tuple(part.hex() for part in path), checkpoint.note)


def signing_key_pem() -> str:
    """The public half of the key that signs checkpoints, as `openssl` reads it."""
    public = signing_key().public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _require_signed(leaf: bytes, position: int, path: list[bytes], checkpoint: AuditCheckpoint) -> None:
    try:
        notes.check(checkpoint.note, signing_key().public_key())
        signed = notes.read(checkpoint.note)
    except notes.BadNote as bad:
        raise LogBroken(f"the checkpoint of size {checkpoint.size} was changed: {bad}") from None
    if merkle.root_from_path(leaf, position, signed.size, path) != signed.root:
        raise LogBroken(f"the leaf at position {position} does not lead to the root that was signed")


class _Roots:
    """Roots of subtrees of one tree, from what the checkpoint before it left and the leaves that came since.

    A subtree that the leaf at `position` is not in either ends at the checkpoint before, and is then one of its
    frontier, or it reaches past it, and is then put together from its two halves.
    """

    def __init__(self, position: int, size: int) -> None:
        before = AuditCheckpoint.objects.filter(size__lte=position).order_by("-size").first()
        start = before.size if before else 0
        rows = AuditLeaf.objects.filter(position__gte=start, position__lt=size)
        leaves = rows.order_by("position").values_list("position", "leaf_hash")
        self._known = {(at, at + 1): bytes.fromhex(digest) for at, digest in leaves}
        self._known |= _frontier(before) if before else {}

    def root_of(self, start: int, end: int) -> bytes:
        known = self._known.get((start, end))
        if known is not None:
            return known
        if end - start < 2:
            raise LogBroken(f"the leaf at position {start} is missing")
        middle = start + merkle.split(end - start)
        return merkle.node_hash(self.root_of(start, middle), self.root_of(middle, end))


def _frontier(checkpoint: AuditCheckpoint) -> dict[tuple[int, int], bytes]:
    """The full subtrees of a tree with the leaves they are over, the largest first."""
    found, start, left = {}, 0, checkpoint.size
    for part in checkpoint.frontier.split():
        size = 1 << (left.bit_length() - 1)
        found[start, start + size] = bytes.fromhex(part)
        start, left = start + size, left - size
    return found
