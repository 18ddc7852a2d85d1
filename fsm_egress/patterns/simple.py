"""Patterns of the simplest meanings: found in every text, or wherever one text is."""

from __future__ import annotations

from functools import partial
from operator import eq
from typing import TYPE_CHECKING

from .captures import matches_empty
from .syntax import Assertion, AssertionKind, Chars, Sequence

if TYPE_CHECKING:
    from .syntax import Node

__all__ = ["is_in_every_text", "only_text"]


def is_in_every_text(tree: Node) -> bool:
    """Whether the pattern matches nothing at the start or at the end of a text; `False` proves nothing."""
    ends = (AssertionKind.START, AssertionKind.END)
    return any(matches_empty(tree, partial(eq, Assertion(kind))) for kind in ends)


def only_text(tree: Node) -> str | None:
    """The text that the pattern is, where it is nothing else, and that of ASCII."""
    items = tree.items if isinstance(tree, Sequence) else (tree,)
    sets = [item.members for item in items if isinstance(item, Chars) and len(item.members) == 1]
    letters = bytes(byte for members in sets for byte in members)
    return letters.decode() if len(letters) == len(items) and letters.isascii() else None
