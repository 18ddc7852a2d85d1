"""How short a text can be that a pattern is found in, read off its tree."""

from __future__ import annotations

from .syntax import Alternation, Chars, Group, Node, Repeat, Sequence

__all__ = ["least_length", "least_text"]

_GOOD = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"


def least_length(node: Node) -> int:
    """The least number of bytes that a match has; what a group refers to counts as nothing."""
    match node:
        case Chars():
            return 1
        case Sequence():
            return sum(map(least_length, node.items))
        case Alternation():
            return min(map(least_length, node.options))
        case Repeat():
            return node.minimum * least_length(node.item)
        case Group():
            return least_length(node.item)
        case _:
            return 0


def least_text(node: Node) -> bytes:
    """A text of the least length that the pattern may well be found in; conditions on places are left out."""
    match node:
        case Chars():
            return bytes(
                [next((byte for byte in _GOOD if byte in node.members), min(node.members, default=0))]
            )
        case Sequence():
            return b"".join(map(least_text, node.items))
        case Alternation():
            return least_text(min(node.options, key=least_length))
        case Repeat():
            return least_text(node.item) * node.minimum
        case Group():
            return least_text(node.item)
        case _:
            return b""
