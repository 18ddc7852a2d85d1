"""The table of findings: of each code why it matters, documents that trigger it, what to do about it.

The documentation is made from it (`rules_markdown`), and every example is tried by the tests.
"""

from __future__ import annotations

from enum import Enum
from textwrap import indent
from typing import TYPE_CHECKING

from attrs import field, frozen

from ..connections.findings import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "LintRule", "Side", "rules_markdown"]


class Side(Enum):
    """Where findings of a code come from."""

    MESH = "the policies"
    SIDECAR = "the comparison with the stock sidecar"
    CONTROLLER = "the stock controller's view"


@frozen
class LintRule:
    """What is to be known of a code.

    Attributes:
        code: of its findings.
        title: what is the matter, in a few words.
        why: why that matters.
        fix: what to do about it.
        example: documents that trigger it, in YAML; empty where none is known.
        instead: texts of the example, each with another in its place that makes it fine.
        sides: where its findings come from.
        along: what the example triggers besides, as the one does not go without the other.
    """

    code: Code
    title: str
    why: str
    fix: str
    example: str = field(default="", repr=False)
    instead: tuple[tuple[str, str], ...] = ()
    sides: frozenset[Side] = frozenset([Side.MESH])
    along: tuple[Code, ...] = ()

    @property
    def near(self) -> str:
        """Documents that differ from the example in little, and do not trigger it."""
        text = self.example
        for old, new in self.instead:
            text = text.replace(old, new)
        return text

    @property
    def markdown(self) -> str:
        """The rule as a section of the documentation."""
        parts = [
            f"### {self.code}: {self.title}",
            f"*{self.code.severity}*, found by {_listed(self.sides)}",
            self.why,
            f"What to do: {self.fix}.",
        ]
        if self.example:
            changed = " and ".join(f"`{_line(new)}` in place of `{_line(old)}`" for old, new in self.instead)
            parts += [f"```yaml\n{self.example}```", f"Not with {changed}."]
        if self.along:
            parts.append(f"With it goes {', '.join(map(str, self.along))}.")
        return "\n\n".join(parts) + "\n"


def rules_markdown() -> str:
    """The documentation of all codes, in their order."""
    return "\n".join(rule.markdown for rule in RULES.values())


def _listed(sides: frozenset[Side]) -> str:
    return " and ".join(side.value for side in Side if side in sides)


def _line(text: str) -> str:
    return " ".join(text.split())


# --- the parts of examples -------------------------------------------------------------------------------

FLOMESH = "policy.flomesh.io/v1alpha1"
ROUTES = "specs.smi-spec.io/v1alpha4"
ME = "{kind: ServiceAccount, name: curl, namespace: curl}"
OUTSIDE = "ipAddresses: [54.0.0.0/8]"
ANY_MTLS = "sidecar: {sidecarDisabledMTLS: true}"
IPV4_ONLY = "outboundIPRangeInclusionList: [0.0.0.0/0]"


def _document(group: str, kind: str, place: str, *lines: str) -> str:
    space, _, name = place.rpartition("/")
    metadata = f"{{name: {name}, namespace: {space}}}" if space else f"{{name: {name}}}"
    head = f"apiVersion: {group}\nkind: {kind}\nmetadata: {metadata}\n"
    return head + "".join(f"{line}\n" for line in lines)


def _spec(*lines: str) -> tuple[str, ...]:
    return ("spec:", *(indent(line, "  ") for line in lines))


def _config(*lines: str) -> str:
    place = "fsm-system/fsm-mesh-config"
    return _document("config.flomesh.io/v1alpha3", "MeshConfig", place, *_spec(*lines))


def _permissive(*more: str) -> str:
    """A MeshConfig in which every service may be reached."""
    switches = ", ".join(("enablePermissiveTrafficPolicyMode: true", *more))
    return _config(f"traffic: {{{switches}}}")


def _egress(name: str, ports: str, *lines: str, source: str = ME, space: str = "curl") -> str:
    """An Egress policy; its ports are `http 80, tcp 25`."""
    pairs = [entry.split() for entry in ports.split(",")]
    listed = ", ".join(f"{{number: {number}, protocol: {protocol}}}" for protocol, number in pairs)
    fields = (f"sources: [{source}]", *lines, f"ports: [{listed}]")
    return _document(FLOMESH, "Egress", f"{space}/{name}", *_spec(*fields))


def _routes(name: str, *matches: str) -> str:
    listed = (f"  - {{{match}}}" for match in matches)
    return _document(ROUTES, "HTTPRouteGroup", f"curl/{name}", *_spec("matches:", *listed))


def _uses(name: str) -> str:
    """The reference of a policy to a route group."""
    return f"matches: [{{apiGroup: {ROUTES}, kind: HTTPRouteGroup, name: {name}}}]"


