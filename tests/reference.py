"""The decision as the pages state it: slow, literal, and sharing nothing with the package.

Input is what a user has before any library reads it: Kubernetes documents as mappings, an identity written
`name.namespace`, and a connection in the form of the documented vectors. Every clause stands under the
sentence it was written from, as `page, section: "sentence"`. Where a page is silent, "settled:" says what
holds. A number as section is the stage of decision.md, or the paragraph of pipy-config.md's canonical form.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Document: TypeAlias = dict[str, Any]
Documents: TypeAlias = list[Document]
Clusters: TypeAlias = dict[tuple[str, str, int], int]  # namespace, name, target port -> weight
Ends: TypeAlias = dict[tuple[str, int], int]  # address and port -> weight
Targets: TypeAlias = list[list[Any]]  # [address, share], the shares adding up to 1


class Route(NamedTuple):
    """What a request must be: no methods means any, header names are in lower case."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()
    methods: tuple[str, ...] = ()


class Part(NamedTuple):
    """A service on a port, or one hostname of a headless service; each cluster of its own with its share."""

    service: Document
    namespace: str
    name: str
    port: int
    protocol: str
    cluster_ip: str | None
    addresses: list[str]
    everyones: list[str]
    endpoints: list[str]
    remotes: list[Document]
    clusters: Clusters


class Claim(NamedTuple):
    """A port of a policy that claims the connection's destination; broken: its certificate is missing."""

    rule: str
    protocol: str
    hosts: list[str]
    routes: list[Route]
    broken: bool


def decide(documents: Documents, identity: str, connection: Document) -> Document:
    """Decide one connection of one identity; `outcome` shows the keys of the answer."""
    # decision.md, Order: "Each stage either decides or hands on."
    host = host_of(documents, identity)
    identity = f"{host.account}.{host.namespace}" if host else identity
    return (
        interception(documents, host, connection)
        or in_mesh(documents, identity, connection)
        or egress_policies(documents, identity, connection)
        or passthrough(documents, connection)
    )


def outcome(
    verdict: str,
    reason: str,
    rule: str | None,
    targets: Targets | None = None,
    *,
    status: int | None = None,
    gateway: list[str] | None = None,
) -> Document:
    return {
        "verdict": verdict,
        "reason": reason,
        "status": status,
        "targets": targets or [],
        "gateway": gateway or [],
        "rule": rule,
    }


# Stage 0: interception


class Host(NamedTuple):
    """A pod, or those that a Deployment makes; its own addresses count where it is asked for by name."""

    document: Document
    account: str
    namespace: str
    annotations: Document
    spec: Document
    own: list[str]


def host_of(documents: Documents, asked: str) -> Host | None:
    """The pod or template that is asked for, or for an account the first of them: all others are like it."""
    name, _, space = asked.rpartition(".")
    found = []
    for document in (*of_kind(documents, "Pod"), *of_kind(documents, "Deployment")):
        made = document["spec"].get("template", document)
        # settled: the account of a pod that names none is "default", as it is in Kubernetes.
        account = str(made["spec"].get("serviceAccountName", "default"))
        called = f"{document['kind'].lower()}/{document['metadata']['name']}"
        if namespace(document) == space and name in (account, called):
            own = [item["ip"] for item in pod_ips(document)] if name == called else []
            notes = made.get("metadata", {}).get("annotations", {})
            found.append(Host(document, account, space, notes, made["spec"], own))
    return found[0] if found else None


def interception(documents: Documents, host: Host | None, connection: Document) -> Document | None:
    destination, port = connection["destination"], connection["port"]
    untouched = [[original_destination(connection), Fraction(1)]]
    # issue 17, 4: "A pod without a sidecar is let out by no policy and kept in by none: verdict PASSTHROUGH"
    why = None if host is None else without_sidecar(documents, host)
    if why is not None:
        return outcome("PASSTHROUGH", "no_sidecar", why, untouched)
    lists = list(interception_lists(documents, host))
    # decision.md, 0: "Not intercepted, hence PASSTHROUGH ...: what leaves by the loopback interface
    # (127.0.0.0/8, 0.0.0.0 and the addresses of the pod itself)"
    if inside(destination, "127.0.0.0/8") or address(destination) == address("0.0.0.0"):
        return outcome("PASSTHROUGH", "not_intercepted", None, untouched)
    if host is not None and any(address(ip) == address(destination) for ip in host.own):
        return outcome("PASSTHROUGH", "not_intercepted", None, untouched)
    # decision.md, 0: "destination in outboundIPRangeExclusionList"
    for rule, excluded, _, _ in lists:
        if any(inside(destination, prefix) for prefix in excluded):
            return outcome("PASSTHROUGH", "not_intercepted", rule, untouched)
    # decision.md, 0: "port in outboundPortExclusionList"
    for rule, _, ports, _ in lists:
        if port in ports:
            return outcome("PASSTHROUGH", "not_intercepted", rule, untouched)
    # decision.md, 0: "when outboundIPRangeInclusionList is not empty, destination outside it. Exclusions are
    # tested before inclusions."
    inclusions = [(rule, prefix) for rule, _, _, included in lists for prefix in included]
    if inclusions and not any(inside(destination, prefix) for _, prefix in inclusions):
        return outcome("PASSTHROUGH", "not_intercepted", inclusions[0][0], untouched)
    return None


def without_sidecar(documents: Documents, host: Host) -> str | None:
    """The resource by which a pod has no sidecar; None where it has one."""
    containers = [item["name"] for item in host.spec.get("containers", [])]
    # interception.md, Injected or not: "An injected pod has the container sidecar (user 1500)"
    if "sidecar" in containers:
        return None
    # settled: a pod that runs on a node gets nothing any more.
    if host.document["kind"] == "Pod" and containers and pod_ips(host.document):
        return rule_of(host.document)
    # interception.md, Injected or not: "a pod with hostNetwork: true: not."
    if host.spec.get("hostNetwork"):
        return rule_of(host.document)
    # interception.md, Injected or not: "Its namespace lacks the label flomesh.io/monitored-by: not."
    # resources.md, Services: "When Namespace objects are given"
    spaces = of_kind(documents, "Namespace")
    own = [item for item in spaces if item["metadata"]["name"] == host.namespace]
    if spaces and not any("flomesh.io/monitored-by" in item["metadata"]["labels"] for item in own):
        return own[0]["kind"] + " " + own[0]["metadata"]["name"] if own else rule_of(host.document)
    # interception.md, Injected or not: "enabled, yes, true or disabled, no, false, in any letter case"
    wish = host.annotations.get("flomesh.io/sidecar-injection", "").lower()
    if wish in ("enabled", "yes", "true"):
        return None
    # settled: a namespace that is not given is one that asks for sidecars.
    return rule_of(host.document) if wish in ("disabled", "no", "false") or spaces else None


