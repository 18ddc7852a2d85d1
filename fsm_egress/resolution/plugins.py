"""Plugins that FSM puts into the chains of a sidecar, and what they are told before services.

What a script does is not known: where one stands in an outbound chain, that is a condition of every answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, field

from ..interception.kinds import kinds_of
from ..resources.core import Namespace
from ..resources.meshconfig import MeshConfig
from ..resources.plugins import Plugin, PluginChain, PluginConfig
from ..resources.subjects import Pods
from ..values.construction import frozen
from ..values.frozen import EMPTY, FrozenMap
from ..values.references import FieldRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..interception.hosts import Host
    from ..policy.parts import MeshMatch
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["PLUGIN_KINDS", "Plugins", "modules_with", "plugins_of", "with_plugins"]

PLUGIN_KINDS = (MeshConfig, Namespace, Plugin, PluginChain, PluginConfig)
OUTBOUND = "outbound-"
SERVICE = "Service"


@frozen
class Plugins:
    """The plugins of an identity's sidecar.

    Attributes:
        chains: the names of the plugins of each chain, with their priorities.
        configs: what plugins are told before a service, by its namespace and name, then by chain and plugin.
        in_force: where plugins are put into an outbound chain, and in which words.
    """

    chains: Mapping[str, Mapping[str, int | float]] = EMPTY
    configs: Mapping[tuple[str, str], Mapping[str, FrozenMap[Any]]] = field(factory=dict)
    in_force: tuple[tuple[FieldRef, str], ...] = ()


NONE = Plugins()


def plugins_of(snapshot: Snapshot, identity: Subject) -> Plugins:
    """What plugin resources make of the sidecar of an identity.

    A PluginChain that selects by the labels of pods, of which none is known, is in force as far as is known:
    it is among `in_force`, and puts nothing into a chain.
    """
    if not snapshot.mesh_config.spec.feature_flags.enable_plugin_policy:
        return NONE
    host = _host_of(snapshot, identity)
    priorities = {plugin.name: plugin.spec.priority for plugin in snapshot.kind(Plugin)}
    chains: dict[str, dict[str, int | float]] = {}
    in_force: list[tuple[FieldRef, str]] = []
    for chain in snapshot.kind(PluginChain):
        applies = _applies(snapshot, chain, identity, host)
        for index, mount in enumerate(chain.spec.chains):
            named = [name for name in mount.plugins if name in priorities]
            if applies is not False and named and mount.name.startswith(OUTBOUND):
                which = f"plugin{'s' if len(named) > 1 else ''} {', '.join(f'`{name}`' for name in named)}"
                verb = ("stand" if len(named) > 1 else "stands") if applies else "may stand"
                what = f"{which} {verb} in chain `{mount.name}` of the sidecar"
                in_force.append((chain.at(f"spec.chains[{index}]"), what))
            if applies:
                chains.setdefault(mount.name, {}).update((name, priorities[name]) for name in named)
    return Plugins(chains, _configs(snapshot, chains), tuple(in_force))


def _host_of(snapshot: Snapshot, identity: Subject) -> Host | None:
    """One of the pods of an identity, which are alike."""
    hosts = [
        host
        for kind in kinds_of(snapshot).get((identity.name, identity.namespace), ())
        for host in kind.hosts
    ]
    if isinstance(identity, Pods):
        hosts = [host for host in hosts if host.name in identity.hosts]
    return next(iter(hosts), None)


def _applies(snapshot: Snapshot, chain: PluginChain, identity: Subject, host: Host | None) -> bool | None:
    """Whether a chain is about the sidecar of an identity; None where that is not known."""
    selectors = chain.spec.selectors
    space = snapshot.kind(Namespace).get("", identity.namespace)
    labels = (space.metadata.labels if space else None, host.labels if host else None)
    answers: list[bool | None] = []
    for selector, known in zip((selectors.namespace_selector, selectors.pod_selector), labels, strict=True):
        if selector is None or not (selector.match_labels or selector.match_expressions):
            answers.append(True)
        else:
            answers.append(None if known is None else selector.admits(known))
    return False if False in answers else None if None in answers else True


def _configs(
    snapshot: Snapshot, chains: Mapping[str, Mapping[str, Any]]
) -> Mapping[tuple[str, str], Mapping[str, FrozenMap[Any]]]:
    """What plugins are told: each one thing, that of its last PluginConfig, before all services of any."""
    told: dict[str, FrozenMap[Any]] = {}
    services: dict[tuple[str, str], dict[str, None]] = {}
    for config in snapshot.kind(PluginConfig):
        told[config.spec.plugin] = config.spec.config
        for to in config.spec.destination_refs:
            if to.kind == SERVICE:
                services.setdefault((to.namespace, to.name), {})[config.spec.plugin] = None
    return {
        service: {
            chain: FrozenMap({name: told[name] for name in sorted(plugins) if name in mounted})
            for chain, mounted in chains.items()
            if not mounted.keys().isdisjoint(plugins)
        }
        for service, plugins in services.items()
    }


def with_plugins(matches: tuple[MeshMatch, ...], plugins: Plugins) -> tuple[MeshMatch, ...]:
    """The matches of services, with what plugins are told there."""
    return tuple(_with_plugins(match, plugins) for match in matches) if plugins.configs else matches


def _with_plugins(match: MeshMatch, plugins: Plugins) -> MeshMatch:
    chain = f"{OUTBOUND}{match.protocol.value}"
    hosts = tuple(
        evolve(host, plugins=_told(plugins, chain, host.name.rpartition(".")[::2]))
        for host in match.virtual_hosts
    )
    own = next((owner.rule.resource for owner in match.owners), None)
    if hosts or own is None:
        return evolve(match, virtual_hosts=hosts)
    return evolve(match, plugins=_told(plugins, chain, (own.name, own.namespace)))


def _told(plugins: Plugins, chain: str, service: Sequence[str]) -> FrozenMap[Any]:
    name, namespace = service
    return plugins.configs.get((namespace, name), {}).get(chain, EMPTY)


def modules_with(
    modules: Iterable[tuple[int | float, str]], plugins: Mapping[str, int | float]
) -> tuple[str, ...]:
    """The modules of a chain with its plugins among them, by descending priority."""
    both = [*modules, *((priority, f"plugins/{name}.js") for name, priority in plugins.items())]
    return tuple(module for _, module in sorted(both, key=lambda it: -it[0]))
