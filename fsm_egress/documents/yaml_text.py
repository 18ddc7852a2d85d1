"""YAML texts, read with care: every tag, alias, key and scalar that is a mistake, and where."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import define, field

from ..values.errors import MissingExtra, Problem, shortly, show
from ..values.frozen import is_unicode
from ..values.references import Mark
from .base import (
    LETTERS,
    MAX_DIGITS,
    ONE_MEANING,
    UNICODE,
    Bounds,
    Document,
    Unreadable,
    end_of,
    repeated,
    too_many,
    too_many_documents,
    unreadable,
)
from .yaml_quickly import is_lost, read_yaml_quickly
from .yaml_scalars import TRUTHS, Doubtful, is_disputed, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_yaml", "read_yaml_with_care"]

_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LATER_MARK = re.compile("(?m)^(---[^\r\n]*\r?\n)\ufeff")  # the mark of a file that stands behind another
_TAG = "tag:yaml.org,2002:"
_STRING_TAGS = {"!", f"{_TAG}str"}
_TYPED_TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
SEPARATED = "a line `---` before another document"
_LOST = "without it kubectl loses what follows"


def read_yaml(text: str, name: str, bounds: Bounds) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The documents of a YAML text, and what kept the rest of it from being read.

    Raises:
        Unreadable: nothing of it can be read.
        MissingExtra: PyYAML is not installed.
    """
    try:
        import yaml  # noqa: PLC0415  # because YAML is an extra, and JSON needs nothing
    except ImportError:
        raise MissingExtra(f"reading YAML (`{name}`)", "yaml") from None
    if "\ufeff" in text:
        text = _LATER_MARK.sub(r"\1", text)
    if not text.endswith("\n"):
        text += "\n"  # as kubectl reads lines, and ends the last one
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        found = f"the character `U+{ord(unprintable[0]):04X}`"
        raise unreadable(name, "YAML without control characters", found, end_of(text[: unprintable.start()]))
    try:
        return read_yaml_quickly(yaml, text, name, bounds), ()
    except (Doubtful, yaml.MarkedYAMLError, ValueError, OverflowError):
        return read_yaml_with_care(yaml, text, name, bounds)


def read_yaml_with_care(
    yaml: Any, text: str, name: str, bounds: Bounds
) -> tuple[tuple[Document, ...], tuple[Problem, ...]]:
    """The same, given PyYAML, whatever stands in the text."""
    documents: list[Document] = []
    problems: tuple[Problem, ...] = ()
    try:
        documents.extend(builder.document() for builder in _built(yaml, text, name, bounds))
    except Unreadable as error:
        problems = error.problems
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        problems = (Problem("YAML", document=name, mark=_mark(place) if place else None, reason=reason),)
    except (ValueError, OverflowError):  # because PyYAML does not check all numbers of escapes
        reason = "a number in an escape or a directive is out of range"
        problems = (Problem("YAML", document=name, reason=reason),)
    return tuple(documents), problems


def _built(yaml: Any, text: str, name: str, bounds: Bounds) -> Iterator[_Builder]:
    """The builder of each document of the text, when it is complete."""
    builder = _Builder(name, bounds)
    number = 0
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.DocumentStartEvent):
            builder = _Builder(name, bounds, builder.aliased)
            if number and is_lost(event, text):
                raise unreadable(name, SEPARATED, mark=_mark(event.start_mark), reason=_LOST)
            if number == bounds.documents:
                raise too_many_documents(name, bounds, _mark(event.start_mark))
            number += 1
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
    is_merged: bool
    nodes_before: int
    letters_before: int
    height: int = 1
    key: str | None = None
    key_mark: Mark | None = None
    merges: bool = False  # as the key that was read last is `<<`
    keys: dict[str, Mark] = field(factory=dict)