def interception_lists(
    documents: Documents, host: Host | None
) -> Iterator[tuple[str | None, list[str], list[int], list[str]]]:
    """Each resource that has lists: excluded prefixes, excluded ports, included prefixes."""
    # interception.md: "The rules are loaded once, when the pod starts: a change of the MeshConfig or of an
    # annotation reaches new pods only. They stand in the pod's init container fsm-init"
    for item in host.spec.get("initContainers", []) if host else []:
        if host and item["name"] == "fsm-init":
            rules = item["args"][-1]
            excluded = re.findall(r"-A FSM_PROXY_OUTBOUND -d (\S+) -j RETURN", rules)
            included = re.findall(r"-A FSM_PROXY_OUTBOUND -d (\S+) -j FSM_PROXY_OUT_REDIRECT", rules)
            listed = re.findall(r"-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports (\S+)", rules)
            ports = [int(port) for text in listed for port in text.split(",")]
            yield rule_of(host.document), excluded, ports, included
            return
    traffic = mesh_config(documents, "traffic")
    yield (
        mesh_config_rule(documents),
        traffic.get("outboundIPRangeExclusionList", []),
        traffic.get("outboundPortExclusionList", []),
        traffic.get("outboundIPRangeInclusionList", []),
    )
    # decision.md, 0: "A pod's annotations ... (comma-separated) add to the mesh-wide lists."
    if host is not None:
        texts = {key: [item.strip() for item in text.split(",")] for key, text in host.annotations.items()}
        excluded = texts.get("flomesh.io/outbound-ip-range-exclusion-list", [])
        included = texts.get("flomesh.io/outbound-ip-range-inclusion-list", [])
        numbers = texts.get("flomesh.io/outbound-port-exclusion-list", [])
        yield rule_of(host.document), excluded, [int(port) for port in numbers], included


# Stage 1: in-mesh


def in_mesh(documents: Documents, identity: str, connection: Document) -> Document | None:
    destination = address(connection["destination"])
    # decision.md, 1: "Among services that the source may reach ..., those with the connection's TCP port and
    # an address equal to the destination."
    everything = parts_of(documents, identity)
    reachable = together(everything, connection["port"])
    owners = [
        part
        for part in reachable
        if any(address(ip) == destination for ip in (*part.addresses, *part.everyones))
    ]
    if not owners:
        return None
    # decision.md, 1: "the one whose ClusterIP it is decides, else the first by namespace and name"
    owner = min(
        owners,
        key=lambda part: (
            part.cluster_ip is None or address(part.cluster_ip) != destination,
            part.namespace,
            part.name,
        ),
    )
    # decision.md, 1: "Protocol tcp, tcp-server-first, https: the service's cluster, or its TrafficSplit's."
    if owner.protocol not in ("http", "grpc"):
        targets = targets_of(everything, stream_clusters(documents, owner))
        if not targets:
            return outcome("DENIED", "no_endpoints", rule_of(owner.service))
        return outcome("IN_MESH", "tcp_service", rule_of(owner.service), targets)
    # settled: where the owner speaks HTTP, anything else is closed.
    if connection["sends"] != "http":
        return outcome("DENIED", "protocol_mismatch", rule_of(owner.service))
    # decision.md, 1: "the request's Host is looked up among the hostnames of *all* HTTP and gRPC services on
    # that port"
    speakers = [part for part in reachable if part.protocol in ("http", "grpc")]
    named = named_services(documents, identity, speakers, connection["request"]["host"])
    # decision.md, 1: "then a route; no host or no route is DENIED (403)."
    if not named:
        return outcome("DENIED", "no_host", rule_of(owner.service), status=403)
    return by_route(documents, everything, named, connection["request"])


def by_route(documents: Documents, everything: list[Part], named: list[Part], request: Document) -> Document:
    # settled: a service of one name that speaks HTTP here and gRPC in another cluster has the routes of both.
    rule = rule_of(named[0].service)
    routes: dict[Route, Clusters] = {}
    for part in named:
        for route, clusters in http_routes(documents, part).items():
            routes.setdefault(route, {}).update(clusters)
    for route in sorted(routes, key=canonical):
        if matches(route, request):
            targets = targets_of(everything, routes[route])
            # decision.md, 1: "A cluster without endpoints: DENIED, reason no endpoints (404 for HTTP)."
            if not targets:
                return outcome("DENIED", "no_endpoints", rule, status=404)
            return outcome("IN_MESH", "http_route", rule, targets)
    return outcome("DENIED", "no_route", rule, status=403)


def services_on(documents: Documents, identity: str, port: int) -> list[Part]:
    """Every service that the source reaches on this port."""
    return together(parts_of(documents, identity), port)


def together(parts: list[Part], port: int) -> list[Part]:
    """The services on a port; what other clusters have of one is one with it."""
    found: dict[tuple[str, str, str], Part] = {}
    for part in parts:
        if part.port == port:
            first = found.setdefault((part.namespace, part.name, part.protocol), part)
            # multicluster.json: of two shares of a cluster the later one counts, that of the other clusters
            found[part.namespace, part.name, part.protocol] = first._replace(
                addresses=unique((*first.addresses, *part.addresses)),
                clusters={**first.clusters, **part.clusters},
            )
    return list(found.values())


def parts_of(documents: Documents, identity: str) -> list[Part]:
    """Every service that the source reaches, port by port and target port by target port."""
    parts = [*own_services(documents, identity), *imported_services(documents, identity)]
    # settled: a service all of whose addresses are isolated is left out, reported
    # controller.md, Own way: "a headless service without ready addresses ... | left out, reported"
    return [part for part in parts if part.addresses or part.everyones]


