"""Documents -> resources and back: the only module that knows cattrs.

A good document goes through one function for each class, made once. One that these refuse is read a second
time, slowly, by cattrs' converter, to find everything that is wrong with it, and where.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs
from attrs import NOTHING, evolve

from ..documents import Document, excess, is_scalar
from ..documents.base import LETTERS, ONE_MEANING
from ..documents.yaml_scalars import is_plain_text, resolved
from ..patterns import Pattern
from ..resources import checks
from ..resources.core import Namespace, Secret
from ..resources.kinds import READ
from ..resources.resource import ObjectMeta, Part, Resource
from ..values.errors import MAX_PROBLEMS, InvalidValue, LoadError, Problem, Severity, show
from ..values.frozen import FrozenMap, is_unicode, thaw
from ..values.net import Address, Prefix, parse_interface
from ..values.references import Mark, ResourceRef, Source
from ..values.spelling import nearest
from ..values.typed import takes
from .foreign import OF_OTHERS, PASSED_OVER
from .notes import NOT_READ, is_of_osm, notes
from .readers import UNREADABLE, Reader, Reading, default_of, reader
from .unread import is_unread, unread_in
from .wire_names import FIELDS, carries, check_of, wire_path

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["DEFAULT_NAMESPACE", "is_of_others", "read_resource", "structure", "to_mapping"]

DEFAULT_NAMESPACE = "default"
CLUSTER_SCOPED = (Namespace,)
ALIKE = 0.8  # of kinds and API groups, as there are many of others that look alike

_ABSENT = (None, "")
_SECRETS = ("data.", "stringData.")
_TWO_MEANINGS = "YAML 1.1 and 1.2 read it differently"
_LETTER = "kubectl reads it as a boolean, and the API server refuses that"
_TEXT_CHECKS = {
    checks.optional_name,
    checks.optional_string,
    checks.resource_name,
    checks.string,
    checks.string_map,
    checks.strings,
}
_BY_KIND = {kind.kind: kind for kind in READ}
# A part is made slot by slot: its `__init__` would check every field a second time.
_set_namespace = vars(ObjectMeta)["namespace"].__set__
_set_source = vars(Resource)["source"].__set__


def structure(value: Any, source: Source | None = None) -> Resource:
    """One resource from a mapping in wire form.

    Raises:
        LoadError: everything that is wrong with it.
    """
    broken = excess(value)
    if broken:
        raise LoadError([Problem(broken, "more", document=source.document if source else "<mapping>")])
    document = Document(source.document if source else "<mapping>", value, dict)
    resource, problems = read_resource(document, value, "", source, lenient_fields=False)
    if resource is None:
        raise LoadError(problems)
    return resource


def read_resource(
    document: Document,
    value: Any,
    path: str,
    source: Source | None,
    *,
    lenient_fields: bool,
    namespace: str = DEFAULT_NAMESPACE,
) -> tuple[Resource | None, list[Problem]]:
    """The resource that a value stands for, or all that is wrong with it; warnings either way.

    Args:
        document: that it stands in.
        value: as it is written.
        path: where it stands there.
        source: the place of its fields.
        lenient_fields: whether unknown fields are carried along.
        namespace: of what names none.
    """
    problems: list[Problem] = []
    value = value if source is None else _with_whole_numbers(value)
    kind, ref = _kind_of(value, problems)
    resource: Resource | None = None
    is_skipped = kind is None and all(problem.severity is Severity.INFO for problem in problems)
    problems[:0] = _own_problems(document, value, path, kind, is_skipped=is_skipped)
    if kind is not None:
        prepared, wrong = _prepared(kind, value, namespace)
        problems.extend(wrong)
        if not problems and not lenient_fields:
            resource = _quickly(kind, prepared)
        if resource is None:
            ref = _ref_of(kind.kind, prepared)
            known = {problem.path for problem in problems}
            found = islice(_wrong_with(kind, prepared, "", lenient_fields=lenient_fields), MAX_PROBLEMS)
            problems.extend(_as_a_text(kind, problem) for problem in found if problem.path not in known)
            if not any(problem.severity is Severity.ERROR for problem in problems):
                resource = _quickly(kind, prepared, lenient=True)
        if resource is not None:
            problems.extend(_as_a_text(kind, problem) for problem in _warnings(kind, prepared, ""))
            problems.extend(notes(kind, prepared))
            _set_source(resource, source)
    if not problems:
        return resource, problems
    ref = resource.ref if resource is not None else ref
    located = [_located(problem, document, source, ref, path) for problem in problems]
    return resource, sorted(located, key=lambda problem: problem.mark or Mark(0, 0))


def _with_whole_numbers(value: Any) -> Any:
    """What a text says, with `443.0` as 443: to JSON, and so to kubectl, they are one number."""
    if isinstance(value, dict):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _own_problems(
    document: Document, value: Any, path: str, kind: type[Resource] | None, *, is_skipped: bool
) -> Iterator[Problem]:
    """What is wrong with the document of a resource: of a skipped one only what its kind may hang on.

    A scalar that kubectl and others read differently matters where it is read; it is an error where the field
    cannot hold what kubectl reads. Of a Secret, or what may have been meant as one, no problem says what
    stands there.
    """
    is_secret = isinstance(value, (dict, Mapping)) and value.get("kind") == Secret.kind
    for problem in document.problems:
        inside = problem.path[len(path) :].lstrip(".")
        if is_skipped and ("." in inside or "[" in inside):
            continue
        check: Any = None
        if kind is not None and problem.expected == ONE_MEANING:
            check = check_of(kind, inside)
            if check is None:
                continue  # as it is carried along, it means what kubectl makes of it
            if problem.found.strip("`") in LETTERS and check in _TEXT_CHECKS:
                yield evolve(problem, severity=Severity.WARNING, reason=_LETTER, code="FSE102")
                continue
        is_hushed = is_secret or inside.startswith(_SECRETS)
        if is_hushed:
            yield evolve(problem, found="", proposal=None)
        else:
            yield problem if check is None else _with_a_value_for(check, problem)


def _with_a_value_for(check: Any, problem: Problem) -> Problem:
    """A problem of a scalar of two meanings, with the one as proposal that its field takes.

    It is a warning where that is the one that kubectl reads, as it is read here, too.
    """
    text = problem.found.strip("`")
    read = resolved(text)[0]
    is_host = _ADVICE.get(check) is _capitals  # which is read in small letters
    written_as_text = json.dumps(text.lower()) if is_host else problem.proposal
    meanings = {written_as_text: text, json.dumps(read): read}
    fits = (written for written, value in meanings.items() if _is_taken(check, value))
    severity = Severity.WARNING if _is_taken(check, read) else Severity.ERROR
    return evolve(problem, proposal=next(fits, None), reason=_TWO_MEANINGS, severity=severity)


def _as_a_text(kind: type[Resource], problem: Problem) -> Problem:
    """A problem whose proposal is in quotes where it is a text that YAML would read as something else."""
    written = problem.proposal
    if written is None or not _is_taken(check_of(kind, problem.path), written):
        return problem
    is_plain = is_plain_text(written) and written.strip(":") == written
    return problem if is_plain else evolve(problem, proposal=json.dumps(written))


def _is_taken(check: Any, value: Any) -> bool:
    """Whether a field takes a value: as it is, in its list or in its map."""
    for held in (value, [value], {"key": value}):
        try:
            check(held)
        except (InvalidValue, TypeError):  # because a class of parts takes no scalar
            continue
        return True
    return False


def _located(
    problem: Problem, document: Document, source: Source | None, ref: ResourceRef | None, path: str
) -> Problem:
    inside = problem.path if problem.mark is None else problem.path[len(path) :].lstrip(".")
    mark = problem.mark or (source.mark(inside) if source else None)
    where = inside if source or not path else f"{path}.{inside}".rstrip(".")
    by = source.changed_by(inside) if source else ""
    return evolve(problem, document=f"<{by}>" if by else document.name, mark=mark, resource=ref, path=where)


def _kind_of(value: Any, problems: list[Problem]) -> tuple[type[Resource] | None, ResourceRef | None]:
    """The class of a document by its kind and API group; a kind of others is skipped and said so."""
    if not isinstance(value, (dict, Mapping)):
        problems.append(Problem("a Kubernetes object as a mapping", show(value)))
        return None, None
    name, version = value.get("kind"), value.get("apiVersion")
    for key, found in (("kind", name), ("apiVersion", version)):
        if not isinstance(found, str):
            there = show(found) if key in value else "none"
            problems.append(Problem("a string", there, key))
    if not isinstance(name, str) or not isinstance(version, str):
        return None, None
    if is_unread(value):
        return None, _not_read(value, problems)
    kind = _BY_KIND.get(name)
    if kind is not None and version in kind.api_versions:
        return kind, None
    ref = _ref_of(name, value)
    near = _near_kind(name)
    if kind is not None and _is_meant(kind, version):
        known = " or ".join(f"`{known}`" for known in kind.api_versions)
        problems.append(Problem(known, show(version), "apiVersion", proposal=kind.api_versions[0]))
    elif near and kind is None and version in _BY_KIND[near].api_versions:
        problems.append(Problem("a known kind", show(name), "kind", proposal=near))
    elif name.endswith("List") and value.get("items") is not None:
        problems.append(Problem("a list", show(value["items"]), "items"))
    else:
        found = f"`{name}` of `{version}`, which is skipped"
        severity, code = Severity.INFO, PASSED_OVER
        problems.append(Problem(OF_OTHERS, found, "kind", severity=severity, code=code))
    return None, ref


@lru_cache(1_000)
def _near_kind(name: str) -> str | None:
    """The kind that may have been meant; most documents of others are of few kinds."""
    return nearest(name, _BY_KIND, ALIKE)


def is_of_others(value: Any) -> bool:
    """Whether a value is a document of a kind of others."""
    problems: list[Problem] = []
    kind, _ = _kind_of(value, problems)
    return kind is None and all(problem.severity is Severity.INFO for problem in problems)


def _not_read(value: Mapping[str, Any], problems: list[Problem]) -> ResourceRef | None:
    """The objects of which a document says that they could not be read."""
    try:
        unread = unread_in(value)
    except InvalidValue as error:
        problems.extend(error.problems)
        return None
    problems.append(unread.problem)
    return unread.ref


def _is_meant(kind: type[Resource], version: str) -> bool:
    """Whether an unknown API version is a mistake, not another API with a kind of that name."""
    group = version.rpartition("/")[0]
    groups = [known.rpartition("/")[0] for known in kind.api_versions]
    return group in {*groups, ""} or nearest(group, groups, ALIKE) is not None


def _ref_of(kind: str, value: Mapping[str, Any]) -> ResourceRef:
    metadata = value.get("metadata")
    names = metadata if isinstance(metadata, (dict, Mapping)) else {}
    name, namespace = names.get("name"), names.get("namespace", "")
    return ResourceRef(
        kind, namespace if isinstance(namespace, str) else "", name if isinstance(name, str) else "?"
    )


def _prepared(
    kind: type[Resource], value: Mapping[str, Any], default: str
) -> tuple[Mapping[str, Any], list[Problem]]:
    """A document as the models see it: in a namespace, unless it has none, and of a Secret only `data`."""
    metadata = value.get("metadata")
    if isinstance(metadata, (dict, Mapping)):
        namespace = metadata.get("namespace")
        if kind in CLUSTER_SCOPED and namespace not in _ABSENT:
            return value, [Problem("no namespace", show(namespace), "metadata.namespace")]
        if kind not in CLUSTER_SCOPED and namespace in _ABSENT:
            value = {**value, "metadata": {**metadata, "namespace": default}}
    return _with_plain(value) if kind is Secret and "stringData" in value else (value, [])


def _with_plain(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Problem]]:
    """`stringData` of a Secret goes into its `data`; no problem shows what it holds."""
    merged = {key: item for key, item in value.items() if key != "stringData"}
    plain = value["stringData"]
    if plain is None:
        return merged, []
    if not isinstance(plain, Mapping):
        return merged, [Problem("a mapping of strings", path="stringData")]
    plain = {key: "" if item is None else item for key, item in plain.items()}  # as the API server reads it
    good = {key: item for key, item in plain.items() if isinstance(item, str) and is_unicode(item)}
    data = value.get("data")
    if data is None or isinstance(data, Mapping):
        merged["data"] = {**(data or {}), **{key: item.encode() for key, item in good.items()}}
    return merged, [Problem("a string", path=f"stringData.{key}") for key in plain if key not in good]


def good_reader(reading: Reading, namespace: str) -> Callable[[Any], Resource]:
    """The quick way: it gives the resource that a value stands for, if there is nothing to be said about it.

    If there is, it raises one of `UNREADABLE`, and `read_resource` finds out what. What names no namespace is
    in `namespace`.
    """
    readers = _Readers()

    def read_good(value: Any) -> Resource:
        reading.is_odd = False
        read, is_cluster_scoped = readers[value["kind"]]
        resource: Resource = read(value, reading)
        metadata = resource.metadata
        if reading.is_odd or is_of_osm(resource):
            raise InvalidValue
        if metadata.namespace:
            if is_cluster_scoped:
                raise InvalidValue
        elif not is_cluster_scoped:
            if "namespace" in metadata.explicit:
                raise InvalidValue
            _set_namespace(metadata, namespace)
        return resource

    return read_good


class _Readers(dict[str, tuple[Reader, bool]]):
    """The reader of each kind, made when it is first needed, and whether the kind is in no namespace."""

    def __missing__(self, name: str) -> tuple[Reader, bool]:
        kind = _BY_KIND[name]
        self[name] = _GOOD_READERS[kind], kind in CLUSTER_SCOPED
        return self[name]


class _GoodReaders(dict[type[Part], Reader]):
    """The readers of good values by class, each made when it is first needed."""

    def __missing__(self, kind: type[Part]) -> Reader:
        self[kind] = read = reader(kind, self.__getitem__, carries)
        return read


_GOOD_READERS = _GoodReaders()


@cache
def _converter() -> Converter:
    """The converter for values that are looked at with care; good documents are read without cattrs."""
    from cattrs import Converter  # noqa: PLC0415  # because hardly any document needs it

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, Part),
        lambda kind: reader(kind, converter.get_structure_hook, _carries_all),
    )
    return converter


def _carries_all(_: type[Part], name: str) -> bool:  # noqa: ARG001  # because it stands for `carries`
    return True


def _lenient_reader_of(kind: type[Part]) -> Reader:
    read: Reader = _converter().get_structure_hook(kind)
    return read


def _quickly(kind: type[Resource], value: Mapping[str, Any], *, lenient: bool = False) -> Resource | None:
    """The resource of a good document; None for one that the slow reading has to look at."""
    read = _lenient_reader_of(kind) if lenient else _GOOD_READERS[kind]
    try:
        resource: Resource = read(value, Reading())
    except UNREADABLE:
        return None
    return resource


# --- what is wrong ---------------------------------------------------------------------------------------


def _wrong_with(kind: type[Part], value: Any, path: str, *, lenient_fields: bool) -> Iterator[Problem]:
    """Everything that is wrong with a value that should be a part of this class."""
    if not isinstance(value, (dict, Mapping)):
        yield Problem("a mapping", show(value), path)
        return
    yield from _unknown_fields(kind, value, path, lenient_fields=lenient_fields)
    known = [name for name in FIELDS[kind] if name in value]
    wrong = False
    for name, attribute in FIELDS[kind].items():
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
            _lenient_reader_of(kind)({key: value[key] for key in known}, Reading())
        except InvalidValue as error:
            for problem in error.problems:
                yield evolve(problem, path=wire_path(problem.path)).within(path)


def _unknown_fields(
    kind: type[Part], value: Mapping[str, Any], path: str, *, lenient_fields: bool
) -> Iterator[Problem]:
    fields = FIELDS[kind]
    for key, item in value.items():
        place = f"{path}.{key}" if path else str(key)
        if key in fields or (key == "kind" and issubclass(kind, Resource)):
            continue
        yield from _unfit({key: item}, path)
        if isinstance(key, str) and not carries(kind, key):
            severity = Severity.WARNING if lenient_fields else Severity.ERROR
            yield Problem(
                "a known field",
                f"`{key}`",
                place,
                proposal=nearest(key, fields),
                severity=severity,
                code=NOT_READ if lenient_fields else "",
            )


def _unfit(value: Any, path: str) -> Iterator[Problem]:
    """What a carried value holds that is not JSON: a caller's mapping can hold anything."""
    if isinstance(value, (dict, Mapping)):
        for key, item in value.items():
            if isinstance(key, str) and is_unicode(key):
                yield from _unfit(item, f"{path}.{key}" if path else key)
            else:
                yield Problem("a field name", show(key), path)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _unfit(item, f"{path}[{index}]")
    elif not is_scalar(value):
        yield Problem("a JSON value", show(value), path)


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
    for name in _WARNED[kind]:
        attribute, item = FIELDS[kind][name], value.get(name)
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


