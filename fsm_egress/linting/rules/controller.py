"""What the stock controller's view finds: where its config says something else (FSE050 to FSE065)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import ACCOUNT, MTLS, ON, OUTSIDE, config, egress, joined, permissive, routes, service, uses
from .rule import CONTROLLER, MESH_CONTROLLER, LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.NEIGHBOURS_RANGES,
        "a policy is narrowed to its neighbours' ranges",
        "A stock controller writes one match for all policies of a port and protocol: with the ranges of"
        " those that have any.",
        "give the policy a port of its own, or `ipAddresses`",
        joined(
            ON,
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
            egress("b", "http 80", "hosts: [b.com]"),
        ),
        (("hosts: [b.com]", f"hosts: [b.com]\n  {OUTSIDE}"),),
        CONTROLLER,
    ),
    LintRule(
        Code.NEIGHBOURS_HOSTS,
        "hosts are reached in their neighbours' ranges",
        "A stock controller writes one match for all policies of a port and protocol: each host in all"
        " ranges.",
        "give the policy a port of its own",
        joined(
            ON,
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
            egress("b", "http 80", "hosts: [b.com]", "ipAddresses: [55.0.0.0/8]"),
        ),
        (("55.0.0.0/8", "54.0.0.0/8"),),
        CONTROLLER,
    ),
    LintRule(
        Code.TLS_WITHOUT_HOSTS,
        "HTTPS without hosts lets nothing through",
        "The policy allows any TLS; a stock controller writes a cluster without endpoints.",
        "name the hosts, or use the protocol `tcp`",
        joined(ON, egress("a", "https 443")),
        (("protocol: https", "protocol: tcp"),),
        CONTROLLER,
    ),
    LintRule(
        Code.RANGE_DROPPED,
        "what is no range is dropped",
        "A stock controller drops a bare address of an HTTP policy: with no other range its hosts are open"
        " at every address.",
        "write a range in CIDR notation",
        joined(ON, ACCOUNT, egress("a", "http 80", "hosts: [a.com]", "ipAddresses: [54.1.2.3]")),
        (("54.1.2.3", "54.1.2.3/32"),),
        CONTROLLER,
        (Code.REFUSED_IN_FORCE,),
    ),
    LintRule(
        Code.RANGE_PASSED_ON,
        "what is no range is passed on",
        "A stock controller passes on a bare address of a TCP or HTTPS policy, and the sidecar takes it for"
        " every IPv4 address.",
        "write a range in CIDR notation",
        joined(ON, ACCOUNT, egress("a", "tcp 25", "ipAddresses: [54.1.2.3]")),
        (("54.1.2.3", "54.1.2.3/32"),),
        CONTROLLER,
        (Code.REFUSED_IN_FORCE,),
    ),
    LintRule(
        Code.GRPC_PORT,
        "a port with the protocol `grpc` is dropped",
        "A stock controller knows no `grpc` in an Egress, and says nothing.",
        "write `http`, which carries gRPC",
        joined(ON, ACCOUNT, egress("a", "tcp 25, grpc 80", OUTSIDE, "hosts: [a.com]")),
        (("protocol: grpc", "protocol: tcp"),),
        CONTROLLER,
        (Code.REFUSED_IN_FORCE,),
    ),
    LintRule(
        Code.REFUSED_IN_FORCE,
        "a policy that is refused here is in force there",
        "What is wrong with it does not keep a stock controller from applying the rest.",
        "correct what is wrong with it",
        joined(ON, ACCOUNT, egress("a", "tcp 25, grpc 80", OUTSIDE, "hosts: [a.com]")),
        (("protocol: grpc", "protocol: tcp"),),
        CONTROLLER,
        (Code.GRPC_PORT,),
    ),
    LintRule(
        Code.IPV6_ADDRESS_AS_RANGE,
        "an IPv6 address of a service takes a range",
        "A stock controller writes it with `/32`: 2^96 addresses become in-mesh.",
        "nothing while IPv6 is not redirected to the sidecar",
        joined(permissive(), ACCOUNT, service("web", "name: tcp-x, port: 80", '"2001:db8::1"')),
        (('"2001:db8::1"', "10.96.0.1"),),
        CONTROLLER,
    ),
    LintRule(
        Code.HEADER_NAME_AS_WRITTEN,
        "header names keep their capitals",
        "Under a stock controller they are written as they are, and the sidecar never finds them.",
        "write header names in lower case",
        joined(
            ON,
            routes("prod", "name: m, headers: [{X-Env: ^prod}]"),
            egress("a", "http 80", "hosts: [a.com]", uses("prod")),
        ),
        (("X-Env", "x-env"),),
        CONTROLLER,
    ),
    LintRule(
        Code.NAMED_TWICE,
        "something is named twice in a list",
        "The second entry has no effect, and hides the one that was perhaps meant.",
        "leave it out, or write what was meant",
        egress("a", "https 443", "hosts: [a.com, a.com]", OUTSIDE),
        (("[a.com, a.com]", "[a.com, b.com]"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.EGRESS_BEFORE_MESH,
        "an egress range takes addresses of a service",
        "In-mesh wins, but a stock controller orders matches by their ranges: here the policy comes first.",
        "leave the addresses of the mesh out of `ipAddresses`",
        joined(
            config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableEgressPolicy: true}",
            ),
            service("web", "name: http-x, port: 80"),
            egress("a", "tcp 80", "ipAddresses: [10.0.0.0/8, 192.168.0.0/16, 172.16.0.0/12]"),
        ),
        (("10.0.0.0/8", "54.0.0.0/8"),),
        CONTROLLER,
    ),
    LintRule(
        Code.RANGES_LOST,
        "ranges without routes are lost",
        "Under a stock controller ranges go with the routes of hosts: without any, the policy claims its"
        " port at every address.",
        "give the policy hosts, and route groups that exist",
        joined(
            ON,
            routes("get", "name: m, pathRegex: ^/get$"),
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE, uses("gone")),
        ),
        (("name: gone", "name: get"),),
        CONTROLLER,
        (Code.MISSING_HTTP_ROUTE_GROUP,),
    ),
    LintRule(
        Code.CERTIFICATE_OF_NEIGHBOUR,
        "ranges have the certificate of a neighbour",
        "A stock controller gives all ranges of a match the certificate of one of the port's policies; of"
        " which, it leaves to chance.",
        "give the policy a port of its own",
        joined(
            ON,
            egress("a", "tcp 25", OUTSIDE, source=MTLS),
            egress("b", "tcp 25", "ipAddresses: [55.0.0.0/8]"),
        ),
        (
            (
                "namespace: curl}]\n  ipAddresses: [55",
                "namespace: curl, mtls: {issuer: fsm}}]\n  ipAddresses: [55",
            ),
        ),
        CONTROLLER,
        (Code.CONFLICTING_SETTINGS,),
    ),
    LintRule(
        Code.IPV6_ENDPOINT_WITHOUT_PORT,
        "an IPv6 endpoint is written without its port",
        "A stock controller takes the end of the address for the port.",
        "give the pods IPv4 addresses",
        joined(
            permissive("serviceAccessMode: domain"),
            ACCOUNT,
            service("db", "name: tcp-x, port: 80", pods='addresses: [{ip: "2001:db8::1"}]'),
        ),
        (('"2001:db8::1"', "10.0.0.1"),),
        CONTROLLER,
    ),
    LintRule(
        Code.PROTOCOLS_OVERLAP,
        "policies of other protocols overlap",
        "Under a stock controller each protocol has one match on a port, and the sidecar uses the first"
        " that holds the address.",
        "give the policies ports of their own",
        joined(
            ON,
            egress("a", "http 80", "hosts: [a.com]", "ipAddresses: [54.1.0.0/16]"),
            egress("b", "tcp 80", OUTSIDE),
        ),
        (("54.1.0.0/16", "55.1.0.0/16"),),
        CONTROLLER,
        (Code.PROTOCOLS_MEET, Code.SHADOWED_POLICY),
    ),
    LintRule(
        Code.STOCK_CONTROLLER_DIFFERS,
        "the config of a stock controller does otherwise",
        "Policies and controller differ in a way that no other code stands for.",
        "look at the witness",
        joined(
            config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableAutoDefaultRoute: true}",
            ),
            ACCOUNT,
            service("web", "name: http-x, port: 80", "10.96.0.9", "addresses: [{ip: 10.0.0.9}]"),
            service("dns", "name: x, port: 80, protocol: UDP", "10.0.0.1", "addresses: []"),
        ),
        (("protocol: UDP", "protocol: TCP"),),
        CONTROLLER,
        (Code.NOT_TCP,),
    ),
)