def own_services(documents: Documents, identity: str) -> Iterator[Part]:
    for service in monitored(documents, "Service"):
        for spec in service["spec"].get("ports", []):
            # resources.md, Services: "a service port with no endpoints has none and takes no part"
            target = target_port(documents, service, spec.get("name", ""))
            if not takes_part(spec) or target is None or excluded(documents, service):
                continue
            reached = reached_addresses(documents, identity, service)
            if reached is None:
                continue
            for name, addresses, ready in counted_services(documents, service, target):
                shared = [
                    item
                    for item in imports(documents, namespace(service))
                    if item["metadata"]["name"] == name
                ]
                also = [ip for item in shared for ip in other_address(item, spec["port"], target)]
                yield Part(
                    service,
                    namespace(service),
                    name,
                    spec["port"],
                    protocol_of(spec),
                    None if headless(service) else service["spec"]["clusterIP"],
                    not_isolated(documents, unique((*addresses, *also))),
                    wildcard(documents),
                    # controller.md, Copied: "of their addresses only those among such pods' status.podIPs
                    # become endpoints"
                    [ip for ip in not_isolated(documents, ready) if address(ip) in reached],
                    [end for item in shared for end in remotes(documents, item, target, reached)],
                    {(namespace(service), name, target): 100},
                )


def imported_services(documents: Documents, identity: str) -> Iterator[Part]:
    """What other clusters have of a service, which may be here too, also where it takes no part by itself."""
    for item in imports(documents):
        reached = reached_addresses(documents, identity, item)
        if reached is None:
            continue
        own = find(documents, "Service", namespace(item), item["metadata"]["name"])
        for spec in item["spec"].get("ports", []):
            if not spec.get("endpoints") or not takes_part(spec):
                continue
            # fsm, multicluster.GetEndpoints: the first port of the number that has endpoints
            first = next(port for port in with_ends(item) if port["port"] == spec["port"])
            for target in dict.fromkeys(end["target"]["port"] for end in taking_part(documents, item, first)):
                addresses = resolved(documents, own[0], target) if own else []
                ready = ready_at(documents, item, target)
                yield Part(
                    item,
                    namespace(item),
                    item["metadata"]["name"],
                    spec["port"],
                    protocol_of(spec),
                    own[0]["spec"]["clusterIP"] if own and not headless(own[0]) else None,
                    not_isolated(documents, unique((*addresses, *other_address(item, spec["port"], target)))),
                    wildcard(documents),
                    [ip for ip in not_isolated(documents, ready) if address(ip) in reached],
                    remotes(documents, item, target, reached),
                    {(namespace(item), item["metadata"]["name"], target): share_of(documents, item, spec)},
                )


def takes_part(spec: Document) -> bool:
    # controller.md, Own way: "UDP service ports proxied as HTTP over TCP | left out"
    # controller.md, Own way: "unknown appProtocol (redis) ... | left out, reported"
    known = ("http", "grpc", "tcp", "tcp-server-first", "https")
    return spec.get("protocol", "TCP") == "TCP" and protocol_of(spec) in known


def excluded(documents: Documents, service: Document) -> bool:
    # controller.md, Found later: "Annotation flomesh.io/service-exclusion (true, enabled, yes) on a Service,
    # and flomesh.io/service-exclusion-list on a Namespace: the service has no match; its traffic is egress."
    # settled: the service's own annotation, when it has one, is the one that counts.
    own = service["metadata"].get("annotations", {}).get("flomesh.io/service-exclusion")
    if own is not None:
        return own.lower() in ("true", "enabled", "yes")
    return any(
        service["metadata"]["name"] in annotated(item, "flomesh.io/service-exclusion-list")
        for item in of_kind(documents, "Namespace")
        if item["metadata"]["name"] == namespace(service)
    )


def isolated(documents: Documents, ip: str) -> bool:
    # controller.md, Found later: "Isolation: addresses in its cidrs leave matches, hostnames and endpoints"
    return any(
        inside(ip, prefix)
        for document in of_kind(documents, "Isolation")
        for prefix in document["spec"]["cidrs"]
    )


def not_isolated(documents: Documents, ips: list[str]) -> list[str]:
    return [ip for ip in ips if not isolated(documents, ip)]


def protocol_of(spec: Document) -> str:
    # resources.md, Services: "appProtocol, else the port name's prefix before - among ..., else http."
    # settled: appProtocol in any letter case; a prefix needs its dash.
    if "appProtocol" in spec:
        return str(spec["appProtocol"]).lower()
    for protocol in ("tcp-server-first", "http", "tcp", "grpc"):
        if spec.get("name", "").startswith(f"{protocol}-"):
            return protocol
    return "http"


def target_port(documents: Documents, service: Document, name: str) -> int | None:
    # resources.md, Services: "Target port: from Endpoints by port name"
    # settled: the first of that name, subset by subset; a missing name is the empty one.
    # fsm, GetTargetPortFromEndpoints: a port without a name takes any, and the only port of a subset is taken
    # for any.
    for subset in subsets_of(documents, service):
        for port in subset.get("ports", []):
            if name in ("", port.get("name", "")) or len(subset["ports"]) == 1:
                return int(port["port"])
    return None


def wildcard(documents: Documents) -> list[str]:
    # controller-2.json, "local DNS proxy with wildcard": its IPv4 addresses are in the ranges of each match
    # of a service, and none of its hostnames
    proxy = mesh_config(documents, "sidecar").get("localDNSProxy", {})
    found = proxy.get("wildcard", {})
    listed = found.get("ips", []) if proxy.get("enable", False) and found.get("enable", False) else []
    return unique(item["ipv4"] for item in listed if item.get("ipv4", ""))


def counted_services(
    documents: Documents, service: Document, target: int
) -> Iterator[tuple[str, list[str], list[str]]]:
    """What a service counts as: names, each with destination addresses and endpoint addresses."""
    name = service["metadata"]["name"]
    ready = unique(ready_at(documents, service, target))
    # controller.md, Copied: "Headless with hostnamed addresses: each counts as a service hostname.service of
    # its own, with its own address"
    # controller-3.json, "pods of one subset are ready": the hostnames of all subsets, at every port
    listed = [item for subset in subsets_of(documents, service) for item in subset.get("addresses", [])]
    hostnames = unique(item["hostname"] for item in listed if headless(service) and "hostname" in item)
    for hostname in hostnames:
        # fsm, ListEndpointsForService: of the subsets at the target port, the addresses of this hostname
        own = unique(ready_at(documents, service, target, hostname))
        yield f"{hostname}.{name}", own, own
    if not hostnames:
        yield name, resolved(documents, service, target), ready


