"""The table of reasons: of each what it means, how its client learns of it, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.decision import Reason, Verdict
from ..values.construction import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REASONS", "ReasonPage", "reasons_markdown"]


@frozen
class ReasonPage:
    """What is to be known of a reason.

    Attributes:
        reason: of a decision.
        verdicts: the decisions that it is given for.
        title: what is the case, in a few words.
        why: how that comes about, and what becomes of the connection.
        fix: what to do where the connection should fare otherwise.
    """

    reason: Reason
    verdicts: tuple[Verdict, ...]
    title: str
    why: str
    fix: str

    @property
    def markdown(self) -> str:
        """The reason as a section of the documentation."""
        verdicts = " or ".join(f"`{verdict.value}`" for verdict in self.verdicts)
        parts = (
            f"### {self.reason.value}: {self.title}",
            f"*Reason of {verdicts}*",
            self.why,
            f"What to do: {self.fix}.",
        )
        return "\n\n".join(parts) + "\n"


def reasons_markdown() -> str:
    """The documentation of all reasons, in the order of the stages."""
    return "\n".join(page.markdown for page in REASONS.values())


_ALLOWED_INSIDE_OR_OUT = (Verdict.IN_MESH, Verdict.EGRESS_POLICY)
_DENIED = (Verdict.DENIED,)

_PAGES = (
    ReasonPage(
        Reason.NOT_INTERCEPTED,
        (Verdict.PASSTHROUGH,),
        "the sidecar never sees the connection",
        "It is UDP or goes to the loopback interface, or an exclusion list has its address or port, or "
        "an inclusion list does not have its address. It goes where it was sent, and no policy is asked.",
        "take it out of `outboundIPRangeExclusionList` and `outboundPortExclusionList` of the "
        "MeshConfig, or of the annotations of the pod; UDP and loopback are never redirected, so use a "
        "NetworkPolicy",
    ),
    ReasonPage(
        Reason.NO_SIDECAR,
        (Verdict.PASSTHROUGH,),
        "the pod has no sidecar",
        "It is on the host's network, its namespace is not watched, or neither it nor its namespace asks for "
        "a sidecar. No policy lets it out, and none keeps it in.",
        "annotate the pod or its namespace with `flomesh.io/sidecar-injection: enabled`, and start the pod "
        "again; for a pod on the host's network use a NetworkPolicy",
    ),
    ReasonPage(
        Reason.TCP_SERVICE,
        (Verdict.IN_MESH,),
        "a TCP service of the mesh has the address and port",
        "The identity may reach the service, by permissive mode or by a TrafficTarget. The connection "
        "goes to the endpoints of the service, or of its TrafficSplit.",
        "change the TrafficTarget; no Egress policy is asked about what belongs to the mesh",
    ),
    ReasonPage(
        Reason.HTTP_ROUTE,
        _ALLOWED_INSIDE_OR_OUT,
        "a route takes the request",
        "The Host of the request is one of an HTTP service or of an HTTP policy, and the first of its "
        "routes that matches method, path and headers leads on.",
        "look at the route, which the decision names; a path is searched in, not compared, unless its "
        "pattern begins with `^` and ends with `$`",
    ),
    ReasonPage(
        Reason.TCP_PORT,
        (Verdict.EGRESS_POLICY,),
        "a TCP port of an Egress policy claims the destination",
        "The policy has the port, and the address among its `ipAddresses` or none of these. The "
        "connection goes to its original destination; what is sent is not looked at, and `hosts` are "
        "ignored.",
        "give the policy `ipAddresses`, or the protocol `https` or `http`, so that hosts count",
    ),
    ReasonPage(
        Reason.TLS_SERVER_NAME,
        (Verdict.EGRESS_POLICY,),
        "the server name is a host of an HTTPS policy",
        "The TLS stream is passed on to that host as it is.",
        "take the host out of the policy; without the module of `config --enforce` stock sidecars do not "
        "compare server names",
    ),
    ReasonPage(
        Reason.TLS_ANY,
        (Verdict.EGRESS_POLICY,),
        "an HTTPS policy without hosts lets any TLS out",
        "The policy has the port, and the address among its `ipAddresses` or none of these.",
        "list the `hosts` that may be asked for",
    ),
    ReasonPage(
        Reason.NO_HOST,
        _DENIED,
        "no host of the port is the Host of the request",
        "A service or an HTTP policy claims the destination, so the Host decides, and it is none of "
        "theirs. The client gets 403, also while `enableEgress` is on. Hosts are compared as a whole: "
        "there are no wildcards.",
        "add the host to `hosts` of the policy; `explain` names the policies that would do with one change",
    ),
    ReasonPage(
        Reason.NO_ROUTE,
        _DENIED,
        "the host is known, and none of its routes takes the request",
        "Method, path or a header matches no HTTPRouteGroup that the policy refers to. The client gets "
        "403. A method that is not named stands for GET, HEAD, POST, PUT, DELETE, PATCH and OPTIONS.",
        "widen the HTTPRouteGroup; `explain` shows what the request misses",
    ),
    ReasonPage(
        Reason.NO_ENDPOINTS,
        _DENIED,
        "the service has no endpoints",
        "A service of the mesh has the address and port, and nothing stands behind it. The client of "
        "HTTP gets 404, any other is closed.",
        "look why no pod of the service is ready, or, under SMI, why no pod runs as the account of the "
        "TrafficTarget",
    ),
    ReasonPage(
        Reason.NO_SERVER_NAME,
        _DENIED,
        "no host of the port is the server name",
        "HTTPS policies claim the destination and list hosts, and the client asks for none of them, or "
        "for none at all. The connection is closed, also while `enableEgress` is on.",
        "add the host to `hosts` of the policy",
    ),
    ReasonPage(
        Reason.NO_CERTIFICATE,
        _DENIED,
        "the client certificate is missing",
        "A policy with `mtls` claims the destination, and the Secret of its certificate is not there or "
        "lacks a key. The connection is closed rather than sent without.",
        "create the Secret that the finding names",
    ),
    ReasonPage(
        Reason.PROTOCOL_MISMATCH,
        _DENIED,
        "what claims the destination is for another protocol",
        "A service or a policy claims it for HTTP or for TLS, and something else is sent. The connection "
        "is closed.",
        "give the policy the port with the protocol that the client speaks, or `tcp` for any",
    ),
    ReasonPage(
        Reason.EGRESS_ENABLED,
        (Verdict.PASSTHROUGH,),
        "no rule claims the destination, and `enableEgress` is on",
        "The connection goes to its original destination, and nothing of it is looked at.",
        "switch `spec.traffic.enableEgress` of the MeshConfig off, with Egress policies for what is to "
        "go out; `diff --after-set fsm.enableEgress=false` says what that would deny",
    ),
    ReasonPage(
        Reason.EGRESS_DISABLED,
        _DENIED,
        "no rule claims the destination, and `enableEgress` is off",
        "The connection is closed.",
        "write an Egress policy for the destination; `explain` names those that would do with one change",
    ),
)

REASONS: Mapping[Reason, ReasonPage] = {page.reason: page for page in _PAGES}
"""The page of each reason, in the order of the stages."""
