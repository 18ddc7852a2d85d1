"""What the readers of texts have in common: documents, bounds, and what keeps a text from being read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from attrs import evolve

from ..values.construction import frozen
from ..values.errors import Problem
from ..values.frozen import is_unicode
from ..values.references import Mark

MAX_DIGITS = 64  # digits of a number
LETTERS = frozenset("yYnN")  # truths to kubectl alone: every other reader takes them for texts
ONE_MEANING = "a scalar of one meaning"
UNICODE = "a string of Unicode characters", "half of one, a lone surrogate"

_TOO_GREAT: int = 10**MAX_DIGITS
STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'

_BRACKET = rf"{STRING}|(?P<opens>[\[{{])|(?P<closes>[\]}}])"
_HOLDERS = (dict, list, tuple, Mapping)  # the first are seen at once
_SCALARS = {str, int, float, bool, type(None)}


@frozen
class Bounds:
    """How much is read.

    Attributes:
        depth: levels of one tree.
        nodes: values of one tree, each alias counted with all that it stands for.
        problems: mistakes of one document.
        path: characters of a path: what is deeper stands at the place of what holds it.
        places: characters of all paths of one document whose places are kept.
        documents: of one text.
        aliased: values of one text, and characters in them, that aliases stand for.
    """

    depth: int
    nodes: int
    problems: int
    path: int
    places: int
    documents: int
    aliased: int


@frozen(eq=False)
class Document:
    """One document of a text: its value, and where each part of it was written.

    Attributes:
        name: what the text is called.
        marks: the place of each value by its path, or what makes them when they are first asked for.
        problems: what is wrong with the document itself; its value stands for the rest.
    """

    name: str
    value: Any
    marks: Mapping[str, Mark] | Callable[[], Mapping[str, Mark]]
    problems: tuple[Problem, ...] = ()


class Unreadable(Exception):
    """A text or the rest of it cannot be read; never leaves this wing."""

    def __init__(self, problem: Problem, before: Iterable[Problem] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problems: tuple[Problem, ...] = (*before, problem)


def unreadable(
    name: str, expected: str, found: str = "", mark: Mark | None = None, reason: str | None = None
) -> Unreadable:
    """The error for a text of this name."""
    return Unreadable(Problem(expected, found, document=name, mark=mark, reason=reason))


def too_many(name: str, problems: list[Problem]) -> Unreadable:
    """Nothing of the document counts, as mistakes that are not listed could be anywhere.

    Nor does a problem say what stands there, as that could be a Secret.
    """
    *known, last = problems
    problem = Problem(f"at most {len(known)} mistakes", "more", document=name, mark=last.mark)
    return Unreadable(problem, (evolve(one, found="", proposal=None) for one in known))


def too_many_documents(name: str, bounds: Bounds, mark: Mark) -> Unreadable:
    """The error for a text that holds more of them than are read."""
    return unreadable(name, f"at most {bounds.documents} documents", "more", mark)


def repeated(path: str, name: str, mark: Mark, twin: Mark) -> Problem:
    """A key that stands twice."""
    found = f"it again, after line {twin.line}"
    return Problem("each key once", found, path, document=name, mark=mark)


def end_of(text: str) -> Mark:
    """The place right behind a text."""
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


def number_flaw(text: str) -> tuple[str, str] | None:
    """What was expected and found where this is a number that is not kept; None for a good one."""
    if len(text) > MAX_DIGITS:
        return f"a number of at most {MAX_DIGITS} digits", f"one of {len(text)}"
    if not isfinite(float(text)):
        return "a finite number", f"`{text}`"
    return None


def number(text: str) -> int | float | str:
    """A number of JSON or YAML; the text itself where it is none that is kept."""
    if number_flaw(text):
        return text
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def is_scalar(value: Any) -> bool:
    """Whether a value is a scalar as texts hold it: a number in bounds, a string without half a character."""
    if isinstance(value, str):
        return is_unicode(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, int):
        return -_TOO_GREAT < value < _TOO_GREAT
    return value is None


def measured(value: Any, bounds: Bounds) -> tuple[int, int, str | None]:
    """How many strings a tree holds, keys among them; of how many levels it is; and which bound it breaks.

    The bound is said as what was expected. A tree that breaks one, as one that holds itself does, is not
    measured to its end.
    """
    holders = [value] if isinstance(value, _HOLDERS) else []
    strings, nodes, levels = int(isinstance(value, str)), 1, 0
    while holders:
        if levels == bounds.depth:
            return strings, levels, f"at most {bounds.depth} levels"
        levels += 1
        inside: list[Any] = []
        for holder in holders:
            if isinstance(holder, (dict, Mapping)):
                strings += len(holder)
                inside.extend(holder.values())
            else:
                inside.extend(holder)
            if nodes + len(inside) > bounds.nodes:
                return strings, levels, f"at most {bounds.nodes} values"
        nodes += len(inside)
        strings += list(map(type, inside)).count(str)
        holders = [item for item in inside if type(item) not in _SCALARS and isinstance(item, _HOLDERS)]
    return strings, levels, None


def too_deep(text: str, depth: int) -> int | None:
    """Where the first object or list of a text of JSON begins that is nested too deep, if one is.

    How deep Python's own reader goes depends on its version, and on what has called it.
    """
    level = 0
    if text.count("[") + text.count("{") <= depth:
        return None
    for match in re.finditer(_BRACKET, text):
        level += (match.lastgroup == "opens") - (match.lastgroup == "closes")
        if level > depth:
            return match.start()
    return None
