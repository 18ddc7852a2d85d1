"""Documents -> resources and back: the only module that knows cattrs.

A good document goes through functions that cattrs generated. One that they refuse is read a second time,
slowly, to find everything that is wrong with it, and where.
"""

from __future__ import annotations

import difflib
import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union, runtime_checkable

import attrs
from attrs import NOTHING, evolve, frozen

from . import checks
from .core import Namespace, Secret
from .documents import Document, is_disputed, read_text
from .errors import InvalidValue, LoadError, MissingExtra, Problem, Severity, show
from .frozen import FrozenMap, freeze, thaw
from .net import Address, Prefix, parse_interface
from .patterns import Pattern
from .references import Mark, ResourceRef, Source
from .resource import Part, Resource
from .resources import KINDS
from .wire import carries, fields_of, wire_path

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "Input",
    "Loaded",
    "NamedText",
    "dump_json",
    "dump_yaml",
    "load_resources",
    "structure",
    "to_mapping",
]

SUFFIXES = (".yaml", ".yml", ".json")
DEFAULT_NAMESPACE = "default"
CLUSTER_SCOPED = (Namespace,)

_BY_KIND = {kind.kind: kind for kind in KINDS}


@runtime_checkable
class Stream(Protocol):
    """Anything that a text can be read from."""

    def read(self) -> bytes | str: ...  # noqa: D102  # because it is what every file does


@frozen
class NamedText:
    """A text and what errors call it, as a stream."""

    content: str | bytes = attrs.field(repr=False)
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
        sources: paths of files and folders (read recursively, `.yaml`, `.yml` and `.json`); texts as bytes, or
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


def structure(value: Any, source: Source | None = None) -> Resource:
    """One resource from a mapping in wire form.

    Raises:
        LoadError: everything that is wrong with it.
    """
    document = Document(source.document if source else "<mapping>", value, dict)
    resource, problems = _resource(document, value, "", source, lenient_fields=False)
    if resource is None:
        raise LoadError(problems)
    return resource


