"""The parts that the examples of rules are made of: small documents in YAML."""

from __future__ import annotations

from textwrap import indent

FLOMESH = "policy.flomesh.io/v1alpha1"
CONFIG = "config.flomesh.io/v1alpha3"
ROUTES = "specs.smi-spec.io/v1alpha4"
ME = "{kind: ServiceAccount, name: curl, namespace: curl}"
OUTSIDE = "ipAddresses: [54.0.0.0/8]"
ANY_MTLS = "sidecar: {sidecarDisabledMTLS: true}"
IPV4_ONLY = "outboundIPRangeInclusionList: [0.0.0.0/0]"


def document(group: str, kind: str, place: str, *lines: str) -> str:
    """A document, from its apiVersion, kind, `namespace/name` and further lines."""
    space, _, name = place.rpartition("/")
    metadata = f"{{name: {name}, namespace: {space}}}" if space else f"{{name: {name}}}"
    head = f"apiVersion: {group}\nkind: {kind}\nmetadata: {metadata}\n"
    return head + "".join(f"{line}\n" for line in lines)


def spec(*lines: str) -> tuple[str, ...]:
    """The lines of a `spec`."""
    return ("spec:", *(indent(line, "  ") for line in lines))


def config(*lines: str) -> str:
    """The MeshConfig, from the lines of its spec."""
    place = "fsm-system/fsm-mesh-config"
    return document(CONFIG, "MeshConfig", place, *spec(*lines))


def permissive(*more: str) -> str:
    """A MeshConfig in which every service may be reached."""
    switches = ", ".join(("enablePermissiveTrafficPolicyMode: true", *more))
    return config(f"traffic: {{{switches}}}")


def egress(name: str, ports: str, *lines: str, source: str = ME, space: str = "curl") -> str:
    """An Egress policy; its ports are `http 80, tcp 25`."""
    pairs = [entry.split() for entry in ports.split(",")]
    listed = ", ".join(f"{{number: {number}, protocol: {protocol}}}" for protocol, number in pairs)
    fields = (f"sources: [{source}]", *lines, f"ports: [{listed}]")
    return document(FLOMESH, "Egress", f"{space}/{name}", *spec(*fields))


def routes(name: str, *matches: str) -> str:
    """An HTTPRouteGroup of these matches."""
    listed = (f"  - {{{match}}}" for match in matches)
    return document(ROUTES, "HTTPRouteGroup", f"curl/{name}", *spec("matches:", *listed))


def uses(name: str) -> str:
    """The reference of a policy to a route group."""
    return f"matches: [{{apiGroup: {ROUTES}, kind: HTTPRouteGroup, name: {name}}}]"


def limits(name: str) -> str:
    """The reference of a policy to an UpstreamTrafficSetting."""
    return f"matches: [{{apiGroup: {FLOMESH}, kind: UpstreamTrafficSetting, name: {name}}}]"


def setting(name: str) -> str:
    """An UpstreamTrafficSetting that limits the connections to `a.com`."""
    lines = spec("host: a.com", "connectionSettings: {tcp: {maxConnections: 10}}")
    return document(FLOMESH, "UpstreamTrafficSetting", f"curl/{name}", *lines)


def service(
    name: str, port: str, ip: str = "10.96.0.1", pods: str = "addresses: [{ip: 10.0.0.1}]", target: str = ""
) -> str:
    """A Service of one port and its Endpoints."""
    place = f"shop/{name}"
    itself = document(
        "v1",
        "Service",
        place,
        *spec(f"clusterIP: {ip}", f"selector: {{app: {name}}}", f"ports: [{{{port}}}]"),
    )
    endpoints = document(
        "v1", "Endpoints", place, "subsets:", f"  - {pods}", f"    ports: [{{{target or port}}}]"
    )
    return itself + _MORE + endpoints


SELECTED = "  selector: {app: partner}\n"


def joined(*documents: str) -> str:
    """One file of several documents."""
    return _MORE.join(documents)


_MORE = "---\n"
ON = config("featureFlags: {enableEgressPolicy: true}")
ACCOUNT = document("v1", "ServiceAccount", "curl/curl")
MTLS = "{kind: ServiceAccount, name: curl, namespace: curl, mtls: {issuer: fsm}}"
SECRET_MTLS = (
    "{kind: ServiceAccount, name: curl, namespace: curl,\n"
    "    mtls: {issuer: other, cert: {secret: {name: client, namespace: curl}}}}"
)
GATEWAY = document(
    FLOMESH, "EgressGateway", "shop/gateway", *spec("global: [{service: way, namespace: shop}]")
)
SPLIT = document(
    "split.smi-spec.io/v1alpha4",
    "TrafficSplit",
    "shop/split",
    *spec("service: db", "backends: [{service: db, weight: 90}, {service: db-v2, weight: 10}]"),
)
NOT_READY = "notReadyAddresses: [{ip: 10.0.0.1}]"
