"""What all resources have in common: checked fields, metadata, identity, and the document they came from.

Whatever is built here in Python is as strict as what is loaded from a document: a wrong value raises
`InvalidValue`, nothing is coerced.
"""

from __future__ import annotations

import re
from inspect import Parameter, Signature
from typing import Any, ClassVar

from attrs import Attribute, Factory, evolve, field

from ..values.construction import frozen
from ..values.errors import InvalidValue
from ..values.frozen import EMPTY, FrozenMap
from ..values.references import FieldRef, ResourceRef, Source
from ..values.secrecy import NOT_KEPT
from . import checks

__all__ = ["APPLIED", "ObjectMeta", "Part", "Resource", "ServiceIdentity", "checked", "part", "parts"]

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # where `kubectl` keeps a copy of an object


def part(kind: type[Part]) -> dict[str, type[Part]]:
    """Field metadata: the field holds one value of this class, or None where that is its default."""
    return {"part": kind}


def parts(kind: type[Part]) -> dict[str, type[Part]]:
    """Field metadata: the field holds values of this class; any iterable of them becomes a tuple."""
    return {"parts": kind}


def checked(_: type, attributes: list[Attribute[Any]]) -> list[Attribute[Any]]:
    """Field transformer: every field is checked as it is set, and the error says which field it was."""
    return [_with_check(attribute) for attribute in attributes]


def _with_check(attribute: Attribute[Any]) -> Attribute[Any]:
    check = _check_of(attribute)
    if check is None or "check" in attribute.metadata:
        return attribute

    def convert(value: Any) -> Any:
        try:
            return check(value)
        except InvalidValue as error:
            raise error.at(attribute.name) from None

    convert.__signature__ = _CONVERTING  # type: ignore[attr-defined]  # because attrs asks for it, and it is known
    return attribute.evolve(converter=convert, metadata={**attribute.metadata, "check": check})


_CONVERTING = Signature([Parameter("value", Parameter.POSITIONAL_OR_KEYWORD, annotation="Any")])


def _check_of(attribute: Attribute[Any]) -> Any:
    """The check of a field: its converter, or the one that its metadata stands for."""
    optional = attribute.default is None
    if "part" in attribute.metadata:
        kind = attribute.metadata["part"]
        return lambda value: None if value is None and optional else _instance(kind, value)
    if "parts" in attribute.metadata:
        kind = attribute.metadata["parts"]
        name = f"`{kind.__name__}` values"
        return lambda values: (
            None
            if values is None and optional
            else checks.each(lambda value: _instance(kind, value), values, name)
        )
    return attribute.converter


def _instance(kind: type[Part], value: Any) -> Part:
    if not isinstance(value, kind):
        raise InvalidValue.of(f"a value of type `{kind.__name__}`", value)
    return value


@frozen(order=True, field_transformer=checked)
class ServiceIdentity:
    """Who opens a connection: a service account, written `name.namespace`."""

    name: str = field(converter=checks.resource_name)
    namespace: str = field(converter=checks.namespace)

    @classmethod
    def parse(cls, text: str) -> ServiceIdentity:
        """`curl.shop` is the account `curl` in namespace `shop`; a name may hold dots, a namespace none.

        FSM's own name for it, `curl.shop.cluster.local`, is read as it is meant.

        Raises:
            InvalidValue: the text has no dot, or a part of it is no resource name.
        """
        account = checks.text_for(text, cls.parse).removesuffix(".cluster.local")
        name, dot, namespace = (account if "." in account else text).rpartition(".")
        meant = None if dot and not _NO_NAMES & {*text} else _meant_by(text)
        if not dot or meant:
            raise InvalidValue.of("a service identity `name.namespace`", text, proposal=meant)
        return cls(name, namespace)

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