# --- sources ---------------------------------------------------------------------------------------------


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
            resource, problems = _resource(
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
        inner = {
            place[prefix:].lstrip("."): mark for place, mark in source.marks().items() if _within(place, path)
        }
        return inner

    return Source(source.document, marks)


# --- structuring -----------------------------------------------------------------------------------------


def _resource(
    document: Document, value: Any, path: str, source: Source | None, *, lenient_fields: bool
) -> tuple[Resource | None, list[Problem]]:
    """The resource that a value stands for, or all that is wrong with it; warnings either way."""
    problems = list(document.problems)
    kind, ref = _kind_of(value, problems)
    resource: Resource | None = None
    if kind is not None:
        prepared = _prepared(kind, value)
        ref = _ref_of(kind, prepared)
        if not problems and not lenient_fields:
            resource = _quickly(kind, prepared)
        if resource is None:
            known = {problem.path for problem in problems}
            found = list(_wrong_with(kind, prepared, "", lenient_fields=lenient_fields))
            problems.extend(problem for problem in found if problem.path not in known)
            if not any(problem.severity is Severity.ERROR for problem in problems):
                resource = _quickly(kind, prepared, lenient=True)
        if resource is not None:
            problems.extend(_warnings(kind, prepared, ""))
            resource = evolve(resource, source=source)
    located = [_located(problem, document, source, ref, path) for problem in problems]
    return resource, located


def _located(
    problem: Problem, document: Document, source: Source | None, ref: ResourceRef | None, path: str
) -> Problem:
    inside = problem.path if problem.mark is None else problem.path[len(path) :].lstrip(".")
    mark = problem.mark or (source.mark(inside) if source else None)
    where = inside if source or not path else f"{path}.{inside}".rstrip(".")
    return evolve(problem, document=document.name, mark=mark, resource=ref, path=where)


def _kind_of(value: Any, problems: list[Problem]) -> tuple[type[Resource] | None, ResourceRef | None]:
    """The class of a document by its kind and API group; a kind of others is skipped and said so."""
    if not isinstance(value, Mapping):
        problems.append(Problem("a Kubernetes object as a mapping", show(value)))
        return None, None
    name, version = value.get("kind"), value.get("apiVersion")
    for key, found in (("kind", name), ("apiVersion", version)):
        if not isinstance(found, str):
            there = show(found) if key in value else "none"
            problems.append(Problem("a string", there, key))
    if not isinstance(name, str) or not isinstance(version, str):
        return None, None
    ref = ResourceRef(name, "", "")
    kind = _BY_KIND.get(name)
    if kind is not None and version in kind.api_versions:
        return kind, ref
    near = difflib.get_close_matches(name, _BY_KIND, 1, 0.8)
    if kind is not None and _is_meant(kind, version):
        known = " or ".join(f"`{known}`" for known in kind.api_versions)
        problems.append(Problem(known, show(version), "apiVersion", proposal=kind.api_versions[0]))
    elif near and kind is None and version in _BY_KIND[near[0]].api_versions:
        problems.append(Problem("a known kind", show(name), "kind", proposal=near[0]))
    else:
        found = f"`{name}` of `{version}`, which is skipped"
        problems.append(Problem("a kind that egress depends on", found, "kind", severity=Severity.INFO))
    return None, ref


def _is_meant(kind: type[Resource], version: str) -> bool:
    """Whether an unknown API version is a mistake, not the API of another project with a kind of that name."""
    group = version.rpartition("/")[0]
    groups = [known.rpartition("/")[0] for known in kind.api_versions]
    return group in {*groups, ""} or bool(difflib.get_close_matches(group, groups, 1, 0.8))


def _ref_of(kind: type[Resource], value: Mapping[str, Any]) -> ResourceRef:
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = names.get("name"), names.get("namespace", "")
    return ResourceRef(
        kind.kind, namespace if isinstance(namespace, str) else "", name if isinstance(name, str) else "?"
    )


def _prepared(kind: type[Resource], value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document as the models see it: without its kind, in a namespace, and of a Secret only `data`."""
    prepared = {key: item for key, item in value.items() if key != "kind"}
    metadata = prepared.get("metadata")
    if isinstance(metadata, Mapping) and kind not in CLUSTER_SCOPED and not metadata.get("namespace"):
        prepared["metadata"] = {**metadata, "namespace": DEFAULT_NAMESPACE}
    plain = prepared.get("stringData")
    data = prepared.get("data")
    if kind is Secret and isinstance(plain, Mapping) and isinstance(data, (Mapping, type(None))):
        texts = {key: item.encode() if isinstance(item, str) else item for key, item in plain.items()}
        prepared["data"] = {**(data or {}), **texts}
        del prepared["stringData"]
    return prepared


@cache
def _converter(*, lenient: bool) -> Converter:
    """The converter of this module, made on first use: importing the library imports no cattrs."""
    from cattrs import Converter  # noqa: PLC0415  # because only loading needs it
    from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415  # because only loading needs it

    converter = Converter(detailed_validation=False)

    def hook(kind: type[Part]) -> Callable[[Any, Any], Part]:
        fields = fields_of(kind)
        overrides = {
            attribute.name: override(rename=name, struct_hook=_struct_hook(attribute, converter))
            for name, attribute in fields.items()
        }
        overrides |= {
            attribute.name: override(omit=True)
            for attribute in attrs.fields(kind)
            if attribute.name not in overrides
        }
        generated = make_dict_structure_fn(kind, converter, **overrides)  # type: ignore[arg-type]  # because cattrs types its keyword arguments as one of its options
        defaults = {
            name: (attribute.name, _default_of(attribute))
            for name, attribute in fields.items()
            if _default_of(attribute) is not NOTHING
        }

        def structure_part(value: Any, _: Any) -> Part:
            present = {key: item for key, item in _mapping(value).items() if item is not None}
            extra = {key: present[key] for key in present if key not in fields}
            if not lenient and not all(carries(kind, key) for key in extra):
                raise InvalidValue.of("known fields", value)
            made: Part = generated(present, kind)
            explicit = frozenset(
                name
                for name, (own, default) in defaults.items()
                if name in present and getattr(made, own) == default
            )
            return evolve(made, extra=freeze(extra), explicit=explicit) if extra or explicit else made

        return structure_part

    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, Part), hook
    )
    return converter


def _struct_hook(attribute: attrs.Attribute[Any], converter: Converter) -> Callable[[Any, Any], Any]:
    """How one field is structured: parts by their class, everything else by its check."""
    metadata = attribute.metadata
    if "part" in metadata:
        kind = metadata["part"]
        return lambda value, _: converter.structure(value, kind)
    if "parts" in metadata:
        kind, what = metadata["parts"], "objects"
        return lambda value, _: checks.each(lambda item: converter.structure(item, kind), value, what)
    check = metadata.get("check", checks.string)
    return lambda value, _: check(value)


def _default_of(attribute: attrs.Attribute[Any]) -> Any:
    """The default of a field; NOTHING where it has none or depends on the object."""
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # because attrs types Factory as a function
        return NOTHING if default.takes_self else default.factory()
    return default


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidValue.of("a mapping", value)
    return value


def _quickly(kind: type[Resource], value: Mapping[str, Any], *, lenient: bool = False) -> Resource | None:
    """The resource of a good document; None for one that the slow reading has to look at."""
    try:
        resource: Resource = _converter(lenient=lenient).structure(value, kind)
    except (InvalidValue, KeyError, RecursionError):
        return None
    return resource


# --- what is wrong ---------------------------------------------------------------------------------------


def _wrong_with(kind: type[Part], value: Any, path: str, *, lenient_fields: bool) -> Iterator[Problem]:
    """Everything that is wrong with a value that should be a part of this class."""
    if not isinstance(value, Mapping):
        yield Problem("a mapping", show(value), path)
        return
    yield from _unknown_fields(kind, value, path, lenient_fields=lenient_fields)
    wrong = False
    for name, attribute in fields_of(kind).items():
        place = f"{path}.{name}" if path else name
        item = value.get(name)
        if item is None:
            if attribute.default is NOTHING:
                wrong = True
                yield Problem(f"the field `{name}`", "`null`" if name in value else "none", path)
            continue
        for problem in _wrong_field(attribute, item, place, lenient_fields=lenient_fields):
            wrong = wrong or problem.severity is Severity.ERROR
            yield problem
    if not wrong:
        try:
            _converter(lenient=True).structure(value, kind)
        except InvalidValue as error:
            for problem in error.problems:
                yield evolve(problem, path=wire_path(problem.path)).within(path)


def _unknown_fields(
    kind: type[Part], value: Mapping[str, Any], path: str, *, lenient_fields: bool
) -> Iterator[Problem]:
    fields = fields_of(kind)
    for key in value:
        if not isinstance(key, str):
            yield Problem("a field name", show(key), path)
        elif key not in fields and not carries(kind, key):
            near = difflib.get_close_matches(key, fields, 1)
            severity = Severity.WARNING if lenient_fields else Severity.ERROR
            place = f"{path}.{key}" if path else key
            yield Problem(
                "a known field", f"`{key}`", place, proposal=next(iter(near), None), severity=severity
            )


def _wrong_field(
    attribute: attrs.Attribute[Any], value: Any, path: str, *, lenient_fields: bool
) -> Iterator[Problem]:
    metadata = attribute.metadata
    if "part" in metadata:
        yield from _wrong_with(metadata["part"], value, path, lenient_fields=lenient_fields)
    elif "parts" in metadata:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                yield from _wrong_with(
                    metadata["parts"], item, f"{path}[{index}]", lenient_fields=lenient_fields
                )
        else:
            yield Problem("a list", show(value), path)
    else:
        try:
            metadata.get("check", checks.string)(value)
        except InvalidValue as error:
            yield from (problem.within(path) for problem in error.problems)


def _warnings(kind: type[Part], value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is read otherwise than it is written: host bits of a range, capitals of a host."""
    for name in _warned_fields(kind) & value.keys():
        attribute, item = fields_of(kind)[name], value[name]
        place = f"{path}.{name}" if path else name
        metadata = attribute.metadata
        if item is None:
            continue
        if "part" in metadata:
            yield from _warnings(metadata["part"], item, place)
        else:
            advise = _ADVICE[metadata["check"]]
            for index, text in enumerate(item):
                yield from advise(text, f"{place}[{index}]")


@cache
def _warned_fields(kind: type[Part]) -> frozenset[str]:
    """The fields of a class that warnings can come from, in themselves or below."""
    return frozenset(
        name
        for name, attribute in fields_of(kind).items()
        if attribute.metadata.get("check") in _ADVICE
        or ("part" in attribute.metadata and _warned_fields(attribute.metadata["part"]))
    )


def _host_bits(text: Any, path: str) -> Iterator[Problem]:
    address, prefix = parse_interface(str(text))
    if address != prefix.network:
        yield Problem(
            "an address range without host bits",
            show(text),
            path,
            proposal=str(prefix),
            reason="that is how it is read",
            severity=Severity.WARNING,
        )


def _capitals(text: Any, path: str) -> Iterator[Problem]:
    if text != text.lower():
        yield Problem(
            "a host in lower case",
            show(text),
            path,
            proposal=text.lower(),
            reason="that is how it is read",
            severity=Severity.WARNING,
        )


_ADVICE: dict[Any, Callable[[Any, str], Iterator[Problem]]] = {
    checks.prefixes: _host_bits,
    checks.hosts: _capitals,
}


# --- writing ---------------------------------------------------------------------------------------------


def to_mapping(resource: Resource) -> dict[str, Any]:
    """The resource in Kubernetes' wire form, as `kubectl apply` takes it: plain dictionaries and lists."""
    wire = _wire_of(resource)
    return {"apiVersion": wire.pop("apiVersion"), "kind": resource.kind, **wire}


def _wire_of(part: Part) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for name, attribute in fields_of(type(part)).items():
        value = getattr(part, attribute.name)
        if value != _default_of(attribute) or name in part.explicit:
            is_header_list = attribute.metadata.get("check") is checks.header_patterns
            wire[name] = (
                [{key: item.text} for key, item in value.items()] if is_header_list else _plain(value)
            )
    return wire | thaw(part.extra)


def _plain(value: Any) -> Any:
    """A field's value as JSON."""
    if isinstance(value, Part):
        return _wire_of(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, FrozenMap):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Pattern):
        return value.text
    if isinstance(value, (Address, Prefix)):
        return str(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value


def dump_json(resources: Resource | Iterable[Resource], *, indent: int | None = 2) -> str:
    """One resource as a JSON object, several as a `List`; it ends with a line break."""
    if isinstance(resources, Resource):
        tree = to_mapping(resources)
    else:
        tree = {"apiVersion": "v1", "kind": "List", "items": [to_mapping(resource) for resource in resources]}
    return json.dumps(tree, indent=indent, ensure_ascii=False) + "\n"


def dump_yaml(resources: Resource | Iterable[Resource]) -> str:
    """Resources as YAML, a document each; what YAML versions read differently is quoted.

    Raises:
        MissingExtra: PyYAML is not installed.
    """
    try:
        import yaml  # noqa: PLC0415  # because YAML is an extra
    except ImportError:
        raise MissingExtra("writing YAML", "yaml") from None

    class Dumper(yaml.SafeDumper):
        """Writes every value where it stands, and no string that reads as something else."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # because PyYAML calls it so
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            return self.represent_scalar("tag:yaml.org,2002:str", data, '"' if is_disputed(data) else None)

    Dumper.add_representer(str, Dumper.represent_str)
    listed = [resources] if isinstance(resources, Resource) else resources
    text: str = yaml.dump_all(
        (to_mapping(resource) for resource in listed),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        explicit_start=True,
    )
    return text
