"""Texts -> JSON trees with the place of every value: JSON and YAML, strictly, in bounded time and memory."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any

from attrs import define, field, frozen

from .errors import MissingExtra, Problem, show
from .references import Mark

__all__ = ["Document", "is_disputed", "read_text"]

MAX_TEXT = 64 * 2**20  # bytes of one text
MAX_DEPTH = 64  # levels of one tree: Kubernetes' own resources stay far below
MAX_NODES = 5_000_000  # values of one tree, each alias counted with all that it stands for
MAX_DIGITS = 64  # digits of a number

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')


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


def read_text(content: bytes | str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a text, and what kept the rest of it from being read.

    A name that ends in `.json` is read as JSON; any other text as JSON if it is that, else as YAML.

    Raises:
        MissingExtra: the text is YAML, and PyYAML is not installed.
    """
    try:
        text = _decoded(content, name)
        if name.endswith(".json"):
            return _read_json(text, name)
        if text.lstrip()[:1] in {"{", "["}:
            try:
                return _read_json(text, name)
            except _Unreadable:
                return _read_yaml(text, name)
        return _read_yaml(text, name)
    except _Unreadable as error:
        return (), (error.problem,)


class _Unreadable(Exception):  # because it never leaves this module
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def _unreadable(
    name: str, expected: str, found: str = "", mark: Mark | None = None, reason: str | None = None
) -> _Unreadable:
    return _Unreadable(Problem(expected, found, document=name, mark=mark, reason=reason))


def _decoded(content: bytes | str, name: str) -> str:
    if len(content) > MAX_TEXT:
        raise _unreadable(name, f"at most {MAX_TEXT // 2**20} MiB", f"{len(content) / 2**20:.0f} MiB")
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise _unreadable(name, "UTF-8", "UTF-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        found = f"the byte `0x{content[error.start]:02x}`"
        raise _unreadable(name, "UTF-8", found, _end_of(before)) from None


def _end_of(text: str) -> Mark:
    return Mark(text.count("\n") + 1, len(text) - text.rfind("\n"))


# --- JSON ------------------------------------------------------------------------------------------------


class _Twice(Exception):  # because it never leaves this module
    """A key stands twice in an object: where, a second reading tells."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Twice
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _read_json(text: str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    marks = partial(_json_marks, text)
    hooks: dict[str, Any] = {"parse_float": _finite, "parse_constant": _no_constant}
    try:
        return (Document(name, json.loads(text, object_pairs_hook=_once, **hooks), marks),), ()
    except _Twice:
        return (Document(name, json.loads(text, **hooks), marks, tuple(_repeated_keys(text, name))),), ()
    except json.JSONDecodeError as error:
        raise _unreadable(
            name, "JSON", mark=Mark(error.lineno, error.colno), reason=error.msg.lower()
        ) from None
    except RecursionError:
        raise _unreadable(name, f"at most {MAX_DEPTH} levels", "more") from None
    except ValueError:
        raise _unreadable(name, "finite numbers that JSON has") from None


@define
class _Open:
    """An object or list whose end has not been seen."""

    path: str
    is_list: bool
    index: int = 0
    key: str = ""
    awaits_key: bool = True
    keys: dict[str, Mark] = field(factory=dict)

    def child(self) -> str:
        if self.is_list:
            return f"{self.path}[{self.index}]"
        return f"{self.path}.{self.key}" if self.path else self.key


def _walk_json(text: str) -> Iterator[tuple[str, Mark, Mark | None]]:
    """Each value of a JSON text: its path, its place, and the place of its key's twin, if it has one."""
    lines = [match.end() for match in re.finditer("\n", text)]
    stack: list[_Open] = []
    twin: Mark | None = None
    key_mark: Mark | None = None
    for match in _TOKEN.finditer(text):
        token, start = match[0], match.start()
        if token in {"]", "}"}:
            stack.pop()
        elif token == ",":
            stack[-1].index += 1
            stack[-1].awaits_key = True
        elif token != ":":
            line = bisect_right(lines, start)
            mark = Mark(line + 1, start - (lines[line - 1] if line else 0) + 1)
            top = stack[-1] if stack else None
            if top and not top.is_list and top.awaits_key:
                top.key, top.awaits_key = json.loads(token), False
                twin = top.keys.get(top.key)
                top.keys[top.key] = key_mark = mark
                continue
            path = top.child() if top else ""
            is_open = token in {"[", "{"}
            yield path, key_mark if is_open and top and not top.is_list and key_mark else mark, twin
            twin = None
            if is_open:
                stack.append(_Open(path, token == "["))


def _json_marks(text: str) -> Mapping[str, Mark]:
    return {path: mark for path, mark, _ in _walk_json(text)}


def _repeated_keys(text: str, name: str) -> Iterator[Problem]:
    for path, mark, twin in _walk_json(text):
        if twin:
            yield _repeated(path, name, mark, twin)


def _repeated(path: str, name: str, mark: Mark, twin: Mark) -> Problem:
    found = f"it again, after line {twin.line}"
    return Problem("each key once", found, path, document=name, mark=mark)


# --- YAML ------------------------------------------------------------------------------------------------

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?", re.ASCII)
# What YAML 1.1 and 1.2 read differently: truths, other bases, sexagesimals, dates, infinities.
_DISPUTED = re.compile(
    r"(?i:y|n|yes|no|on|off)|=|<<"
    r"|[-+]?0[0-9_]+|0o[0-7]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0b[01_]+|[-+]?[1-9][0-9]*_[0-9_]*"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][0-9]+|[-+]?[0-9]+[eE][-+][0-9]+",
    re.ASCII,
)
_TRUTHS = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}
_TAG = "tag:yaml.org,2002:"
_STRING_TAGS = {"!", f"{_TAG}str"}
_TYPED_TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}


