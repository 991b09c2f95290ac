"""The Merkle tree over the ledger's leaves (RFC 6962 section 2.1, RFC 9162 section 2.1): roots, proofs, and their checks.

Pure. Whoever checks a proof needs nothing but the proof; whoever makes one says where the hashes of whole subtrees come
from. A *node* is a subtree with 2**level leaves, all there, and ``at`` counts the nodes of its level from the left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

from msgspec import Struct

Node = Callable[[int, int], bytes]
"""The hash of a whole subtree by level and place; level 0 are the leaves' own hashes."""

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""


def parent(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The few subtrees that the leaves so far come to: append leaf by leaf, ask for the root at any size. 32 bytes a level."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """``hashes``: of the whole subtrees that ``size`` leaves come to, the largest first.

        Raises ValueError: they are too many or too few.
        """
        self.size = size
        self._stack = list(hashes)
        if len(self._stack) != size.bit_count():
            raise ValueError(f"{size} leaves come to {size.bit_count()} subtrees, not {len(self._stack)}")

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Of the whole subtrees, the largest first."""
        return tuple(self._stack)

    def append(self, leaf_hash: bytes) -> None:
        """One leaf more, by its hash."""
        self.add(0, leaf_hash)

    def add(self, level: int, hash: bytes) -> None:
        """A whole subtree more, where one of its size may begin. Raises ValueError: here none may."""
        at = self.size >> level
        if at << level != self.size:
            raise ValueError(f"no subtree of {1 << level} leaves begins after {self.size}")
        self.size += 1 << level
        while at & 1:
            hash = sha256(b"\1" + self._stack.pop() + hash).digest()
            at >>= 1
        self._stack.append(hash)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _bag(self._stack)


class Proof(Struct, frozen=True):
    """What a range of leaves needs to be held against a root: the subtrees before it and after it, from left to right."""

    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


def spans(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The whole subtrees (level, place) that together are the leaves [low, high), as few as can be, from left to right."""
    while low < high:
        level = (high - low).bit_length() - 1
        if low:
            level = min(level, (low & -low).bit_length() - 1)
        yield level, low >> level
        low += 1 << level


def root(size: int, node: Node) -> bytes:
    """The root over the first ``size`` leaves."""
    return _bag([node(*span) for span in spans(0, size)])


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of the leaf ``index`` in the tree of ``size`` leaves (RFC 6962, 2.1.1): the nearest sibling first."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _half(high - low)
        if index < middle:
            path.append(_subtree(middle, high, node))
            high = middle
        else:
            path.append(_subtree(low, middle, node))
            low = middle
    return path[::-1]


def included(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf stands at ``index`` of the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = parent(sibling, found)
            if not at & 1:
                while at and not at & 1:
                    at, last = at >> 1, last >> 1
        else:
            found = parent(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistency(first: int, second: int, node: Node) -> list[bytes]:
    """The proof that the tree of ``first`` leaves is the beginning of the one of ``second`` (RFC 6962, 2.1.2)."""
    if not 0 < first <= second:
        raise ValueError(f"{first} leaves are no beginning of {second}")
    path, low, high, known = [], 0, second, True
    while high != first:
        middle = low + _half(high - low)
        if first <= middle:
            path.append(_subtree(middle, high, node))
            high = middle
        else:
            path.append(_subtree(low, middle, node))
            low, known = middle, False
    if not known:
        path.append(_subtree(low, high, node))
    return path[::-1]


def consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the tree of ``second`` leaves goes on from the one of ``first`` (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and first_root == second_root
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for hash in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = parent(hash, old), parent(hash, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = parent(new, hash)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def around(low: int, high: int, size: int, node: Node) -> Proof:
    """What the leaves [low, high) need to be held against the root of the tree of ``size``."""
    return Proof(tuple(node(*s) for s in spans(0, low)), tuple(node(*s) for s in spans(high, size)))


def finish(frontier: Frontier, after: Sequence[bytes], size: int) -> bytes | None:
    """The root of ``size`` leaves, of which a frontier holds the first and ``after`` the rest; None: they are too many or few."""
    whole = Frontier(frontier.size, frontier.hashes)
    wanted = list(spans(frontier.size, size))
    if len(wanted) != len(after) or frontier.size > size:
        return None
    for (level, _), hash in zip(wanted, after, strict=True):
        whole.add(level, hash)
    return whole.root()


def grown(hashes: Sequence[bytes], level: int = 0) -> dict[tuple[int, int], bytes]:
    """All whole subtrees over ``hashes``, the first nodes of ``level``, by level and place."""
    found = {(level, at): hash for at, hash in enumerate(hashes)}
    row = list(hashes)
    while len(row) > 1:
        level += 1
        row = [sha256(b"\1" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
        found.update({(level, at): hash for at, hash in enumerate(row)})
    return found


def _half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(low: int, high: int, node: Node) -> bytes:
    return _bag([node(*span) for span in spans(low, high)])


def _bag(hashes: Sequence[bytes]) -> bytes:
    """One hash over subtrees of falling size."""
    if not hashes:
        return EMPTY
    found = hashes[-1]
    for hash in reversed(hashes[:-1]):
        found = parent(hash, found)
    return found