def resolved(documents: Documents, service: Document, target: int) -> list[str]:
    """What connections to a service are addressed to."""
    # resources.md, Services: "headless: its endpoint addresses"
    if headless(service):
        return unique(ready_at(documents, service, target))
    # resources.md, Services: "its ClusterIP; in access mode ip or mixed also its endpoint addresses"
    # settled: these are all its ready addresses, also of subsets without the target port.
    domain = mesh_config(documents, "traffic").get("serviceAccessMode", "mixed") == "domain"
    return unique([service["spec"]["clusterIP"], *([] if domain else ready_addresses(documents, service))])


def ready_at(documents: Documents, service: Document, target: int, hostname: str | None = None) -> list[str]:
    # settled: endpoints are the ready addresses of the subsets that have the target port.
    return [
        item["ip"]
        for subset in subsets_of(documents, service)
        if any(port["port"] == target for port in subset.get("ports", []))
        for item in subset.get("addresses", [])
        if hostname in (None, item.get("hostname"))
    ]


# Services of other clusters, which the pages do not describe: as FSM's code has them, and multicluster.json


def imports(documents: Documents, space: str | None = None) -> Documents:
    # fsm, multicluster.isLocality: without a GlobalTrafficPolicy of its name, or with the type Locality, none
    return [
        item
        for item in of_kind(documents, "ServiceImport")
        if space in (None, namespace(item))
        and any(
            policy["spec"].get("lbType", "Locality") != "Locality" for policy in policies_of(documents, item)
        )
    ]


def policies_of(documents: Documents, item: Document) -> Documents:
    return find(documents, "GlobalTrafficPolicy", namespace(item), item["metadata"]["name"])


def fails_over(documents: Documents, item: Document) -> bool:
    return any(policy["spec"]["lbType"] == "FailOver" for policy in policies_of(documents, item))


def cluster_weights(documents: Documents, item: Document) -> dict[str, int]:
    """The clusters that a policy names, with their weights; of one that is named twice the last."""
    return {
        target["clusterKey"]: target.get("weight") or 0
        for policy in policies_of(documents, item)
        for target in policy["spec"].get("targets", [])
    }


def with_ends(item: Document) -> Documents:
    return [port for port in item["spec"].get("ports", []) if port.get("endpoints")]


def taking_part(documents: Documents, item: Document, port: Document) -> Documents:
    # fsm, multicluster.GetEndpoints: where the policy names clusters, only their endpoints
    weights = cluster_weights(documents, item)
    return [end for end in port["endpoints"] if not weights or end.get("clusterKey", "") in weights]


def other_address(item: Document, number: int, target: int) -> list[str]:
    # fsm, multicluster.GetService: of the first port of the number the first address with the target port
    for port in with_ends(item):
        if port["port"] == number:
            return [end["target"]["ip"] for end in port["endpoints"] if end["target"]["port"] == target][:1]
    return []


def remotes(
    documents: Documents, item: Document, target: int, reached: list[IPv4Address | IPv6Address]
) -> Documents:
    # fsm, multicluster.GetEndpoints of a service without a port: the first port that has endpoints
    weights = cluster_weights(documents, item)
    return [
        {
            "ip": end["target"]["ip"],
            "key": end.get("clusterKey", ""),
            "spare": fails_over(documents, item),
            "weight": weights.get(end.get("clusterKey", "")) or 100,
        }
        for port in with_ends(item)[:1]
        for end in taking_part(documents, item, port)
        if end["target"]["port"] == target
        and not isolated(documents, end["target"]["ip"])
        and address(end["target"]["ip"]) in reached
    ]


def share_of(documents: Documents, item: Document, port: Document) -> int:
    # fsm, multicluster.ListServices and GetLbWeightForService: by the cluster of the last endpoint, the first
    # weight that the policy has for it
    key = port["endpoints"][-1].get("clusterKey", "")
    if not key:
        return 100
    if fails_over(documents, item):
        return 0
    named = [
        target.get("weight") or 0
        for policy in policies_of(documents, item)
        for target in policy["spec"].get("targets", [])
        if target["clusterKey"] == key
    ]
    return (named or [0])[0] or 100


# Who may call a service


def reached_addresses(
    documents: Documents, identity: str, service: Document
) -> list[IPv4Address | IPv6Address] | None:
    """The addresses of a service's pods that are open to the source; None: it may not reach the service."""
    # decision.md, 1: "all of them in permissive mode"
    if mesh_config(documents, "traffic").get("enablePermissiveTrafficPolicyMode", False):
        ends = [end["target"]["ip"] for item in of_kind(documents, "ServiceImport") for end in ends_of(item)]
        return [address(ip) for ip in (*ready_addresses(documents, service), *ends)]
    shown, reached = False, []
    # resources.md, Services: "only services and policies in namespaces labelled ... count."
    for target in monitored(documents, "TrafficTarget"):
        destination, rules = target["spec"]["destination"], target["spec"].get("rules", [])
        # decision.md, 1: "else those behind an SMI TrafficTarget that names the source"
        sources = [source for source in target["spec"].get("sources", []) if is_named(source, identity)]
        if not sources:
            continue
        # controller.md, Copied: "A TrafficTarget counts when its namespace is its destination's and it has
        # rules, all of kind HTTPRouteGroup or TCPRoute."
        if namespace(target) != destination["namespace"]:
            continue
        if not rules or any(rule["kind"] not in ("HTTPRouteGroup", "TCPRoute") for rule in rules):
            continue
        # controller.md, Found later: "TrafficTarget whose source is of another kind: the service is
        # listed, without endpoints (404)."
        # controller-2.json, "smi: pod not selected, in the endpoints": any pod of the account
        kinds = [destination["kind"], *(source["kind"] for source in sources)]
        is_open = kinds[0] == "ServiceAccount" and "ServiceAccount" in kinds[1:]
        # controller.md, Copied: "The destination's services are those of its namespace whose selector matches
        # a Pod running under that service account"
        # controller-2.json, "smi: a virtual machine behind the service": machines count as pods do
        for pod in (*of_kind(documents, "Pod"), *of_kind(documents, "VirtualMachine")):
            if is_named(destination, f"{service_account(pod)}.{namespace(pod)}"):
                shown = shown or (namespace(pod) == namespace(service) and selects(service, pod))
                reached += [address(item["ip"]) for item in pod_ips(pod) if is_open]
        # fsm, multicluster.ListPods: each end is a pod of the account that the ServiceImport names, or of any
        for item in of_kind(documents, "ServiceImport"):
            runs_as = item["spec"].get("serviceAccountName", "")
            if namespace(item) == destination["namespace"] and runs_as in ("*", destination["name"]):
                shown = shown or (item is service and bool(ends_of(item)))
                reached += [address(end["target"]["ip"]) for end in ends_of(item) if is_open]
    return reached if shown else None


