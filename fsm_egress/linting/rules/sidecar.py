"""What the comparison with the stock sidecar finds: what it decides otherwise (FSE029 to FSE042)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import (
    ACCOUNT,
    ANY_MTLS,
    GATEWAY,
    IPV4_ONLY,
    MTLS,
    NOT_READY,
    OUTSIDE,
    SPLIT,
    config,
    egress,
    joined,
    permissive,
    routes,
    service,
    uses,
)
from .rule import SIDECAR, LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.SERVER_NAME_NOT_COMPARED,
        "the server name is not compared",
        "The stock sidecar lets out TLS with any server name where the policy names hosts.",
        "add the module, or name address ranges with the protocol `tcp` instead of hosts",
        egress("a", "https 443", "hosts: [a.com]"),
        (("hosts: [a.com]", "hosts: []"),),
        SIDECAR,
    ),
    LintRule(
        Code.SERVER_NAMES_BALANCED,
        "TLS is balanced over all hosts",
        "The stock sidecar sends each connection of the port to the next host, whatever server name it asks"
        " for.",
        "add the module, or give each host a policy and a port of its own",
        egress("a", "https 443", "hosts: [a.com, b.com]"),
        (("[a.com, b.com]", "[a.com]"),),
        SIDECAR,
    ),
    LintRule(
        Code.PROTOCOL_NOT_COMPARED,
        "anything goes out where TLS is allowed",
        "The stock sidecar does not see what is sent on an `https` port.",
        "add the module, or say `tcp`, which is what holds",
        egress("a", "https 443"),
        (("protocol: https", "protocol: tcp"),),
        SIDECAR,
    ),
    LintRule(
        Code.MTLS_TO_OUTSIDE,
        "the mesh's mTLS is opened to an outside host",
        "HTTP and HTTPS policies with `ipAddresses` do not count as egress to the stock sidecar: it shows"
        " the mesh's certificate, and the outside host cannot answer.",
        "add the module, or set `sidecarDisabledMTLS`",
        joined(
            config("sidecar: {sidecarDisabledMTLS: false}"),
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        (("sidecarDisabledMTLS: false", "sidecarDisabledMTLS: true"),),
        SIDECAR,
    ),
    LintRule(
        Code.GATEWAY_BYPASSED,
        "egress goes past the gateway",
        "HTTP and HTTPS policies with `ipAddresses` are dialled directly by the stock sidecar.",
        "add the module, or leave `ipAddresses` and `mtls` out and give every gateway endpoints",
        joined(
            config(ANY_MTLS),
            GATEWAY,
            service("way", "name: tcp-way, port: 1080"),
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        ((f"  {OUTSIDE}\n", ""),),
        SIDECAR,
    ),
    LintRule(
        Code.IPV6_NOT_INTERCEPTED,
        "IPv6 passes by the sidecar",
        "FSM redirects IPv4 only: what policies say of IPv6 holds for nobody.",
        "block IPv6 in the cluster's network, or give the pods none",
        joined(config("traffic: {outboundIPRangeInclusionList: []}"), ACCOUNT),
        (("outboundIPRangeInclusionList: []", IPV4_ONLY),),
        SIDECAR,
    ),
    LintRule(
        Code.HOST_LETTER_CASE,
        "a Host in capitals is refused",
        "Hosts have no letter case, but the stock sidecar looks them up as they are sent.",
        "have clients write the host in lower case",
        egress("a", "http 80", "hosts: [a.com]"),
        (("a.com", "54.9.9.9"),),
        SIDECAR,
    ),
    LintRule(
        Code.UNKNOWN_METHOD,
        "a method that the sidecar does not know",
        "It closes the connection, without the answer 403 that is due; by HTTP/2 it answers.",
        "nothing: it fails closed",
        egress("a", "http 80", "hosts: [54.9.9.9]"),
        (("protocol: http", "protocol: tcp"),),
        SIDECAR,
        (Code.IDENTITY_REVEALED,),
    ),
    LintRule(
        Code.PASSES_FOR_WANT_OF_TARGET,
        "what is to be denied passes",
        "With `enableEgress` on, the stock sidecar passes a connection whose service or policy leads"
        " nowhere to its original destination.",
        "switch `enableEgress` off, give the rule what it lacks, or add the module",
        joined(
            permissive("enableEgress: true"),
            ACCOUNT,
            service("db", "name: tcp-x, port: 3306", pods=NOT_READY),
        ),
        (("enableEgress: true", "enableEgress: false"),),
        SIDECAR,
    ),
    LintRule(
        Code.BACKEND_WITHOUT_ENDPOINTS,
        "a share of the connections fails",
        "The stock sidecar still picks a backend without endpoints by its weight.",
        "take the backend out of the TrafficSplit, give it endpoints, or add the module",
        joined(
            permissive(),
            ACCOUNT,
            SPLIT,
            service("db", "name: tcp-x, port: 80"),
            service("db-v2", "name: tcp-x, port: 80", "10.96.0.2", "notReadyAddresses: [{ip: 10.0.0.2}]"),
        ),
        (("notReadyAddresses", "addresses"),),
        SIDECAR,
        (Code.NO_ENDPOINTS,),
    ),
    LintRule(
        Code.CERTIFICATE_UNUSABLE,
        "a certificate that the sidecar does not have",
        "The policy shows the mesh's own certificate, and the sidecar has none: the connection fails.",
        "put certificate and key into the secret; one of issuer `fsm` needs the sidecar's mTLS",
        joined(config("sidecar: {sidecarDisabledMTLS: true}"), egress("a", "tcp 25", OUTSIDE, source=MTLS)),
        (("sidecarDisabledMTLS: true", "sidecarDisabledMTLS: false"),),
        SIDECAR,
    ),
    LintRule(
        Code.DEFAULT_ROUTE_WITHOUT_HOSTS,
        "a default route without hosts",
        "With `enableAutoDefaultRoute` and no host at all the stock sidecar closes, instead of answering"
        " 403.",
        "nothing: it fails closed",
        joined(config("featureFlags: {enableAutoDefaultRoute: true}"), egress("a", "http 80", "hosts: []")),
        (("enableAutoDefaultRoute: true", "enableAutoDefaultRoute: false"),),
        SIDECAR,
    ),
    LintRule(
        Code.NOT_ENFORCED,
        "the sidecar does otherwise",
        "Policies and sidecar differ in a way that no other code stands for: with the config that this"
        " library writes none is known.",
        "look at the config that the sidecar was given",
        sides=SIDECAR,
    ),
    LintRule(
        Code.NOT_DECIDED,
        "it was not decided whether the sidecar does as the policies say",
        "Patterns with back-references or look-aheads can be too hard to compare: nothing is proved, and"
        " nothing is guessed.",
        "write a simpler pattern",
        joined(
            routes("hard", "name: m, pathRegex: '/x*(?=a)b'"),
            egress("a", "http 80", "hosts: [54.9.9.9]", uses("hard")),
        ),
        (("(?=a)b", "(?=a)a"),),
        SIDECAR,
    ),
    LintRule(
        Code.SHARED_CONNECTIONS,
        "connections to outside are shared",
        "The sidecar keeps connections to a host and port, and lends them to any request that goes there,"
        " whichever policy let it out. Where policies lead there in unlike ways (one through a gateway, with"
        " a certificate, or by gRPC, another not), the way of a request hangs on what came before.",
        "give all policies for the host `ipAddresses` and certificates, or none of them, or ports of their"
        " own; or add the module",
        joined(
            config("sidecar: {sidecarDisabledMTLS: false}"),
            egress("a", "http 80", "hosts: [a.com]"),
            egress("b", "http 80", "hosts: [a.com, b.com]", OUTSIDE),
        ),
        ((f"  {OUTSIDE}\n", ""),),
        SIDECAR,
        (Code.MTLS_TO_OUTSIDE,),
    ),
)
