"""The Merkle tree: the values that the RFCs' own implementations agree on, and a naive tree beside ours."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.store.chain import leaf_hash
from demitasse.store.tree import (
    EMPTY,
    Frontier,
    around,
    consistency,
    consistent,
    finish,
    grown,
    included,
    inclusion,
    root,
    spans,
)

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The test tree of Certificate Transparency's reference implementation: its eight leaves, and the root at each size."""
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
AT_8 = grown(HASHES)


def node_of(hashes):
    found = grown(hashes)
    return lambda level, at: found[level, at]


def naive(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) <= 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole=whole), naive(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], whole=False), naive(leaves[:k])]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_implementation(size):
    frontier = Frontier()
    for hash in HASHES[:size]:
        frontier.append(hash)
    assert frontier.root().hex() == ROOTS[size - 1]
    assert root(size, lambda level, at: AT_8[level, at]).hex() == ROOTS[size - 1]


def test_a_tree_without_leaves_has_the_hash_of_nothing():
    assert (
        Frontier().root() == EMPTY == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


def test_paths_are_those_of_the_reference_implementation():
    """RFC 6962, 2.1.3, draws this tree of seven: d0's path is [b, h, l], d3's [c, g, l], d4's [f, j, k], d6's [i, k]."""
    b, f, i = HASHES[1], HASHES[5], AT_8[1, 2]
    c, g, h, j, k = HASHES[2], AT_8[1, 0], AT_8[1, 1], HASHES[6], AT_8[2, 0]
    line = sha256(b"\1" + i + j).digest()
    node = node_of(HASHES[:7])
    assert inclusion(0, 7, node) == [b, h, line]
    assert inclusion(3, 7, node) == [c, g, line]
    assert inclusion(4, 7, node) == [f, j, k]
    assert inclusion(6, 7, node) == [i, k]


def test_consistency_is_that_of_the_reference_implementation():
    """RFC 6962, 2.1.3: hash0 to hash at 3 leaves is [c, d, g, l], at 4 [l], at 6 [i, j, k]."""
    c, d, g, i, j, k = HASHES[2], HASHES[3], AT_8[1, 0], AT_8[1, 2], HASHES[6], AT_8[2, 0]
    line = sha256(b"\1" + i + j).digest()
    node = node_of(HASHES[:7])
    assert consistency(3, 7, node) == [c, d, g, line]
    assert consistency(4, 7, node) == [line]
    assert consistency(6, 7, node) == [i, j, k]


leaves_of = st.integers(1, 70).map(lambda n: [b"%d" % i for i in range(n)])


@given(leaves_of, st.data())
def test_proofs_are_the_naive_ones_and_nothing_else_is_one(leaves, data):
    hashes = [leaf_hash(leaf) for leaf in leaves]
    node, size = node_of(hashes), len(leaves)
    assert root(size, node) == naive(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(index, size, node)
    assert path == naive_path(index, leaves)
    assert included(hashes[index], index, size, path, naive(leaves))
    assert not included(
        hashes[index] if size == 1 else hashes[index - 1], index, size + (size == 1), path, naive(leaves)
    )
    assert not included(hashes[index], index, size, [*path, bytes(32)], naive(leaves))
    if path:
        assert not included(hashes[index], index, size, path[:-1], naive(leaves))
        spoilt = data.draw(st.integers(0, len(path) - 1))
        bad = [bytes(32) if at == spoilt else hash for at, hash in enumerate(path)]
        assert not included(hashes[index], index, size, bad, naive(leaves))
    first = data.draw(st.integers(1, size))
    grew = consistency(first, size, node)
    assert grew == naive_proof(first, leaves)
    assert consistent(first, size, naive(leaves[:first]), naive(leaves), grew)
    assert not consistent(first, size, bytes(32), naive(leaves), grew)
    assert not consistent(first, size, naive(leaves[:first]), bytes(32), grew)
    assert not consistent(first, size, naive(leaves[:first]), naive(leaves), [*grew, bytes(32)])


@given(leaves_of, st.data())
def test_a_range_and_what_is_around_it_come_to_the_root(leaves, data):
    hashes, size = [leaf_hash(leaf) for leaf in leaves], len(leaves)
    low = data.draw(st.integers(0, size - 1))
    high = data.draw(st.integers(low + 1, size))
    proof = around(low, high, size, node_of(hashes))
    frontier = Frontier(low, proof.before)
    for hash in hashes[low:high]:
        frontier.append(hash)
    assert finish(frontier, proof.after, size) == naive(leaves)
    assert finish(frontier, [*proof.after, bytes(32)], size) is None
    assert frontier.root() == naive(leaves[:high]), "the frontier of a range knows the root at its end"


@given(st.integers(0, 300), st.integers(0, 300))
def test_spans_cover_a_range_once_and_in_order(a, b):
    low, high = min(a, b), max(a, b)
    covered = [i for level, at in spans(low, high) for i in range(at << level, (at + 1) << level)]
    assert covered == list(range(low, high))


def test_a_frontier_of_another_size_is_refused():
    with pytest.raises(ValueError, match="come to 2 subtrees"):
        Frontier(3, [bytes(32)])
    with pytest.raises(ValueError, match="no subtree of 4 leaves begins after 2"):
        Frontier(2, [bytes(32)]).add(2, bytes(32))
