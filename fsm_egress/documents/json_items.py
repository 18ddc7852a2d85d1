"""JSON texts by Python's own scanner: the items of a `List` one at a time, and how many strings there are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from .base import MAX_DIGITS, number_flaw

__all__ = ["Flawed", "Integers", "Take", "decoder", "members", "strings_of"]

Take: TypeAlias = Callable[[Any, int], object]
_Scan: TypeAlias = Callable[[str, int], "tuple[Any, int]"]

_SPACE = "[ \t\n\r]*"
_BEGIN, _COLON, _COMMA, _BRACKET, _END = (
    re.compile(_SPACE + mark + _SPACE) for mark in (r"\{", ":", ",", r"\[", r"\}")
)
_CLOSED = re.compile(_SPACE + r"\]")
_ESCAPED = re.compile(r'\\["\\]')
_REMEMBERED = 10_000  # numbers of one text: ports are few


class Flawed(ValueError):
    """The text holds a number that is not kept, or is not what it was taken for."""


class Integers(dict[str, int]):
    """The integers of a text by their spelling: as most stand there many times, each is made once."""

    def __missing__(self, text: str) -> int:
        if len(text) > MAX_DIGITS:
            raise Flawed
        value = int(text)
        if len(self) < _REMEMBERED:
            self[text] = value
        return value


def _good_float(text: str) -> float:
    if number_flaw(text):
        raise Flawed
    return float(text)


def decoder() -> Any:
    """A `JSONDecoder` that raises `Flawed` for a number that is not kept; of equal keys it keeps the last."""
    return json.JSONDecoder(
        parse_int=Integers().__getitem__, parse_float=_good_float, parse_constant=_good_float
    )


def strings_of(text: str) -> int:
    """How many strings stand in a JSON text, keys among them; its tree has less if a key stands twice."""
    if "\\" in text:
        text = _ESCAPED.sub("", text)
    return text.count('"') // 2


def members(text: str, take: Take) -> dict[str, Any]:
    """The object that a JSON text is, without the items of its list `items`: `take` gets each with its place.

    So an item can be read and forgotten before the next one is made.

    Raises:
        ValueError, StopIteration, RecursionError: the text is not JSON, is no object, or has flaws; that keys
            stand twice inside its members is not seen.
    """
    scan: _Scan = decoder().scan_once
    found: dict[str, Any] = {}
    at = _after(_BEGIN, text, 0)
    while True:
        key, at = scan(text, at)
        if type(key) is not str or key in found:
            raise Flawed
        at = _after(_COLON, text, at)
        if key == "items" and text.startswith("[", at):
            at = _items(text, at, scan, take)
            found[key] = []
        else:
            found[key], at = scan(text, at)
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    if _after(_END, text, at) != len(text):
        raise Flawed
    return found


def _items(text: str, at: int, scan: _Scan, take: Take) -> int:
    at = _after(_BRACKET, text, at)
    if text.startswith("]", at):
        return at + 1
    between = ", "
    while True:
        item, end = scan(text, at)
        take(item, at)
        if not text.startswith(between, end):
            comma = _COMMA.match(text, end)
            if comma is None:
                return _after(_CLOSED, text, end)
            between = comma[0]  # most likely that of the others, too
        at = end + len(between)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    if match is None:
        raise Flawed
    return match.end()
