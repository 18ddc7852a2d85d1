"""The API groups of SMI: HTTPRouteGroup, TrafficTarget and TrafficSplit (`docs/formats.md`)."""

from __future__ import annotations

from typing import ClassVar

from attrs import field

from ..patterns import Pattern
from ..values.construction import frozen
from ..values.frozen import EMPTY, FrozenMap
from . import checks
from .resource import Part, Resource, checked, part, parts


@frozen(field_transformer=checked)
class HTTPMatch(Part):
    """One match of an HTTPRouteGroup: path, methods and headers, all of which a request must meet."""

    name: str = field(default="", converter=checks.string)
    path_regex: Pattern | None = field(default=None, converter=checks.optional_pattern)
    methods: tuple[str, ...] = field(default=(), converter=checks.http_methods)
    headers: FrozenMap[Pattern] = field(default=EMPTY, converter=checks.header_patterns)


@frozen(field_transformer=checked)
class HTTPRouteGroupSpec(Part):
    """`spec` of an HTTPRouteGroup."""

    matches: tuple[HTTPMatch, ...] = field(default=(), metadata=parts(HTTPMatch))


@frozen(field_transformer=checked)
class HTTPRouteGroup(Resource):
    """Named HTTP routes that policies and traffic splits refer to."""

    kind: ClassVar[str] = "HTTPRouteGroup"
    api_versions: ClassVar[tuple[str, ...]] = ("specs.smi-spec.io/v1alpha4",)

    spec: HTTPRouteGroupSpec = field(factory=HTTPRouteGroupSpec, metadata=part(HTTPRouteGroupSpec))


@frozen(field_transformer=checked)
class IdentityReference(Part):
    """An account that a TrafficTarget names."""

    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.resource_name)
    namespace: str = field(default="", converter=checks.optional_name)


_NOBODY = IdentityReference("", "nobody")  # as an empty kind is no account's


@frozen(field_transformer=checked)
class TrafficTargetRule(Part):
    """Routes that a TrafficTarget allows; on the outbound side only the kind counts."""

    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.string)
    matches: tuple[str, ...] = field(default=(), converter=checks.strings)


@frozen(field_transformer=checked)
class TrafficTargetSpec(Part):
    """`spec` of a TrafficTarget."""

    destination: IdentityReference = field(metadata=part(IdentityReference))
    sources: tuple[IdentityReference, ...] = field(default=(), metadata=parts(IdentityReference))
    rules: tuple[TrafficTargetRule, ...] = field(default=(), metadata=parts(TrafficTargetRule))


@frozen(field_transformer=checked)
class TrafficTarget(Resource):
    """Who may call whom when the mesh is not permissive; without `spec` it is about nobody."""

    kind: ClassVar[str] = "TrafficTarget"
    api_versions: ClassVar[tuple[str, ...]] = ("access.smi-spec.io/v1alpha3",)

    spec: TrafficTargetSpec = field(
        factory=lambda: TrafficTargetSpec(_NOBODY), metadata=part(TrafficTargetSpec)
    )


@frozen(field_transformer=checked)
class SplitBackend(Part):
    """A service that gets a share of the apex service's traffic."""

    service: str = field(converter=checks.string)
    weight: int = field(converter=checks.unsigned)


@frozen(field_transformer=checked)
class SplitMatch(Part):
    """A reference to an HTTPRouteGroup whose routes are split."""

    kind: str = field(converter=checks.string)
    name: str = field(converter=checks.resource_name)
    api_group: str | None = field(default=None, converter=checks.optional_string)


@frozen(field_transformer=checked)
class TrafficSplitSpec(Part):
    """`spec` of a TrafficSplit."""

    service: str = field(converter=checks.string)
    backends: tuple[SplitBackend, ...] = field(default=(), metadata=parts(SplitBackend))
    matches: tuple[SplitMatch, ...] = field(default=(), metadata=parts(SplitMatch))


@frozen(field_transformer=checked)
class TrafficSplit(Resource):
    """Weighted backends for an apex service of the mesh; without `spec` for none."""

    kind: ClassVar[str] = "TrafficSplit"
    api_versions: ClassVar[tuple[str, ...]] = ("split.smi-spec.io/v1alpha4", "split.smi-spec.io/v1alpha2")

    spec: TrafficSplitSpec = field(factory=lambda: TrafficSplitSpec(""), metadata=part(TrafficSplitSpec))
