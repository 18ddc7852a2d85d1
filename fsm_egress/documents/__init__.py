"""Texts -> JSON trees with the place of every value: JSON and YAML, strictly, in bounded time and memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ..values.errors import MAX_PROBLEMS, InvalidValue, MissingExtra, Problem
from .base import (
    MAX_DIGITS,
    Bounds,
    Document,
    Unreadable,
    end_of,
    is_scalar,
    measured,
    number_flaw,
    too_deep,
    unreadable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..values.references import Mark
    from .json_items import Take

__all__ = [
    "MAX_DEPTH",
    "MAX_DIGITS",
    "MAX_NODES",
    "MAX_TEXT",
    "Document",
    "excess",
    "is_scalar",
    "number_flaw",
    "places_in",
    "read_at_once",
    "read_text",
    "size_of",
    "too_deep",
]

MAX_TEXT = 64 * 2**20  # bytes of one text
MAX_DEPTH = 64  # levels of one tree: Kubernetes' own resources stay far below
MAX_NODES = 5_000_000  # values of one tree, each alias counted with all that it stands for
MAX_PATH = 1024  # characters of a path: what is deeper stands at the place of what holds it
MAX_PLACES = 2**27  # characters of all paths of one document whose places are kept
MAX_DOCUMENTS = 200_000  # of one text: each costs more than what it says
MAX_ALIASED = 2**22  # values of one text, and characters in them, that its aliases stand for

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LIKE_JSON = re.compile(r"\s*[{[]")


def read_text(content: bytes | str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a text, and what kept the rest of it from being read.

    It is read as `kubectl` reads files, by its looks: as JSON if it is that, or as objects of JSON one after
    another; else as YAML. Only what is no YAML either is held against the JSON that the name promises.

    Raises:
        MissingExtra: the text is YAML, and PyYAML is not installed.
    """
    try:
        return _read(_decoded(content, name), name)
    except Unreadable as error:
        return (), error.problems


def _read(text: str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    looks_like_json = _LIKE_JSON.match(text) is not None
    is_called_json = name.endswith(".json")
    if not (is_called_json or looks_like_json):
        return _read_yaml(text, name)
    from .json_text import EXTRA, JSON, read_json, read_json_stream  # noqa: PLC0415  # because YAML is read without them

    try:
        return (read_json(text, name, _bounds()),), ()
    except Unreadable as error:
        if error.problem.expected != JSON:
            raise
        flaw = error
    has_more = flaw.problem.reason == EXTRA
    if has_more:
        documents, problems = read_json_stream(text, name, _bounds())
        if len(documents) > 1 or not problems:
            return documents, problems
    if not is_called_json:
        return _read_yaml(text, name)
    found = _mappings(text, name)
    if not found:
        raise flaw
    return found, ()


def _read_yaml(text: str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    from .yaml_text import read_yaml  # noqa: PLC0415  # because JSON is read without it

    return read_yaml(text, name, _bounds())


def _mappings(text: str, name: str) -> tuple[Document, ...]:
    """The documents of a text that is YAML whatever its name says, if that is what it is."""
    try:
        documents, problems = _read_yaml(text, name)
    except (Unreadable, MissingExtra):
        return ()
    is_yaml = not problems and all(isinstance(it.value, dict) for it in documents if it.value is not None)
    return documents if is_yaml else ()


def read_at_once(content: bytes | str, name: str, take: Take) -> tuple[dict[str, Any], int] | None:
    """The object that a JSON text is, without the items of its list `items`: `take` gets each of them.

    This is the quick way for texts without flaws. It does not look for them, but proves that there are none,
    and leaves the text to `read_text` where it cannot. Whoever takes the items has two things left to prove:
    that they are not nested too deep, and that no key stands twice anywhere. The strings prove that: a pair
    is not counted if another one has put its own value in its place.

    Args:
        content: the text.
        name: what it is called.
        take: gets each item, and the index of its first character in the text.

    Returns:
        The object, in which `items` is empty, and how many strings the items hold, keys among them, if no key
        stands twice. Or None, for a text of which it is not known that it has no flaws.

    Raises:
        Exception: what `take` raises.
    """
    from .json_text import read_json_at_once  # noqa: PLC0415  # because mappings are read without texts

    try:
        text = _decoded(content, name)
    except Unreadable:
        return None
    return read_json_at_once(text, _bounds(), take) if _LIKE_JSON.match(text) else None


def places_in(content: bytes | str, name: str) -> Mapping[str, Mark]:
    """The place of each value of a text that `read_at_once` has read, by its path."""
    from .json_places import Places  # noqa: PLC0415  # because mappings are read without texts

    return Places(_decoded(content, name), _bounds())


def excess(value: Any) -> str | None:
    """Which bound a tree breaks, as what was expected, or None; one that holds itself breaks one too."""
    return measured(value, _bounds())[2]


def size_of(value: Any) -> tuple[int, int]:
    """How many strings a tree holds, keys among them, and of how many levels it is.

    Raises:
        InvalidValue: it breaks a bound.
    """
    strings, levels, broken = measured(value, _bounds())
    if broken:
        raise InvalidValue(Problem(broken, "more"))
    return strings, levels


def _bounds() -> Bounds:
    return Bounds(MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, MAX_PATH, MAX_PLACES, MAX_DOCUMENTS, MAX_ALIASED)


def _decoded(content: bytes | str, name: str) -> str:
    if len(content) > MAX_TEXT:
        raise unreadable(name, f"at most {MAX_TEXT // 2**20} MiB", "more")
    if isinstance(content, str):
        lone = None if content.isascii() else _LONE_SURROGATE.search(content)
        if lone:
            found = f"the lone surrogate `U+{ord(lone[0]):04X}`"
            raise unreadable(name, "Unicode", found, end_of(content[: lone.start()]))
        return content.removeprefix("\ufeff")
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise unreadable(name, "UTF-8", "UTF-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        found = f"the byte `0x{content[error.start]:02x}`"
        raise unreadable(name, "UTF-8", found, end_of(before)) from None