def ends_of(item: Document) -> Documents:
    return [end for port in with_ends(item) for end in port["endpoints"]]


def selects(service: Document, pod: Document) -> bool:
    # settled: a service without selector selects no pod.
    selector, labels = service["spec"].get("selector", {}), pod["metadata"].get("labels", {})
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def named_services(documents: Documents, identity: str, speakers: list[Part], host: str) -> list[Part]:
    hostnames = [hostnames_of(documents, identity, part) for part in speakers]
    wanted = known_or_default(documents, host, [name for known in hostnames for name in known])
    claimants = [part for part, known in zip(speakers, hostnames, strict=True) if wanted in known]
    # controller.md, Copied: "One claimed by two services goes to the shorter name.namespace, then by code
    # point."
    names = sorted(
        (f"{part.name}.{part.namespace}" for part in claimants), key=lambda name: (len(name), name)
    )
    return [part for part in speakers if f"{part.name}.{part.namespace}" in names[:1]]


def hostnames_of(documents: Documents, identity: str, part: Part) -> list[str]:
    traffic = mesh_config(documents, "traffic")
    access, mode = traffic.get("serviceAccessNames", {}), traffic.get("serviceAccessMode", "mixed")
    bare = []
    # controller.json, "access mode ip": the names are not among the hostnames of that mode.
    if mode in ("domain", "mixed"):
        # resources.md, Services: "svc (same namespace as the source, or mustWithNamespace false), svc.ns"
        if part.namespace == identity.rpartition(".")[2] or not access.get("mustWithNamespace", True):
            bare.append(part.name)
        bare.append(f"{part.name}.{part.namespace}")
        # resources.md, Services: "and with withTrustDomain svc.ns.svc, svc.ns.svc.cluster,
        # svc.ns.svc.cluster.local"
        if access.get("withTrustDomain", True):
            suffixes = ("svc", "svc.cluster", "svc.cluster.local")
            bare.extend(f"{part.name}.{part.namespace}.{suffix}" for suffix in suffixes)
    # resources.md, Services: "in access mode ip or mixed also each address, bare and with :port"
    # settled: IPv6 addresses without brackets.
    if mode in ("ip", "mixed"):
        bare.extend(part.addresses)
    # resources.md, Services: "each also with :port, the bare ones not when mustWithServicePort"
    ported = [f"{hostname}:{part.port}" for hostname in bare]
    return ported if access.get("mustWithServicePort", False) else bare + ported


def http_routes(documents: Documents, apex: Part) -> dict[Route, Clusters]:
    splits = splits_of(documents, apex)
    # controller.md, Copied: "The rules' content plays no part on the outbound side: the route is .*"
    if not splits:
        return balanced({Route(".*"): dict(apex.clusters)})
    # controller.md, Copied: "matches gives the HTTPRouteGroup's routes to the backends."
    # settled: equal routes of two splits unite; of one cluster the later weight counts, by name of the split.
    routes: dict[Route, Clusters] = {}
    for split in splits:
        for route in routes_of(documents, split, split["spec"].get("matches", [])):
            routes.setdefault(route, {}).update(backends_of(documents, split, apex.port))
    # controller.md, Copied: "When no route has the path .*, one is added: to the backends of the splits
    # without matches, by their weights, else to all, 100 each."
    if not any(route.path == ".*" for route in routes):
        # settled: "else" is where every split has matches; a later weight replaces none here.
        plain = [split for split in splits if not split["spec"].get("matches", [])]
        wild: Clusters = {}
        for split in plain or splits:
            for cluster, weight in backends_of(documents, split, apex.port).items():
                wild.setdefault(cluster, weight if plain else 100)
        routes[Route(".*")] = wild
    return balanced(routes)


def balanced(routes: dict[Route, Clusters]) -> dict[Route, Clusters]:
    # controller.md, Copied: "an HTTP route whose weights are all zero gets 100 for each"
    for clusters in routes.values():
        if not any(clusters.values()):
            clusters.update(dict.fromkeys(clusters, 100))
    return routes


def stream_clusters(documents: Documents, apex: Part) -> Clusters:
    splits = splits_of(documents, apex)
    if not splits:
        return apex.clusters
    # controller.md, Copied: "The apex's TCP match goes to the backends too."
    # settled: the backends of all its splits, united as routes are.
    clusters: Clusters = {}
    for split in splits:
        clusters.update(backends_of(documents, split, apex.port))
    return clusters


def splits_of(documents: Documents, apex: Part) -> Documents:
    # controller.md, Copied: "spec.service up to the first dot names the apex in the split's namespace"
    return [
        split
        for split in monitored(documents, "TrafficSplit")
        if namespace(split) == apex.namespace and split["spec"]["service"].split(".")[0] == apex.name
    ]


