"""Texts -> JSON trees with the place of every value: JSON and YAML, strictly, in bounded time and memory."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from math import isfinite
from typing import Any

from attrs import define, evolve, field, frozen

from .errors import MAX_PROBLEMS, MissingExtra, Problem, shortly, show
from .frozen import is_unicode
from .references import Mark

__all__ = ["MAX_TEXT", "Document", "excess", "is_disputed", "number_flaw", "read_text"]

MAX_TEXT = 64 * 2**20  # bytes of one text
MAX_DEPTH = 64  # levels of one tree: Kubernetes' own resources stay far below
MAX_NODES = 5_000_000  # values of one tree, each alias counted with all that it stands for
MAX_DIGITS = 64  # digits of a number
MAX_PATH = 1024  # characters of a path: what is deeper stands at the place of what holds it
MAX_PLACES = 2**27  # characters of all paths of one document whose places are kept

_JSON = "JSON"
_HOLDERS = (dict, list, tuple, Mapping)  # the first are seen at once
_SCALARS = {str, int, float, bool, type(None)}
_UNICODE = "a string of Unicode characters", "half of one, a lone surrogate"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
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
            except _Unreadable as error:
                if error.problem.expected != _JSON:
                    raise
        return _read_yaml(text, name)
    except _Unreadable as error:
        return (), error.problems


def excess(value: Any) -> str | None:
    """Which bound a tree breaks, as what was expected, or None; one that holds itself breaks one too."""
    holders = [value] if isinstance(value, _HOLDERS) else []
    nodes = 1
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for holder in holders:
            inside.extend(holder.values() if isinstance(holder, (dict, Mapping)) else holder)
            if nodes + len(inside) > MAX_NODES:
                return f"at most {MAX_NODES} values"
        nodes += len(inside)
        holders = [item for item in inside if type(item) not in _SCALARS and isinstance(item, _HOLDERS)]
        if not holders:
            return None
    return f"at most {MAX_DEPTH} levels"


def number_flaw(text: str) -> tuple[str, str] | None:
    """What was expected and found where this is a number that is not kept; None for a good one."""
    if len(text) > MAX_DIGITS:
        return f"a number of at most {MAX_DIGITS} digits", f"one of {len(text)}"
    if not isfinite(float(text)):
        return "a finite number", f"`{text}`"
    return None


class _Unreadable(Exception):  # because it never leaves this module
    def __init__(self, problem: Problem, before: Iterable[Problem] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problems = (*before, problem)


def _too_many(name: str, problems: list[Problem]) -> _Unreadable:
    """Nothing of the document counts, as mistakes that are not listed could be anywhere.

    Nor does a problem say what stands there, as that could be a Secret.
    """
    problem = Problem(f"at most {MAX_PROBLEMS} mistakes", "more", document=name, mark=problems[-1].mark)
    return _Unreadable(problem, (evolve(known, found="", proposal=None) for known in problems[:-1]))


def _unreadable(
    name: str, expected: str, found: str = "", mark: Mark | None = None, reason: str | None = None
) -> _Unreadable:
    return _Unreadable(Problem(expected, found, document=name, mark=mark, reason=reason))


def _decoded(content: bytes | str, name: str) -> str:
    if len(content) > MAX_TEXT:
        raise _unreadable(name, f"at most {MAX_TEXT // 2**20} MiB", "more")
    if isinstance(content, str):
        lone = _LONE_SURROGATE.search(content)
        if lone:
            found = f"the lone surrogate `U+{ord(lone[0]):04X}`"
            raise _unreadable(name, "Unicode", found, _end_of(content[: lone.start()]))
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


class _Flawed(Exception):  # because it never leaves this module
    """The text is JSON, but holds what is not kept: where and what, a second reading tells."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Flawed
    return value


def _good_integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _Flawed
    return int(text)


def _good_float(text: str) -> float:
    if number_flaw(text):
        raise _Flawed
    return float(text)


def _number(text: str) -> int | float | str:
    """A number of JSON or YAML; the text itself where it is none that is kept."""
    if number_flaw(text):
        return text
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _read_json(text: str, name: str) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    value: Any = None
    problems: tuple[Problem, ...] = ()
    try:
        try:
            value = _parsed(text, _good_integer, _good_float, object_pairs_hook=_once)
            is_flawed = _ESCAPED_SURROGATE.search(text) is not None
        except _Flawed:
            value = _parsed(text, _number, _number)
            is_flawed = True
        broken = excess(value)
        if is_flawed and not broken:
            flaws = list(islice(_flaws(text, name), MAX_PROBLEMS + 1))
            if len(flaws) > MAX_PROBLEMS:
                raise _too_many(name, flaws)
            problems = tuple(flaws)
    except json.JSONDecodeError as error:
        raise _unreadable(
            name, _JSON, mark=Mark(error.lineno, error.colno), reason=error.msg.lower()
        ) from None
    except RecursionError:
        broken = f"at most {MAX_DEPTH} levels"
    if broken:
        raise _unreadable(name, broken, "more", _too_deep(text))
    return (Document(name, value, partial(_json_marks, text), problems),), ()


