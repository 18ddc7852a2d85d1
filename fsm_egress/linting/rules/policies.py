"""What the policies show by themselves: what has no effect, or more than it seems (FSE070 to FSE093)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import (
    ACCOUNT,
    CONFIG,
    OUTSIDE,
    SELECTED,
    config,
    document,
    egress,
    joined,
    permissive,
    routes,
    service,
    uses,
)
from .rule import LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.SHADOWED_POLICY,
        "a policy allows nothing of its own",
        "Others allow all that it does, to all of its accounts: who tightens or deletes it will see no"
        " change.",
        "delete the port or the policy, or narrow the others",
        joined(
            egress("narrow", "tcp 25", "ipAddresses: [54.9.0.0/16]"),
            egress("wide", "tcp 25", OUTSIDE),
        ),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.SHADOWED_ROUTE,
        "a match allows nothing of its own",
        "Another match of the group allows all that it does: what it seems to restrict is not restricted.",
        "delete the match, or narrow the other",
        joined(
            routes("get", "name: all, pathRegex: ^/get", "name: some, pathRegex: '^/get/v[0-9]'"),
            egress("a", "http 80", "hosts: [a.com]", uses("get")),
        ),
        (("^/get/v", "^/got/v"),),
    ),
    LintRule(
        Code.NEVER_MATCHES,
        "a policy that decides nothing",
        "All that it claims is decided before it: by services of the mesh, or as it never reaches the"
        " sidecar.",
        "delete the port or the policy, or what comes before it",
        joined(
            permissive(),
            service("web", "name: tcp-x, port: 80"),
            egress("a", "tcp 80", "ipAddresses: [10.96.0.1/32]"),
        ),
        (("10.96.0.1/32", "54.96.0.1/32"),),
    ),
    LintRule(
        Code.ROUTE_NEVER_MATCHES,
        "a match that no request meets",
        "Its pattern is found in nothing: there is no such path, or no such value of a header.",
        "correct the pattern",
        joined(
            routes("get", "name: m, pathRegex: '^/get$x'"),
            egress("a", "http 80", "hosts: [a.com]", uses("get")),
        ),
        (("^/get$x", "^/getx$"),),
    ),
    LintRule(
        Code.PATH_NOT_SENT,
        "a match for paths that no client sends",
        "A client asks for a path that begins with a slash, for `*` or for a whole URL, and this is found in"
        " none of them; the rule lets out whoever writes requests by hand.",
        "begin the path with a slash",
        joined(
            routes("get", "name: m, pathRegex: ^get$"),
            egress("a", "http 80", "hosts: [a.com]", uses("get")),
        ),
        (("^get$", "^/get$"),),
    ),
    LintRule(
        Code.DUPLICATE_POLICY,
        "two policies say the same",
        "Who changes one of them will see no change, or half of one.",
        "delete one of them",
        joined(egress("a", "tcp 25", OUTSIDE), egress("b", "tcp 25", OUTSIDE)),
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
        "restrict it by `ipAddresses` with the protocol `tcp`, or by `hosts` with `http`",
        egress("a", "tcp 443"),
        (("ports:", f"{OUTSIDE}\n  ports:"),),
    ),
    LintRule(
        Code.EVERY_REQUEST,
        "a match takes every request, alone or with others",
        "The policy refers to routes, and they restrict nothing.",
        "take the reference out if all is meant, or narrow the match",
        joined(
            routes("all", "name: m, pathRegex: .*"), egress("a", "http 80", "hosts: [a.com]", uses("all"))
        ),
        (("pathRegex: .*", "pathRegex: .*, methods: [GET]"),),
    ),
    LintRule(
        Code.PASSTHROUGH_BESIDE_POLICIES,
        "passthrough is on beside policies",
        "Policies allow what they name; passthrough lets out whatever none of them claims, to any address.",
        "switch `enableEgress` off",
        joined(config("traffic: {enableEgress: true}"), egress("a", "tcp 25", OUTSIDE)),
        (("enableEgress: true", "enableEgress: false"),),
    ),
    LintRule(
        Code.TAKEN_FROM_PASSTHROUGH,
        "a policy takes traffic from passthrough",
        "With passthrough on, an allow rule denies: whatever it claims by port and address, and does not"
        " allow by host or route, went out before.",
        "switch `enableEgress` off, or allow the rest by `tcp`",
        joined(config("traffic: {enableEgress: true}"), egress("a", "https 443", "hosts: [a.com]", OUTSIDE)),
        (("protocol: https", "protocol: tcp"),),
    ),
    LintRule(
        Code.EXCLUSION_BYPASSES_POLICY,
        "an exclusion bypasses a policy",
        "What the exclusion lists name, or the inclusion list leaves out, never reaches the sidecar: what a"
        " policy denies there goes out all the same.",
        "narrow the exclusion, or the policy's `ipAddresses`",
        joined(
            config("traffic: {outboundIPRangeExclusionList: [54.9.0.0/16]}"),
            egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        ),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.ACROSS_NAMESPACES,
        "a policy reaches across namespaces",
        "Who may write policies in one namespace opens egress for accounts of another, or shows its"
        " certificates.",
        "keep policies in the namespace of their accounts, if namespaces separate teams",
        egress("a", "tcp 25", OUTSIDE, space="shop"),
        (("{name: a, namespace: shop}", "{name: a, namespace: curl}"),),
    ),
    LintRule(
        Code.UNANCHORED_PATH,
        "a path pattern is not anchored",
        "A pattern is searched anywhere in path and query: `/get` is found in `/x?u=/get` too, and lets it"
        " out.",
        "begin the pattern with `^`",
        joined(
            routes("get", "name: m, pathRegex: /get"),
            egress("a", "http 80", "hosts: [a.com]", uses("get")),
        ),
        (("pathRegex: /get", "pathRegex: ^/get"),),
    ),
    LintRule(
        Code.UNKNOWN_ACCOUNT,
        "a policy for an account that is not there",
        "Nobody is allowed anything by it; and whoever creates the account is.",
        "correct the name, or delete the source",
        joined(document("v1", "ServiceAccount", "curl/curls"), egress("a", "tcp 25", OUTSIDE)),
        (("name: curls", "name: curl"),),
    ),
    LintRule(
        Code.IDENTITY_REVEALED,
        "an outside host is told who calls",
        "The stock sidecar adds the header `serviceidentity: <account>.<namespace>` to every request that"
        " it routes, also to outside hosts.",
        "add the module, which takes it out",
        egress("a", "http 80", "hosts: [a.com]", OUTSIDE),
        (("protocol: http", "protocol: tcp"),),
    ),
    LintRule(
        Code.UNKNOWN_CODE_IGNORED,
        "an annotation ignores what is no code",
        "`fsm-egress/ignore` lists codes; what is none suppresses nothing.",
        "correct the code",
        egress("a", "tcp 443", OUTSIDE).replace(
            "namespace: curl}\nspec", "namespace: curl,\n  annotations: {fsm-egress/ignore: 'FSE80'}}\nspec"
        ),
        (("FSE80", "FSE080"),),
    ),
    LintRule(
        Code.RANGE_WITHIN_ANOTHER,
        "a range lies inside another one of the list",
        "It adds nothing, and looks as if it did.",
        "leave it out, or the wider one",
        egress("a", "tcp 25", "ipAddresses: [54.0.0.0/8, 54.9.0.0/16]"),
        (("54.9.0.0/16", "55.9.0.0/16"),),
    ),
    LintRule(
        Code.HOST_IN_CAPITALS,
        "a host is written in capitals",
        "It is read in lower case here; the sidecar compares hosts to the letter.",
        "write it in lower case",
        egress("a", "https 443", "hosts: [A.com]", OUTSIDE),
        (("A.com", "a.com"),),
    ),
    LintRule(
        Code.HOST_BITS_SET,
        "a range has host bits",
        "It is read as the network around it, which is more than the address that is written.",
        "write the network, or the address with `/32`",
        egress("a", "tcp 25", "ipAddresses: [54.1.2.3/16]"),
        (("54.1.2.3/16", "54.1.0.0/16"),),
    ),
    LintRule(
        Code.CATASTROPHIC_PATTERN,
        "a pattern that may be searched for ages",
        "The sidecar's engine tries one way through a pattern after the other: with nested repetitions,"
        " whoever may send a request can keep it busy.",
        "write it without repetitions inside repetitions",
        joined(
            routes("list", "name: m, pathRegex: '^/([a-z]+,?)+$'"),
            egress("a", "http 80", "hosts: [a.com]", uses("list")),
        ),
        (("([a-z]+,?)+", "[a-z]+(,[a-z]+)*"),),
    ),
    LintRule(
        Code.SERVICE_LEADS_OUTSIDE,
        "a service leads out of the cluster",
        "Its endpoints are no pods: whatever is sent to it leaves the cluster as in-mesh traffic, and no"
        " Egress policy governs it.",
        "delete the Service and what refers to it, and allow its addresses by a policy; if they are pods,"
        " give it a selector",
        joined(permissive(), ACCOUNT, service("partner", "name: tcp-x, port: 443").replace(SELECTED, "")),
        (("spec:\n  clusterIP", f"spec:\n{SELECTED}  clusterIP"),),
    ),
    LintRule(
        Code.PASSES_BY_SIDECAR,
        "traffic passes by the sidecar of a closed mesh",
        "What the exclusion lists name, or the inclusion list leaves out, goes out though `enableEgress` is"
        " off, and no policy can deny it.",
        "take it out of the list and allow what is needed by a policy, or block it in the cluster's network",
        config("traffic: {enableEgress: false, outboundPortExclusionList: [443]}"),
        (("enableEgress: false", "enableEgress: true"),),
    ),
    LintRule(
        Code.ROUTES_WITHOUT_HTTP,
        "routes on a policy without an http port",
        "Methods, paths and headers are compared on ports of protocol `http` only: whatever the routes seem"
        " to restrict goes out all the same.",
        "delete the reference, or give the policy a port of protocol `http`",
        joined(
            routes("get", "name: m, pathRegex: ^/get"),
            egress("a", "https 443", "hosts: [a.com]", OUTSIDE, uses("get")),
        ),
        (("protocol: https", "protocol: http"),),
    ),
    LintRule(
        Code.SPARE_MESH_CONFIG,
        "a MeshConfig that counts for nothing",
        "A mesh has one MeshConfig: what another says is not done, whoever reads it.",
        "delete the one that is not meant",
        joined(config("traffic: {enableEgress: true}"), document(CONFIG, "MeshConfig", "other/spare")),
        (
            (
                f"{CONFIG}\nkind: MeshConfig\nmetadata: {{name: spare",
                "v1\nkind: ConfigMap\nmetadata: {name: spare",
            ),
        ),
    ),
    LintRule(
        Code.HOSTS_WITHOUT_NAMES,
        "hosts on a policy whose ports have no names",
        "Bytes name no host: on ports of protocol `tcp` and `tcp-server-first` the address ranges alone"
        " restrict what goes out.",
        "take the hosts out, and name the address ranges; or say `https` or `http`, if it is that",
        egress("a", "tcp 5432", "hosts: [db.example.com]", OUTSIDE),
        (("  hosts: [db.example.com]\n", ""),),
    ),
)
