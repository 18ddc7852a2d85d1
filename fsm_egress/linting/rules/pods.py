"""What is amiss with pods (FSE110 and on)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import FLOMESH, ME, config, document, joined, spec
from .rule import LintRule

__all__ = ["RULES"]

POLICY = document(
    FLOMESH,
    "Egress",
    "curl/a",
    *spec(f"sources: [{ME}]", "ipAddresses: [54.0.0.0/8]", "ports: [{number: 25, protocol: tcp}]"),
)
PORTS = "flomesh.io/outbound-port-exclusion-list"


def _pod(name: str, *lines: str, annotation: str = "") -> str:
    made = document("v1", "Pod", f"curl/{name}", *spec("serviceAccountName: curl", *lines))
    return made.replace("namespace: curl}", f"namespace: curl, annotations: {{{annotation}}}}}")


_RULES = """iptables-restore --noflush <<EOF
*nat
-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 25 -j RETURN
-A FSM_PROXY_OUTBOUND -j FSM_PROXY_OUT_REDIRECT
COMMIT
EOF
"""


def _started(rules: str) -> str:
    text = rules.replace("\n", "\\n")
    return _pod(
        "curl-0",
        "containers: [{name: sidecar}]",
        f'initContainers: [{{name: fsm-init, args: ["-c", "{text}"]}}]',
    )


RULES = (
    LintRule(
        Code.NO_SIDECAR,
        "a policy for an account of which a pod has no sidecar",
        "Without a sidecar the pod is let out by no policy and kept in by none.",
        "annotate the pod or its namespace with `flomesh.io/sidecar-injection: enabled`, and start it again",
        joined(POLICY, _pod("curl-0", annotation='flomesh.io/sidecar-injection: "no"')),
        (('"no"', '"yes"'),),
        along=(Code.NEVER_MATCHES,),
    ),
    LintRule(
        Code.HOST_NETWORK,
        "a pod on the host's network",
        "FSM gives it no sidecar: it opens whatever it likes.",
        "leave `hostNetwork` out, or restrain the pod by a NetworkPolicy of the nodes",
        _pod("curl-0", "hostNetwork: true"),
        (("hostNetwork: true", "hostNetwork: false"),),
    ),
    LintRule(
        Code.SIDECAR_USER,
        "a container that runs as the sidecar's user",
        "Connections of user 1500 are never redirected: the container passes by every policy.",
        "let the container run as another user",
        _pod("curl-0", "containers: [{name: app, securityContext: {runAsUser: 1500}}]"),
        (("1500", "1000"),),
    ),
    LintRule(
        Code.STALE_RULES,
        "a running pod with other lists than one that starts now",
        "The rules are loaded when a pod starts; a change of the lists reaches new pods only.",
        "start the pod again",
        _started(_RULES),
        (("-A FSM_PROXY_OUTBOUND -p tcp --match multiport --dports 25 -j RETURN\\n", ""),),
        along=(Code.PASSES_BY_SIDECAR,),
    ),
    LintRule(
        Code.LISTS_DIFFER,
        "pods of one account that are intercepted otherwise",
        "What one of them is refused passes by the sidecar of the other.",
        "give them the same annotations, or accounts of their own",
        joined(_pod("curl-0"), _pod("curl-1", annotation=f'{PORTS}: "25"')),
        ((f'{PORTS}: "25"', ""),),
        along=(Code.PASSES_BY_SIDECAR,),
    ),
    LintRule(
        Code.LIST_REFUSED,
        "a list that keeps a pod from starting",
        "iptables takes 15 ports of mesh and pod together, no range of IPv6, no port above 65535: the init "
        "container fails.",
        "shorten the list",
        joined(
            config(f"traffic: {{outboundPortExclusionList: {list(range(9001, 9016))}}}"),
            _pod("curl-0", annotation=f'{PORTS}: "25"'),
        ),
        (('"25"', '"9001"'),),
    ),
    LintRule(
        Code.NODE_LEVEL,
        "pods that the node intercepts",
        "With `interceptionMode: NodeLevel` no sidecar is in the pod; nothing that is said is proven.",
        "intercept in the pods (`PodLevel`), or ask the tools of the node",
        joined(config("traffic: {interceptionMode: NodeLevel}"), _pod("curl-0")),
        (("NodeLevel", "PodLevel"),),
        along=(Code.NOT_MODELLED,),
    ),
    LintRule(
        Code.RULES_NOT_UNDERSTOOD,
        "rules of a running pod that are not understood",
        "Somebody else wrote some of them: what the pod is intercepted for is not known.",
        "start the pod again, or look at its rules",
        _started(
            _RULES.replace(" -p tcp --match multiport --dports 25 -j RETURN", " -m statistic -j RETURN")
        ),
        (("-A FSM_PROXY_OUTBOUND -m statistic -j RETURN\\n", ""),),
    ),
)
