"""JSON texts, read with care: each key that stands twice, number that is not kept and half of a character."""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..values.errors import Problem
from ..values.frozen import is_unicode
from ..values.references import Mark
from .base import (
    UNICODE,
    Bounds,
    Document,
    Unreadable,
    end_of,
    measured,
    number,
    number_flaw,
    repeated,
    too_deep,
    too_many,
    too_many_documents,
    unreadable,
)
from .json_items import Flawed, Take, decoder, members, strings_of
from .json_places import KEY, SCALAR, Places, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXTRA", "JSON", "read_json", "read_json_at_once", "read_json_stream"]

JSON = "JSON"
EXTRA = "extra data"  # what follows a value of JSON, in Python's words

_START = Mark(1, 1)
_SPACE = re.compile(r"[ \t\n\r]*")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_NUMBER = tuple("-0123456789NI")  # what one begins with, `NaN` and `Infinity` among them


def read_json_at_once(text: str, bounds: Bounds, take: Take) -> tuple[dict[str, Any], int] | None:
    """See `read_at_once`."""
    if _has_halves(text) or _may_have_more(text, bounds.nodes):
        return None
    try:
        found = members(text, take)
        strings, _, broken = measured(found, bounds)
    except (Flawed, json.JSONDecodeError, StopIteration, RecursionError):
        return None
    return None if broken else (found, strings_of(text) - strings)


def _has_halves(text: str) -> bool:
    """Whether there may be halves of characters, as escapes."""
    return "\\" in text and _ESCAPED_SURROGATE.search(text) is not None


def _may_have_more(text: str, nodes: int) -> bool:
    """Whether a text may hold more values: all but the first take two characters, one of them before it."""
    return len(text) > 2 * nodes and sum(map(text.count, ",[{")) >= nodes


def read_json_stream(
    text: str, name: str, bounds: Bounds
) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a text in which objects of JSON stand one after another, up to what is none."""
    documents: list[Document] = []
    start, at = _passed(_START, text, 0, 0)
    scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode
    try:
        while text.startswith("{", at):
            if len(documents) == bounds.documents:
                raise too_many_documents(name, bounds, start)
            _, end = scan(text, at)
            documents.append(read_json(text[at:end], name, bounds, start))
            start, at = _passed(start, text, at, end)
    except json.JSONDecodeError as error:
        if too_deep(text[at : error.pos], bounds.depth) is None:
            mark = Mark(error.lineno, error.colno)
            return tuple(documents), (Problem(JSON, document=name, mark=mark, reason=error.msg.lower()),)
        broken = unreadable(name, f"at most {bounds.depth} levels", "more", start)
        return tuple(documents), broken.problems
    except RecursionError:
        broken = unreadable(name, f"at most {bounds.depth} levels", "more", start)
        return tuple(documents), broken.problems
    except Unreadable as error:
        return tuple(documents), error.problems
    extra = Problem(JSON, document=name, mark=start, reason=EXTRA)
    return tuple(documents), (extra,) if at < len(text) else ()


def _passed(start: Mark, text: str, at: int, end: int) -> tuple[Mark, int]:
    """The place of the first value behind another that stands from `at` to `end`, and where it begins."""
    space = _SPACE.match(text, end)
    behind = space.end() if space else end
    last = end_of(text[at:behind])
    column = last.column + (start.column - 1 if last.line == 1 else 0)
    return Mark(start.line + last.line - 1, column), behind


def read_json(text: str, name: str, bounds: Bounds, start: Mark = _START) -> Document:
    """The document of a JSON text, which begins at a place of a longer one.

    Raises:
        Unreadable: the text is not JSON, or exceeds a bound.
    """
    value: Any = None
    problems: tuple[Problem, ...] = ()
    is_flawed, strings = False, 0
    try:
        try:
            value = decoder().decode(text)
            is_flawed = _has_halves(text)
        except Flawed:
            value = json.loads(text, parse_int=number, parse_float=number, parse_constant=number)
            is_flawed = True
        strings, _, broken = measured(value, bounds)
    except json.JSONDecodeError as error:
        if too_deep(text[: error.pos], bounds.depth) is None:
            mark = Mark(error.lineno, error.colno)
            raise unreadable(name, JSON, mark=mark, reason=error.msg.lower()) from None
        broken = f"at most {bounds.depth} levels"
    except RecursionError:
        broken = f"at most {bounds.depth} levels"
    if broken:
        deep = too_deep(text, bounds.depth)
        place = None if deep is None else end_of(text[:deep])
        raise unreadable(name, broken, "more", place if start is _START else start)
    if is_flawed or strings != strings_of(text):
        flaws = list(islice(_flaws(text, name, bounds, start), bounds.problems + 1))
        if len(flaws) > bounds.problems:
            raise too_many(name, flaws)
        problems = tuple(flaws)
    return Document(name, value, partial(Places, text, bounds, start), problems)


def _flaws(text: str, name: str, bounds: Bounds, start: Mark) -> Iterator[Problem]:
    """Keys that stand twice, numbers that are not kept, and halves of characters."""
    mark_at = Places(text, bounds, start).mark_at
    for path, place, match, last_places in walk(text, bounds):
        key = json.loads(match[KEY] or '""')
        scalar = match[SCALAR] or ""
        if match[KEY]:
            twin = last_places.get(key)
            if twin is not None:
                yield repeated(path, name, mark_at(match.start(KEY)), mark_at(twin))
            last_places[key] = match.start(KEY)
        value = json.loads(scalar) if scalar.startswith('"') else ""
        if not (is_unicode(value) and is_unicode(key)):
            yield Problem(*UNICODE, path, document=name, mark=mark_at(place))
        flaw = number_flaw(scalar) if scalar.startswith(_NUMBER) else None
        if flaw:
            yield Problem(*flaw, path, document=name, mark=mark_at(place))