def _limits(name: str) -> str:
    """The reference of a policy to an UpstreamTrafficSetting."""
    return f"matches: [{{apiGroup: {FLOMESH}, kind: UpstreamTrafficSetting, name: {name}}}]"


def _setting(name: str) -> str:
    lines = _spec("host: a.com", "connectionSettings: {tcp: {maxConnections: 10}}")
    return _document(FLOMESH, "UpstreamTrafficSetting", f"curl/{name}", *lines)


def _service(
    name: str, port: str, ip: str = "10.96.0.1", pods: str = "addresses: [{ip: 10.0.0.1}]", target: str = ""
) -> str:
    """A Service of one port and its Endpoints."""
    place = f"shop/{name}"
    service = _document("v1", "Service", place, *_spec(f"clusterIP: {ip}", f"ports: [{{{port}}}]"))
    endpoints = _document(
        "v1", "Endpoints", place, "subsets:", f"  - {pods}", f"    ports: [{{{target or port}}}]"
    )
    return service + _MORE + endpoints


def _joined(*documents: str) -> str:
    return _MORE.join(documents)


_MORE = "---\n"
ON = _config("featureFlags: {enableEgressPolicy: true}")
ACCOUNT = _document("v1", "ServiceAccount", "curl/curl")
MTLS = "{kind: ServiceAccount, name: curl, namespace: curl, mtls: {issuer: fsm}}"
SECRET_MTLS = (
    "{kind: ServiceAccount, name: curl, namespace: curl,\n"
    "    mtls: {issuer: other, cert: {secret: {name: client, namespace: curl}}}}"
)
GATEWAY = _document(
    FLOMESH, "EgressGateway", "shop/gateway", *_spec("global: [{service: way, namespace: shop}]")
)
SPLIT = _document(
    "split.smi-spec.io/v1alpha4",
    "TrafficSplit",
    "shop/split",
    *_spec("service: db", "backends: [{service: db, weight: 90}, {service: db-v2, weight: 10}]"),
)
NOT_READY = "notReadyAddresses: [{ip: 10.0.0.1}]"

SIDECAR = frozenset([Side.SIDECAR])
CONTROLLER = frozenset([Side.CONTROLLER])
MESH_SIDECAR_CONTROLLER = frozenset(Side)
MESH_SIDECAR = frozenset([Side.MESH, Side.SIDECAR])
MESH_CONTROLLER = frozenset([Side.MESH, Side.CONTROLLER])