def backends_of(documents: Documents, split: Document, port: int) -> Clusters:
    # controller.md, Copied: "backends keep their weights, zero too; a backend that is no service is left out"
    # settled: ns/name names another namespace; no such port or no target port on the backend: left out.
    clusters: Clusters = {}
    for backend in split["spec"]["backends"]:
        elsewhere, slash, name = backend["service"].rpartition("/")
        space, weight = elsewhere if slash else namespace(split), backend["weight"]
        own = backend_target(documents, space, name, port)
        active: list[int] = [] if own is None else [own]
        spare: list[int] = []
        for item in imports(documents, space):
            if item["metadata"]["name"] == name:
                # fsm, multicluster.GetTargetPortForServicePort: of all ports of the number; a policy of the
                # type FailOver lets only the clusters take part that it names, another one only that without
                # a name, if it names that
                weights = cluster_weights(documents, item)
                named = {key for key in weights if fails_over(documents, item) or not key}
                found = {
                    end["target"]["port"]
                    for listed in with_ends(item)
                    if listed["port"] == port
                    for end in listed["endpoints"]
                    if not named or end.get("clusterKey", "") in named
                }
                (spare if fails_over(documents, item) else active).extend(sorted(found - {own}))
        # fsm, activeUpstreamClusters: whole parts; what is left over is the later ones'
        for index, target in enumerate(active):
            clusters[space, name, target] = weight // (len(active) - index)
            weight -= clusters[space, name, target]
        for target in spare:
            clusters[space, name, target] = 0
    return clusters


def backend_target(documents: Documents, space: str, name: str, port: int) -> int | None:
    # fsm, GetTargetPortForServicePort: a backend of a split needs an endpoints port of the name
    for service in find(documents, "Service", space, name):
        named = [spec.get("name", "") for spec in service["spec"].get("ports", []) if spec["port"] == port]
        for subset in subsets_of(documents, service):
            for listed in subset.get("ports", []):
                if named[:1] == [listed.get("name", "")]:
                    return int(listed["port"])
    return None


def targets_of(parts: list[Part], clusters: Clusters) -> Targets:
    """Each end with its share: a part of its cluster's weight, by its own; without weight it is no target."""
    weights: dict[str, Fraction] = {}
    for cluster, weight in clusters.items():
        ends = ends_at([part for part in parts if cluster in part.clusters])
        for (ip, port), own in ends.items():
            target = host_and_port(ip, port)
            weights[target] = weights.get(target, Fraction(0)) + Fraction(weight * own, sum(ends.values()))
    total = sum(weights.values())
    return [[target, weight / total] for target, weight in sorted(weights.items()) if weight]


def ends_at(parts: list[Part]) -> Ends:
    """Where connections to a cluster end, with their weights."""
    ends: Ends = {}
    # settled: ports of a service that have the same target port share the cluster, hence its endpoints.
    # controller.md, Copied: "endpoints are pod address and *service* port"
    for part in parts:
        ends.update({(ip, part.port): 100 for ip in part.endpoints})
    # fsm, rebalancedOutboundClusters: what is there for failure has no weight beside an endpoint of this
    # cluster; one that names no cluster is of this one
    local = bool(ends) or any(not end["key"] for part in parts for end in part.remotes)
    for part in parts:
        ((_, _, target),) = part.clusters
        for end in part.remotes:
            spare = 0 if local else 100
            weight = spare if end["spare"] and end["key"] else end["weight"]
            ends[end["ip"], target if end["key"] else part.port] = weight
    return ends


# Stage 2: egress policies


def egress_policies(documents: Documents, identity: str, connection: Document) -> Document | None:
    claims = claims_on(documents, identity, connection)
    if not claims:
        return None
    # decision.md, 2: "Policies are allow rules and never deny one another: what a set of policies allows is
    # the union of what each allows."
    # controller.md, Own way: "mtls whose secret is missing ... | no target: DENIED, reported"
    # settled: such a claim makes no host known, so that the default route does not lead to it.
    whole = [claim for claim in claims if not claim.broken]
    broken = [claim for claim in claims if claim.broken]
    host = claimed_host(documents, whole, connection, default=True)
    allowed = allowed_by(whole, host, connection)
    if allowed is not None:
        reason, rule, target = allowed
        targets = [[target, Fraction(1)]]
        return outcome("EGRESS_POLICY", reason, rule, targets, gateway=gateways(documents))
    # decision.md, 2: "If some policy claims the destination but none allows the connection, it is DENIED,
    # even with enableEgress on (403 for HTTP, closed otherwise)"
    # settled: 403 where an http claim is there to answer it, else an HTTP request is closed too.
    http = [claim for claim in claims if claim.protocol == "http"]
    https = [claim for claim in claims if claim.protocol == "https"]
    status = 403 if http and connection["sends"] == "http" else None
    # settled: a missing certificate is a reason that comes before all others.
    refused = claimed_host(documents, broken, connection, default=False)
    missed = allowed_by(broken, refused, connection)
    if missed is not None:
        return outcome("DENIED", "no_certificate", missed[1], status=status)
    if connection["sends"] == "http" and http:
        known = [claim for claim in http if (host or refused) in claim.hosts]
        reason, rule = ("no_route", known[0].rule) if known else ("no_host", http[0].rule)
        return outcome("DENIED", reason, rule, status=status)
    if connection["sends"] == "tls" and https:
        return outcome("DENIED", "no_server_name", https[0].rule)
    return outcome("DENIED", "protocol_mismatch", claims[0].rule)


def claims_on(documents: Documents, identity: str, connection: Document) -> list[Claim]:
    """What claims the destination, by namespace, name and index of the port."""
    # decision.md, 2: "Only with enableEgressPolicy"; resources.md, MeshConfig: "enableEgressPolicy (true
    # ...)"
    if not mesh_config(documents, "featureFlags").get("enableEgressPolicy", True):
        return []
    claims: list[Claim] = []
    for policy in monitored(documents, "Egress"):
        spec = policy["spec"]
        # decision.md, 2: "only policies with a source of kind ServiceAccount equal to this identity"
        # settled: of two such sources the first counts.
        sources = [source for source in spec.get("sources", []) if is_account(source, identity)]
        if not sources or disabled(documents, policy):
            continue
        # decision.md, 2: "A policy claims a destination when the port is one of its ports and, if it lists
        # ipAddresses, one of them contains the destination."
        prefixes = spec.get("ipAddresses", [])
        if prefixes and not any(inside(connection["destination"], prefix) for prefix in prefixes):
            continue
        for port in spec.get("ports", []):
            if port["number"] == connection["port"]:
                claim = Claim(
                    rule_of(policy),
                    # resources.md, Egress: "protocol one of http, https, tcp, tcp-server-first, any letter
                    # case"
                    port["protocol"].lower(),
                    # decision.md, Matching: "resources' hosts are lower-cased at load"
                    [host.lower() for host in spec.get("hosts", [])],
                    policy_routes(documents, policy),
                    lacks_certificate(documents, policy, sources[0]),
                )
                # controller.md, Own way: "a port named twice, a source named twice | once"
                if claim not in claims:
                    claims.append(claim)
    return claims


