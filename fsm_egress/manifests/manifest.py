"""A document to the resource that it stands for, or to all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from attrs import evolve

from ..documents import Document, excess
from ..documents.base import LETTERS, ONE_MEANING
from ..documents.yaml_scalars import is_plain_text, resolved
from ..resources import checks
from ..resources.core import Secret
from ..resources.resource import Resource
from ..values.errors import MAX_PROBLEMS, InvalidValue, LoadError, Problem, Severity, show
from ..values.frozen import is_unicode
from ..values.references import Mark, ResourceRef, Source
from ..values.spelling import nearest
from .foreign import OF_OTHERS, PASSED_OVER
from .making import BY_KIND, CLUSTER_SCOPED, made
from .mistakes import is_read_in_small_letters, warnings_of, wrong_with
from .notes import notes
from .unread import is_unread, unread_in
from .wire_names import check_of

__all__ = ["DEFAULT_NAMESPACE", "is_of_others", "read_resource", "structure"]

DEFAULT_NAMESPACE = "default"
ALIKE = 0.8  # of kinds and API groups, as there are many of others that look alike

_ABSENT = (None, "")
_FORMER = {"apps": "extensions"}  # where kinds of a group were before Kubernetes 1.16
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
            resource = made(kind, prepared)
        if resource is None:
            ref = _ref_of(kind.kind, prepared)
            known = {problem.path for problem in problems}
            found = islice(wrong_with(kind, prepared, "", lenient_fields=lenient_fields), MAX_PROBLEMS)
            problems.extend(_as_a_text(kind, problem) for problem in found if problem.path not in known)
            if not any(problem.severity is Severity.ERROR for problem in problems):
                resource = made(kind, prepared, lenient=True)
        if resource is not None:
            problems.extend(_as_a_text(kind, problem) for problem in warnings_of(kind, prepared, ""))
            problems.extend(notes(resource, prepared))
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
    is_host = is_read_in_small_letters(check)  # which is read in small letters
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
    kind = BY_KIND.get(name)
    if kind is not None and version in kind.api_versions:
        return kind, None
    ref = _ref_of(name, value)
    near = _near_kind(name)
    if kind is not None and _is_meant(kind, version):
        known = " or ".join(f"`{known}`" for known in kind.api_versions)
        problems.append(Problem(known, show(version), "apiVersion", proposal=kind.api_versions[0]))
    elif near and kind is None and version in BY_KIND[near].api_versions:
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
    return nearest(name, BY_KIND, ALIKE)


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
    former = {_FORMER[it] for it in groups if it in _FORMER}
    return group in {*groups, *former, ""} or nearest(group, groups, ALIKE) is not None


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