_TABLE = (
    LintRule(
        Code.MISSING_UPSTREAM_TRAFFIC_SETTING,
        "the UpstreamTrafficSetting of a policy does not exist",
        "FSM drops the whole policy, so that what it should allow is denied.",
        "create the setting in the namespace of the policy, or take the reference out",
        _joined(_setting("limit"), _egress("a", "http 80", "hosts: [a.com]", _limits("limits"))),
        (("name: limits", "name: limit"),),
    ),
    LintRule(
        Code.MISSING_HTTP_ROUTE_GROUP,
        "the HTTPRouteGroup of a policy does not exist",
        "It contributes no route; with no other group the policy allows nothing on its HTTP ports.",
        "create the group in the namespace of the policy, or correct its name",
        _joined(
            _routes("get", "name: m, pathRegex: ^/get$"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("gets")),
        ),
        (("name: gets", "name: get"),),
    ),
    LintRule(
        Code.SOURCE_KIND,
        "a source is no ServiceAccount",
        "Policies allow accounts only: a source of any other kind names nobody, without a word from FSM.",
        "name a ServiceAccount",
        _egress("a", "tcp 25", OUTSIDE, source=ME.replace("ServiceAccount", "Group")),
        (("kind: Group", "kind: ServiceAccount"),),
    ),
    LintRule(
        Code.MISSING_SECRET,
        "the secret of a certificate does not exist",
        "The policy says to show a certificate; without it, all that it claims is denied. A stock"
        " controller shows an empty one instead.",
        "create the secret, or correct its name and namespace",
        _joined(
            _document("v1", "Secret", "curl/client-certificate"),
            _egress("a", "tcp 25", OUTSIDE, source=SECRET_MTLS),
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
        _egress("a", "https 443", "hosts: [a.com]", source=MTLS),
        (("hosts:", f"{OUTSIDE}\n  hosts:"),),
        MESH_SIDECAR_CONTROLLER,
    ),
    LintRule(
        Code.TLS_IN_TLS,
        "TLS is wrapped in TLS",
        "With `mtls` the sidecar opens TLS of its own; a client that opens TLS itself talks through it to a"
        " server that expects one of both.",
        "use the protocol `tcp` or `http`, and let the client speak in the clear",
        _egress("a", "https 443", "hosts: [a.com]", OUTSIDE, source=MTLS),
        (("protocol: https", "protocol: http"),),
        MESH_SIDECAR_CONTROLLER,
    ),
    LintRule(
        Code.SETTING_WITHOUT_EFFECT,
        "a setting has no effect",
        "UpstreamTrafficSettings limit HTTP egress only: the limits that were meant for this port do not"
        " hold.",
        "use the setting with the protocol `http`, or take it out",
        _joined(_setting("limits"), _egress("a", "tcp 25", "hosts: [a.com]", OUTSIDE, _limits("limits"))),
        (("protocol: tcp", "protocol: http"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.CONFLICTING_SETTINGS,
        "two policies give one host different settings or certificates",
        "There is one cluster for a host and port. Here the first policy by namespace and name counts;"
        " under a stock controller it is chance.",
        "say the same in both policies",
        _joined(
            _setting("limits"),
            _egress("a", "http 80", "hosts: [a.com]", _limits("limits")),
            _egress("b", "http 80", "hosts: [a.com]"),
        ),
        (
            (f"{_limits('limits')}\n", f"{_limits('limits')}\n  # of another host\n"),
            ("hosts: [a.com]\n  ports", "hosts: [b.com]\n  ports"),
        ),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.WILDCARD_HOST,
        "a host with a wildcard",
        "Hosts are compared to the letter: `*.example.com` allows only a host that is written so.",
        "list the hosts, or use `tcp` with `ipAddresses`",
        _egress("a", "https 443", "hosts: ['*.example.com']", OUTSIDE),
        (("'*.example.com'", "www.example.com"),),
    ),
    LintRule(
        Code.EGRESS_POLICY_FLAG_ABSENT,
        "`enableEgressPolicy` is absent",
        "This library reads an absent flag as true, as FSM's chart sets it; the controller itself reads it"
        " as false, and puts no policy in force.",
        "set the flag",
        _joined(_config("featureFlags: {}"), _egress("a", "tcp 25", OUTSIDE)),
        (("featureFlags: {}", "featureFlags: {enableEgressPolicy: true}"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.EGRESS_POLICIES_SWITCHED_OFF,
        "policies are switched off",
        "There are Egress policies, and the flag says that none of them counts.",
        "set `enableEgressPolicy: true`, or delete the policies",
        _joined(_config("featureFlags: {enableEgressPolicy: false}"), _egress("a", "tcp 25", OUTSIDE)),
        (("enableEgressPolicy: false", "enableEgressPolicy: true"),),
    ),
    LintRule(
        Code.PROTOCOLS_MEET,
        "claims of several protocols meet",
        "The sidecar chooses one match by port and address, before it knows what is sent: where `http` and"
        " `https` or `tcp` share both, only one of them works.",
        "give the policies ports or `ipAddresses` of their own, or add the module",
        _joined(_egress("a", "http 80", "hosts: [a.com]"), _egress("b", "https 80", "hosts: [b.com]")),
        (("number: 80, protocol: https", "number: 443, protocol: https"),),
        MESH_SIDECAR,
    ),
    LintRule(
        Code.HTTP_WITHOUT_HOSTS,
        "an HTTP port without hosts",
        "HTTP is allowed by host: a port without any allows nothing, and claims what it denies.",
        "name the hosts",
        _egress("a", "http 80", "hosts: []"),
        (("hosts: []", "hosts: [a.com]"),),
    ),
    LintRule(
        Code.UNKNOWN_APP_PROTOCOL,
        "an `appProtocol` that FSM does not know",
        "The port takes no part here; a stock controller writes a match for it that leads nowhere.",
        "write one of `http`, `grpc`, `tcp`, `tcp-server-first`",
        _joined(_permissive(), ACCOUNT, _service("cache", "name: x, port: 6379, appProtocol: redis")),
        (("redis", "tcp"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.HEADLESS_WITHOUT_ADDRESSES,
        "a headless service without ready addresses",
        "There is nothing that it could be addressed by: it is left out. A stock controller lets it take"
        " its whole port, whatever the destination.",
        "take the service away while it has no pods",
        _joined(_permissive(), ACCOUNT, _service("db", "name: tcp-db, port: 3306", "None", NOT_READY)),
        (("notReadyAddresses", "addresses"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.NOT_TCP,
        "a service port that is not TCP",
        "The sidecar proxies TCP only: the port takes no part. A stock controller proxies TCP to it.",
        "nothing, unless TCP to the port matters: then exclude it",
        _joined(_permissive(), ACCOUNT, _service("dns", "name: dns, port: 53, protocol: UDP")),
        (("protocol: UDP", "protocol: TCP"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.SHARED_ADDRESS,
        "an address is behind two services",
        "A connection to the pod's address belongs to one of them only: the one whose ClusterIP it is, else"
        " the first by namespace and name. Under a stock controller it is chance.",
        "give the services ports of their own",
        _joined(
            _permissive(),
            ACCOUNT,
            _service("one", "name: tcp-x, port: 80"),
            _service(
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
        _joined(
            _permissive(),
            ACCOUNT,
            _service("one", "name: http-x, port: 80"),
            _service("two", "name: grpc-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.2}]"),
        ),
        (("grpc-x", "http-x"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.GATEWAY_MODE,
        "the mode of an egress gateway is unknown",
        "FSM reads whatever it does not know as `http2tunnel`: a SOCKS5 gateway gets HTTP/2.",
        "write `sock5`, as FSM spells it",
        _joined(
            ACCOUNT,
            GATEWAY,
            _service("way", "name: tcp-way, port: 1080").replace(
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
        _joined(ACCOUNT, GATEWAY, _service("way", "name: tcp-way, port: 1080", pods=NOT_READY)),
        (("notReadyAddresses", "addresses"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.RETRY_WITHOUT_TIMES,
        "a Retry without times",
        "The stock controller crashes on it.",
        "give both `perTryTimeout` and `retryBackoffBaseInterval`",
        _joined(
            _config("featureFlags: {enableRetryPolicy: true}"),
            _document(
                FLOMESH,
                "Retry",
                "curl/again",
                *_spec(
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
        _joined(
            _permissive(),
            ACCOUNT,
            SPLIT,
            _service("db", "name: tcp-x, port: 80"),
            _service("db-v3", "name: tcp-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.2}]"),
        ),
        (("name: db-v3", "name: db-v2"),),
    ),
    LintRule(
        Code.SHARED_HOSTNAME,
        "a hostname of two services",
        "A Host header leads to one service only: the one with the shorter name, then by code point.",
        "address the services by names and addresses of their own",
        _joined(
            _permissive(),
            ACCOUNT,
            _service("one", "name: http-x, port: 80"),
            _service(
                "two", "name: http-x, port: 80", "10.96.0.2", "addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}]"
            ),
        ),
        (("[{ip: 10.0.0.1}, {ip: 10.0.0.2}]", "[{ip: 10.0.0.2}]"),),
    ),
    LintRule(
        Code.IGNORED_TRAFFIC_TARGET,
        "a TrafficTarget allows nothing",
        "FSM ignores one without rules, with rules of other kinds, or whose destination is elsewhere.",
        "give it rules, and the namespace of its destination",
        _document(
            "access.smi-spec.io/v1alpha3",
            "TrafficTarget",
            "shop/target",
            *_spec(
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
        _document(
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
        _joined(
            _document("v1", "Namespace", "curl").replace("name: curl", "name: curl, labels: {team: web}"),
            _egress("a", "tcp 25", OUTSIDE),
        ),
        (("team: web", "flomesh.io/monitored-by: fsm"),),
    ),
    LintRule(
        Code.NO_ENDPOINTS,
        "a service without endpoints that the source may reach",
        "Connections to it are denied.",
        "nothing while its pods start; else look for what selects none",
        _joined(_permissive(), ACCOUNT, _service("db", "name: tcp-x, port: 80", pods=NOT_READY)),
        (("notReadyAddresses", "addresses"),),
    ),
    LintRule(
        Code.EMPTY_PLUGIN_CHAIN,
        "a chain without modules",
        "A sidecar whose chain is empty echoes what it is sent; here FSM's own chain is used instead.",
        "leave the chain out, or enable a module of it",
        _joined(_config("pluginChains: {outbound-tcp: [{plugin: modules/mine, disable: true}]}"), ACCOUNT),
        (("disable: true", "disable: false"),),
    ),
    LintRule(
        Code.SERVER_NAME_NOT_COMPARED,
        "the server name is not compared",
        "The stock sidecar lets out TLS with any server name where the policy names hosts.",
        "restrict the policy by `ipAddresses`, or add the module",
        _egress("a", "https 443", "hosts: [a.com]"),
        (("hosts: [a.com]", "hosts: []"),),
        SIDECAR,
    ),
    LintRule(
        Code.SERVER_NAMES_BALANCED,
        "TLS is balanced over all hosts",
        "The stock sidecar sends each connection of the port to the next host, whatever server name it asks"
        " for.",
        "give each host a port or `ipAddresses` of its own, or add the module",
        _egress("a", "https 443", "hosts: [a.com, b.com]"),
        (("[a.com, b.com]", "[a.com]"),),
        SIDECAR,
    ),
    LintRule(
        Code.PROTOCOL_NOT_COMPARED,
        "anything goes out where TLS is allowed",
        "The stock sidecar does not see what is sent on an `https` port.",
        "restrict the policy by `ipAddresses`, or add the module",
        _egress("a", "https 443"),
        (("protocol: https", "protocol: tcp"),),
        SIDECAR,
    ),
    LintRule(
        Code.MTLS_TO_OUTSIDE,
        "the mesh's mTLS is opened to an outside host",
        "HTTP and HTTPS policies with `ipAddresses` do not count as egress to the stock sidecar: it shows"
        " the mesh's certificate, and the outside host cannot answer.",
        "leave `ipAddresses` out of the policy, set `sidecarDisabledMTLS`, or add the module",
        _joined(
            _config("sidecar: {sidecarDisabledMTLS: false}"),
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        (("sidecarDisabledMTLS: false", "sidecarDisabledMTLS: true"),),
        SIDECAR,
    ),
    LintRule(
        Code.GATEWAY_BYPASSED,
        "egress goes past the gateway",
        "HTTP and HTTPS policies with `ipAddresses` are dialled directly by the stock sidecar.",
        "leave `ipAddresses` and `mtls` out, give every gateway endpoints, or add the module",
        _joined(
            _config(ANY_MTLS),
            GATEWAY,
            _service("way", "name: tcp-way, port: 1080"),
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        ((f"  {OUTSIDE}\n", ""),),
        SIDECAR,
    ),
    LintRule(
        Code.IPV6_NOT_INTERCEPTED,
        "IPv6 passes by the sidecar",
        "FSM redirects IPv4 only: what policies say of IPv6 holds for nobody.",
        "block IPv6 in the cluster's network, or give the pods none",
        _joined(_config("traffic: {outboundIPRangeInclusionList: []}"), ACCOUNT),
        (("outboundIPRangeInclusionList: []", IPV4_ONLY),),
        SIDECAR,
    ),
    LintRule(
        Code.HOST_LETTER_CASE,
        "a Host in capitals is refused",
        "Hosts have no letter case, but the stock sidecar looks them up as they are sent.",
        "have clients write the host in lower case",
        _egress("a", "http 80", "hosts: [a.com]"),
        (("a.com", "54.9.9.9"),),
        SIDECAR,
    ),
    LintRule(
        Code.UNKNOWN_METHOD,
        "a method that the sidecar does not know",
        "It closes the connection, without the answer 403 that is due.",
        "nothing: it fails closed",
        _egress("a", "http 80", "hosts: [54.9.9.9]"),
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
        _joined(
            _permissive("enableEgress: true"),
            ACCOUNT,
            _service("db", "name: tcp-x, port: 3306", pods=NOT_READY),
        ),
        (("enableEgress: true", "enableEgress: false"),),
        SIDECAR,
    ),
    LintRule(
        Code.BACKEND_WITHOUT_ENDPOINTS,
        "a share of the connections fails",
        "The stock sidecar still picks a backend without endpoints by its weight.",
        "take the backend out of the TrafficSplit, give it endpoints, or add the module",
        _joined(
            _permissive(),
            ACCOUNT,
            SPLIT,
            _service("db", "name: tcp-x, port: 80"),
            _service("db-v2", "name: tcp-x, port: 80", "10.96.0.2", "notReadyAddresses: [{ip: 10.0.0.2}]"),
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
        _joined(
            _config("sidecar: {sidecarDisabledMTLS: true}"), _egress("a", "tcp 25", OUTSIDE, source=MTLS)
        ),
        (("sidecarDisabledMTLS: true", "sidecarDisabledMTLS: false"),),
        SIDECAR,
    ),
    LintRule(
        Code.DEFAULT_ROUTE_WITHOUT_HOSTS,
        "a default route without hosts",
        "With `enableAutoDefaultRoute` and no host at all the stock sidecar closes, instead of answering"
        " 403.",
        "nothing: it fails closed",
        _joined(
            _config("featureFlags: {enableAutoDefaultRoute: true}"), _egress("a", "http 80", "hosts: []")
        ),
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
        _joined(
            _routes("hard", "name: m, pathRegex: '/x*(?=a)b'"),
            _egress("a", "http 80", "hosts: [54.9.9.9]", _uses("hard")),
        ),
        (("(?=a)b", "(?=a)a"),),
        SIDECAR,
    ),
    LintRule(
        Code.NEIGHBOURS_RANGES,
        "a policy is narrowed to its neighbours' ranges",
        "A stock controller writes one match for all policies of a port and protocol: with the ranges of"
        " those that have any.",
        "give the policy a port of its own, or `ipAddresses`",
        _joined(
            ON,
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
            _egress("b", "http 80", "hosts: [b.com]"),
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
        _joined(
            ON,
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
            _egress("b", "http 80", "hosts: [b.com]", "ipAddresses: [55.0.0.0/8]"),
        ),
        (("55.0.0.0/8", "54.0.0.0/8"),),
        CONTROLLER,
    ),
    LintRule(
        Code.TLS_WITHOUT_HOSTS,
        "HTTPS without hosts lets nothing through",
        "The policy allows any TLS; a stock controller writes a cluster without endpoints.",
        "name the hosts, or use the protocol `tcp`",
        _joined(ON, _egress("a", "https 443")),
        (("protocol: https", "protocol: tcp"),),
        CONTROLLER,
    ),
    LintRule(
        Code.RANGE_DROPPED,
        "what is no range is dropped",
        "A stock controller drops a bare address of an HTTP policy: with no other range its hosts are open"
        " at every address.",
        "write a range in CIDR notation",
        _joined(ON, ACCOUNT, _egress("a", "http 80", "hosts: [a.com]", "ipAddresses: [54.1.2.3]")),
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
        _joined(ON, ACCOUNT, _egress("a", "tcp 25", "ipAddresses: [54.1.2.3]")),
        (("54.1.2.3", "54.1.2.3/32"),),
        CONTROLLER,
        (Code.REFUSED_IN_FORCE,),
    ),
    LintRule(
        Code.GRPC_PORT,
        "a port with the protocol `grpc` is dropped",
        "A stock controller knows no `grpc` in an Egress, and says nothing.",
        "write `http`, which carries gRPC",
        _joined(ON, ACCOUNT, _egress("a", "tcp 25, grpc 80", OUTSIDE, "hosts: [a.com]")),
        (("protocol: grpc", "protocol: tcp"),),
        CONTROLLER,
        (Code.REFUSED_IN_FORCE,),
    ),
    LintRule(
        Code.REFUSED_IN_FORCE,
        "a policy that is refused here is in force there",
        "What is wrong with it does not keep a stock controller from applying the rest.",
        "correct what is wrong with it",
        _joined(ON, ACCOUNT, _egress("a", "tcp 25, grpc 80", OUTSIDE, "hosts: [a.com]")),
        (("protocol: grpc", "protocol: tcp"),),
        CONTROLLER,
        (Code.GRPC_PORT,),
    ),
    LintRule(
        Code.IPV6_ADDRESS_AS_RANGE,
        "an IPv6 address of a service takes a range",
        "A stock controller writes it with `/32`: 2^96 addresses become in-mesh.",
        "nothing while IPv6 is not redirected to the sidecar",
        _joined(_permissive(), ACCOUNT, _service("web", "name: tcp-x, port: 80", '"2001:db8::1"')),
        (('"2001:db8::1"', "10.96.0.1"),),
        CONTROLLER,
    ),
    LintRule(
        Code.HEADER_NAME_AS_WRITTEN,
        "header names keep their capitals",
        "Under a stock controller they are written as they are, and the sidecar never finds them.",
        "write header names in lower case",
        _joined(
            ON,
            _routes("prod", "name: m, headers: [{X-Env: ^prod}]"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("prod")),
        ),
        (("X-Env", "x-env"),),
        CONTROLLER,
    ),
    LintRule(
        Code.NAMED_TWICE,
        "something is named twice in a list",
        "The second entry has no effect, and hides the one that was perhaps meant.",
        "leave it out, or write what was meant",
        _egress("a", "https 443", "hosts: [a.com, a.com]", OUTSIDE),
        (("[a.com, a.com]", "[a.com, b.com]"),),
        MESH_CONTROLLER,
    ),
    LintRule(
        Code.EGRESS_BEFORE_MESH,
        "an egress range takes addresses of a service",
        "In-mesh wins, but a stock controller orders matches by their ranges: here the policy comes first.",
        "leave the addresses of the mesh out of `ipAddresses`",
        _joined(
            _config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableEgressPolicy: true}",
            ),
            _service("web", "name: http-x, port: 80"),
            _egress("a", "tcp 80", "ipAddresses: [10.0.0.0/8, 192.168.0.0/16, 172.16.0.0/12]"),
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
        _joined(
            ON,
            _routes("get", "name: m, pathRegex: ^/get$"),
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE, _uses("gone")),
        ),
        (("name: gone", "name: get"),),
        CONTROLLER,
        (Code.MISSING_HTTP_ROUTE_GROUP,),
    ),
    LintRule(
        Code.CERTIFICATE_OF_NEIGHBOUR,
        "ranges have the certificate of a neighbour",
        "A stock controller gives all ranges of a match the certificate of the port's first policy.",
        "give the policy a port of its own",
        _joined(
            ON,
            _egress("a", "tcp 25", OUTSIDE, source=MTLS),
            _egress("b", "tcp 25", "ipAddresses: [55.0.0.0/8]"),
        ),
        (
            (
                "namespace: curl}]\n  ipAddresses: [55",
                "namespace: curl, mtls: {issuer: fsm}}]\n  ipAddresses: [55",
            ),
        ),
        CONTROLLER,
    ),
    LintRule(
        Code.IPV6_ENDPOINT_WITHOUT_PORT,
        "an IPv6 endpoint is written without its port",
        "A stock controller takes the end of the address for the port.",
        "give the pods IPv4 addresses",
        _joined(
            _permissive("serviceAccessMode: domain"),
            ACCOUNT,
            _service("db", "name: tcp-x, port: 80", pods='addresses: [{ip: "2001:db8::1"}]'),
        ),
        (('"2001:db8::1"', "10.0.0.1"),),
        CONTROLLER,
    ),
    LintRule(
        Code.PROTOCOLS_OVERLAP,
        "policies of other protocols overlap",
        "Under a stock controller each protocol has one match on a port, and the sidecar uses the first"
        " that holds the address.",
        "give the policies ports or `ipAddresses` of their own",
        _joined(
            ON,
            _egress("a", "http 80", "hosts: [a.com]", "ipAddresses: [54.1.0.0/16]"),
            _egress("b", "tcp 80", OUTSIDE),
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
        _joined(
            _config(
                "traffic: {enablePermissiveTrafficPolicyMode: true}",
                "featureFlags: {enableAutoDefaultRoute: true}",
            ),
            ACCOUNT,
            _service("web", "name: http-x, port: 80", "10.96.0.9", "addresses: [{ip: 10.0.0.9}]"),
            _service("dns", "name: x, port: 80, protocol: UDP"),
        ),
        (("protocol: UDP", "protocol: TCP"),),
        CONTROLLER,
        (Code.NOT_TCP,),
    ),
    LintRule(
        Code.SHADOWED_POLICY,
        "a policy allows nothing of its own",
        "Others allow all that it does, to all of its accounts: who tightens or deletes it will see no"
        " change.",
        "delete the port or the policy, or narrow the others",
        _joined(
            _egress("narrow", "tcp 25", "ipAddresses: [54.9.0.0/16]"),
            _egress("wide", "tcp 25", OUTSIDE),
        ),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.SHADOWED_ROUTE,
        "a match allows nothing of its own",
        "Another match of the group allows all that it does: what it seems to restrict is not restricted.",
        "delete the match, or narrow the other",
        _joined(
            _routes("get", "name: all, pathRegex: ^/get", "name: some, pathRegex: '^/get/v[0-9]'"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("get")),
        ),
        (("^/get/v", "^/got/v"),),
    ),
    LintRule(
        Code.NEVER_MATCHES,
        "a policy that decides nothing",
        "All that it claims is decided before it: by services of the mesh, or as it never reaches the"
        " sidecar.",
        "delete the port or the policy, or what comes before it",
        _joined(
            _permissive(),
            _service("web", "name: tcp-x, port: 80"),
            _egress("a", "tcp 80", "ipAddresses: [10.96.0.1/32]"),
        ),
        (("10.96.0.1/32", "54.96.0.1/32"),),
    ),
    LintRule(
        Code.ROUTE_NEVER_MATCHES,
        "a match that no request meets",
        "Its pattern is found in nothing that can be sent: a request's path begins with a slash.",
        "correct the pattern",
        _joined(
            _routes("get", "name: m, pathRegex: ^get$"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("get")),
        ),
        (("^get$", "^/get$"),),
    ),
    LintRule(
        Code.DUPLICATE_POLICY,
        "two policies say the same",
        "Who changes one of them will see no change, or half of one.",
        "delete one of them",
        _joined(_egress("a", "tcp 25", OUTSIDE), _egress("b", "tcp 25", OUTSIDE)),
        (
            (
                f"{OUTSIDE}\n  ports: [{{number: 25, protocol: tcp}}]\n---",
                f"{OUTSIDE}\n  ports: [{{number: 26, protocol: tcp}}]\n---",
            ),
        ),
    ),
    LintRule(
        Code.EVERY_ADDRESS,
        "a port is open at every address",
        "The policy lets anything, or any TLS, out to whoever listens on the port: on 443 that is everybody.",
        "restrict it by `ipAddresses`, or by `hosts` with `http` or `https`",
        _egress("a", "tcp 443"),
        (("ports:", f"{OUTSIDE}\n  ports:"),),
    ),
    LintRule(
        Code.EVERY_REQUEST,
        "a match takes every request",
        "The policy refers to routes, and they restrict nothing.",
        "take the reference out if all is meant, or narrow the match",
        _joined(
            _routes("all", "name: m, pathRegex: .*"), _egress("a", "http 80", "hosts: [a.com]", _uses("all"))
        ),
        (("pathRegex: .*", "pathRegex: .*, methods: [GET]"),),
    ),
    LintRule(
        Code.PASSTHROUGH_BESIDE_POLICIES,
        "passthrough is on beside policies",
        "Policies allow what they name; passthrough lets out whatever none of them claims, to any address.",
        "switch `enableEgress` off",
        _joined(_config("traffic: {enableEgress: true}"), _egress("a", "tcp 25", OUTSIDE)),
        (("enableEgress: true", "enableEgress: false"),),
    ),
    LintRule(
        Code.TAKEN_FROM_PASSTHROUGH,
        "a policy takes traffic from passthrough",
        "With passthrough on, an allow rule denies: whatever it claims by port and address, and does not"
        " allow by host or route, went out before.",
        "narrow its `ipAddresses`, or allow the rest as well",
        _joined(
            _config("traffic: {enableEgress: true}"), _egress("a", "https 443", "hosts: [a.com]", OUTSIDE)
        ),
        (("protocol: https", "protocol: tcp"),),
    ),
    LintRule(
        Code.EXCLUSION_BYPASSES_POLICY,
        "an exclusion bypasses a policy",
        "What the exclusion lists name, or the inclusion list leaves out, never reaches the sidecar: what a"
        " policy denies there goes out all the same.",
        "narrow the exclusion, or the policy's `ipAddresses`",
        _joined(
            _config("traffic: {outboundIPRangeExclusionList: [54.9.0.0/16]}"),
            _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.ACROSS_NAMESPACES,
        "a policy reaches across namespaces",
        "Who may write policies in one namespace opens egress for accounts of another, or shows its"
        " certificates.",
        "keep policies in the namespace of their accounts, if namespaces separate teams",
        _egress("a", "tcp 25", OUTSIDE, space="shop"),
        (("{name: a, namespace: shop}", "{name: a, namespace: curl}"),),
    ),
    LintRule(
        Code.UNANCHORED_PATH,
        "a path pattern is not anchored",
        "A pattern is searched anywhere in path and query: `/get` is found in `/x?u=/get` too, and lets it"
        " out.",
        "begin the pattern with `^`",
        _joined(
            _routes("get", "name: m, pathRegex: /get"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("get")),
        ),
        (("pathRegex: /get", "pathRegex: ^/get"),),
    ),
    LintRule(
        Code.UNKNOWN_ACCOUNT,
        "a policy for an account that is not there",
        "Nobody is allowed anything by it; and whoever creates the account is.",
        "correct the name, or delete the source",
        _joined(_document("v1", "ServiceAccount", "curl/curls"), _egress("a", "tcp 25", OUTSIDE)),
        (("name: curls", "name: curl"),),
    ),
    LintRule(
        Code.IDENTITY_REVEALED,
        "an outside host is told who calls",
        "The stock sidecar adds the header `serviceidentity: <account>.<namespace>` to every request that"
        " it routes, also to outside hosts.",
        "add the module, which takes it out, or use `https`",
        _egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        (("protocol: http", "protocol: https"),),
    ),
    LintRule(
        Code.UNKNOWN_CODE_IGNORED,
        "an annotation ignores what is no code",
        "`fsm-egress/ignore` lists codes; what is none suppresses nothing.",
        "correct the code",
        _egress("a", "tcp 443", OUTSIDE).replace(
            "namespace: curl}\nspec", "namespace: curl,\n  annotations: {fsm-egress/ignore: 'FSE80'}}\nspec"
        ),
        (("FSE80", "FSE080"),),
    ),
    LintRule(
        Code.RANGE_WITHIN_ANOTHER,
        "a range lies inside another one of the list",
        "It adds nothing, and looks as if it did.",
        "leave it out, or the wider one",
        _egress("a", "tcp 25", "ipAddresses: [54.0.0.0/8, 54.9.0.0/16]"),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.HOST_IN_CAPITALS,
        "a host is written in capitals",
        "It is read in lower case here; the sidecar compares hosts to the letter.",
        "write it in lower case",
        _egress("a", "https 443", "hosts: [A.com]", OUTSIDE),
        (("A.com", "a.com"),),
    ),
    LintRule(
        Code.HOST_BITS_SET,
        "a range has host bits",
        "It is read as the network around it, which is more than the address that is written.",
        "write the network, or the address with `/32`",
        _egress("a", "tcp 25", "ipAddresses: [54.1.2.3/16]"),
        (("54.1.2.3/16", "54.1.0.0/16"),),
    ),
    LintRule(
        Code.CATASTROPHIC_PATTERN,
        "a pattern that may be searched for ages",
        "The sidecar's engine tries one way through a pattern after the other: with nested repetitions,"
        " whoever may send a request can keep it busy.",
        "write it without repetitions inside repetitions",
        _joined(
            _routes("list", "name: m, pathRegex: '^/([a-z]+,?)+$'"),
            _egress("a", "http 80", "hosts: [a.com]", _uses("list")),
        ),
        (("([a-z]+,?)+", "[a-z]+(,[a-z]+)*"),),
    ),
)

RULES: Mapping[Code, LintRule] = {rule.code: rule for rule in _TABLE}
"""The rule of each code, in the order of the codes."""
