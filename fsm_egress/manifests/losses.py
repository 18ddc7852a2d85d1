"""What a tolerant load leaves out, and what can be read of a MeshConfig that is wrong in places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..resources.losses import Loss
from ..values.errors import Severity
from .manifest import DEFAULT_NAMESPACE, read_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..documents import Document
    from ..resources.resource import Resource
    from ..values.errors import Problem
    from ..values.references import ResourceRef, Source

__all__ = ["losses_of", "readable_part"]

_POLICY = "Egress"


def losses_of(
    problems: Iterable[Problem],
    fields: Mapping[ResourceRef, tuple[str, ...]],
    documents: Mapping[ResourceRef, Any],
) -> tuple[Loss, ...]:
    """The losses behind the errors of a load: one for each resource, or for each text that holds none.

    Args:
        problems: of the load.
        fields: what could not be read of each MeshConfig that was kept.
        documents: what was left out, as it was written.
    """
    found: dict[ResourceRef | str | None, list[Problem]] = {}
    for problem in problems:
        if problem.severity is Severity.ERROR:
            found.setdefault(problem.resource or problem.document, []).append(problem)
    return tuple(
        Loss(
            told[0].resource,
            _place(told[0]),
            tuple(told),
            fields.get(told[0].resource, ()) if told[0].resource else (),
            _accounts(documents.get(told[0].resource)) if told[0].resource else None,
        )
        for told in found.values()
    )


def _place(problem: Problem) -> str:
    line = f":{problem.mark.line}" if problem.mark else ""
    return f"{problem.document or ''}{line}"


def _accounts(document: Any) -> frozenset[tuple[str, str]] | None:
    """The accounts that the sources of a policy name, where all of them can be read."""
    if not isinstance(document, Mapping) or document.get("kind") != _POLICY:
        return None
    spec = document.get("spec")
    sources = spec.get("sources") if isinstance(spec, Mapping) else None
    if not isinstance(sources, (list, tuple)) or not sources:
        return None
    named: list[tuple[str, str]] = []
    for source in sources:
        name, space = (
            source.get(key) if isinstance(source, Mapping) else None for key in ("name", "namespace")
        )
        if not isinstance(name, str) or not isinstance(space, str):
            return None
        named.append((name, space))
    return frozenset(named)


def readable_part(
    document: Document,
    value: Any,
    path: str,
    source: Source | None,
    problems: Iterable[Problem],
    *,
    lenient_fields: bool,
    namespace: str = DEFAULT_NAMESPACE,
) -> tuple[Resource | None, tuple[str, ...]]:
    """What can be read of a MeshConfig, and which of its fields cannot; None where nothing can.

    A field is left out whole, a list with all its items. There are only so many fields, so this ends soon.

    Args:
        document: that it stands in.
        value: as it is written.
        path: where it stands there.
        source: the place of its fields.
        problems: what is wrong with it.
        lenient_fields: whether unknown fields are carried along.
        namespace: of what names none.
    """
    clean = evolve(document, problems=())
    base = path if source is None else ""
    left_out: dict[str, None] = {}
    resource: Resource | None = None
    while resource is None:
        wrong = {_there(value, name) for name in _fields_of(problems, base)}
        if not wrong or not all(wrong):
            return None, ()
        for name in wrong:
            value = _without(value, name.split("."))
        left_out.update(dict.fromkeys(sorted(wrong)))
        resource, problems = read_resource(
            clean, value, path, source, lenient_fields=lenient_fields, namespace=namespace
        )
    return resource, tuple(left_out)


def _fields_of(problems: Iterable[Problem], base: str) -> Iterator[str]:
    """The fields that the errors are in, down to the first list."""
    errors = (problem for problem in problems if problem.severity is Severity.ERROR)
    return (problem.path[len(base) :].lstrip(".").partition("[")[0] for problem in errors)


def _there(value: Any, name: str) -> str:
    """The field, or where it is missing, the one that should hold it; empty where that is the document."""
    found: list[str] = []
    for key in name.split("."):
        if not isinstance(value, (dict, Mapping)) or key not in value:
            break
        found.append(key)
        value = value[key]
    return ".".join(found)


def _without(value: Any, names: list[str]) -> Any:
    """A document without a field, which may be gone already with the one that held it."""
    first, *others = names
    if others and first in value:
        return {**value, first: _without(value[first], others)}
    return {key: it for key, it in value.items() if key != first}
