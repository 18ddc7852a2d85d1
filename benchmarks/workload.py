"""The meshes and connections that all contenders get: the same for the same size and seed."""

from __future__ import annotations

import json
from ipaddress import ip_network
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "IDENTITIES",
    "LONE",
    "SIZES",
    "Call",
    "Tree",
    "as_json",
    "calls",
    "crowded",
    "documents",
    "lonely",
]

NAMESPACES = tuple(f"team-{letter}" for letter in "abcd")
IDENTITIES = tuple((f"account-{index}", NAMESPACES[index % len(NAMESPACES)]) for index in range(16))
LONE = ("loner", NAMESPACES[0])
SIZES = (10, 100, 1_000, 10_000)
SERVICES = 100
PORTS = (80, 443, 8080, 8443, *range(9000, 9056))  # sixty
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
SEED = 7

# Decks are dealt whole before they are shuffled again: shares are exact for every ten.
PROTOCOLS = ("tcp",) * 4 + ("tcp-server-first",) + ("http",) * 3 + ("https",) * 2
FAMILIES = (4, 4, 4, 4, 6)
TIMES = (1, 2, 3)
IS_ROUTED = (True, True, True, True, False)
HAS_HEADER = (True, False, False, False, False)
KINDS = ("bytes", "nothing", "http", "tls")
OUTCOMES = ("policy", "mesh", "nothing")

# Path patterns of the kinds that people write, each with a path that it is found in; `@` is a number.
PATHS = (
    ("/v@/items/[0-9]+", "/v@/items/4711"),
    ("/api/v@/users", "/api/v@/users?page=2"),
    ("^/teams/@$", "/teams/@"),
    ("/v@/.*", "/v@/reports/weekly"),
    (r"^/orders/\d+/lines/@", "/orders/20817/lines/@"),
    ("/(status|health|ready)/@", "/health/@"),
    (r"^/files/@/.*\.(png|jpg)$", "/files/@/logos/small.png"),
    ("/blogs/@/[a-z0-9-]+/edit", "/blogs/@/ten-rules/edit"),
    ("^/(v1|v2)/accounts/[^/]+/@$", "/v2/accounts/a.b/@"),
    (".*", "/anything/@"),
)

T = TypeVar("T")
Tree: TypeAlias = "dict[str, Any]"
Account: TypeAlias = "tuple[str, str]"


class Call(NamedTuple):
    """A connection in plain words: `host` is the Host header of a request, or the server name of TLS."""

    destination: str
    port: int
    sends: str
    host: str | None = None
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] | None = None


def dealt(random: Random, deck: Sequence[T]) -> Iterator[T]:
    """The cards of a deck in random order, over and over."""
    while True:
        yield from random.sample(deck, len(deck))


# --- meshes ----------------------------------------------------------------------------------------------


def documents(size: int, seed: int = SEED, identities: Sequence[Account] = IDENTITIES) -> list[Tree]:
    """The mesh with `size` Egress policies, each of which names one to three of the identities."""
    random = Random(seed)
    cards = dealt(random, identities)
    times = dealt(random, TIMES)
    policies = _policies(random, size, ([*islice(_distinct(cards), next(times))] for _ in count()))
    return [mesh_config(), *services(random), *policies]


def crowded(size: int, seed: int = SEED) -> list[Tree]:
    """The mesh with `size` Egress policies, all of which name the first identity: half have prefixes."""
    random = Random(seed)
    return [mesh_config(), *services(random), *_policies(random, size, ([IDENTITIES[0]] for _ in count()))]


def lonely(others: int, own: int = 10, seed: int = SEED) -> list[Tree]:
    """The mesh with `own` Egress policies that name `LONE`, and `others` that do not."""
    named = _policies(Random(seed), own, ([LONE] for _ in count()), "own")
    return [*documents(others, seed), *named]


def _distinct(cards: Iterable[T]) -> Iterator[T]:
    """The cards without those that were seen before."""
    seen: set[T] = set()
    for card in cards:
        if card not in seen:
            seen.add(card)
            yield card


