"""Files, folders, texts, streams and mappings -> resources: what is read, and what is said of it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, Union, runtime_checkable

from attrs import evolve, field, frozen

from .documents import MAX_DEPTH, MAX_TEXT, Document, excess, read_text
from .errors import InvalidValue, LoadError, Problem, Severity
from .frozen import FrozenMap, freeze
from .manifest import read_resource
from .references import Mark, ResourceRef, Source, parent_path
from .resource import Resource

__all__ = ["Input", "Loaded", "NamedText", "Refused", "load_resources"]

MAX_ERRORS = 10_000  # of one load
SUFFIXES = (".yaml", ".yml", ".json")


@runtime_checkable
class Stream(Protocol):
    """Anything that a text can be read from."""

    def read(self) -> bytes | str: ...  # because it is what every file does


@frozen
class NamedText:
    """A text and what errors call it, as a stream."""

    content: str | bytes = field(repr=False)
    name: str

    def read(self) -> bytes | str:
        """The whole text."""
        return self.content


Input: TypeAlias = Union[str, "os.PathLike[str]", bytes, Stream, Mapping[str, Any], Iterable[Any]]


@frozen
class Refused:
    """A resource that a tolerant load left out whole: as it was written, and why."""

    ref: ResourceRef
    document: FrozenMap[Any] = field(repr=False)  # it may be a Secret
    source: Source | None
    problems: tuple[Problem, ...]


@frozen
class Loaded:
    """What a load found: the resources, everything that is wrong, and what that kept out."""

    resources: tuple[Resource, ...]
    problems: tuple[Problem, ...]
    refused: tuple[Refused, ...] = ()


def load_resources(*sources: Input, strict: bool = True, lenient_fields: bool = False) -> Loaded:
    """The resources of files, folders, texts, streams and mappings.

    Args:
        sources: paths of files and folders (read recursively, `.yaml`, `.yml`, `.json`); texts as bytes, or
            as strings that hold a line break or start with `{`; streams; mappings; iterables of all these.
        strict: raise if anything is wrong; otherwise leave each invalid resource out whole and report it.
        lenient_fields: report unknown fields as warnings and carry them along.

    Raises:
        LoadError: with all problems of all documents, in their order.
        MissingExtra: a text is YAML, and PyYAML is not installed.
    """
    reader = _Reader(lenient_fields)
    for source in sources:
        reader.read(source)
    loaded = reader.loaded()
    errors = list(filter(_is_error, loaded.problems))
    if strict and errors:
        raise LoadError(errors)
    return loaded


class _Reader:
    """Collects the resources of one load."""

    def __init__(self, lenient_fields: bool) -> None:
        self.lenient_fields = lenient_fields
        self.found: list[Resource] = []
        self.first: dict[ResourceRef, tuple[Resource, str]] = {}  # each with the name of its document
        self.twins: set[ResourceRef] = set()
        self.problems: list[Problem] = []
        self.refused: list[Refused] = []
        self.errors = 0
        self.mappings = 0

    def loaded(self) -> Loaded:
        """Everything read, without the resources of which there are several."""
        unique = tuple(resource for resource in self.found if resource.ref not in self.twins)
        return Loaded(unique, tuple(self.problems), tuple(self.refused))

    def read(self, source: Any, depth: int = 0) -> None:
        """One source, whatever it is."""
        if isinstance(source, str) and ("\n" in source or source.lstrip()[:1] == "{"):
            self.text(source, "<text>")
        elif isinstance(source, (str, os.PathLike)):
            self.path(os.fsdecode(source))
        elif isinstance(source, bytes):
            self.text(source, "<text>")
        elif isinstance(source, Stream):
            self.stream(source)
        elif isinstance(source, Mapping):
            self.mapping(source)
        elif isinstance(source, Iterable) and depth < MAX_DEPTH:
            for item in source:
                self.read(item, depth + 1)
        else:
            raise InvalidValue.of("a path, a text, a stream, a mapping or several of them", source)

    def path(self, name: str) -> None:
        """A file, or all documents below a folder in the order of their names."""
        path = Path(name)
        try:
            if not name:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if not path.is_dir():
                with path.open("rb") as opened:
                    content = opened.read(MAX_TEXT + 1)
                self.text(content, path.as_posix())
                return
            files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        except (OSError, ValueError) as error:  # because a path with a NUL is no OSError
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            self.problems.append(Problem("a file or a folder that can be read", document=name, reason=reason))
            return
        if not files:
            suffixes = ", ".join(f"`{suffix}`" for suffix in SUFFIXES)
            problem = Problem(f"a folder with {suffixes} files", "none", document=path.as_posix())
            self.problems.append(problem)
        for file in files:
            self.path(str(file))

    def stream(self, source: Stream) -> None:
        """All documents of a stream."""
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else "<stream>"
        try:
            content = source.read()
        except (OSError, UnicodeError) as error:
            reason = str(error).lower()
            self.problems.append(Problem("a stream that can be read", document=name, reason=reason))
            return
        if not isinstance(content, (bytes, str)):
            raise InvalidValue.of(f"a text from the stream `{name}`", content)
        self.text(content, name)

    def mapping(self, source: Mapping[str, Any]) -> None:
        """A document that a caller holds."""
        self.mappings += 1
        document = Document(f"<mapping {self.mappings}>", source, dict)
        broken = excess(source)
        if broken:
            self.problems.append(Problem(broken, "more", document=document.name))
        else:
            self.document(document, None)

    def text(self, content: bytes | str, name: str) -> None:
        """All documents of a text."""
        documents, problems = read_text(content, name)
        for document in documents:
            if document.value is not None or document.problems:
                self.document(document, Source(name, document.marks))
        self.problems.extend(problems)

    def document(self, document: Document, source: Source | None) -> None:
        """One document: a resource, or a list of them."""
        items = list(_items(document.value, ""))
        owned: dict[str, list[Problem]] = {path: [] for path, _ in items}
        for problem in document.problems:
            owner = problem.path
            while owner and owner not in owned:
                owner = parent_path(owner)
            owned.get(owner, self.problems).append(problem)
        for path, value in items:
            whose = source.below(path) if source and path else source
            own = evolve(document, problems=tuple(owned[path])) if document.problems else document
            resource, problems = read_resource(own, value, path, whose, lenient_fields=self.lenient_fields)
            if resource is not None:
                self.found.append(resource)
                problems += self.twin(resource, document.name)
            elif problems[0].resource is not None and any(map(_is_error, problems)):
                self.refused.append(Refused(problems[0].resource, freeze(value), whose, tuple(problems)))
            if problems:
                self.report(problems, document.name)

    def report(self, problems: list[Problem], name: str) -> None:
        """Keeps problems in mind, unless there are too many already."""
        self.problems.extend(problems)
        self.errors += sum(map(_is_error, problems))
        if self.errors > MAX_ERRORS:
            last = Problem(f"at most {MAX_ERRORS} mistakes", "more", document=name)
            raise LoadError([*self.problems, last])

    def twin(self, resource: Resource, name: str) -> list[Problem]:
        """Of several resources of one name none counts."""
        first, document = self.first.setdefault(resource.ref, (resource, name))
        if first is resource:
            return []
        self.twins.add(resource.ref)
        found = f"another one{_place(first, document)}"
        return [Problem("each resource once", found, "", resource.ref, name, _mark(resource))]


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _mark(resource: Resource) -> Mark | None:
    return resource.source.mark("") if resource.source else None


def _place(resource: Resource, document: str) -> str:
    mark = _mark(resource)
    return f" in `{document}`, line {mark.line}" if mark else f" in `{document}`"


def _items(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The resources of a document: itself, or the items of a `List`, or of a list of one kind."""
    kind = value.get("kind") if isinstance(value, (dict, Mapping)) else None
    items = value.get("items") if isinstance(value, (dict, Mapping)) else None
    if kind == "List" and items is None:
        return
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, (list, tuple)):
        yield path, value
        return
    inherited = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        is_bare = isinstance(item, (dict, Mapping)) and inherited["kind"] and "kind" not in item
        yield from _items({**inherited, **item} if is_bare else item, f"{path and path + '.'}items[{index}]")