def is_disputed(text: str) -> bool:
    """Whether YAML 1.1 and YAML 1.2 read this plain scalar differently."""
    return _DISPUTED.fullmatch(text) is not None


def _read_yaml(text: str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    try:
        import yaml  # noqa: PLC0415  # because YAML is an extra, and JSON needs nothing
    except ImportError:
        raise MissingExtra(f"reading YAML (`{name}`)", "yaml") from None
    documents: list[Document] = []
    problem: Problem | None = None
    try:
        documents.extend(builder.document() for builder in _built(yaml, text, name))
    except _Unreadable as error:
        problem = error.problem
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        problem = Problem("YAML", document=name, mark=_mark(place) if place else None, reason=reason)
    except yaml.reader.ReaderError as error:
        found = f"the character `U+{ord(error.character):04X}`"
        mark = _end_of(text[: error.position])
        problem = Problem("YAML without control characters", found, document=name, mark=mark)
    return tuple(documents), (problem,) if problem else ()


def _built(yaml: Any, text: str, name: str) -> Iterator[_Builder]:
    """The builder of each document of the text, when it is complete."""
    builder = _Builder(name)
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.DocumentStartEvent):
            builder = _Builder(name)
        elif isinstance(event, yaml.DocumentEndEvent):
            yield builder
        elif isinstance(event, yaml.AliasEvent):
            builder.alias(event.anchor, _mark(event.start_mark))
        elif isinstance(event, yaml.ScalarEvent):
            builder.scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            builder.open(event, is_list=isinstance(event, yaml.SequenceStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            builder.close()


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


@define
class _Node:
    """A mapping or list of YAML whose end has not been seen."""

    value: Any
    path: str
    is_list: bool
    anchor: str | None
    nodes_before: int
    key: str | None = None
    key_mark: Mark | None = None
    keys: dict[str, Mark] = field(factory=dict)


class _Builder:
    """Makes the tree of one YAML document from the parser's events; nothing is constructed from a tag."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: Any = None
        self.stack: list[_Node] = []
        self.marks: dict[str, Mark] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0

    def document(self) -> Document:
        return Document(self.name, self.value, self.marks, tuple(self.problems))

    def open(self, event: Any, *, is_list: bool) -> None:
        mark = _mark(event.start_mark)
        if len(self.stack) == MAX_DEPTH:
            raise _unreadable(self.name, f"at most {MAX_DEPTH} levels", "more", mark)
        if self.awaits_key():
            self.report(
                "a key that is a string", "a list" if is_list else "a mapping", self.path_of(""), mark
            )
        if event.tag is not None and event.tag not in {"!", f"{_TAG}{'seq' if is_list else 'map'}"}:
            self.report("no tag", f"`{event.tag}`", self.here(), mark, reason="objects are never constructed")
        path = self.here()
        top = self.stack[-1] if self.stack else None
        value: Any = [] if is_list else {}
        self.add(value, top.key_mark if top and top.key_mark and not top.is_list else mark)
        self.stack.append(_Node(value, path, is_list, event.anchor, self.nodes))

    def close(self) -> None:
        node = self.stack.pop()
        if node.anchor is not None:
            self.anchors[node.anchor] = node.value, self.nodes - node.nodes_before

    def alias(self, anchor: str, mark: Mark) -> None:
        if anchor not in self.anchors:
            raise _unreadable(self.name, "an alias of a value that is complete", f"`*{anchor}`", mark)
        value, size = self.anchors[anchor]
        if self.awaits_key():
            self.put_key(value, value if isinstance(value, str) else "", mark)
            return
        self.count(size, mark)
        self.add(value, mark)

    def scalar(self, event: Any) -> None:
        mark = _mark(event.start_mark)
        value = self.read_scalar(event, mark)
        if self.awaits_key():
            self.put_key(value, event.value, mark)
        else:
            self.add(value, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, 0

    def read_scalar(self, event: Any, mark: Mark) -> Any:
        text: str = event.value
        plain = event.implicit[0]
        if event.tag in _STRING_TAGS or (event.tag is None and not plain):
            return text
        where = self.path_of(text) if self.awaits_key() else self.here()
        if event.tag is not None and event.tag not in _TYPED_TAGS:
            self.report("no tag", f"`{event.tag}`", where, mark, reason="objects are never constructed")
            return text
        if _DISPUTED.fullmatch(text):
            quoted = f'"{text}"' if event.tag is None else None
            reason = "YAML 1.1 and 1.2 read it differently"
            if text.lower() in _TRUTHS:
                reason = f"or `{_TRUTHS[text.lower()]}`, as {reason}"
            if text == "<<":
                quoted, reason = None, "merge keys are not part of YAML 1.2"
            self.report("a scalar of one meaning", f"`{text}`", where, mark, proposal=quoted, reason=reason)
            return text
        value = self.resolved(text, where, mark)
        if event.tag is not None and not isinstance(value, _TYPED_TAGS[event.tag]):
            self.report(f"a value of its tag `{event.tag.removeprefix(_TAG)}`", show(text), where, mark)
        return value

    def resolved(self, text: str, where: str, mark: Mark) -> Any:
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        is_integer = _DECIMAL.fullmatch(text)
        if not is_integer and not _FLOAT.fullmatch(text):
            return text
        if len(text) > MAX_DIGITS:
            self.report(f"a number of at most {MAX_DIGITS} digits", f"one of {len(text)}", where, mark)
            return text
        number = int(text) if is_integer else float(text)
        if not isfinite(number):
            self.report("a finite number", show(text), where, mark)
            return text
        return number

    def awaits_key(self) -> bool:
        return bool(self.stack) and not self.stack[-1].is_list and self.stack[-1].key is None

    def put_key(self, value: Any, text: str, mark: Mark) -> None:
        top = self.stack[-1]
        top.key, top.key_mark = text, mark
        path = self.here()
        if not isinstance(value, str):
            self.report("a key that is a string", show(value), path, mark, proposal=f'"{text}"')
        if text in top.keys:
            self.problems.append(_repeated(path, self.name, mark, top.keys[text]))
        top.keys[text] = mark

    def path_of(self, key: str) -> str:
        path = self.stack[-1].path
        return f"{path}.{key}" if path and key else path or key

    def here(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        return f"{top.path}[{len(top.value)}]" if top.is_list else self.path_of(top.key or "")

    def add(self, value: Any, mark: Mark) -> None:
        self.count(1, mark)
        self.marks[self.here()] = mark
        if not self.stack:
            self.value = value
        elif self.stack[-1].is_list:
            self.stack[-1].value.append(value)
        else:
            top = self.stack[-1]
            top.value[top.key] = value
            top.key = top.key_mark = None

    def count(self, nodes: int, mark: Mark) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _unreadable(self.name, f"at most {MAX_NODES} values, aliases counted in full", "more", mark)

    def report(
        self,
        expected: str,
        found: str,
        path: str,
        mark: Mark,
        proposal: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.problems.append(
            Problem(expected, found, path, None, self.name, mark, proposal=proposal, reason=reason)
        )
