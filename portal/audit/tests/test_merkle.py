from hashlib import sha256

import pytest

from portal.audit.merkle import EMPTY_ROOT, Tree, leaf_hash, node_hash

# The leaves and roots that Certificate Transparency's implementations test themselves with.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_by_definition(leaves[:split]), root_by_definition(leaves[split:]))


def test_the_published_roots_are_met() -> None:
    tree = Tree()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.append(leaf_hash(leaf))
        assert tree.root().hex() == root


def test_every_size_up_to_130_has_the_root_of_the_definition() -> None:
    tree, leaves = Tree(), []
    assert tree.root() == EMPTY_ROOT == root_by_definition([])
    for number in range(130):
        leaves.append(number.to_bytes(2))
        tree.append(leaf_hash(leaves[-1]))
        assert (tree.size, tree.root()) == (number + 1, root_by_definition(leaves))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 21])
def test_a_tree_grows_on_from_its_frontier(size: int) -> None:
    whole = Tree()
    for number in range(size):
        whole.append(leaf_hash(bytes([number])))
    resumed = Tree(size, whole.frontier)
    for tree in (whole, resumed):
        tree.append(leaf_hash(b"next"))
    assert resumed.root() == whole.root()
    assert resumed.frontier == whole.frontier


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Tree(3, [leaf_hash(b"a")])
    with pytest.raises(ValueError, match="does not fit"):
        Tree(1, [b"short"])


def test_a_leaf_is_not_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
