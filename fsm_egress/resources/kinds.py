"""Every kind of resource that this library reads, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .core import Endpoints, EndpointSlice, Namespace, Pod, Secret, Service, ServiceAccount
from .egress import EgressGateway, EgressPolicy, Isolation, Retry, TrafficWarmup, UpstreamTrafficSetting
from .machines import VirtualMachine
from .meshconfig import MeshConfig
from .multicluster import GlobalTrafficPolicy, ServiceImport
from .plugins import Plugin, PluginChain, PluginConfig
from .smi import HTTPRouteGroup, TrafficSplit, TrafficTarget
from .workloads import MAKERS, ReplicationController, Rollout

if TYPE_CHECKING:
    from .resource import Resource

KINDS: tuple[type[Resource], ...] = (
    MeshConfig,
    EgressPolicy,
    HTTPRouteGroup,
    UpstreamTrafficSetting,
    EgressGateway,
    Retry,
    Isolation,
    Service,
    Endpoints,
    Pod,
    ServiceAccount,
    Namespace,
    Secret,
    TrafficTarget,
    TrafficSplit,
    VirtualMachine,
    Plugin,
    PluginChain,
    PluginConfig,
    ServiceImport,
    GlobalTrafficPolicy,
    TrafficWarmup,
    *MAKERS,
)

OF_FILES: tuple[type[Resource], ...] = (ReplicationController, Rollout)
"""Those that are read where somebody wrote them; of a cluster their pods are, and few clusters have them."""

READ: tuple[type[Resource], ...] = (*KINDS, EndpointSlice)
"""The kinds of documents that are read; of slices a load makes Endpoints."""