def disabled(documents: Documents, policy: Document) -> bool:
    # resources.md, Egress: "A referenced UpstreamTrafficSetting that does not exist disables the policy"
    return any(
        match["kind"] == "UpstreamTrafficSetting"
        and not find(documents, "UpstreamTrafficSetting", namespace(policy), match["name"])
        for match in policy["spec"].get("matches", [])
    )


def policy_routes(documents: Documents, policy: Document) -> list[Route]:
    groups = [match for match in policy["spec"].get("matches", []) if match["kind"] == "HTTPRouteGroup"]
    # decision.md, 2: "the request must match one of the referenced HTTPRouteGroups' matches (none referenced:
    # every request)"
    return routes_of(documents, policy, groups) if groups else [Route(".*")]


def lacks_certificate(documents: Documents, policy: Document, source: Document) -> bool:
    # controller.md, Copied: "SourceCert: ... for issuer fsm in any letter case; else ... the secret's ...
    # data."
    # settled: the secret's namespace is the policy's by default; no secret named is one missing.
    if "mtls" not in source or source["mtls"].get("issuer", "").lower() == "fsm":
        return False
    secret = source["mtls"].get("cert", {}).get("secret", {})
    return not find(documents, "Secret", secret.get("namespace", namespace(policy)), secret.get("name"))


def claimed_host(
    documents: Documents, claims: list[Claim], connection: Document, *, default: bool
) -> str | None:
    """The claims' host that an HTTP request is for, if any."""
    if connection["sends"] != "http":
        return None
    # decision.md, 2: "the Host header must be host or host:port for one of hosts"
    hosts = [host for claim in claims if claim.protocol == "http" for host in claim.hosts]
    hostnames = {f"{host}:{connection['port']}": host for host in hosts} | {host: host for host in hosts}
    wanted = connection["request"]["host"].lower()
    if default:
        wanted = known_or_default(documents, wanted, list(hostnames))
    return hostnames.get(wanted)


def allowed_by(claims: list[Claim], host: str | None, connection: Document) -> tuple[str, str, str] | None:
    """Reason, rule and target of the first of these claims that allows the connection."""
    # decision.md, 2: "tcp, tcp-server-first: a claim is enough; goes to the original destination."
    # decision.md, 2: "When a tcp claim allows it, the original destination is the target, whatever other
    # claims would route."
    for claim in claims:
        if claim.protocol in ("tcp", "tcp-server-first"):
            return "tcp_port", claim.rule, original_destination(connection)
    if connection["sends"] == "tls":
        return server_name_allowed_by(claims, connection)
    if connection["sends"] == "http" and host is not None:
        # decision.md, 2: "and the request must match one of the referenced HTTPRouteGroups' matches"
        routes = [
            (route, claim)
            for claim in claims
            if claim.protocol == "http" and host in claim.hosts
            for route in claim.routes
        ]
        for route, claim in sorted(routes, key=lambda pair: canonical(pair[0])):
            if matches(route, connection["request"]):
                return "http_route", claim.rule, host_and_port(host, connection["port"])
    return None


def server_name_allowed_by(claims: list[Claim], connection: Document) -> tuple[str, str, str] | None:
    https = [claim for claim in claims if claim.protocol == "https"]
    # decision.md, 2: "https: the SNI must be one of hosts (no hosts: any TLS)"
    # pipy-config.md, From resources: "https without hosts | AllowedEgressTraffic: true, no clusters"
    # settled: that takes the whole stream, as a tcp claim does.
    for claim in https:
        if not claim.hosts:
            return "tls_any", claim.rule, original_destination(connection)
    name = (connection.get("sni") or "").lower()
    for claim in https:
        if name in claim.hosts:
            return "tls_server_name", claim.rule, host_and_port(name, connection["port"])
    return None


# Stage 3: passthrough


def passthrough(documents: Documents, connection: Document) -> Document:
    rule = mesh_config_rule(documents)
    # decision.md, 3: "enableEgress on: PASSTHROUGH to the original destination. Off: DENIED, reason egress
    # disabled."
    if mesh_config(documents, "traffic").get("enableEgress", False):
        targets = [[original_destination(connection), Fraction(1)]]
        return outcome("PASSTHROUGH", "egress_enabled", rule, targets, gateway=gateways(documents))
    return outcome("DENIED", "egress_disabled", rule)


def gateways(documents: Documents) -> list[str]:
    # controller.md, Copied: "on every egress rule as soon as an EgressGateway has a global list"
    # controller.md, Own way: "an EgressGateway whose service is missing or has no endpoints: a rule without
    # gateway"
    # settled: a gateway is infrastructure, its namespace need not be monitored; an endpoint has a port.
    return sorted(
        {
            f"{entry['service']}.{entry['namespace']}"
            for policy in of_kind(documents, "EgressGateway")
            for entry in policy["spec"].get("global", [])
            for service in of_kind(documents, "Service")
            if (service["metadata"]["name"], namespace(service)) == (entry["service"], entry["namespace"])
            for subset in subsets_of(documents, service)
            for item in subset.get("addresses", [])
            if subset.get("ports") and not isolated(documents, item["ip"])
        }
    )


# Matching details


def known_or_default(documents: Documents, host: str, hostnames: list[str]) -> str | None:
    # decision.md, Matching: "Hosts are matched exactly, no wildcards; ... a request's Host and the SNI
    # [lower-cased] before they are compared."
    if host.lower() in hostnames:
        return host.lower()
    # decision.md, Matching: "With enableAutoDefaultRoute, a Host that is unknown on an HTTP match takes the
    # routes of the first hostname by code point."
    if hostnames and mesh_config(documents, "featureFlags").get("enableAutoDefaultRoute", False):
        return min(hostnames)
    return None


