"""The exception tree: every error carries what was expected and what was found, and where, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from .construction import frozen
from .enums import Word
from .references import Mark, ResourceRef, joined

__all__ = [
    "UNREADABLE",
    "Damaged",
    "FSMEgressError",
    "InvalidValue",
    "LoadError",
    "MissingExtra",
    "PatchError",
    "Problem",
    "Severity",
    "shortly",
    "show",
    "told",
]

UNREADABLE = (AttributeError, LookupError, OSError, TypeError, ValueError)
"""What a text that cannot be read raises, before anything is said about it."""

MAX_PROBLEMS = 1_000  # of one resource or text: who has more needs no longer list
MAX_TOLD = 500  # characters of a name, path or phrase in a message: longer ones are nobody's by chance
_SHOWN = 80  # characters of a found value: enough to recognise it, too few to flood a terminal


class Severity(Word):
    """How bad a problem or a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    def is_at_least(self, other: Severity) -> bool:
        """Whether it is as bad as another one, or worse."""
        ordered = list(Severity)
        return ordered.index(self) <= ordered.index(other)


class Damaged:
    """Stands for a value that Python cannot hold: text that is no UTF-8, a date far away."""


def show(value: Any) -> str:
    """A found value as an error names it: its kind where that is the surprise, short, in backticks.

    Scalars are shown in JSON's spelling; containers by their kind only, as what they hold may be secret.
    """
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, (int, float)):
        text = repr(value) if isinstance(value, float) or abs(value) < 10**_SHOWN else "out of all bounds"
        return f"the number `{text}`"
    if isinstance(value, str):
        return f"the string {shortly(value)}"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    if isinstance(value, Damaged):
        return "what is no text, or no date that there is"
    return f"a value of type `{type(value).__name__}`"


def kind_of(value: Any) -> str:
    """A found value by its kind alone, where what it says may be secret."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return show(value)
    return "a string" if isinstance(value, str) else "a number"


def shortly(text: str) -> str:
    """A text in backticks, cut where it is long, with escapes where it does not print."""
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return f"`{short}`" if short.isprintable() else f"`{short!r}`"


def told(text: str) -> str:
    """A part of a message, cut where it is very long, with escapes where it does not print.

    Names, keys and paths come from documents, and messages go to terminals, logs and other people.
    """
    short = text if len(text) <= MAX_TOLD else text[: MAX_TOLD - 1] + "…"
    if short.isprintable():
        return short
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)


@frozen
class Problem:
    """One thing that is wrong with the input, wherever it was found.

    Attributes:
        expected: what would have been right, as a phrase (`a port number from 1 to 65535`).
        found: what stands there, as a phrase (`the string `443``); empty where there is nothing to show.
        path: the field, in wire names from the resource's root (`spec.ports[0].number`).
        resource: the resource, where one is known.
        document: the name of the text it was read from, with `mark` for line and column.
        proposal: what to write instead, where that is obvious.
        reason: why, where that is not obvious.
        severity: an error keeps the resource out; a warning lets it in.
        written: what stands there to the letter, where it is read as something else.
        code: of a warning or a hint the code that it has, by which it can be left out (`FSE102`).
    """

    expected: str
    found: str = ""
    path: str = ""
    resource: ResourceRef | None = None
    document: str | None = None
    mark: Mark | None = None
    proposal: str | None = None
    reason: str | None = None
    severity: Severity = Severity.ERROR
    written: str | None = None
    code: str = ""

    @property
    def message(self) -> str:
        """What was expected, found and proposed, without the place; each in bounds, and printable."""
        text = f"expected {told(self.expected)}"
        if self.found:
            text += f", found {told(self.found)}"
        if self.proposal is not None:
            text += f"; write `{told(self.proposal)}`"
        if self.reason is not None:
            text += f": {told(self.reason)}"
        return text

    def to_mapping(self) -> dict[str, Any]:
        """The problem for machines; what is not known is left out."""
        told = {
            "severity": self.severity.value,
            "code": self.code or None,
            "message": self.message,
            "resource": self.resource and str(self.resource),
            "path": self.path or None,
            "document": self.document,
            "line": self.mark and self.mark.line,
            "column": self.mark and self.mark.column,
            "proposal": self.proposal,
        }
        return {key: value for key, value in told.items() if value is not None}

    def within(self, path: str) -> Problem:
        """The same problem, seen from the object that holds the value in `path`."""
        return evolve(self, path=joined(path, self.path))

    def __str__(self) -> str:
        place = told(self.document or "")
        if place and self.mark:
            place += f":{self.mark.line}:{self.mark.column}"
        subject = " ".join(told(str(part)) for part in (self.resource, self.path) if part)
        return ": ".join(part for part in (place, subject, self.message) if part)


class FSMEgressError(Exception):
    """The root of all errors of this library."""


class InvalidValue(FSMEgressError, ValueError):
    """A value that a model, an address, a pattern or a connection cannot have.

    Attributes:
        problems: what is wrong with it; more than one where a list or an object has several mistakes.
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    @classmethod
    def of(
        cls, expected: str, value: Any, *, proposal: str | None = None, reason: str | None = None
    ) -> InvalidValue:
        """The error for `value` where `expected` was wanted."""
        return cls(Problem(expected=expected, found=show(value), proposal=proposal, reason=reason))

    def at(self, path: str) -> InvalidValue:
        """The same error, seen from the object that holds the value in `path`."""
        return InvalidValue(*(problem.within(path) for problem in self.problems))

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class LoadError(FSMEgressError):
    """Everything that is wrong with the documents of one load, in the order of the documents."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        if not isinstance(problems, Iterable):
            raise InvalidValue.of("problems", problems).at("problems")
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class IncompleteMesh(LoadError):
    """Documents of a mesh could not be read on which its decisions may hang: these are the problems."""


class PatchError(FSMEgressError, ValueError):
    """A merge patch or a `--set` text that cannot be read or applied."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


class MissingExtra(FSMEgressError, ImportError):
    """An optional library is not installed; the message says what to install."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(purpose, extra)
        self.purpose = purpose
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.purpose} needs the extra `{self.extra}`: pip install 'fsm-egress[{self.extra}]'"
