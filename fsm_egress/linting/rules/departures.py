"""What else a stock controller makes of a mesh: hosts, splits, Isolations, certificates (FSE120 and on)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import (
    ACCOUNT,
    FLOMESH,
    GATEWAY,
    ON,
    ROUTES,
    config,
    document,
    egress,
    joined,
    permissive,
    routes,
    service,
    spec,
    uses,
)
from .rule import CONTROLLER, MESH_CONTROLLER, SIDECAR, LintRule

__all__ = ["RULES"]

CLUSTERS = "multicluster.flomesh.io/v1alpha1"
LEGACY = "policy.openservicemesh.io/v1alpha1"
SETTING = spec("host: a.com", "connectionSettings: {tcp: {maxConnections: 10}}")
WEB, V1, V2 = (
    service(name, "name: http-x, port: 80", f"10.96.0.{number}", f"addresses: [{{ip: 10.0.0.{number}}}]")
    for number, name in enumerate(("web", "v1", "v2"), 1)
)


def _split(name: str, backends: str, *lines: str) -> str:
    return document(
        "split.smi-spec.io/v1alpha4",
        "TrafficSplit",
        f"shop/{name}",
        *spec("service: web", f"backends: [{backends}]", *lines),
    )


def _retry(service_name: str, times: int) -> str:
    return document(
        FLOMESH,
        "Retry",
        f"curl/{service_name}",
        *spec(
            "source: {kind: ServiceAccount, name: curl, namespace: curl}",
            f"destinations: [{{kind: Service, name: {service_name}, namespace: shop}}]",
            f"retryPolicy: {{retryOn: 5xx, numRetries: {times}, perTryTimeout: 1s,"
            " retryBackoffBaseInterval: 1s}",
        ),
    )


RULES = (
    LintRule(
        Code.ISOLATED_SERVICE,
        "every address of a service is isolated",
        "An Isolation takes addresses out of the mesh. Of a service without any other a stock controller"
        " writes a match without ranges, which takes the whole port, whatever the destination.",
        "leave an address of the service out of the Isolation, or take the service away",
        joined(
            permissive(),
            ACCOUNT,
            document(FLOMESH, "Isolation", "all", *spec("cidrs: [10.0.0.0/8]")),
            service("web", "name: tcp-x, port: 80"),
        ),
        (("10.0.0.0/8", "10.0.0.1/32"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.HOST_AS_WRITTEN,
        "a host keeps its capitals",
        "Under a stock controller it is written as it is. The sidecar compares hosts to the letter, and"
        " clients write them small: 403.",
        "write the host in lower case",
        joined(ON, egress("a", "http 80", "hosts: [A.com]")),
        (("A.com", "a.com"),),
        CONTROLLER,
        (Code.HOST_IN_CAPITALS,),
    ),
    LintRule(
        Code.SPLIT_WITHOUT_HOST,
        "a split leaves its service without hosts",
        "A stock controller writes the hosts of a service if a route leads to exactly the backends of one of"
        " its splits: not so with groups that do not exist and weights other than 100, with two unlike splits"
        " without `matches`, or with a backend that is named twice. Every request is answered 403.",
        "give the service one split without `matches`, or groups that exist; name each backend once",
        joined(
            permissive(),
            ACCOUNT,
            WEB,
            V1,
            V2,
            _split("split", "{service: v1, weight: 90}, {service: v2, weight: 10}"),
            _split("other", "{service: v1, weight: 50}"),
        ),
        (("backends: [{service: v1, weight: 50}]", "backends: []"),),
        CONTROLLER,
    ),
    LintRule(
        Code.SPLIT_READ_OTHERWISE,
        "a split is read otherwise",
        "A stock controller takes route groups of the name from any namespace, of two equal routes one by"
        " chance, the port of a backend without it by the unnamed one, and `x.y` for `y` where that is no"
        " namespace.",
        "name groups of its own namespace, each route once, ports that the backends have, the plain service",
        joined(
            permissive(),
            ACCOUNT,
            WEB,
            V1,
            routes("get", "name: m, pathRegex: /get"),
            document(ROUTES, "HTTPRouteGroup", "shop/own", *spec("matches: [{name: m, pathRegex: /get}]")),
            _split("split", "{service: v1, weight: 100}", "matches: [{kind: HTTPRouteGroup, name: get}]"),
        ),
        (("kind: HTTPRouteGroup, name: get", "kind: HTTPRouteGroup, name: own"),),
        CONTROLLER,
        (Code.MISSING_HTTP_ROUTE_GROUP,),
    ),
    LintRule(
        Code.CERTIFICATE_READ_OTHERWISE,
        "a certificate is read otherwise",
        "A stock controller takes the `mtls` of the first source of the name, of whatever kind, and looks for"
        " a secret without namespace where none is.",
        "name the secret's namespace, and the account in one source only",
        joined(
            ON,
            document("v1", "Secret", "curl/client", 'data: {tls.crt: "", tls.key: "", ca.crt: ""}'),
            egress(
                "a",
                "http 80",
                "hosts: [a.com]",
                source="{kind: ServiceAccount, name: curl, namespace: curl,\n"
                "    mtls: {issuer: other, cert: {secret: {name: client, namespace: ''}}}}",
            ),
        ),
        (("namespace: ''", "namespace: curl"),),
        CONTROLLER,
    ),
    LintRule(
        Code.SETTING_READ_OTHERWISE,
        "an UpstreamTrafficSetting is read otherwise",
        "A stock controller finds no setting by the legacy group, and takes one of an empty host for every"
        " service's.",
        "use `policy.flomesh.io/v1alpha1`, and write the host",
        joined(
            ON,
            document(FLOMESH, "UpstreamTrafficSetting", "curl/limits", *SETTING),
            egress(
                "a",
                "http 80",
                "hosts: [a.com]",
                f"matches: [{{apiGroup: {LEGACY}, kind: UpstreamTrafficSetting, name: limits}}]",
            ),
        ),
        ((LEGACY, FLOMESH),),
        CONTROLLER,
    ),
    LintRule(
        Code.PACKED_CONFIG,
        "a packed config has other shares",
        "With `enableSidecarPrettyConfig` off a stock controller makes one cluster of those that have the"
        " same endpoints and settings, and of their weights one counts, by chance.",
        "set `enableSidecarPrettyConfig: true`",
        joined(
            config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableSidecarPrettyConfig: false}",
            ),
            ACCOUNT,
            WEB,
            V1,
            service("v3", "name: http-x, port: 80", "10.96.0.3", "addresses: [{ip: 10.0.0.1}]"),
            _split(
                "split", "{service: v1, weight: 50}, {service: web, weight: 30}, {service: v3, weight: 20}"
            ),
        ),
        (("enableSidecarPrettyConfig: false", "enableSidecarPrettyConfig: true"),),
        CONTROLLER,
    ),
    LintRule(
        Code.TWO_GLOBAL_GATEWAYS,
        "two EgressGateways have a `global` list",
        "FSM's webhook refuses the second. Without the webhook both count, and of two weights for one service"
        " one by chance.",
        "list all gateways in one EgressGateway",
        joined(
            ON,
            service("way", "name: tcp-x, port: 1080"),
            GATEWAY,
            document(
                FLOMESH, "EgressGateway", "shop/other", *spec("global: [{service: way, namespace: shop}]")
            ),
            egress("a", "tcp 25"),
        ),
        (("name: other, namespace: shop", "name: gateway, namespace: shop"),),
        CONTROLLER,
    ),
    LintRule(
        Code.PATHS_LETTER_CASE,
        "paths differ in the case of letters only",
        "A stock controller takes them for equal when it orders routes: the one with more headers comes"
        " first.",
        "write paths that differ otherwise",
        joined(
            ON,
            routes(
                "get", "name: m, pathRegex: ^/get$, headers: [{x-a: b}]", "name: other, pathRegex: ^/Get$"
            ),
            egress("a", "http 80", "hosts: [a.com]", uses("get")),
        ),
        (("^/Get$", "^/Put$"),),
        CONTROLLER,
    ),
    LintRule(
        Code.RETRY_BY_CHANCE,
        "other retries for one service or cluster",
        "Of two Retries for one service one counts. A service and another that is split onto it lead to the"
        " same cluster, which has the retries of one. Of which, a stock controller leaves to chance.",
        "write the same Retry for both",
        joined(
            config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableRetryPolicy: true}",
            ),
            WEB,
            V1,
            _split("split", "{service: v1, weight: 100}"),
            _retry("web", 3),
            _retry("v1", 1),
        ),
        (("numRetries: 1", "numRetries: 3"),),
        CONTROLLER,
    ),
    LintRule(
        Code.ISOLATED_SOURCE,
        "a pod that sends is isolated itself",
        "A stock controller writes no config for a pod whose own address is in an Isolation.",
        "leave the pods that send out of the Isolation",
        joined(
            ON,
            document(FLOMESH, "Isolation", "all", *spec("cidrs: [10.0.0.0/8]")),
            document(
                "v1",
                "Pod",
                "curl/curl",
                *spec("serviceAccountName: curl"),
                "status:",
                "  podIPs: [{ip: 10.0.0.1}]",
            ),
            egress("a", "tcp 25"),
        ),
        (("10.0.0.0/8", "10.0.1.0/24"),),
        CONTROLLER,
    ),
    LintRule(
        Code.NOT_MODELLED,
        "the mesh uses what is not modelled",
        "What is decided stands under the condition that it makes no difference: interception by the node or"
        " not by some interfaces, init containers before `fsm-init`, plugins, connectors, machines; the"
        " mesh's name and trust domain, where only `fsm-controller` knows them.",
        "look at what it does with the connections that matter",
        joined(config("traffic: {interceptionMode: NodeLevel}"), ACCOUNT),
        (("NodeLevel", "PodLevel"),),
    ),
    LintRule(
        Code.OLDER_VERSION,
        "an older controller makes something else of it",
        "Before 1.5 a service port without target port is in-mesh and no share grows with the age of pods,"
        " before 1.4.7 the weights of a route that are all zero stay zero, before 1.4.3 a service has its"
        " short name in its own namespace only; before 1.3.9 there are no Isolations, before 1.3.8 no"
        " `serviceAccessNames` and no wildcard of the DNS proxy.",
        "look at the witness, or update FSM",
        joined(
            permissive(),
            ACCOUNT,
            WEB,
            V1,
            _split("split", "{service: web, weight: 0}, {service: v1, weight: 0}"),
        ),
        (("{service: web, weight: 0}", "{service: web, weight: 1}"),),
        CONTROLLER,
        fsm="1.4.6",
    ),
    LintRule(
        Code.UNKNOWN_HOST_CLOSED,
        "a request for an unknown host is closed",
        "From FSM 1.3.8 to 1.4.3 the sidecar closes a request for a host that no rule names, instead of"
        " answering 403.",
        "nothing: it fails closed; or update FSM",
        joined(config("featureFlags: {enableEgressPolicy: true}"), egress("a", "http 80", "hosts: [a.com]")),
        (("enableEgressPolicy: true", "enableEgressPolicy: true, enableAutoDefaultRoute: true"),),
        SIDECAR,
        (Code.HOST_LETTER_CASE,),
        fsm="1.3",
    ),
    LintRule(
        Code.SHARES_BY_AGE,
        "shares grow with the age of pods",
        "Where a TrafficWarmup counts, the controller writes the config anew as pods grow up. A decision"
        " names the choice as `by age`, with the shares that each target may have; the config has those of"
        " grown pods.",
        "nothing: the decision says which shares a target may have",
        joined(
            config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableTrafficWarmupPolicy: true}",
            ),
            ACCOUNT,
            WEB,
            document(FLOMESH, "TrafficWarmup", "shop/web", *spec("minWeight: 10", "maxWeight: 100")),
        ),
        (("minWeight: 10", "minWeight: 100"),),
        CONTROLLER,
    ),
    LintRule(
        Code.SHARE_BY_CHANCE,
        "the share of a cluster is chance",
        "A stock controller divides the weight of a split's backend among the target ports that other"
        " clusters have it at, and which of these has the odd part is chance. Where other TrafficTargets open"
        " a service here and in other clusters, the share of the one that is looked at last counts.",
        "give weights that can be divided; open both by one TrafficTarget",
        joined(
            permissive(),
            ACCOUNT,
            WEB,
            document(
                CLUSTERS,
                "ServiceImport",
                "shop/v1",
                *spec(
                    "ports:",
                    "- port: 80",
                    "  endpoints:",
                    "  - {clusterKey: a, target: {ip: 10.20.0.1, port: 8080}}",
                    "  - {clusterKey: b, target: {ip: 10.20.0.2, port: 9090}}",
                ),
            ),
            document(CLUSTERS, "GlobalTrafficPolicy", "shop/v1", *spec("lbType: ActiveActive")),
            _split("split", "{service: v1, weight: 15}"),
        ),
        (("weight: 15", "weight: 16"),),
        CONTROLLER,
    ),
)
