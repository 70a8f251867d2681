"""The Merkle tree of RFC 6962 2.1, grown leaf by leaf. Pure functions on bytes.

A tree of n leaves is kept as its frontier: the roots of the full subtrees that its size is made of, largest
first, one for each 1 in the binary form of n. Adding a leaf needs nothing else.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node from its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that can only grow. `frontier` has to fit `size`; raises ValueError otherwise."""

    def __init__(self, size: int = 0, frontier: Iterable[bytes] = ()) -> None:
        self.size = size
        self._frontier = list(frontier)
        if len(self._frontier) != size.bit_count() or any(len(part) != HASH_BYTES for part in self._frontier):
            raise ValueError("the frontier does not fit the size")

    @property
    def frontier(self) -> tuple[bytes, ...]:
        return tuple(self._frontier)

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf. Each trailing 1 of the old size is a pair of equal subtrees that become one."""
        merging = self.size
        while merging & 1:
            leaf = node_hash(self._frontier.pop(), leaf)
            merging >>= 1
        self._frontier.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root: the frontier folded from the smallest subtree up."""
        if not self._frontier:
            return EMPTY_ROOT
        *larger, root = self._frontier
        for left in reversed(larger):
            root = node_hash(left, root)
        return root


def inclusion_path(position: int, size: int, root_of: Callable[[int, int], bytes]) -> list[bytes]:
    """What leads from a leaf to the root of a tree of this size, the nearest sibling first (RFC 6962 2.1.1).

    root_of: gives the root over the leaves from a position up to another, which does not belong to it.
    """
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if position < middle:
            path.append(root_of(middle, end))
            end = middle
        else:
            path.append(root_of(start, middle))
            start = middle
    return path[::-1]


def split(size: int) -> int:
    """How many leaves stand left in a tree of this size: the largest power of two below it."""
    return int(1 << ((size - 1).bit_length() - 1))


def root_from_path(leaf: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a leaf's path leads to (RFC 9162 2.1.3.2); None where the path does not fit the tree."""
    if not 0 <= position < size:
        return None
    node, last = leaf, size - 1
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return node if last == 0 else None
