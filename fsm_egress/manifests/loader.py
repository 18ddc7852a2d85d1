"""Files, folders, texts, streams and mappings -> resources: what is read, and what is said of it."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias, Union, runtime_checkable

from attrs import evolve, field

from ..documents import MAX_DEPTH, MAX_TEXT, Document, excess, places_in, read_at_once, read_text, size_of
from ..resources.checks import namespace as name_of_namespace
from ..resources.core import Endpoints, EndpointSlice
from ..resources.losses import Loss
from ..resources.meshconfig import MeshConfig
from ..resources.resource import Resource
from ..values.construction import frozen
from ..values.errors import InvalidValue, LoadError, Problem, Severity
from ..values.frozen import EMPTY, FrozenMap, freeze
from ..values.references import Mark, ResourceRef, Source, parent_path
from .foreign import PASSED_OVER, holds_objects, is_foreign, is_object, more_of_others, no_objects
from .lists import is_event, is_list, items_of, whole
from .losses import losses_of, readable_part
from .making import good_reader
from .manifest import DEFAULT_NAMESPACE, is_of_others, read_resource
from .mirroring import mirrored
from .readers import ROOM, UNREADABLE, Reading
from .unread import is_unread
from .watched import latest

__all__ = ["Input", "Loaded", "NamedObjects", "NamedText", "Refused", "load_resources"]

MAX_ERRORS = 10_000  # of one load
MAX_FOREIGN = 10_000  # documents of other kinds that are listed; how many more there are is counted
MAX_KINDS = 10_000  # of such documents: no cluster has as many
SUFFIXES = (".yaml", ".yml", ".json")
GZIP = b"\x1f\x8b"  # what a compressed text begins with


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


@frozen
class NamedObjects:
    """Objects that a caller holds, and what errors and rules call the place that they are from."""

    objects: tuple[Mapping[str, Any], ...] = field(repr=False)
    name: str


Name: TypeAlias = tuple[str, str]
"""A namespace and a name."""

Input: TypeAlias = Union[
    str, "os.PathLike[str]", bytes, Stream, NamedObjects, Mapping[str, Any], Iterable[Any]
]


@frozen
class Refused:
    """A resource that a tolerant load left out whole: as it was written, and why."""

    ref: ResourceRef
    document: FrozenMap[Any] = field(repr=False)  # it may be a Secret
    source: Source | None
    problems: tuple[Problem, ...]

    def without_secrets(self) -> Refused:
        """The same without the document, where that may hold secrets."""
        return evolve(self, document=EMPTY)


@frozen
class Loaded:
    """What a load found.

    Attributes:
        resources: the resources, in the order of the documents.
        problems: everything that is wrong.
        refused: what that kept out.
        lost: what may be decided otherwise for that.
        tables: the resources by kind, namespace and name.
    """

    resources: tuple[Resource, ...]
    problems: tuple[Problem, ...]
    refused: tuple[Refused, ...] = ()
    lost: tuple[Loss, ...] = ()
    tables: Mapping[type[Resource], Mapping[Name, Resource]] = field(factory=dict, eq=False, repr=False)


def load_resources(
    *sources: Input, strict: bool = True, lenient_fields: bool = False, namespace: str = DEFAULT_NAMESPACE
) -> Loaded:
    """The resources of files, folders, texts, streams and mappings.

    Args:
        sources: paths of files and folders (read recursively, `.yaml`, `.yml`, `.json`; a file there without
            Kubernetes objects is passed over, and told); texts as bytes, or as strings that hold a line break
            or start with `{`; streams; mappings; iterables of all these.
        strict: raise if anything is wrong; otherwise leave each invalid resource out whole and report it. Of
            a MeshConfig only the fields are left out that cannot be read.
        lenient_fields: report unknown fields as warnings and carry them along.
        namespace: of what names none, as that of `kubectl apply -n`.

    Raises:
        LoadError: with all problems of all documents, in their order.
        InvalidValue: `namespace` is none.
        MissingExtra: a text is YAML, and PyYAML is not installed.
    """
    reader = _Reader(lenient_fields, _default(namespace))
    for source in sources:
        reader.read(source)
    loaded = reader.loaded()
    errors = list(filter(_is_error, loaded.problems))
    if strict and errors:
        raise LoadError(errors)
    return loaded


def _default(namespace: Any) -> str:
    try:
        return name_of_namespace(namespace)
    except InvalidValue as error:
        raise error.at("namespace") from None


class _Reader:
    """Collects the resources of one load."""

    def __init__(self, lenient_fields: bool, namespace: str) -> None:
        self.lenient_fields = lenient_fields
        self.namespace = namespace
        self.in_folder = False  # where not every file is one of the mesh
        self.reading = Reading()
        self.found: list[Resource] = []
        # The first of equal names; and what those stand in that stand in no text.
        self.tables: dict[type[Resource], dict[Name, Resource]] = defaultdict(dict)
        self.documents: dict[tuple[type[Resource], Name], str] = {}
        self.twins: set[tuple[type[Resource], Name]] = set()
        self.problems: list[Problem] = []
        self.refused: list[Refused] = []
        self.unread: dict[ResourceRef, tuple[str, ...]] = {}  # fields of a MeshConfig
        self.errors = 0
        self.foreign = 0  # documents of kinds of others
        self.kinds: set[str] = set()  # of theirs
        self.mappings = 0

    def loaded(self) -> Loaded:
        """Everything read, without the resources of which there are several."""
        for kind, name in self.twins:
            del self.tables[kind][name]
        found = self.found
        slices = self.tables.pop(EndpointSlice, {})
        if slices:
            found = [resource for resource in found if not isinstance(resource, EndpointSlice)]
            for endpoints in mirrored(slices.values(), self.tables):  # type: ignore[arg-type]  # because it is their table
                self.tables[Endpoints][_name_of(endpoints)] = endpoints
                found.append(endpoints)
                self.problems.append(_mirror_note(endpoints))
        if self.twins:
            found = [resource for resource in found if (type(resource), _name_of(resource)) not in self.twins]
        if self.foreign > MAX_FOREIGN:
            self.problems.append(more_of_others(self.foreign - MAX_FOREIGN))
        written = {refused.ref: refused.document for refused in self.refused}
        lost = losses_of(self.problems, self.unread, written)
        return Loaded(tuple(found), tuple(self.problems), tuple(self.refused), lost, self.tables)

    @cached_property
    def good(self) -> Callable[[Any], Resource]:
        """The quick way of reading a resource."""
        return good_reader(self.reading, self.namespace)

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
        elif isinstance(source, NamedObjects):
            for item in source.objects:
                self.held(item, source.name, Source(source.name))
        elif isinstance(source, Mapping):
            self.mappings += 1
            self.held(source, f"<mapping {self.mappings}>", None)
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
            files = sorted(file for file in path.rglob("*") if _is_named_so(file) and file.is_file())
        except (OSError, ValueError) as error:  # because a path with a NUL is no OSError
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            self.problems.append(Problem("a file or a folder that can be read", document=name, reason=reason))
            return
        if not files:
            suffixes = ", ".join(f"`{suffix}`" for suffix in SUFFIXES)
            problem = Problem(f"a folder with {suffixes} files", "none", document=path.as_posix())
            self.problems.append(problem)
        before, self.in_folder = self.in_folder, True
        for file in files:
            self.path(str(file))
        self.in_folder = before

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

    def held(self, value: Mapping[str, Any], name: str, source: Source | None) -> None:
        """A document that a caller holds."""
        broken = excess(value)
        if broken:
            self.problems.append(Problem(broken, "more", document=name))
        else:
            self.document(Document(name, value, dict), source)

    def text(self, content: bytes | str, name: str) -> None:
        """All documents of a text, which may be compressed."""
        if isinstance(content, bytes) and content[:2] == GZIP:
            from ..documents.compressed import unpack  # noqa: PLC0415  # because few texts are

            try:
                content = unpack(content, MAX_TEXT)
            except ValueError as error:
                self.problems.append(Problem("a gzip file", document=name, reason=str(error)))
                return
        if not self.lenient_fields and self.at_once(content, name):
            return
        documents, problems = read_text(content, name)
        documents = tuple(it for it in documents if it.value is not None or it.problems)
        if self.in_folder and (documents or problems) and not holds_objects(content, documents, problems):
            self.problems.append(no_objects(name))
            return
        left, notes = latest(documents)
        for document in left:
            self.document(document, Source(name, document.marks))
        self.problems.extend((*notes, *problems))

    def at_once(self, content: bytes | str, name: str) -> bool:
        """A JSON text without flaws, read in one go; nothing is kept of any other."""
        reading, good = self.reading, self.good
        source = Source(name, partial(places_in, content, name))
        sources = source.items()
        items: list[Any] = []  # resources, and values about which there is something to say
        tables: dict[type[Resource], dict[Name, Resource]] = defaultdict(dict)
        reading.strings = reading.levels = 0

        def take(item: Any, _: int) -> None:
            strings = reading.strings
            reading.source = next(sources)
            try:
                resource = good(item)
            except UNREADABLE:
                more, levels = size_of(item)
                reading.strings = strings + more
                reading.levels = max(reading.levels, levels + 2 - ROOM)
                items.append(item)
            else:
                items.append(resource)
                metadata = resource.metadata
                tables[type(resource)][metadata.namespace, metadata.name] = resource

        try:
            found = read_at_once(content, name, take)
        except InvalidValue:
            return False
        if found is None:
            return False
        value, strings = found
        document = Document(name, value, source.marks)
        if is_event(value):
            return False
        if "items" not in value and not strings and (is_object(value) or not self.in_folder):
            self.document(document, source)
        elif is_list(value) and strings == reading.strings and reading.levels <= MAX_DEPTH - ROOM:
            self.listed(document, source, items, tables)
        else:
            return False
        return True

    def listed(
        self,
        document: Document,
        source: Source,
        items: list[Any],
        tables: dict[type[Resource], dict[Name, Resource]],
    ) -> None:
        """The items of a `List`, among them good resources that come in tables, too."""
        names = sum(map(len, tables.values()))
        is_known = any(self.tables[kind].keys() & table.keys() for kind, table in tables.items())
        if names == len(items) and not is_known:
            self.found += items
            for kind, table in tables.items():
                self.tables[kind].update(table)
            return
        for index, item in enumerate(items):
            if isinstance(item, Resource):
                self.keep(item, [], document.name)
                continue
            for path, value in items_of(whole(item, document.value), f"items[{index}]"):
                self.item(document, value, path, source.below(path))

    def document(self, document: Document, source: Source | None) -> None:
        """One document: a resource, or a list of them."""
        items = list(items_of(document.value, ""))
        owned: dict[str, list[Problem]] = {path: [] for path, _ in items}
        for problem in document.problems:
            owner = problem.path
            while owner and owner not in owned:
                owner = parent_path(owner)
            owned.get(owner, self.problems).append(problem)
        for path, value in items:
            whose = source.below(path) if source and path else source
            own = evolve(document, problems=tuple(owned[path])) if document.problems else document
            self.item(own, value, path, whose)

    def item(self, document: Document, value: Any, path: str, source: Source | None) -> None:
        """A document or an item of it."""
        if not (document.problems or self.lenient_fields):
            self.reading.source = source
            try:
                return self.keep(self.good(value), [], document.name)
            except UNREADABLE:
                pass
        if self.foreign >= MAX_FOREIGN and not document.problems and is_of_others(value):
            return self.pass_over(value, document.name)
        options: Any = {"lenient_fields": self.lenient_fields, "namespace": self.namespace}
        resource, problems = read_resource(document, value, path, source, **options)
        if resource is not None:
            self.keep(resource, problems, document.name)
            return None
        if all(map(is_foreign, problems)):
            self.pass_over(value, document.name)
            if self.foreign > MAX_FOREIGN:
                return None
        ref = problems[0].resource
        if ref is not None and any(map(_is_error, problems)) and not is_unread(value):
            if ref.kind == MeshConfig.kind:
                kept, fields = readable_part(document, value, path, source, problems, **options)
                if kept is not None:
                    self.unread[kept.ref] = fields
                    return self.keep(kept, problems, document.name)
            self.refused.append(Refused(ref, freeze(value), source, tuple(problems)))
        self.report(problems, document.name)
        return None

    def keep(self, resource: Resource, problems: list[Problem], document: str) -> None:
        """A resource, and what there is to say about it."""
        self.found.append(resource)
        problems += self.twin(resource, document)
        if problems:
            self.report(problems, document)

    def pass_over(self, value: Mapping[str, Any], name: str) -> None:
        """Counts a document of a kind of others."""
        self.foreign += 1
        self.kinds.add(value["kind"])
        if len(self.kinds) > MAX_KINDS:
            last = Problem(f"at most {MAX_KINDS} kinds that egress does not depend on", "more", document=name)
            raise LoadError([*self.problems, last])

    def report(self, problems: list[Problem], name: str) -> None:
        """Keeps problems in mind, unless there are too many already."""
        self.problems.extend(problems)
        self.errors += sum(map(_is_error, problems))
        if self.errors > MAX_ERRORS:
            last = Problem(f"at most {MAX_ERRORS} mistakes", "more", document=name)
            raise LoadError([*self.problems, last])

    def twin(self, resource: Resource, document: str) -> list[Problem]:
        """Of several resources of one name none counts."""
        name = _name_of(resource)
        first = self.tables[type(resource)].setdefault(name, resource)
        if first is resource:
            if resource.source is None:
                self.documents[type(resource), name] = document
            return []
        self.twins.add((type(resource), name))
        found = f"another one{_place(first, self.documents.get((type(first), name)))}"
        return [Problem("each resource once", found, "", resource.ref, document, _mark(resource))]


def _is_named_so(path: Path) -> bool:
    """Whether a file is called as documents are, compressed or not."""
    return Path(path.name.removesuffix(".gz")).suffix in SUFFIXES


def _mirror_note(endpoints: Resource) -> Problem:
    source = endpoints.source
    found = "none, and its EndpointSlices are read in their place"
    document = source.document if source else None
    return Problem(
        "the Endpoints of a service",
        found,
        "",
        endpoints.ref,
        document,
        _mark(endpoints),
        severity=Severity.INFO,
        code=PASSED_OVER,
    )


def _name_of(resource: Resource) -> Name:
    return resource.metadata.namespace, resource.metadata.name


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _mark(resource: Resource) -> Mark | None:
    return resource.source.mark("") if resource.source else None


def _place(resource: Resource, document: str | None) -> str:
    """In which document a resource stands: that which its source names, or else this one."""
    mark = _mark(resource)
    name = resource.source.document if resource.source else document
    return f" in `{name}`, line {mark.line}" if mark else f" in `{name}`"
