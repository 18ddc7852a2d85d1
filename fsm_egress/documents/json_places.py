"""The place of every value of a JSON text by its path, looked for when it is asked for."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeAlias

from attrs import define, field

from ..values.references import Mark
from .base import STRING, Bounds
from .json_items import members

__all__ = ["KEY", "SCALAR", "Places", "walk"]

# Perhaps a key; then what opens an object or list, or what closes it, or a scalar.
_STEP = re.compile(rf'[\s,]*(?:({STRING})\s*:\s*)?(?:([\[{{])|([\]}}])|({STRING}|[^\s\[\]{{}},:"]+))')
KEY, _OPENER, _CLOSER, SCALAR = 1, 2, 3, 4
_ITEM = re.compile(r"items\[([0-9]{1,9})\]")

# A value: its path, its place (of an object or list its key's), its match, and a table of its holder's own.
Step: TypeAlias = "tuple[str, int, re.Match[str], dict[str, int]]"


def walk(text: str, bounds: Bounds, at: int = 0, path: str = "") -> Iterator[Step]:
    """Each value of a JSON text in order, or of the value at a place of it that has this path."""
    stack: list[tuple[str, int, dict[str, int]]] = []
    index = -1  # in a list, the next one's; elsewhere -1
    table: dict[str, int] = {}
    for match in _STEP.finditer(text, at):
        what = match.lastindex or 0
        if what == _CLOSER:
            path, index, table = stack.pop()
            if not stack:
                return
            continue
        key = match[KEY]
        place = match.start(what if key is None or what == SCALAR else KEY)
        inner = path
        if len(path) <= bounds.path:
            if index >= 0:
                inner = f"{path}[{index}]"
                index += 1
            elif key is not None:
                name = json.loads(key) if "\\" in key else key[1:-1]
                inner = f"{path}.{name}" if path else name
        yield inner, place, match, table
        if what == _OPENER:
            stack.append((path, index, table))
            path, index, table = inner, (0 if match[_OPENER] == "[" else -1), {}
        elif not stack:
            return


@define(eq=False)
class Places(Mapping[str, Mark]):
    """The place of each value of a JSON text by its path; of values of equal paths, that of the first.

    Of a `List`, that of an item costs no more than to find the item. The text may be a part of a longer one,
    in which it has a place of its own.
    """

    _text: str = field(repr=False)
    _bounds: Bounds = field(repr=False)
    _start: Mark = field(default=Mark(1, 1), repr=False)
    _last: tuple[int, dict[str, int]] = field(default=(-1, {}), init=False, repr=False)

    def __getitem__(self, path: str) -> Mark:
        return self.mark_at(self._around(path)[path])

    def mark_at(self, place: int) -> Mark:
        """Line and column of a place of the text."""
        line = bisect_right(self._lines, place)
        column = place - self._lines[line - 1]
        return Mark(line + self._start.line - 1, column + (self._start.column if line == 1 else 1))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and path in self._around(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the text."""
        return dict, (dict(self),)

    def _around(self, path: str) -> dict[str, int]:
        """Places by paths, among them that of this one, if it has one."""
        match = _ITEM.match(path)
        index = int(match[1]) if match else len(self._items)
        if index >= len(self._items):
            return self._all
        if self._last[0] != index:
            self._last = index, self._places(self._items[index], f"items[{index}]")
        return self._last[1]

    def _places(self, at: int, path: str) -> dict[str, int]:
        places: dict[str, int] = {}
        room = self._bounds.places
        for inner, place, _, _ in walk(self._text, self._bounds, at, path):
            places.setdefault(inner, place)
            room -= len(inner)
            if room < 0:
                break
        return places

    @cached_property
    def _all(self) -> dict[str, int]:
        return self._places(0, "")

    @cached_property
    def _items(self) -> list[int]:
        """Where the items of a `List` begin; of another text, or one with flaws, nothing."""
        places: list[int] = []
        try:
            found = members(self._text, lambda _, at: places.append(at))
        except (ValueError, StopIteration, RecursionError):
            return []
        is_clear = len("items") <= self._bounds.path and not any(_ITEM.match(key) for key in found)
        return places if is_clear else []

    @cached_property
    def _lines(self) -> list[int]:
        """Where each line begins."""
        return [0, *accumulate(len(line) + 1 for line in self._text.split("\n"))]