_NO_NAMES = {*"/: "}
_KINDS = {
    "pod": ("po", "pods"),
    "deployment": ("deploy", "deployments"),
    "statefulset": ("sts", "statefulsets"),
    "daemonset": ("ds", "daemonsets"),
    "replicaset": ("rs", "replicasets"),
    "replicationcontroller": ("rc", "replicationcontrollers"),
    "rollout": ("ro", "rollouts"),
    "job": ("jobs",),
    "cronjob": ("cj", "cronjobs"),
}
"""What opens connections, with its other names to kubectl."""
_OTHER_FORMS = (
    (re.compile(r"system:serviceaccount:([a-z0-9-]+):([a-z0-9.-]+)"), r"\2.\1"),
    (re.compile(r"spiffe://[^/]+/ns/([a-z0-9-]+)/sa/([a-z0-9.-]+)"), r"\2.\1"),
    (re.compile(r"(?:sa|serviceaccounts?)/([a-z0-9-]+(?:\.[a-z0-9-]+)+)"), r"\1"),
    *(
        (re.compile(rf"(?:{'|'.join(others)})/([a-z0-9.-]+)"), rf"{kind}/\1")
        for kind, others in _KINDS.items()
    ),
    (re.compile(r"([a-z0-9-]+)/([a-z0-9-]+)"), r"\2.\1"),
    (re.compile(r"([a-z0-9-]+(?:\.[a-z0-9-]+)+)"), r"\1"),
)
"""How others write an account, or a pod, and how it is written here: the first that fits."""


def _meant_by(text: str) -> str | None:
    """What is meant by the name of an account as Kubernetes, SPIFFE or kubectl writes it."""
    spelled = text.strip()
    found = ((form.fullmatch(spelled), written) for form, written in _OTHER_FORMS)
    return next((match.expand(written) for match, written in found if match), None)


@frozen(field_transformer=checked)
class Part:
    """What every piece of a resource carries besides its own fields.

    Attributes:
        extra: fields that this library has no use for, in wire names, carried along unread.
        explicit: wire names of fields that were written out although they hold their default.
    """

    extra: FrozenMap[Any] = field(default=EMPTY, converter=checks.json_map, kw_only=True, repr=False)
    explicit: frozenset[str] = field(default=frozenset(), eq=False, kw_only=True, repr=False)


@frozen(field_transformer=checked)
class ObjectMeta(Part):
    """Name, namespace, labels and annotations of a resource.

    The annotations are in no `repr`, as `kubectl` keeps a copy of the whole object there, of a Secret too.
    """

    name: str = field(converter=checks.resource_name)
    namespace: str = field(default="", converter=checks.optional_name)
    labels: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map)
    annotations: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map, repr=False)

    def without_secrets(self) -> ObjectMeta:
        """The same without the copy that `kubectl` keeps."""
        if APPLIED not in self.annotations:
            return self
        return evolve(self, annotations={**self.annotations, APPLIED: NOT_KEPT})


def _known_version(resource: Resource, _: Attribute[str], value: str) -> None:
    if value not in resource.api_versions:
        names = " or ".join(f"`{version}`" for version in resource.api_versions)
        raise InvalidValue.of(names, value).at("api_version")


@frozen(field_transformer=checked)
class Resource(Part):
    """A Kubernetes object: its metadata, its API version, and the document that it came from."""

    kind: ClassVar[str]
    api_versions: ClassVar[tuple[str, ...]]

    metadata: ObjectMeta = field(metadata=part(ObjectMeta))
    api_version: str = field(
        default=Factory(lambda self: self.api_versions[0], takes_self=True),
        validator=_known_version,
        kw_only=True,
        repr=False,
    )
    source: Source | None = field(default=None, eq=False, kw_only=True, repr=False)

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`, empty for kinds without one."""
        return self.metadata.namespace

    @property
    def ref(self) -> ResourceRef:
        """Kind, namespace and name."""
        return ResourceRef(self.kind, self.metadata.namespace, self.metadata.name)

    def at(self, path: str = "") -> FieldRef:
        """The field `path` (in wire names) of this resource, with the place where it was written."""
        return FieldRef(self.ref, path, self.source)
