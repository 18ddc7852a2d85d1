"""What the resolution finds: what cannot be used, or not as it is meant (FSE001 to FSE028)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import (
    ACCOUNT,
    FLOMESH,
    GATEWAY,
    ME,
    MTLS,
    NOT_READY,
    OUTSIDE,
    SECRET_MTLS,
    SPLIT,
    config,
    document,
    egress,
    joined,
    limits,
    permissive,
    routes,
    service,
    setting,
    spec,
    uses,
)
from .rule import MESH_CONTROLLER, MESH_SIDECAR, MESH_SIDECAR_CONTROLLER, LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.MISSING_UPSTREAM_TRAFFIC_SETTING,
        "the UpstreamTrafficSetting of a policy does not exist",
        "FSM drops the whole policy, so that what it should allow is denied.",
        "create the setting in the namespace of the policy, or take the reference out",
        joined(setting("limit"), egress("a", "http 80", "hosts: [a.com]", limits("limits"))),
        (("name: limits", "name: limit"),),
    ),
    LintRule(
        Code.MISSING_HTTP_ROUTE_GROUP,
        "the HTTPRouteGroup of a policy does not exist",
        "It contributes no route; with no other group the policy allows nothing on its HTTP ports.",
        "create the group in the namespace of the policy, or correct its name",
        joined(
            routes("get", "name: m, pathRegex: ^/get$"),
            egress("a", "http 80", "hosts: [a.com]", uses("gets")),
        ),
        (("name: gets", "name: get"),),
    ),
    LintRule(
        Code.SOURCE_KIND,
        "a source is no ServiceAccount",
        "Policies allow accounts only: a source of any other kind names nobody, without a word from FSM.",
        "name a ServiceAccount",
        egress("a", "tcp 25", OUTSIDE, source=ME.replace("ServiceAccount", "Group")),
        (("kind: Group", "kind: ServiceAccount"),),
    ),
    LintRule(
        Code.MISSING_SECRET,
        "the secret of a certificate does not exist",
        "The policy says to show a certificate; without it, all that it claims is denied. A stock"
        " controller shows an empty one instead.",
        "name a secret that is there, or take `mtls` out",
        joined(
            document("v1", "Secret", "curl/client-certificate"),
            egress("a", "tcp 25", OUTSIDE, source=SECRET_MTLS),
        ),
        (("name: client,", "name: client-certificate,"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.CERTIFICATE_LOST,
        "a certificate is not shown",
        "On TCP and HTTPS ports the sidecar finds certificates by address range: without `ipAddresses`"
        " there is none to be found, and the connection is made without.",
        "give the policy `ipAddresses`, or add the module",
        egress("a", "https 443", "hosts: [a.com]", source=MTLS),
        (("hosts:", f"{OUTSIDE}\n  hosts:"),),
        MESH_SIDECAR_CONTROLLER,
    ),
    LintRule(
        Code.TLS_IN_TLS,
        "TLS is wrapped in TLS",
        "With `mtls` the sidecar opens TLS of its own; a client that opens TLS itself talks through it to a"
        " server that expects one of both.",
        "take `mtls` out, or use `http` and let the client speak in the clear",
        egress("a", "https 443", "hosts: [a.com]", OUTSIDE, source=MTLS),
        (("protocol: https", "protocol: http"),),
        MESH_SIDECAR_CONTROLLER,
    ),
    LintRule(
        Code.SETTING_WITHOUT_EFFECT,
        "a setting has no effect",
        "UpstreamTrafficSettings limit HTTP egress only: the limits that were meant for this port do not"
        " hold.",
        "take it out of the policy: it is for policies with `http`",
        joined(setting("limits"), egress("a", "https 443", "hosts: [a.com]", OUTSIDE, limits("limits"))),
        (("protocol: https", "protocol: http"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.CONFLICTING_SETTINGS,
        "different settings or certificates for one host, service or port",
        "There is one cluster for a host and port, one setting for a service, and one certificate for the"
        " ranges of a port. Here the first by namespace and name counts; under a stock controller it is"
        " chance.",
        "say the same in both",
        joined(
            setting("limits"),
            egress("a", "http 80", "hosts: [a.com]", limits("limits")),
            egress("b", "http 80", "hosts: [a.com]"),
        ),
        (
            (f"{limits('limits')}\n", f"{limits('limits')}\n  # of another host\n"),
            ("hosts: [a.com]\n  ports", "hosts: [b.com]\n  ports"),
        ),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.WILDCARD_HOST,
        "a host with a wildcard",
        "Hosts are compared to the letter: `*.example.com` allows only a host that is written so.",
        "list the hosts, or use `tcp` with `ipAddresses`",
        egress("a", "https 443", "hosts: ['*.example.com']", OUTSIDE),
        (("'*.example.com'", "www.example.com"),),
    ),
    LintRule(
        Code.EGRESS_POLICY_FLAG_ABSENT,
        "`enableEgressPolicy` is absent",
        "This library reads an absent flag as true, as FSM's chart sets it; the controller itself reads it"
        " as false, and puts no policy in force.",
        "set the flag",
        joined(config("featureFlags: {}"), egress("a", "tcp 25", OUTSIDE)),
        (("featureFlags: {}", "featureFlags: {enableEgressPolicy: true}"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.EGRESS_POLICIES_SWITCHED_OFF,
        "policies are switched off",
        "There are Egress policies, and the flag says that none of them counts.",
        "set `enableEgressPolicy: true`, or delete the policies",
        joined(config("featureFlags: {enableEgressPolicy: false}"), egress("a", "tcp 25", OUTSIDE)),
        (("enableEgressPolicy: false", "enableEgressPolicy: true"),),
    ),
    LintRule(
        Code.PROTOCOLS_MEET,
        "claims of several protocols meet",
        "The sidecar chooses one match by port and address, before it knows what is sent: where `http` and"
        " `https` or `tcp` share both, only one of them works.",
        "add the module, or give the policies ports of their own",
        joined(egress("a", "http 80", "hosts: [a.com]"), egress("b", "https 80", "hosts: [b.com]")),
        (("number: 80, protocol: https", "number: 443, protocol: https"),),
        MESH_SIDECAR,
    ),
    LintRule(
        Code.HTTP_WITHOUT_HOSTS,
        "an HTTP port without hosts",
        "HTTP is allowed by host: a port without any allows nothing, and claims what it denies.",
        "name the hosts",
        egress("a", "http 80", "hosts: []"),
        (("hosts: []", "hosts: [a.com]"),),
    ),
    LintRule(
        Code.UNKNOWN_APP_PROTOCOL,
        "an `appProtocol` that FSM does not know",
        "The port takes no part here; a stock controller writes a match for it that leads nowhere.",
        "write one of `http`, `grpc`, `tcp`, `tcp-server-first`",
        joined(permissive(), ACCOUNT, service("cache", "name: x, port: 6379, appProtocol: redis")),
        (("redis", "tcp"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "a headless service without ready addresses",
        "There is nothing that it could be addressed by: it is left out. A stock controller lets it take"
        " its whole port, whatever the destination.",
        "take the service away while it has no pods",
        joined(permissive(), ACCOUNT, service("db", "name: tcp-db, port: 3306", "None", NOT_READY)),
        (("notReadyAddresses", "addresses"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.NOT_TCP,
        "a service port that is not TCP",
        "The sidecar proxies TCP only: the port takes no part. A stock controller proxies TCP to it.",
        "nothing, unless TCP to the port matters: then exclude it",
        joined(permissive(), ACCOUNT, service("dns", "name: dns, port: 53, protocol: UDP")),
        (("protocol: UDP", "protocol: TCP"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.SHARED_ADDRESS,
        "an address is behind two services",
        "A connection to the pod's address belongs to one of them only: the one whose ClusterIP it is, else"
        " the first by namespace and name. Under a stock controller it is chance.",
        "give the services ports of their own",
        joined(
            permissive(),
            ACCOUNT,
            service("one", "name: tcp-x, port: 80"),
            service(
                "two", "name: tcp-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]"
            ),
        ),
        (("[{ip: 10.0.0.1}, {ip: 10.0.0.2}]", "[{ip: 10.0.0.2}]"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.HTTP_AND_GRPC,
        "HTTP and gRPC services share a port",
        "They share one match, and a match has one protocol: `http` here, chance under a stock controller.",
        "give the services ports of their own",
        joined(
            permissive(),
            ACCOUNT,
            service("one", "name: http-x, port: 80"),
            service("two", "name: grpc-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.2}]"),
        ),
        (("grpc-x", "http-x"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.GATEWAY_MODE,
        "the mode of an egress gateway is unknown",
        "FSM reads whatever it does not know as `http2tunnel`: a SOCKS5 gateway gets HTTP/2.",
        "write `sock5`, as FSM spells it",
        joined(
            ACCOUNT,
            GATEWAY,
            service("way", "name: tcp-way, port: 1080").replace(
                "namespace: shop}\nspec",
                "namespace: shop,\n  annotations: {flomesh.io/egress-gateway-mode: socks5}}\nspec",
                1,
            ),
        ),
        (("socks5", "sock5"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.UNUSABLE_GATEWAY,
        "an egress gateway carries nothing",
        "Its service is missing or has no endpoints: egress rules name a gateway, and there is none.",
        "give the gateway's service endpoints, or delete the gateway",
        joined(ACCOUNT, GATEWAY, service("way", "name: tcp-way, port: 1080", pods=NOT_READY)),
        (("notReadyAddresses", "addresses"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.RETRY_WITHOUT_TIMES,
        "a Retry without times",
        "The stock controller does not survive every Retry; this library leaves out times not given.",
        "give both `perTryTimeout` and `retryBackoffBaseInterval`",
        joined(
            config("featureFlags: {enableRetryPolicy: true}"),
            document(
                FLOMESH,
                "Retry",
                "curl/again",
                *spec(
                    f"source: {ME}",
                    "destinations: [{kind: Service, name: web, namespace: shop}]",
                    "retryPolicy: {retryOn: 5xx, perTryTimeout: 1s}",
                ),
            ),
        ),
        (("perTryTimeout: 1s", "perTryTimeout: 1s, retryBackoffBaseInterval: 1s"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.MISSING_BACKEND,
        "a backend of a TrafficSplit is not there",
        "It is left out, and the others get its share.",
        "create the service and its endpoints, or take the backend out",
        joined(
            permissive(),
            ACCOUNT,
            SPLIT,
            service("db", "name: tcp-x, port: 80"),
            service("db-v3", "name: tcp-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.2}]"),
        ),
        (("name: db-v3", "name: db-v2"),),
    ),
    LintRule(
        Code.SHARED_HOSTNAME,
        "a hostname of two services",
        "A Host header leads to one service only: the one with the shorter name, then by code point.",
        "address the services by names and addresses of their own",
        joined(
            permissive(),
            ACCOUNT,
            service("one", "name: http-x, port: 80"),
            service(
                "two", "name: http-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]"
            ),
        ),
        (("[{ip: 10.0.0.1}, {ip: 10.0.0.2}]", "[{ip: 10.0.0.2}]"),),
    ),
    LintRule(
        Code.IGNORED_TRAFFIC_TARGET,
        "a TrafficTarget allows nothing",
        "FSM ignores one without rules, with rules of other kinds, or whose destination is elsewhere;"
        " a source without a namespace is nobody.",
        "give it rules, the namespace of its destination, and each source the one that it is in",
        document(
            "access.smi-spec.io/v1alpha3",
            "TrafficTarget",
            "shop/target",
            *spec(
                "destination: {kind: ServiceAccount, name: web, namespace: shop}",
                f"sources: [{ME}]",
                "rules: []",
            ),
        ),
        (("rules: []", "rules: [{kind: TCPRoute, name: any}]"),),
    ),
    LintRule(
        Code.BAD_ANNOTATION,
        "an annotation of a pod cannot be read",
        "The entry is left out: what should pass by the sidecar does not, or the other way round.",
        "write port numbers, and ranges in CIDR notation, with commas between",
        document(
            "v1",
            "Pod",
            "curl/curl-1",
            "spec: {serviceAccountName: curl}",
        ).replace(
            "namespace: curl}",
            "namespace: curl,\n  annotations: {flomesh.io/outbound-port-exclusion-list: mysql}}",
        ),
        (("mysql", '"3306"'),),
    ),
    LintRule(
        Code.UNMONITORED_NAMESPACE,
        "a policy in a namespace that the mesh does not watch",
        "Only namespaces with the label `flomesh.io/monitored-by` count, as soon as any Namespace is known.",
        "label the namespace, or move the policy",
        joined(
            document("v1", "Namespace", "curl").replace("name: curl", "name: curl, labels: {team: web}"),
            egress("a", "tcp 25", OUTSIDE),
        ),
        (("team: web", "flomesh.io/monitored-by: fsm"),),
    ),
    LintRule(
        Code.NO_ENDPOINTS,
        "a service without endpoints that the source may reach",
        "Connections to it are denied.",
        "nothing while its pods start; else look for what selects none",
        joined(permissive(), ACCOUNT, service("db", "name: tcp-x, port: 80", pods=NOT_READY)),
        (("notReadyAddresses", "addresses"),),
    ),
    LintRule(
        Code.EMPTY_PLUGIN_CHAIN,
        "a chain without modules",
        "A sidecar whose chain is empty echoes what it is sent; here FSM's own chain is used instead.",
        "leave the chain out, or enable a module of it",
        joined(config("pluginChains: {outbound-tcp: [{plugin: modules/mine, disable: true}]}"), ACCOUNT),
        (("disable: true", "disable: false"),),
    ),
)
