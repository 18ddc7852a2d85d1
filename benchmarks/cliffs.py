"""Whether cost grows as a mesh does: shapes of meshes at n, 2n, 4n, 8n, and the power of n by which it does.

`python -m benchmarks cliffs` measures processor time. The tests count calls of functions (`calls_of`), which
are the same on every machine.
"""

from __future__ import annotations

import sys
from math import log2
from time import process_time
from typing import TYPE_CHECKING, Any

import fsm_egress as fe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["OPERATIONS", "SHAPES", "calls_anew", "calls_of", "mesh_of", "rows_of"]

Wire = dict[str, Any]
SOURCES = ({"kind": "ServiceAccount", "name": "curl", "namespace": "curl"},)
ACCOUNTS = tuple({"kind": "ServiceAccount", "name": f"a{index}", "namespace": "curl"} for index in range(50))
ROUTES = "specs.smi-spec.io/v1alpha4"


def _policy(index: int, protocol: str, **spec: Any) -> Wire:
    port = {"number": spec.pop("port", 80), "protocol": protocol}
    return {
        "apiVersion": "policy.flomesh.io/v1alpha1",
        "kind": "Egress",
        "metadata": {"name": f"p{index}", "namespace": "curl"},
        "spec": {"sources": list(SOURCES), "ports": [port], **spec},
    }


def _range(index: int) -> list[str]:
    return [f"{20 + (index >> 16)}.{index >> 8 & 255}.{index & 255}.0/24"]


def _half(protocol: str, count: int) -> Iterator[Wire]:
    for index in range(count):
        ranges = {"ipAddresses": _range(index)} if index % 2 else {}
        yield _policy(index, protocol, hosts=[f"h{index}.example.com"], **ranges)


def _few_without(count: int) -> Iterator[Wire]:
    for index in range(count):
        ranges = {} if index % 30 == 0 else {"ipAddresses": _range(index)}
        yield _policy(index, "http", hosts=[f"h{index}.example.com"], **ranges)


def _nested(count: int) -> Iterator[Wire]:
    for index in range(count):
        address = f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"
        ranges = [f"{address}/{8 + index % 25}"]
        yield _policy(index, "http", hosts=[f"h{index}.example.com"], ipAddresses=ranges)


def _routed(matches: Iterable[Wire]) -> Iterator[Wire]:
    named = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "routes"}
    yield _policy(0, "http", hosts=["api.example.com"], matches=[named])
    yield {
        "apiVersion": ROUTES,
        "kind": "HTTPRouteGroup",
        "metadata": {"name": "routes", "namespace": "curl"},
        "spec": {"matches": [{"name": f"m{index}", **match} for index, match in enumerate(matches)]},
    }


def _anchored(count: int) -> Iterator[Wire]:
    return _routed({"pathRegex": f"^/v1/item{index}/[a-z]+$"} for index in range(count))


def _unanchored(count: int) -> Iterator[Wire]:
    return _routed({"pathRegex": f"a{index}.*b{index}"} for index in range(count))


def _one_header(count: int) -> Iterator[Wire]:
    return _routed({"headers": [{"x-env": f"^v{index}$"}]} for index in range(count))


def _many_headers(count: int) -> Iterator[Wire]:
    return _routed({"headers": [{f"x-h{index}": "^on$"}]} for index in range(count))


def _config(**spec: Wire) -> Wire:
    metadata = {"name": "fsm-mesh-config", "namespace": "fsm-system"}
    return {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": metadata,
        "spec": spec,
    }


def _in_force(count: int) -> Iterator[Wire]:
    """Policies that a stock controller takes for in force, too."""
    yield _config(featureFlags={"enableEgressPolicy": True})
    yield from _half("http", count)


def _services(count: int) -> Iterator[Wire]:
    yield _config(traffic={"enablePermissiveTrafficPolicyMode": True})
    for index in range(count):
        metadata = {"name": f"s{index}", "namespace": "shop"}
        address = f"{index >> 8 & 255}.{index & 255}"
        port = {"name": "http", "port": 80, "targetPort": 8080}
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": f"10.96.{address}", "ports": [port]},
        }
        subset = {"addresses": [{"ip": f"10.244.{address}"}], "ports": [{"name": "http", "port": 8080}]}
        yield {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}