def _warned_fields(kind: type[Part]) -> tuple[str, ...]:
    """The fields of a class that warnings can come from, in themselves or below."""
    return tuple(
        name
        for name, attribute in FIELDS[kind].items()
        if attribute.metadata.get("check") in _ADVICE
        or ("part" in attribute.metadata and _warned_fields(attribute.metadata["part"]))
    )


def _host_bits(text: Any, path: str) -> Iterator[Problem]:
    if _ALIGNED.fullmatch(str(text)):
        return  # a bare address, where one may be, has no other bits either
    address, prefix = parse_interface(str(text))
    if address != prefix.network:
        yield Problem(
            "an address range without host bits",
            show(text),
            path,
            proposal=str(prefix),
            reason="that is how it is read",
            severity=Severity.WARNING,
            code="FSE087",
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
            written=text,
            code="FSE086",
        )


_ADVICE: dict[Any, Callable[[Any, str], Iterator[Problem]]] = {
    checks.listed_ranges: _host_bits,
    checks.prefixes: _host_bits,
    checks.hosts: _capitals,
}
_ALIGNED = re.compile(r"[0-9.]+(/32|$|\.0/24|\.0\.0/16|\.0\.0\.0/8)")  # seen at a glance, as most are
_WARNED = {kind: _warned_fields(kind) for kind in FIELDS}


# --- writing ---------------------------------------------------------------------------------------------


@takes(resource=Resource)
def to_mapping(resource: Resource) -> dict[str, Any]:
    """The resource in Kubernetes' wire form, as `kubectl apply` takes it: plain dictionaries and lists."""
    wire = _wire_of(resource)
    head = {"apiVersion": wire.pop("apiVersion"), "kind": resource.kind}
    return {**head, "metadata": _wire_of(resource.metadata), **wire}


def _wire_of(part: Part) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    for name, attribute in FIELDS[type(part)].items():
        value = getattr(part, attribute.name)
        if value != default_of(attribute) or name in part.explicit:
            is_header_list = attribute.metadata.get("check") is checks.header_patterns
            wire[name] = (
                [{key: item.text} for key, item in value.items()] if is_header_list else _plain(value)
            )
    wire.update(thaw(part.extra))
    return wire


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
