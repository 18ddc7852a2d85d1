"""Patterns as the sidecar reads them, searched as the sidecar searches them: anywhere in a text, over bytes.

A text is read into a syntax tree (`pattern_reader.py`), and that is rendered as a Python pattern of the same
meaning (`pattern_python.py`); what cannot be is refused with the place and the reason.
"""

from __future__ import annotations

import re
from functools import cached_property, partial
from operator import eq
from typing import Any

from attrs import Factory, field, frozen

from .pattern_captures import matches_empty
from .pattern_python import rendered
from .pattern_reader import PatternError, read_pattern
from .pattern_tree import Assertion, AssertionKind, Chars, Node, Sequence

__all__ = ["Pattern", "PatternError", "escaped", "parse_pattern", "searchable"]


def searchable(text: str) -> str:
    """The text as patterns search it: one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


_SPECIAL = {ord(char): f"\\{char}" for char in r"^$\.*+?()[]{}|"}


def escaped(text: str) -> str:
    """The pattern that is found wherever the text is."""
    return text.translate(_SPECIAL)


@frozen(repr=False)
class Pattern:
    """A pattern of the sidecar's dialect; equal to another if the texts are equal.

    Attributes:
        text: the pattern as it is written.
        any_byte: whether its characters stand for bytes, beyond ASCII too: of a `searchable` pattern.
        tree: its syntax tree.
        python: a pattern of Python's `re` that is found in the same texts (made `searchable`).

    Raises:
        PatternError: if the sidecar does not compile it, or it cannot be rendered with the same meaning.
    """

    text: str
    any_byte: bool = field(default=False, kw_only=True)
    tree: Node = field(
        init=False,
        eq=False,
        default=Factory(lambda self: read_pattern(self.text, any_byte=self.any_byte), takes_self=True),
    )
    python: str = field(
        init=False, eq=False, default=Factory(lambda self: rendered(self.tree), takes_self=True)
    )

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.python)

    def compiled(self) -> re.Pattern[str]:
        """The Python pattern, compiled at the first call; search `searchable` texts with it."""
        return self._compiled

    def search(self, text: str) -> bool:
        """Whether the sidecar finds the pattern anywhere in the text."""
        return self._compiled.search(searchable(text)) is not None

    @property
    def matches_everything(self) -> bool:
        """Whether the pattern is found in every text, as it matches nothing at its start or at its end.

        `False` says only that this has not been proved.
        """
        return any(
            matches_empty(self.tree, partial(eq, Assertion(kind)))
            for kind in (AssertionKind.START, AssertionKind.END)
        )

    @property
    def literal(self) -> str | None:
        """The text that the pattern is, where it is nothing else: found in `text` if `literal in text`."""
        items = self.tree.items if isinstance(self.tree, Sequence) else (self.tree,)
        sets = [item.members for item in items if isinstance(item, Chars) and len(item.members) == 1]
        letters = bytes(byte for members in sets for byte in members)
        return letters.decode() if len(letters) == len(items) and letters.isascii() else None

    @classmethod
    def of_bytes(cls, text: str) -> Pattern:
        """The pattern as the sidecar reads it, byte by byte of its UTF-8; what the loader refuses too.

        Raises:
            PatternError: the sidecar does not compile it; or, where the error is `ours`, its meaning there
                cannot be rendered.
        """
        return cls(text) if text.isascii() else cls(searchable(text), any_byte=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return (partial(type(self), any_byte=True) if self.any_byte else type(self)), (self.text,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"


def parse_pattern(text: str) -> Pattern:
    """A pattern of the sidecar's dialect (`spec/resources.md`, `pathRegex` and header regexes).

    Raises:
        PatternError: if the sidecar does not compile it, or it cannot be rendered with the same meaning.
        InvalidValue: if it is no string.
    """
    return Pattern(text)
