"""Everything that is wrong with a document, and where; and what is read otherwise than it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import NOTHING, evolve

from ..documents import is_scalar
from ..resources import checks
from ..resources.resource import Part, Resource
from ..values.errors import InvalidValue, Problem, Severity, kind_of, show
from ..values.frozen import is_unicode
from ..values.net import parse_interface
from ..values.spelling import nearest
from .making import lenient_reader_of
from .names import NOT_READ
from .readers import Reading
from .wire_names import FIELDS, carries, wire_path

if TYPE_CHECKING:
    import attrs

ALIKE = 0.8  # of a field and another one beside it

__all__ = ["is_read_in_small_letters", "warnings_of", "wrong_with"]


def wrong_with(kind: type[Part], value: Any, path: str, *, lenient_fields: bool) -> Iterator[Problem]:
    """Everything that is wrong with a value that should be a part of this class."""
    if not isinstance(value, (dict, Mapping)):
        yield Problem("a mapping", kind_of(value) if _is_secret(kind) else show(value), path)
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
            lenient_reader_of(kind)({key: value[key] for key in known}, Reading())
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
            near = _meant(key, fields, value) or _lacking(kind, value)
            is_hidden = near is None and _is_secret(kind)  # it may be a credential in the wrong place
            yield Problem(
                "a known field",
                "another one" if is_hidden else f"`{key}`",
                path if is_hidden else place,
                proposal=near,
                severity=severity,
                code=NOT_READ if lenient_fields else "",
            )


def _meant(key: str, fields: Iterable[str], value: Mapping[str, Any]) -> str | None:
    """The field that an unknown one may stand for: one that is there only where it is hardly another word."""
    near = nearest(key, fields)
    if near and near in value and nearest(key, [near], ALIKE) is None:
        return nearest(key, [name for name in fields if name not in value])
    return near


def _lacking(kind: type[Part], value: Mapping[str, Any]) -> str | None:
    """The one field that has to be there and is not, where there is one unknown field in its place."""
    fields = FIELDS[kind]
    missing = [name for name, it in fields.items() if it.default is NOTHING and value.get(name) is None]
    is_one = len(missing) == 1 and len(value.keys() - fields.keys()) == 1
    return missing[0] if is_one and not (issubclass(kind, Resource) or _is_secret(kind)) else None


def _is_secret(kind: type[Part]) -> bool:
    """Whether what a part of this class holds is for nobody to see, so that no error says what is there."""
    return hasattr(kind, "without_secrets")


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
        yield from wrong_with(metadata["part"], value, path, lenient_fields=lenient_fields)
    elif "parts" in metadata:
        if isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                yield from wrong_with(
                    metadata["parts"], item, f"{path}[{index}]", lenient_fields=lenient_fields
                )
        else:
            yield Problem("a list", show(value), path)
    else:
        try:
            metadata.get("check", checks.string)(value)
        except InvalidValue as error:
            yield from (problem.within(path) for problem in error.problems)


def warnings_of(kind: type[Part], value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What is read otherwise than it is written: host bits of a range, capitals of a host."""
    for name in _WARNED[kind]:
        attribute, item = FIELDS[kind][name], value.get(name)
        place = f"{path}.{name}" if path else name
        metadata = attribute.metadata
        if item is None:
            continue
        if "part" in metadata:
            yield from warnings_of(metadata["part"], item, place)
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


def is_read_in_small_letters(check: Any) -> bool:
    """Whether what a field with this check holds is a host, whose capitals are not kept."""
    return _ADVICE.get(check) is _capitals


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