def _accounts(count: int) -> Iterator[Wire]:
    for index in range(count):
        ranges = {} if index % 3 else {"ipAddresses": _range(index)}
        policy = _policy(index, "http", port=80 + index % 60, hosts=[f"h{index}.example.com"], **ranges)
        yield {**policy, "spec": {**policy["spec"], "sources": list(ACCOUNTS)}}


SHAPES: Mapping[str, Callable[[int], Iterable[Wire]]] = {
    "half http with ranges": lambda count: _half("http", count),
    "half http with ranges, in force": _in_force,
    "half https with ranges": lambda count: _half("https", count),
    "few http without ranges": _few_without,
    "nested ranges": _nested,
    "anchored paths": _anchored,
    "unanchored paths": _unanchored,
    "patterns of one header": _one_header,
    "patterns of many headers": _many_headers,
    "services": _services,
    "50 accounts named by all": _accounts,
}
"""Documents of meshes of some size."""

OPERATIONS: Mapping[str, Callable[[fe.Snapshot, fe.Subject], object]] = {
    "compile": fe.compile,
    "config": fe.pipy_config,
    "partition": fe.partition,
    "verify": fe.verify,
    "stock findings": fe.stock_findings,
    "reach": lambda mesh, _: fe.reachable(mesh),
    "diff": lambda mesh, _: fe.diff(mesh, mesh.without(list(mesh)[-1].ref)),
    "never": lambda mesh, _: fe.never(mesh, fe.Where.outside() & fe.Where.port(22)),
    "dump": lambda mesh, _: fe.dump_yaml(list(mesh)),
}


def mesh_of(shape: str, count: int) -> fe.Snapshot:
    """A mesh of a shape, with so many policies, routes or services."""
    return fe.load(list(SHAPES[shape](count)))


def subject_of(mesh: fe.Snapshot) -> fe.Subject:
    """Whose policies are looked at."""
    return next(iter(mesh.identities()), fe.ServiceIdentity("curl", "curl"))


def calls_of(operation: str, mesh: fe.Snapshot) -> int:
    """How many functions of Python an operation calls: its cost without a clock."""
    identity = subject_of(mesh)
    called = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal called
        called += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        OPERATIONS[operation](mesh, identity)
    finally:
        sys.setprofile(before)
    return called


def calls_anew(operation: str, shape: str, count: int) -> int:
    """The same of a mesh of a shape, where nothing is known of patterns and hosts that others have, too."""
    rooms = [room for name, room in sys.modules.items() if name.startswith("fsm_egress.")]
    for it in [it for room in rooms for it in vars(room).values() if hasattr(it, "cache_clear")]:
        it.cache_clear()
    return calls_of(operation, mesh_of(shape, count))


def rows_of(shape: str, count: int, limit: float) -> Iterator[str]:
    """What each operation costs at n, 2n, 4n and 8n, and the exponent between the last two.

    Args:
        shape: the name of the shape.
        count: n.
        limit: seconds of processor time, beyond which the next size is left out.
    """
    meshes: dict[int, tuple[fe.Snapshot, fe.Subject]] = {}
    for name, operation in OPERATIONS.items():
        times: list[float] = []
        for size in (count, 2 * count, 4 * count, 8 * count):
            if times and times[-1] > limit:
                break
            if size not in meshes:
                mesh = mesh_of(shape, size)
                meshes[size] = mesh, subject_of(mesh)
            mesh, identity = meshes[size]
            fresh = fe.Snapshot.of(list(mesh))
            begun = process_time()
            operation(fresh, identity)
            times.append(max(process_time() - begun, 1e-6))
        power = f"{log2(times[-1] / times[-2]):.2f}" if len(times) > 1 else "-"
        yield f"{shape:24} {name:15} {'  '.join(f'{it:8.3f} s' for it in times)}  exponent {power}"