def _policies(
    random: Random, size: int, sources: Iterator[list[Account]], kind: str = "policy"
) -> Iterator[Tree]:
    """Egress policies, and the HTTPRouteGroups that they name."""
    protocols, families, times = dealt(random, PROTOCOLS), dealt(random, FAMILIES), dealt(random, TIMES)
    routed, headers = dealt(random, IS_ROUTED), dealt(random, HAS_HEADER)
    hosts, patterns = max(1, size // 3), max(len(PATHS), size // 3)
    for index in range(size):
        protocol = next(protocols)
        meta = metadata(f"{kind}-{index}", random.choice(NAMESPACES))
        spec: Tree = {
            "sources": [
                {"kind": "ServiceAccount", "name": name, "namespace": namespace}
                for name, namespace in next(sources)
            ],
            "ports": [{"number": random.choice(PORTS), "protocol": protocol}],
        }
        if protocol.startswith("tcp"):
            spec["ipAddresses"] = sorted({prefix(random, next(families)) for _ in range(next(times))})
        else:
            chosen = {f"host-{random.randrange(hosts)}.example.com" for _ in range(random.randint(1, 2))}
            spec["hosts"] = sorted(chosen)
        if protocol == "http" and next(routed):
            group = metadata(f"routes-{meta['name']}", meta["namespace"])
            spec["matches"] = [
                {
                    "apiGroup": "specs.smi-spec.io/v1alpha4",
                    "kind": "HTTPRouteGroup",
                    "name": group["name"],
                }
            ]
            yield route_group(random, group, random.randrange(patterns), has_header=next(headers))
        yield {"apiVersion": "policy.flomesh.io/v1alpha1", "kind": "Egress", "metadata": meta, "spec": spec}


def route_group(random: Random, meta: Tree, pattern: int, *, has_header: bool) -> Tree:
    """One match: a path pattern, two methods and perhaps a header."""
    match: Tree = {
        "name": f"calls-{pattern}",
        "pathRegex": _numbered(0, pattern),
        "methods": random.sample(METHODS, 2),
    }
    if has_header:
        match["headers"] = [{"x-tenant": f"^t{random.randrange(9)}"}]
    return {
        "apiVersion": "specs.smi-spec.io/v1alpha4",
        "kind": "HTTPRouteGroup",
        "metadata": meta,
        "spec": {"matches": [match]},
    }


def _numbered(which: int, pattern: int) -> str:
    """The pattern of a number, or the path that it is found in."""
    return PATHS[pattern % len(PATHS)][which].replace("@", str(pattern // len(PATHS)))


def services(random: Random) -> Iterator[Tree]:
    """A hundred services of the mesh, half HTTP, half TCP, with two endpoints each."""
    for index in range(SERVICES):
        meta = metadata(f"service-{index}", NAMESPACES[index % len(NAMESPACES)])
        port: Tree = {"name": "main", "port": random.choice(PORTS), "targetPort": 8000, "protocol": "TCP"}
        port["appProtocol"] = ("tcp", "http")[index % 2]
        spec = {"clusterIP": f"10.96.0.{index + 1}", "ports": [port]}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
        addresses = [{"ip": f"10.244.{index}.{last}"} for last in (10, 11)]
        subset = {"addresses": addresses, "ports": [{"name": "main", "port": 8000}]}
        yield {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": [subset]}


def mesh_config() -> Tree:
    """Permissive, and without the wildcard: what no rule claims is denied."""
    traffic = {"enableEgress": False, "enablePermissiveTrafficPolicyMode": True}
    return {
        "apiVersion": "config.flomesh.io/v1alpha3",
        "kind": "MeshConfig",
        "metadata": metadata("fsm-mesh-config", "fsm-system"),
        "spec": {"traffic": traffic, "featureFlags": {"enableEgressPolicy": True}},
    }


def metadata(name: str, namespace: str) -> Tree:
    return {"name": name, "namespace": namespace}


def as_json(trees: list[Tree]) -> str:
    """The mesh as one JSON text: a `List`."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": trees})


# --- addresses -------------------------------------------------------------------------------------------


def ipv4(random: Random) -> str:
    """An address outside the mesh's own ranges."""
    parts = [str(random.randrange(*bounds)) for bounds in ((20, 200), (256,), (256,), (1, 255))]
    return ".".join(["126" if parts[0] == "127" else parts[0], *parts[1:]])  # 127 is the host itself


def ipv6(random: Random) -> str:
    """A global unicast address."""
    return f"2a{random.randrange(256):02x}:" + ":".join(f"{random.randrange(65536):x}" for _ in range(7))


def prefix(random: Random, family: int) -> str:
    """A prefix of one of the lengths that occur."""
    address, shortest, longest = (ipv4(random), 12, 32) if family == 4 else (ipv6(random), 32, 128)
    return str(ip_network(f"{address}/{random.randint(shortest, longest)}", strict=False))


def within(random: Random, text: str) -> str:
    """An address of a prefix."""
    network = ip_network(text)
    return str(network[random.randrange(network.num_addresses)])


# --- connections -----------------------------------------------------------------------------------------


def calls(trees: list[Tree], identity: Account, number: int, seed: int = SEED) -> list[Call]:
    """Connections of an identity: a third that a policy allows, a third in-mesh, a third denied."""
    random = Random(f"{seed} {identity} {number}")
    source = {"kind": "ServiceAccount", "name": identity[0], "namespace": identity[1]}
    policies = [tree for tree in trees if tree["kind"] == "Egress" and source in tree["spec"]["sources"]]
    groups = {_name(tree): tree for tree in trees if tree["kind"] == "HTTPRouteGroup"}
    mesh = [tree for tree in trees if tree["kind"] == "Service"]
    made: list[Call] = []
    for outcome, kind in islice(zip(dealt(random, OUTCOMES), dealt(random, KINDS), strict=True), number):
        if outcome == "mesh":
            made.append(to_service(random, random.choice(mesh), kind))
        elif outcome == "policy":
            made.append(to_outside(random, random.choice(policies), kind, groups))
        else:
            made.append(to_nowhere(random, random.choice(policies), kind))
    return made


def _name(tree: Tree) -> Account:
    return tree["metadata"]["namespace"], tree["metadata"]["name"]


def to_service(random: Random, service: Tree, kind: str) -> Call:
    """A connection to a service of the mesh, mostly to its ClusterIP."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    (port,) = service["spec"]["ports"]
    address = service["spec"]["clusterIP"]
    if random.random() < 0.3:
        address = f"10.244.{name.removeprefix('service-')}.{random.choice((10, 11))}"
    if port["appProtocol"] == "tcp":
        return Call(address, port["port"], kind, "any.example.com" if kind in {"http", "tls"} else None)
    host = random.choice((f"{name}.{namespace}", f"{name}.{namespace}.svc.cluster.local", address))
    host += random.choice(("", f":{port['port']}"))
    return Call(
        address, port["port"], "http", host, random.choice(METHODS), f"/{name}/{random.randrange(99)}"
    )


def to_outside(random: Random, policy: Tree, kind: str, groups: Mapping[Account, Tree]) -> Call:
    """A connection that a policy allows."""
    spec = policy["spec"]
    (port,) = spec["ports"]
    number, protocol = port["number"], port["protocol"]
    if protocol.startswith("tcp"):
        named = "any.example.com" if kind in {"http", "tls"} else None
        return Call(within(random, random.choice(spec["ipAddresses"])), number, kind, named)
    host = random.choice(spec["hosts"])
    if protocol == "https":
        return Call(outside(random), number, "tls", host)
    host += random.choice(("", f":{number}"))
    if "matches" not in spec:
        return Call(outside(random), number, "http", host, random.choice(METHODS), "/")
    group = groups[policy["metadata"]["namespace"], spec["matches"][0]["name"]]
    (match,) = group["spec"]["matches"]
    path = _numbered(1, int(match["name"].removeprefix("calls-")))
    tenant = match["headers"][0]["x-tenant"].strip("^") if "headers" in match else None
    headers = {"x-tenant": f"{tenant}-eu"} if tenant else None
    return Call(outside(random), number, "http", host, random.choice(match["methods"]), path, headers)


def to_nowhere(random: Random, policy: Tree, kind: str) -> Call:
    """A connection that is denied, but for rare chance: half of them come near a policy."""
    port, host, path = random.randrange(1, 65536), "nowhere.example.com", "/index.html"
    if random.random() < 0.5:
        port = policy["spec"]["ports"][0]["number"]
        host = random.choice(policy["spec"].get("hosts", [host]))
        path = "/-"  # is found by no pattern but `.*`
    if kind not in {"http", "tls"}:
        return Call(outside(random), port, kind)
    if kind == "tls":
        return Call(outside(random), port, kind, random.choice((f"www.{host}", None)))
    return Call(outside(random), port, kind, host, random.choice(METHODS), path)


def outside(random: Random) -> str:
    """An address outside the mesh."""
    return ipv6(random) if random.random() < 0.2 else ipv4(random)