def _parsed(text: str, integer: Callable[[str], Any], number: Callable[[str], Any], **hooks: Any) -> Any:
    return json.loads(text, parse_int=integer, parse_float=number, parse_constant=number, **hooks)


def _too_deep(text: str) -> Mark | None:
    """Where the first object or list begins that is nested too deep, if one is."""
    depth = 0
    for match in _TOKEN.finditer(text):
        depth += (match[0] in {"[", "{"}) - (match[0] in {"]", "}"})
        if depth > MAX_DEPTH:
            return _end_of(text[: match.start()])
    return None


@define
class _Open:
    """An object or list whose end has not been seen."""

    path: str
    is_list: bool
    index: int = 0
    key: str = ""
    key_mark: Mark | None = None
    twin: tuple[Mark, Mark] | None = None
    awaits_key: bool = True
    keys: dict[str, Mark] = field(factory=dict)

    def read_key(self, key: str, mark: Mark) -> None:
        self.key, self.key_mark, self.awaits_key = key, mark, False
        first = self.keys.get(key)
        self.twin = (mark, first) if first else None
        self.keys[key] = mark

    def child(self) -> str:
        if len(self.path) > MAX_PATH:
            return self.path
        if self.is_list:
            return f"{self.path}[{self.index}]"
        return f"{self.path}.{self.key}" if self.path else self.key


@frozen
class _Token:
    """A value of a JSON text: its path, place and text, and its key with the places of it and of its twin."""

    path: str
    mark: Mark
    text: str
    key: str = ""
    twin: tuple[Mark, Mark] | None = None


def _walk_json(text: str) -> Iterator[_Token]:
    """Each value of a JSON text, in order; an object or list when it begins, at the place of its key."""
    lines = [match.end() for match in re.finditer("\n", text)]
    stack: list[_Open] = []
    for match in _TOKEN.finditer(text):
        token, start = match[0], match.start()
        top = stack[-1] if stack else None
        if token in {"]", "}"}:
            stack.pop()
        elif token == "," and top:
            top.index += 1
            top.awaits_key = True
        elif token != ":":
            line = bisect_right(lines, start)
            mark = Mark(line + 1, start - (lines[line - 1] if line else 0) + 1)
            if top and not top.is_list and top.awaits_key:
                top.read_key(json.loads(token), mark)
                continue
            is_open = token in {"[", "{"}
            place = top.key_mark if is_open and top and top.key_mark else mark
            path = top.child() if top else ""
            yield _Token(path, place, token, top.key if top else "", top.twin if top else None)
            if is_open:
                stack.append(_Open(path, token == "["))


def _json_marks(text: str) -> Mapping[str, Mark]:
    marks: dict[str, Mark] = {}
    room = MAX_PLACES
    for token in _walk_json(text):
        marks.setdefault(token.path, token.mark)
        room -= len(token.path)
        if room < 0:
            break
    return marks


def _flaws(text: str, name: str) -> Iterator[Problem]:
    """Keys that stand twice, numbers that are not kept, and halves of characters."""
    for token in _walk_json(text):
        if token.twin:
            yield _repeated(token.path, name, *token.twin)
        value = json.loads(token.text) if token.text[0] == '"' else ""
        if not (is_unicode(value) and is_unicode(token.key)):
            yield Problem(*_UNICODE, token.path, document=name, mark=token.mark)
        flaw = number_flaw(token.text) if token.text[0] in "-0123456789NI" else None
        if flaw:
            yield Problem(*flaw, token.path, document=name, mark=token.mark)


def _repeated(path: str, name: str, mark: Mark, twin: Mark) -> Problem:
    found = f"it again, after line {twin.line}"
    return Problem("each key once", found, path, document=name, mark=mark)


