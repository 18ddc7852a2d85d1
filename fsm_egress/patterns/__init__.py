"""Patterns as the sidecar reads them, searched as the sidecar searches them: anywhere in a text, over bytes.

A text is read into a syntax tree (`reader.py`, `grammar.py`), and that is rendered as a Python pattern of the
same meaning (`python.py`); what cannot be is refused with the place and the reason. What plainly is a pattern
(`plain.py`) is read once it is needed. No text makes a search long: the steps for each byte are known
(`search.py`), and a pattern that would take too many is refused.
"""

from __future__ import annotations

from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

from attrs import field

from ..values.construction import frozen
from .errors import PatternError
from .plain import is_plain, may_be_literal, unescaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cost import Cost
    from .straight import Literals
    from .syntax import Node

__all__ = ["MANY", "Pattern", "PatternError", "escaped", "parse_pattern", "searchable"]

MANY = 16  # that are searched in one text, from which on what they need is looked up first (`prefilter`)


def searchable(text: str) -> str:
    """The text as patterns search it: one character for each byte of its UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


ANYTHING = ".*"  # the path of every route that names none: known without being read

KEPT = 1024  # patterns that all who parse the same text share

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

    Raises:
        PatternError: if the sidecar does not compile it, or it cannot be rendered with the same meaning, or
            a search may take too many steps for each byte of a text: the reason says how many.
    """

    text: str
    any_byte: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not (isinstance(self.text, str) and (self.text == ANYTHING or is_plain(self.text))):
            _ = self.tree  # who reads it says what is wrong

    @cached_property
    def tree(self) -> Node:
        """The syntax tree of the text."""
        from .reader import read_pattern  # noqa: PLC0415  # because most patterns are plain

        return read_pattern(self.text, any_byte=self.any_byte)

    @cached_property
    def python(self) -> str:
        """A pattern of Python's `re` that is found in the same `searchable` texts, if after a long time."""
        from .python import rendered  # noqa: PLC0415  # because who reads a mesh searches nothing

        return rendered(self.tree)

    @cached_property
    def cost(self) -> Cost:
        """An upper bound for the steps of a search by an engine that backtracks, as the sidecar's does."""
        from .cost import cost  # noqa: PLC0415  # because who only reads patterns needs no cost

        return cost(self.tree)

    @cached_property
    def find(self) -> Callable[[str], object]:
        """What searches a `searchable` text: its result is true if the pattern is found.

        The time grows with the length of the text. For most patterns, this is the search of Python's own.
        """
        from .search import finder  # noqa: PLC0415  # because who only reads patterns needs no search

        return finder(self.tree)

    def search(self, text: str) -> bool:
        """Whether the sidecar finds the pattern anywhere in the text."""
        return bool(self.find(searchable(text)))

    @cached_property
    def matches_everything(self) -> bool:
        """Whether the pattern is found in every text, as it matches nothing at its start or at its end.

        `False` says only that this has not been proved.
        """
        if self.text == ANYTHING or is_plain(self.text):
            return self.text == ANYTHING
        from .simple import is_in_every_text  # noqa: PLC0415  # because most patterns are plain

        return is_in_every_text(self.tree)

    @cached_property
    def literal(self) -> str | None:
        """The text that the pattern is, where it is nothing else: found in `text` if `literal in text`."""
        if is_plain(self.text) and "(?:" not in self.text:
            if not may_be_literal(self.text):
                return None
            if "[" not in self.text:
                return unescaped(self.text)
        from .simple import only_text  # noqa: PLC0415  # because most patterns are plain

        return only_text(self.tree)

    @cached_property
    def literals(self) -> tuple[Literals, ...]:
        """The texts that stand in whatever the pattern is found in; of alternatives, those of one."""
        from .straight import literals_of  # noqa: PLC0415  # because few patterns are searched among many

        return literals_of(self.tree)

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


@lru_cache(maxsize=KEPT)
def _parsed(text: str) -> Pattern:
    return Pattern(text)


def parse_pattern(text: str) -> Pattern:
    """A pattern of the sidecar's dialect (`pathRegex` and header regexes).

    Raises:
        PatternError: see `Pattern`.
        InvalidValue: if it is no string.
    """
    return _parsed(text) if isinstance(text, str) else Pattern(text)
