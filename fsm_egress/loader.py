"""Files, folders, texts, streams and mappings -> resources: what is read, and what is said of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias, Union, runtime_checkable

from attrs import evolve, field, frozen

from .documents import Document, read_text
from .errors import InvalidValue, LoadError, Problem, Severity
from .manifest import read_resource
from .references import Mark, ResourceRef, Source
from .resource import Resource

__all__ = ["Input", "Loaded", "NamedText", "load_resources"]

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
class Loaded:
    """What a load found: the resources, and every problem that did not keep them out."""

    resources: tuple[Resource, ...]
    problems: tuple[Problem, ...]


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
    errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
    if strict and errors:
        raise LoadError(errors)
    return loaded


class _Reader:
    """Collects the resources of one load."""

    def __init__(self, lenient_fields: bool) -> None:
        self.lenient_fields = lenient_fields
        self.found: list[tuple[Resource, Problem]] = []  # with what is said if it is a duplicate
        self.problems: list[Problem] = []
        self.mappings = 0

    def loaded(self) -> Loaded:
        """Everything read, without the resources of which there are several."""
        by_ref: dict[ResourceRef, list[Problem]] = {}
        for resource, problem in self.found:
            by_ref.setdefault(resource.ref, []).append(problem)
        for twins in by_ref.values():
            for twin in twins[1:]:
                place = _place(twins[0])
                self.problems.append(evolve(twin, found=f"another one{place}"))
        unique = tuple(resource for resource, _ in self.found if len(by_ref[resource.ref]) == 1)
        return Loaded(unique, tuple(self.problems))

    def read(self, source: Any) -> None:
        """One source, whatever it is."""
        if isinstance(source, str) and ("\n" in source or source.lstrip()[:1] == "{"):
            self.text(source, "<text>")
        elif isinstance(source, (str, os.PathLike)):
            self.path(Path(source))
        elif isinstance(source, bytes):
            self.text(source, "<text>")
        elif isinstance(source, Stream):
            name = getattr(source, "name", None)
            self.text(source.read(), name if isinstance(name, str) else "<stream>")
        elif isinstance(source, Mapping):
            self.mappings += 1
            self.document(Document(f"<mapping {self.mappings}>", source, dict), None)
        elif isinstance(source, Iterable):
            for item in source:
                self.read(item)
        else:
            raise InvalidValue.of("a path, a text, a stream, a mapping or several of them", source)

    def path(self, path: Path) -> None:
        """A file, or all documents below a folder in the order of their names."""
        name = path.as_posix()
        try:
            if not path.is_dir():
                self.text(path.read_bytes(), name)
                return
            files = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self.problems.append(Problem("a file or a folder that can be read", document=name, reason=reason))
            return
        if not files:
            suffixes = ", ".join(f"`{suffix}`" for suffix in SUFFIXES)
            self.problems.append(Problem(f"a folder with {suffixes} files", found="none", document=name))
        for file in files:
            self.path(file)

    def text(self, content: bytes | str, name: str) -> None:
        """All documents of a text."""
        documents, problems = read_text(content, name)
        for document in documents:
            if document.value is not None or document.problems:
                self.document(document, Source(name, document.marks))
        self.problems.extend(problems)

    def document(self, document: Document, source: Source | None) -> None:
        """One document: a resource, or a list of them."""
        for path, value in _items(document.value, ""):
            whose = _below(source, path) if source and path else source
            own = [problem for problem in document.problems if _within(problem.path, path)]
            resource, problems = read_resource(
                evolve(document, problems=tuple(own)), value, path, whose, lenient_fields=self.lenient_fields
            )
            self.problems.extend(problems)
            if resource is not None:
                mark = whose.mark("") if whose else None
                found = Problem("each resource once", "", "", resource.ref, document.name, mark)
                self.found.append((resource, found))


def _place(problem: Problem) -> str:
    if problem.mark is None:
        return f" in `{problem.document}`"
    return f" in `{problem.document}`, line {problem.mark.line}"


def _within(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _items(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The resources of a document: itself, or the items of a `List`, or of a list of one kind."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    items = value.get("items") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, (list, tuple)):
        yield path, value
        return
    inherited = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        is_bare = isinstance(item, Mapping) and inherited["kind"] and "kind" not in item
        yield from _items({**inherited, **item} if is_bare else item, f"{path and path + '.'}items[{index}]")


def _below(source: Source, path: str) -> Source:
    """The source of a resource that stands inside a document."""

    def marks() -> Mapping[str, Mark]:
        prefix = len(path)
        return {
            place[prefix:].lstrip("."): mark for place, mark in source.marks().items() if _within(place, path)
        }

    return Source(source.document, marks)
