"""Which texts count where patterns are searched: paths, the values of headers, hosts."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from . import syntax
from .machines import SPELLED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .straight import Match

__all__ = ["Texts", "smallest_with", "trees_of"]


class Texts(Enum):
    """Which texts count."""

    PATH = "path"
    """A request's path with query: not empty, without spaces and control characters of ASCII."""

    VALUE = "value"
    """A header's value: without control characters of ASCII other than tabs."""

    HOST = "host"
    """A Host header: empty, or without spaces and control characters of ASCII."""


def _run(first: int, last: int) -> syntax.Chars:
    return syntax.Chars(frozenset(range(first, last + 1)))


def _characters(ascii_bytes: frozenset[int]) -> syntax.Node:
    """One character, of these or beyond ASCII, in valid UTF-8."""
    tail = _run(0x80, 0xBF)
    beyond = (
        (_run(0xC2, 0xDF), tail),
        (_run(0xE0, 0xE0), _run(0xA0, 0xBF), tail),
        (syntax.Chars(_run(0xE1, 0xEF).members - {0xED}), tail, tail),
        (_run(0xED, 0xED), _run(0x80, 0x9F), tail),
        (_run(0xF0, 0xF0), _run(0x90, 0xBF), tail, tail),
        (_run(0xF1, 0xF3), tail, tail, tail),
        (_run(0xF4, 0xF4), _run(0x80, 0x8F), tail, tail),
    )
    return syntax.Alternation((syntax.Chars(ascii_bytes), *map(syntax.Sequence, beyond)))


_SLASH = ord("/")
_ASCII: dict[Texts, frozenset[int]] = {
    Texts.PATH: syntax.CLASSES["graph"],
    Texts.VALUE: syntax.CLASSES["print"] | syntax.CLASSES["blank"],
    Texts.HOST: syntax.CLASSES["graph"],
}


def trees_of(texts: Texts) -> tuple[syntax.Node, ...]:
    """What matches the texts that count; of paths, first those that people write."""
    character = _characters(_ASCII[texts])
    if texts is not Texts.PATH:
        return (syntax.Repeat(character, 0, None),)
    first = syntax.Chars(frozenset({_SLASH}))
    return syntax.Sequence((first, syntax.Repeat(character, 0, None))), syntax.Repeat(character, 1, None)


@lru_cache(maxsize=256)
def _least(members: frozenset[int], counted: frozenset[int]) -> str:
    """The first of these bytes that count, in the order of bytes; nothing if none does."""
    return next((chr(byte) for byte in SPELLED if byte in members and byte in counted), "")


def smallest_with(matches: Iterable[Match], texts: Texts) -> str | None:
    """The smallest text with one of these matches; None if there is none."""
    found = [text for match in matches for text in (_smallest(match, texts),) if text is not None]
    if texts is Texts.PATH and any(text.startswith("/") for text in found):
        found = [text for text in found if text.startswith("/")]
    return min(found, key=_size, default=None)


def _size(text: str) -> tuple[int, list[int]]:
    """By what texts are compared."""
    return len(text), [SPELLED.index(byte) for byte in text.encode()]


def _smallest(match: Match, texts: Texts) -> str | None:
    counted = _ASCII[texts]
    letters = [_least(members, counted) for members in match.sets]
    if not all(letters):
        return None
    text = "".join(letters)
    if texts is not Texts.PATH:
        return text
    if any(_SLASH in members for members in match.sets[:1]):
        return f"/{text[1:]}"
    return text if match.at_start else f"/{text}"
