"""The API group `plugin.flomesh.io`: scripts that are put into the chains of sidecars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field

from ..values.construction import frozen
from ..values.frozen import EMPTY, FrozenMap
from . import checks
from .resource import Part, Resource, checked, part, parts

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ChainSelectors",
    "LabelRequirement",
    "LabelSelector",
    "Plugin",
    "PluginChain",
    "PluginChainSpec",
    "PluginConfig",
    "PluginConfigSpec",
    "PluginDestination",
    "PluginMount",
    "PluginSpec",
]


@frozen(field_transformer=checked)
class PluginSpec(Part):
    """`spec` of a Plugin; of those in a chain the ones of higher priority run first."""

    priority: int | float = field(default=0, converter=checks.number)
    pipyscript: str = field(default="", converter=checks.string, repr=False)


@frozen(field_transformer=checked)
class Plugin(Resource):
    """A script that chains may name."""

    kind: ClassVar[str] = "Plugin"
    api_versions: ClassVar[tuple[str, ...]] = ("plugin.flomesh.io/v1alpha1",)

    spec: PluginSpec = field(factory=PluginSpec, metadata=part(PluginSpec))


@frozen(field_transformer=checked)
class PluginMount(Part):
    """The plugins that are put into a chain, such as `outbound-http`."""

    name: str = field(converter=checks.string)
    plugins: tuple[str, ...] = field(default=(), converter=checks.strings)


@frozen(field_transformer=checked)
class LabelRequirement(Part):
    """What a label is to be, or not to be."""

    key: str = field(converter=checks.string)
    operator: str = field(converter=checks.string)
    values: tuple[str, ...] = field(default=(), converter=checks.strings)

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it; an operator that Kubernetes does not know is met by none."""
        found = labels.get(self.key)
        return {
            "In": found in self.values,
            "NotIn": found not in self.values,
            "Exists": found is not None,
            "DoesNotExist": found is None,
        }.get(self.operator, False)


@frozen(field_transformer=checked)
class LabelSelector(Part):
    """What selects by labels; without any requirement it selects everything."""

    match_labels: FrozenMap[str] = field(default=EMPTY, converter=checks.string_map)
    match_expressions: tuple[LabelRequirement, ...] = field(default=(), metadata=parts(LabelRequirement))

    def admits(self, labels: Mapping[str, str]) -> bool:
        """Whether it selects what has these labels."""
        return all(labels.get(name) == text for name, text in self.match_labels.items()) and all(
            requirement.admits(labels) for requirement in self.match_expressions
        )


@frozen(field_transformer=checked)
class ChainSelectors(Part):
    """Whose sidecars a PluginChain is about: pods and namespaces; of what is not said, all."""

    pod_selector: LabelSelector | None = field(default=None, metadata=part(LabelSelector))
    namespace_selector: LabelSelector | None = field(default=None, metadata=part(LabelSelector))


@frozen(field_transformer=checked)
class PluginChainSpec(Part):
    """`spec` of a PluginChain."""

    chains: tuple[PluginMount, ...] = field(default=(), metadata=parts(PluginMount))
    selectors: ChainSelectors = field(factory=ChainSelectors, metadata=part(ChainSelectors))


@frozen(field_transformer=checked)
class PluginChain(Resource):
    """Which plugins are put into which chains of which sidecars."""

    kind: ClassVar[str] = "PluginChain"
    api_versions: ClassVar[tuple[str, ...]] = ("plugin.flomesh.io/v1alpha1",)

    spec: PluginChainSpec = field(factory=PluginChainSpec, metadata=part(PluginChainSpec))


@frozen(field_transformer=checked)
class PluginDestination(Part):
    """A service whose rules a plugin's config is put on."""

    kind: str = field(default="", converter=checks.string)
    name: str = field(default="", converter=checks.string)
    namespace: str = field(default="", converter=checks.string)


@frozen(field_transformer=checked)
class PluginConfigSpec(Part):
    """`spec` of a PluginConfig."""

    plugin: str = field(converter=checks.string)
    destination_refs: tuple[PluginDestination, ...] = field(default=(), metadata=parts(PluginDestination))
    config: FrozenMap[Any] = field(default=EMPTY, converter=checks.json_map, repr=False)


@frozen(field_transformer=checked)
class PluginConfig(Resource):
    """What a plugin is told where it stands before services."""

    kind: ClassVar[str] = "PluginConfig"
    api_versions: ClassVar[tuple[str, ...]] = ("plugin.flomesh.io/v1alpha1",)

    spec: PluginConfigSpec = field(metadata=part(PluginConfigSpec))