def routes_of(documents: Documents, referrer: Document, references: Documents) -> list[Route]:
    # resources.md, Egress: "References are to the policy's own namespace."
    # resources.md, Egress: "a missing HTTPRouteGroup contributes no route"
    return [
        route_of(match)
        for item in references
        for group in find(documents, "HTTPRouteGroup", namespace(referrer), item["name"])
        for match in group["spec"].get("matches", [])
    ]


def route_of(match: Document) -> Route:
    # resources.md, HTTPRouteGroup: a "list of maps with one entry each ...; of equal names the last counts"
    # decision.md, Matching: "header names are case-insensitive"
    headers = {name.lower(): pattern for entry in match.get("headers", []) for name, pattern in entry.items()}
    # decision.md, Matching: "Methods: exact; absent or * means" any; settled: a missing path is .*
    methods = match.get("methods", [])
    return Route(
        match.get("pathRegex", ".*"),
        tuple(sorted(headers.items())),
        () if "*" in methods else tuple(sorted(set(methods))),
    )


def canonical(route: Route) -> tuple[object, ...]:
    # pipy-config.md, 4: "by path in code-point order, .* last; then more headers; then more methods (any
    # counts as none); then by headers and methods themselves"
    last, more_headers, more_methods = route.path == ".*", -len(route.headers), -len(route.methods)
    return last, route.path, more_headers, more_methods, route.headers, route.methods


def matches(route: Route, request: Document) -> bool:
    # decision.md, Matching: "absent or * means GET HEAD POST PUT DELETE PATCH OPTIONS"
    forwarded = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
    if request["method"] not in (route.methods or forwarded):
        return False
    # decision.md, Matching: "A path regex is an unanchored search over path and query"
    if not re.search(route.path, request["path"], re.ASCII):
        return False
    # decision.md, Matching: "A header value regex is a search; a missing header reads as the empty string"
    sent = {name.lower(): value for name, value in request["headers"].items()}
    return all(re.search(pattern, sent.get(name, ""), re.ASCII) for name, pattern in route.headers)


# Addresses


@lru_cache(maxsize=4096)
def address(text: str) -> IPv4Address | IPv6Address:
    parsed = ip_address(text)
    # settled: an IPv4-mapped destination is its IPv4 address.
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return parsed if mapped is None else mapped


@lru_cache(maxsize=4096)
def inside(text: str, prefix: str) -> bool:
    # resources.md, Egress: "Host bits set (54.1.2.3/16): a warning, and the network is used."
    return address(text) in ip_network(prefix, strict=False)


def original_destination(connection: Document) -> str:
    return host_and_port(str(address(connection["destination"])), connection["port"])


def host_and_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


# Documents


def of_kind(documents: Documents, kind: str) -> Documents:
    """The resources of a kind, by namespace and name."""
    found = [document for document in documents if document["kind"] == kind]
    found.sort(key=lambda document: (namespace(document), document["metadata"]["name"]))
    return found


def monitored(documents: Documents, kind: str) -> Documents:
    # resources.md, Services: "When Namespace objects are given, only services and policies in namespaces
    # labelled flomesh.io/monitored-by count."
    # controller.md, Found later: "The label monitored-by counts only with the mesh's own name."
    # settled: where no fsm-controller says it, the name is fsm, or the one that all labels have.
    given = of_kind(documents, "Namespace")
    meshes = {
        item["metadata"]["name"]: item["metadata"]["labels"]["flomesh.io/monitored-by"]
        for item in given
        if "flomesh.io/monitored-by" in item["metadata"].get("labels", {})
    }
    own = "fsm" if "fsm" in meshes.values() else next(iter(meshes.values()), "fsm")
    labelled = [name for name, mesh in meshes.items() if mesh == own]
    return [document for document in of_kind(documents, kind) if not given or namespace(document) in labelled]


def find(documents: Documents, kind: str, space: str, name: str | None) -> Documents:
    """The one resource of that name, or none."""
    return [
        document
        for document in documents
        if document["kind"] == kind and namespace(document) == space and document["metadata"]["name"] == name
    ]


def mesh_config(documents: Documents, section: str) -> Document:
    """A section of the mesh's settings, empty where nothing is set."""
    # resources.md, MeshConfig: the one named "fsm-mesh-config in fsm-system"
    for document in find(documents, "MeshConfig", "fsm-system", "fsm-mesh-config"):
        return dict(document["spec"].get(section, {}))
    return {}


def mesh_config_rule(documents: Documents) -> str | None:
    for document in find(documents, "MeshConfig", "fsm-system", "fsm-mesh-config"):
        return rule_of(document)
    return None


def subsets_of(documents: Documents, service: Document) -> Documents:
    found = find(documents, "Endpoints", namespace(service), service["metadata"]["name"])
    return [subset for endpoints in found for subset in endpoints.get("subsets", [])]


def ready_addresses(documents: Documents, service: Document) -> list[str]:
    return [item["ip"] for subset in subsets_of(documents, service) for item in subset.get("addresses", [])]


def is_account(named: Document, identity: str) -> bool:
    # decision.md, Input: "service account name + namespace, written name.namespace"
    return named["kind"] == "ServiceAccount" and is_named(named, identity)


def is_named(named: Document, identity: str) -> bool:
    return f"{named['name']}.{named['namespace']}" == identity


def service_account(pod: Document) -> str:
    # settled: the account of a pod that names none is "default", as it is in Kubernetes.
    return str(pod["spec"].get("serviceAccountName", "default"))


def pod_ips(pod: Document) -> Documents:
    if pod["kind"] == "VirtualMachine":
        return [{"ip": pod["spec"]["machineIP"]}]
    return list(pod.get("status", {}).get("podIPs", []))


def headless(service: Document) -> bool:
    return service["spec"].get("clusterIP", "None") in ("None", "")


def annotated(document: Document, key: str) -> list[str]:
    text = document["metadata"].get("annotations", {}).get(key, "")
    return [item.strip() for item in text.split(",") if item.strip()]


def namespace(document: Document) -> str:
    return str(document["metadata"].get("namespace", ""))


def rule_of(document: Document) -> str:
    return f"{document['kind']} {namespace(document)}/{document['metadata']['name']}"


def unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