# --- YAML ------------------------------------------------------------------------------------------------

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?", re.ASCII)
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What YAML 1.1 and 1.2 read differently: truths, other bases, underscores, sexagesimals, dates, exponents.
_DISPUTED = re.compile(
    r"(?i:y|n|yes|no|on|off)|=|<<"
    r"|[-+]?0[0-9_]+|0o[0-7]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0b[01_]+|[-+]?[1-9][0-9]*_[0-9_]*"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"
    r"|[-+]?(?=[0-9.]*_)([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
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
    problems: tuple[Problem, ...] = ()
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        found = f"the character `U+{ord(unprintable[0]):04X}`"
        raise _unreadable(
            name, "YAML without control characters", found, _end_of(text[: unprintable.start()])
        )
    try:
        documents.extend(builder.document() for builder in _built(yaml, text, name))
    except _Unreadable as error:
        problems = error.problems
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        problems = (Problem("YAML", document=name, mark=_mark(place) if place else None, reason=reason),)
    except (ValueError, OverflowError):  # because PyYAML does not check all numbers of escapes
        reason = "a number in an escape or a directive is out of range"
        problems = (Problem("YAML", document=name, reason=reason),)
    return tuple(documents), problems


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
    mark: Mark
    is_key: bool
    nodes_before: int
    height: int = 1
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
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # value, what it counts, levels
        self.nodes = 0
        self.room = MAX_PLACES

    def document(self) -> Document:
        return Document(self.name, self.value, self.marks, tuple(self.problems))

    def open(self, event: Any, *, is_list: bool) -> None:
        mark = _mark(event.start_mark)
        if len(self.stack) == MAX_DEPTH:
            raise _unreadable(self.name, f"at most {MAX_DEPTH} levels", "more", mark)
        if event.tag is not None and event.tag not in {"!", f"{_TAG}{'seq' if is_list else 'map'}"}:
            self.report("no tag", f"`{event.tag}`", self.here(), mark, reason="objects are never constructed")
        path = self.here()
        top = self.stack[-1] if self.stack else None
        value: Any = [] if is_list else {}
        is_key = self.awaits_key()
        if not is_key:
            self.add(value, top.key_mark if top and top.key_mark else mark)
        self.anchors.pop(event.anchor, None)
        self.stack.append(_Node(value, path, is_list, event.anchor, mark, is_key, self.nodes))

    def close(self) -> None:
        node = self.stack.pop()
        if node.anchor is not None:
            self.anchors[node.anchor] = node.value, self.nodes - node.nodes_before, node.height
        if node.is_key:
            self.put_key(node.value, "", node.mark)
        elif self.stack:
            self.stack[-1].height = max(self.stack[-1].height, node.height + 1)

    def alias(self, anchor: str, mark: Mark) -> None:
        if anchor not in self.anchors:
            raise _unreadable(self.name, "an alias of a value that is complete", f"`*{anchor}`", mark)
        value, size, height = self.anchors[anchor]
        if self.awaits_key():
            self.put_key(value, value if isinstance(value, str) else "", mark)
            return
        if len(self.stack) + height > MAX_DEPTH:
            raise _unreadable(self.name, f"at most {MAX_DEPTH} levels", "more", mark)
        self.stack[-1].height = max(self.stack[-1].height, height + 1)
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
            self.anchors[event.anchor] = value, 0, 0

    def read_scalar(self, event: Any, mark: Mark) -> Any:
        text: str = event.value
        plain = event.implicit[0]
        where = self.path_of(text) if self.awaits_key() else self.here()
        if event.tag in _STRING_TAGS or (event.tag is None and not plain):
            if not is_unicode(text):
                self.report(*_UNICODE, where, mark)
            return text
        if event.tag is not None and event.tag not in _TYPED_TAGS:
            self.report("no tag", f"`{event.tag}`", where, mark, reason="objects are never constructed")
            return text
        if _DISPUTED.fullmatch(text):
            quoted = f'"{text}"' if event.tag is None and len(text) <= MAX_DIGITS else None
            reason = "YAML 1.1 and 1.2 read it differently"
            if text.lower() in _TRUTHS:
                reason = f"or `{_TRUTHS[text.lower()]}`, as {reason}"
            if text == "<<":
                quoted, reason = None, "merge keys are not part of YAML 1.2"
            self.report("a scalar of one meaning", shortly(text), where, mark, proposal=quoted, reason=reason)
            return text
        value = self.resolved(text, where, mark)
        if event.tag is not None and type(value) not in _TYPED_TAGS[event.tag]:
            self.report(f"a value of its tag `{event.tag.removeprefix(_TAG)}`", show(text), where, mark)
        return value

    def resolved(self, text: str, where: str, mark: Mark) -> Any:
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _ENDLESS.fullmatch(text):
            self.report("a finite number", f"`{text}`", where, mark)
        elif _DECIMAL.fullmatch(text) or _FLOAT.fullmatch(text):
            flaw = number_flaw(text)
            if flaw:
                self.report(*flaw, where, mark)
            return _number(text)
        return text

    def awaits_key(self) -> bool:
        return bool(self.stack) and not self.stack[-1].is_list and self.stack[-1].key is None

    def put_key(self, value: Any, text: str, mark: Mark) -> None:
        top = self.stack[-1]
        top.key, top.key_mark = text, mark
        path = self.here()
        if not isinstance(value, str):
            quoted = f'"{text}"' if text else None
            self.report("a key that is a string", show(value), path, mark, proposal=quoted)
        elif text in top.keys:
            self.note(_repeated(path, self.name, mark, top.keys[text]))
        top.keys[text] = mark

    def path_of(self, key: str) -> str:
        path = self.stack[-1].path
        if len(path) > MAX_PATH:
            return path
        return f"{path}.{key}" if path and key else path or key

    def here(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        if top.is_list and len(top.path) <= MAX_PATH:
            return f"{top.path}[{len(top.value)}]"
        return self.path_of(top.key or "")

    def add(self, value: Any, mark: Mark) -> None:
        self.count(1, mark)
        if self.room >= 0:
            where = self.here()
            self.marks.setdefault(where, mark)
            self.room -= len(where)
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
        self.note(Problem(expected, found, path, None, self.name, mark, proposal=proposal, reason=reason))

    def note(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) > MAX_PROBLEMS:
            raise _too_many(self.name, self.problems)