class _Builder:
    """Makes the tree of one YAML document from the parser's events; nothing is constructed from a tag."""

    def __init__(self, name: str, bounds: Bounds, aliased: int = 0) -> None:
        self.name = name
        self.bounds = bounds
        self.value: Any = None
        self.stack: list[_Node] = []
        self.marks: dict[str, Mark] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int, int, int]] = {}  # value, what it counts, levels, letters
        self.nodes = 0
        self.letters = 0  # of all scalars
        self.aliased = aliased  # what aliases stand for, of this document and those before
        self.room = bounds.places

    def document(self) -> Document:
        return Document(self.name, self.value, self.marks, tuple(self.problems))

    def open(self, event: Any, *, is_list: bool) -> None:
        mark = _mark(event.start_mark)
        if len(self.stack) == self.bounds.depth:
            raise unreadable(self.name, f"at most {self.bounds.depth} levels", "more", mark)
        if event.tag is not None and event.tag not in {"!", f"{_TAG}{'seq' if is_list else 'map'}"}:
            self.report("no tag", f"`{event.tag}`", self.here(), mark, reason="objects are never constructed")
        path = self.here()
        top = self.stack[-1] if self.stack else None
        value: Any = [] if is_list else {}
        is_key, is_merged = self.awaits_key(), top is not None and top.merges
        if not (is_key or is_merged):
            self.add(value, top.key_mark if top and top.key_mark else mark)
        self.anchors.pop(event.anchor, None)
        before = self.nodes, self.letters
        self.stack.append(_Node(value, path, is_list, event.anchor, mark, is_key, is_merged, *before))

    def close(self) -> None:
        node = self.stack.pop()
        if node.anchor is not None:
            size, letters = self.nodes - node.nodes_before, self.letters - node.letters_before
            self.anchors[node.anchor] = node.value, size, node.height, letters
        if node.is_key:
            self.put_key(node.value, "", node.mark)
        elif self.stack:
            self.stack[-1].height = max(self.stack[-1].height, node.height + 1)
        if node.is_merged:
            self.merge(node.value, node.mark)

    def alias(self, anchor: str, mark: Mark) -> None:
        if anchor not in self.anchors:
            raise unreadable(self.name, "an alias of a value that is complete", f"`*{anchor}`", mark)
        value, size, height, letters = self.anchors[anchor]
        self.letters += letters
        self.aliased += 1 + size + letters
        if self.aliased > self.bounds.aliased:
            expected = f"at most {self.bounds.aliased} values and characters that aliases stand for"
            raise unreadable(self.name, expected, "more", mark)
        if self.awaits_key():
            self.put_key(value, value if isinstance(value, str) else "", mark)
            return
        if len(self.stack) + height > self.bounds.depth:
            raise unreadable(self.name, f"at most {self.bounds.depth} levels", "more", mark)
        self.stack[-1].height = max(self.stack[-1].height, height + 1)
        self.count(size, mark)
        if self.stack[-1].merges:
            self.merge(value, mark)
        else:
            self.add(value, mark)

    def scalar(self, event: Any) -> None:
        mark = _mark(event.start_mark)
        self.letters += len(event.value)
        if self.awaits_key() and event.value == "<<" and event.implicit[0] and event.tag is None:
            self.put_merge_key(mark)
            return
        value = self.read_scalar(event, mark)
        if self.awaits_key():
            self.put_key(value, event.value, mark)
        elif self.stack and self.stack[-1].merges:
            self.merge(value, mark)
        else:
            self.add(value, mark)
        if event.anchor is not None:
            self.anchors[event.anchor] = value, 0, 0, len(event.value)

    def read_scalar(self, event: Any, mark: Mark) -> Any:
        text: str = event.value
        plain = event.implicit[0]
        where = self.path_of(text) if self.awaits_key() else self.here()
        if event.tag in _STRING_TAGS or (event.tag is None and not plain):
            if not is_unicode(text):
                self.report(*UNICODE, where, mark)
            return text
        if event.tag is not None and event.tag not in _TYPED_TAGS:
            self.report("no tag", f"`{event.tag}`", where, mark, reason="objects are never constructed")
            return text
        value, flaw = resolved(text)
        if is_disputed(text):
            quoted = f'"{text}"' if event.tag is None and len(text) <= MAX_DIGITS else None
            reason = "YAML 1.1 and 1.2 read it differently"
            if text.lower() in TRUTHS:
                reason = f"or `{TRUTHS[text.lower()]}`, as {reason}"
            self.report(ONE_MEANING, shortly(text), where, mark, proposal=quoted, reason=reason)
            return text if text in LETTERS or self.awaits_key() else value
        if flaw:
            self.report(*flaw, where, mark)
        if event.tag is not None and type(value) not in _TYPED_TAGS[event.tag]:
            self.report(f"a value of its tag `{event.tag.removeprefix(_TAG)}`", show(text), where, mark)
        return value

    def awaits_key(self) -> bool:
        return bool(self.stack) and not self.stack[-1].is_list and self.stack[-1].key is None

    def put_merge_key(self, mark: Mark) -> None:
        """The key of a mapping, or of several, that are put in: kubectl reads it, YAML 1.2 has none."""
        top = self.stack[-1]
        top.key, top.key_mark, top.merges = "<<", mark, True

    def merge(self, value: Any, mark: Mark) -> None:
        """Puts in what a merge key stands for: it wins over keys before it, and of several the first does."""
        top = self.stack[-1]
        several = value if isinstance(value, list) else [value]
        if all(isinstance(one, dict) for one in several):
            for one in reversed(several):
                top.value.update(one)
        else:
            self.report("a mapping or a list of mappings", show(value), self.here(), mark)
        top.key, top.key_mark, top.merges = None, None, False

    def put_key(self, value: Any, text: str, mark: Mark) -> None:
        top = self.stack[-1]
        top.key, top.key_mark = text, mark
        path = self.here()
        if not isinstance(value, str):
            quoted = f'"{text}"' if text else None
            self.report("a key that is a string", show(value), path, mark, proposal=quoted)
        elif text in top.keys:
            self.note(repeated(path, self.name, mark, top.keys[text]))
        top.keys[text] = mark

    def path_of(self, key: str) -> str:
        path = self.stack[-1].path
        if len(path) > self.bounds.path:
            return path
        return f"{path}.{key}" if path and key else path or key

    def here(self) -> str:
        if not self.stack:
            return ""
        top = self.stack[-1]
        if top.is_list and len(top.path) <= self.bounds.path:
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
        if self.nodes > self.bounds.nodes:
            raise unreadable(
                self.name, f"at most {self.bounds.nodes} values, aliases counted in full", "more", mark
            )

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
        if len(self.problems) > self.bounds.problems:
            raise too_many(self.name, self.problems)
