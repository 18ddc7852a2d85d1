"""Strategies for documents, resources and whole meshes, whose rules meet."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from ..resources.egress import EgressPolicy
from ..resources.meshconfig import MeshConfig
from ..resources.smi import HTTPRouteGroup
from ..snapshot import Snapshot, load
from ..values.errors import LoadError
from .hypothesis_extra import st
from .parts import (
    HEADERS,
    HOSTS,
    METHODS,
    NAMES,
    PATTERNS,
    PORTS,
    PREFIXES,
    SPACES,
    VALUES,
    T,
    Tree,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import SearchStrategy


__all__ = [
    "PLAIN",
    "documents",
    "egress_policies",
    "http_route_groups",
    "invalid_documents",
    "mesh_configs",
    "meshes",
    "renamed",
    "resource_of",
    "service_documents",
]

PROTOCOLS = ("http", "https", "tcp", "tcp-server-first")
POLICY, ROUTES, ACCESS, SPLIT = (
    "policy.flomesh.io/v1alpha1",
    "specs.smi-spec.io/v1alpha4",
    "access.smi-spec.io/v1alpha3",
    "split.smi-spec.io/v1alpha4",
)


def _resource(
    group: str, kind: str, content: SearchStrategy[Tree], *, space: str | None = None
) -> SearchStrategy[Tree]:
    """A document of this kind, with a name that others may have, too."""

    def made(name: str, namespace: str, parts: Tree) -> Tree:
        return {
            "apiVersion": group,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            **parts,
        }

    spaces = st.sampled_from(SPACES) if space is None else st.just(space)
    return st.builds(made, st.sampled_from(NAMES), spaces, content)


def _spec(**fields: SearchStrategy[Any]) -> SearchStrategy[Tree]:
    """A spec of these fields, each of which may be missing, but for what is required."""
    return st.fixed_dictionaries(fields).map(
        lambda found: {"spec": {key: value for key, value in found.items() if value not in (None, [], {})}}
    )


def _few(values: Sequence[Any], least: int = 0, most: int = 2) -> SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True)


_ACCOUNTS = st.builds(
    lambda name, space: {"kind": "ServiceAccount", "name": name, "namespace": space},
    st.sampled_from(NAMES),
    st.sampled_from(SPACES),
)
_EGRESS_PORTS = st.builds(
    lambda number, protocol: {"number": number, "protocol": protocol},
    st.sampled_from(PORTS),
    st.sampled_from(PROTOCOLS),
)
_MATCHES = st.builds(
    lambda name, path, methods, headers: {
        "name": name,
        **({"pathRegex": path} if path else {}),
        "methods": methods,
        **({"headers": [headers]} if headers else {}),
    },
    st.sampled_from(NAMES),
    st.none() | st.sampled_from(PATTERNS),
    st.just(["*"]) | _few(METHODS[:4], 1),
    st.none() | st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES), min_size=1, max_size=1),
)
_GROUPS = st.builds(
    lambda name: {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": name}, st.sampled_from(NAMES)
)


def _egress_documents() -> SearchStrategy[Tree]:
    return _resource(
        POLICY,
        "Egress",
        _spec(
            sources=st.lists(_ACCOUNTS, min_size=1, max_size=2),
            ports=st.lists(_EGRESS_PORTS, min_size=1, max_size=2),
            hosts=_few(HOSTS),
            ipAddresses=_few(PREFIXES),
            matches=st.lists(_GROUPS, max_size=1),
        ),
    )


def _route_group_documents() -> SearchStrategy[Tree]:
    unique = st.lists(_MATCHES, min_size=1, max_size=2, unique_by=lambda match: match["name"])
    return _resource(ROUTES, "HTTPRouteGroup", _spec(matches=unique))


def _mesh_config_documents() -> SearchStrategy[Tree]:
    traffic = st.fixed_dictionaries(
        {
            "enableEgress": st.booleans(),
            "enablePermissiveTrafficPolicyMode": st.booleans(),
            "outboundIPRangeExclusionList": _few(PREFIXES[:5], 0, 1),
            "outboundPortExclusionList": _few(PORTS, 0, 1),
        }
    )
    return traffic.map(
        lambda found: {
            "apiVersion": "config.flomesh.io/v1alpha3",
            "kind": "MeshConfig",
            "metadata": {"name": "fsm-mesh-config", "namespace": "fsm-system"},
            "spec": {
                "traffic": {key: value for key, value in found.items() if value != []},
                "featureFlags": {"enableEgressPolicy": True},
            },
        }
    )


def service_documents() -> SearchStrategy[list[Tree]]:
    """A Service and its Endpoints."""

    def made(name: str, space: str, address: str, number: int, protocol: str) -> list[Tree]:
        port = {"name": f"{protocol}-port", "port": number}
        metadata = {"name": name, "namespace": space}
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"clusterIP": address, "ports": [port]},
            },
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": metadata,
                "subsets": [{"addresses": [{"ip": "10.1.0.1"}], "ports": [port]}],
            },
        ]

    return st.builds(
        made,
        st.sampled_from(NAMES),
        st.sampled_from(SPACES),
        st.sampled_from(("10.96.0.1", "10.96.0.2", "54.9.9.9")),
        st.sampled_from(PORTS),
        st.sampled_from(("http", "tcp")),
    )


PLAIN: dict[str, Tree] = {
    "Namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "curl"}},
    "ServiceAccount": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "a", "namespace": "curl"},
    },
    "Pod": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"serviceAccountName": "a"},
    },
    "Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "curl"}},
    "EgressGateway": {
        "apiVersion": POLICY,
        "kind": "EgressGateway",
        "metadata": {"name": "a", "namespace": "fsm"},
        "spec": {"global": [{"service": "a", "namespace": "curl"}]},
    },
    "UpstreamTrafficSetting": {
        "apiVersion": POLICY,
        "kind": "UpstreamTrafficSetting",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"host": "a.com", "connectionSettings": {"tcp": {"maxConnections": 1}}},
    },
    "Isolation": {
        "apiVersion": POLICY,
        "kind": "Isolation",
        "metadata": {"name": "a"},
        "spec": {"cidrs": ["10.1.0.1/32"]},
    },
    "Plugin": {
        "apiVersion": "plugin.flomesh.io/v1alpha1",
        "kind": "Plugin",
        "metadata": {"name": "a", "namespace": "fsm"},
        "spec": {"priority": 115, "pipyscript": "pipy({})"},
    },
    "PluginChain": {
        "apiVersion": "plugin.flomesh.io/v1alpha1",
        "kind": "PluginChain",
        "metadata": {"name": "a", "namespace": "fsm"},
        "spec": {"chains": [{"name": "inbound-http", "plugins": ["a"]}]},
    },
    "PluginConfig": {
        "apiVersion": "plugin.flomesh.io/v1alpha1",
        "kind": "PluginConfig",
        "metadata": {"name": "a", "namespace": "fsm"},
        "spec": {"plugin": "a", "config": {"keys": ["a"]}},
    },
    "ServiceImport": {
        "apiVersion": "multicluster.flomesh.io/v1alpha1",
        "kind": "ServiceImport",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {
            "type": "ClusterSetIP",
            "ports": [
                {
                    "port": 80,
                    "endpoints": [{"clusterKey": "b", "target": {"ip": "10.9.0.1", "port": 80}}],
                }
            ],
        },
    },
    "GlobalTrafficPolicy": {
        "apiVersion": "multicluster.flomesh.io/v1alpha1",
        "kind": "GlobalTrafficPolicy",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"lbType": "Locality"},
    },
    "TrafficWarmup": {
        "apiVersion": POLICY,
        "kind": "TrafficWarmup",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"duration": "90s"},
    },
    "VirtualMachine": {
        "apiVersion": "machine.flomesh.io/v1alpha1",
        "kind": "VirtualMachine",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"machineIP": "10.2.0.1", "serviceAccountName": "a"},
    },
    "Retry": {
        "apiVersion": POLICY,
        "kind": "Retry",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {
            "source": {"kind": "ServiceAccount", "name": "a", "namespace": "curl"},
            "destinations": [{"kind": "Service", "name": "a", "namespace": "curl"}],
            "retryPolicy": {"retryOn": "5xx", "numRetries": 1, "retryBackoffBaseInterval": "1s"},
        },
    },
    "TrafficSplit": {
        "apiVersion": SPLIT,
        "kind": "TrafficSplit",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {"service": "a", "backends": [{"service": "b", "weight": 1}]},
    },
    "TrafficTarget": {
        "apiVersion": ACCESS,
        "kind": "TrafficTarget",
        "metadata": {"name": "a", "namespace": "curl"},
        "spec": {
            "destination": {"kind": "ServiceAccount", "name": "a", "namespace": "curl"},
            "sources": [{"kind": "ServiceAccount", "name": "b", "namespace": "curl"}],
        },
    },
}


def documents() -> SearchStrategy[Tree]:
    """Valid documents of every kind, as mappings in wire names."""
    pairs = service_documents()
    return st.one_of(
        _egress_documents(),
        _route_group_documents(),
        _mesh_config_documents(),
        pairs.map(lambda pair: pair[0]),
        pairs.map(lambda pair: pair[1]),
        *(renamed(tree) for tree in PLAIN.values()),
    )


def renamed(tree: Tree) -> SearchStrategy[Tree]:
    """The document by other names."""
    return st.sampled_from(NAMES).map(lambda name: {**tree, "metadata": {**tree["metadata"], "name": name}})


def invalid_documents() -> SearchStrategy[Tree]:
    """Documents that the strict load refuses: valid ones in which one thing has been spoiled."""
    return (
        st.tuples(documents(), st.sampled_from(_SPOILING), st.randoms(use_true_random=False))
        .map(lambda drawn: drawn[1](drawn[0], drawn[2]))
        .filter(_is_refused)
    )


def _is_refused(tree: Tree) -> bool:
    try:
        load(tree)
    except LoadError:
        return True
    return False


def _without_name(tree: Tree, _: Any) -> Tree:
    return {**tree, "metadata": {key: value for key, value in tree["metadata"].items() if key != "name"}}


def _with_unknown_key(tree: Tree, _: Any) -> Tree:
    return {**tree, "spec": {**tree.get("spec", {}), "unknwon": 1}}


def _with_wrong_type(tree: Tree, random: Any) -> Tree:
    spec = dict(tree.get("spec", {"a": 1}))
    spec[random.choice(sorted(spec) or ["a"])] = random.choice([17, "text", [None], {"a": {}}])
    return {**tree, "spec": spec}


def _with_bad_name(tree: Tree, _: Any) -> Tree:
    return {**tree, "metadata": {**tree["metadata"], "name": "Not A Name"}}


_SPOILING: tuple[Callable[[Tree, Any], Tree], ...] = (
    _without_name,
    _with_unknown_key,
    _with_wrong_type,
    _with_bad_name,
)


def resource_of(kind: type[T], trees: SearchStrategy[Tree]) -> SearchStrategy[T]:
    """The resource that a document is."""

    def made(tree: Tree) -> T:
        (found,) = load(tree).kind(kind)  # type: ignore[type-var]  # every kind here is a resource
        return found

    return trees.map(made)


def egress_policies() -> SearchStrategy[EgressPolicy]:
    """Egress policies."""
    return resource_of(EgressPolicy, _egress_documents())


def http_route_groups() -> SearchStrategy[HTTPRouteGroup]:
    """Groups of HTTP routes, such as Egress policies name."""
    return resource_of(HTTPRouteGroup, _route_group_documents())


def mesh_configs() -> SearchStrategy[MeshConfig]:
    """MeshConfigs, with the egress policies in force."""
    return resource_of(MeshConfig, _mesh_config_documents())


def meshes(*, max_policies: int = 3) -> SearchStrategy[Snapshot]:
    """Meshes whose rules meet: a MeshConfig, policies, route groups and services.

    Args:
        max_policies: how many Egress policies there are at most.
    """
    return st.builds(
        _mesh,
        _mesh_config_documents(),
        st.lists(_egress_documents(), max_size=max_policies),
        st.lists(_route_group_documents(), max_size=2),
        st.lists(service_documents(), max_size=2).map(chain.from_iterable),
    )


def _mesh(config: Tree, *parts: Iterable[Tree]) -> Snapshot:
    """The mesh of these documents; of several with the same name the last one counts."""
    trees = {
        (tree["kind"], tree["metadata"]["namespace"], tree["metadata"]["name"]): tree
        for tree in chain([config], *parts)
    }
    return load(list(trees.values()))
