"""The Merkle tree of RFC 6962 2.1, grown leaf by leaf. Pure functions on bytes.

A tree of n leaves is kept as its frontier: the roots of the full subtrees that its size is made of, largest
first, one for each 1 in the binary form of n. Adding a leaf needs nothing else.
"""

import hashlib
from collections.abc import Iterable

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
