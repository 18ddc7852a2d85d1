"""Where the stock sidecar cannot honour the policies: its known shortcomings, each a finding with a witness.

It lists what was observed (`sidecar-*.json`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.decision import ORIGINAL_DESTINATION, Reason, Verdict
from ..connections.findings import Code, Finding, Findings
from ..connections.obstacles import has_long_line, words_of
from ..connections.payloads import HTTPRequest, Sends, TLSClientHello
from ..pipy.outcome import Fate
from ..resolution import resolve
from ..resources.words import KNOWN_METHODS
from ..snapshot import Snapshot
from ..values.net import IPV6_START
from ..values.typed import takes
from .agreement import Verification, verified
from .everywhere import EVERYWHERE, judged
from .sides import Disagreement, Sides, own_sidecar

if TYPE_CHECKING:
    from ..policy import OutboundPolicy
    from ..resources.subjects import Subject
    from ..values.errors import Severity
    from ..values.references import FieldRef

__all__ = ["advice", "codes_of", "enforceability", "findings_of", "shortcomings", "without_codes"]


@takes(snapshot=Snapshot)
def enforceability(snapshot: Snapshot, identity: Subject | str, *, fsm: str | None = None) -> Findings:
    """Every place where the stock sidecar cannot honour the policies of an identity, with a witness.

    The sidecar is one that has the config which this library writes. A mesh without such findings is one
    where engine and sidecar agree on every connection. A finding is `cured` if it is none of a sidecar that
    has the module as well.

    Args:
        snapshot: the mesh.
        identity: `name.namespace`.
        fsm: the version of FSM whose scripts the sidecar runs, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, or `fsm` is no version.
    """
    return shortcomings(snapshot, resolve(snapshot, identity), fsm=fsm)


def shortcomings(snapshot: Snapshot, policy: OutboundPolicy, *, fsm: str | None = None) -> Findings:
    """The same of a policy that is resolved."""
    enforced = Sides.own(snapshot, policy, enforce=True, fsm=fsm)
    plain = enforced.beside(own_sidecar(snapshot, policy, fsm=fsm))
    left = {_place(it.code, it.rule) for it in findings_of(verified(snapshot, enforced))}
    findings = findings_of(verified(snapshot, plain))
    marked = (evolve(it, cured=_place(it.code, it.rule) not in left) for it in findings)
    return judged(snapshot, marked)


def _place(code: Code, rule: FieldRef) -> tuple[Code, FieldRef | None]:
    """What is found, and at which rule, where that is of any interest."""
    return code, None if code in EVERYWHERE else rule


def findings_of(verification: Verification) -> Findings:
    """The shortcomings behind the disagreements, each once for every rule that it touches, by code."""
    found: dict[tuple[Code, FieldRef | None], Finding] = {}
    for disagreement in verification.disagreements:
        rule = disagreement.decision.rule or verification.sides.policy.switch
        for code in codes_of(verification, disagreement):
            key = _place(code, rule)
            if key not in found:
                found[key] = _finding(code, rule, disagreement)
    policy = verification.sides.policy
    told = {*map(str, policy.lost), policy.interception.unproven}  # of which the mesh itself tells
    for undecided in verification.undecided:
        if undecided.reason in told:
            continue
        message = f"{undecided.connection}: not decided: {undecided.reason}"
        rule = verification.sides.policy.switch
        found[Code.NOT_DECIDED, rule] = Finding(Code.NOT_DECIDED, rule, message)
    return Findings(sorted(found.values(), key=lambda finding: finding.code.code))


def advice(code: Code, severity: Severity | None = None) -> str:
    """What a shortcoming is, and what to do about it: `FSE029 error: …; fix: …`."""
    message, fix = _WORDS[code]
    return f"{code} {severity or code.severity}: {message}; fix: {fix}"


def without_codes(verification: Verification, codes: Collection[Code]) -> Verification:
    """The verification without what these shortcomings explain."""
    if not codes:
        return verification
    others = (it for it in verification.disagreements if not set(codes_of(verification, it)) <= set(codes))
    undecided = () if Code.NOT_DECIDED in codes else verification.undecided
    return evolve(verification, disagreements=tuple(others), undecided=undecided)


def codes_of(verification: Verification, disagreement: Disagreement) -> tuple[Code, ...]:
    """The known shortcomings that a disagreement shows; one that nobody foresaw is named as such."""
    return disagreement.once(_codes_of, verification)


def _codes_of(verification: Verification, disagreement: Disagreement) -> tuple[Code, ...]:
    alone = _alone(verification, disagreement)
    if alone is not None:
        return (alone,)
    codes = [code for code, shows in _TOGETHER if shows(disagreement)]
    codes += _closed(verification, disagreement)
    if disagreement.decision.allowed and disagreement.outcome.mtls and not disagreement.due.mtls:
        in_tls = disagreement.connection.kind is Sends.TLS and verification.sides.certified(
            disagreement.decision
        )
        codes.append(Code.TLS_IN_TLS if in_tls else Code.MTLS_TO_OUTSIDE)
    return tuple(codes) or (Code.NOT_ENFORCED,)


def _closed(verification: Verification, disagreement: Disagreement) -> list[Code]:
    """Why a request is closed that should be answered."""
    if disagreement.due.fate is not Fate.ANSWERED or disagreement.outcome.fate is not Fate.CLOSED:
        return []
    sidecar = verification.sides.sidecar
    match = sidecar.taking(disagreement.connection).match
    if match is None or not match.is_http:
        return []
    if sidecar.config.auto_default_route:
        return [] if match.hosts else [Code.DEFAULT_ROUTE_WITHOUT_HOSTS]
    return [Code.UNKNOWN_HOST_CLOSED] if sidecar.version.closes_unknown_hosts else []


def _alone(verification: Verification, disagreement: Disagreement) -> Code | None:
    """The shortcoming that lies in the sidecar itself, whatever the rule, where it is the cause.

    It is where the connection would fare otherwise with the host in lower case, or with a method that the
    sidecar knows.
    """
    connection, request = disagreement.connection, disagreement.connection.sends
    if connection.key >= IPV6_START:
        return Code.IPV6_NOT_INTERCEPTED
    if not isinstance(request, HTTPRequest):
        return None
    if has_long_line(request):
        return Code.LINE_TOO_LONG
    causes = {
        Code.HOST_LETTER_CASE: request.replace(host=request.authority),
        Code.UNKNOWN_METHOD: request.replace(method=_known(request.method)),
    }
    for code, plain in causes.items():
        if plain != request:
            found = verification.sides.compare(connection.replace(sends=plain))
            if not isinstance(found, Disagreement) or found.outcome != disagreement.outcome:
                return code
    return None


def _known(method: str) -> str:
    return method if method in KNOWN_METHODS else KNOWN_METHODS[0]


# --- what shows what -------------------------------------------------------------------------------------

_Shows = Callable[[Disagreement], bool]
_OVER_TLS = {Reason.TLS_SERVER_NAME, Reason.TLS_ANY}
_WANTING = {Reason.NO_ENDPOINTS, Reason.NO_CERTIFICATE}


def _dialled(it: Disagreement) -> bool:
    return it.outcome.fate is Fate.DIALLED


def _passes(it: Disagreement) -> bool:
    """Whether a connection that has nowhere to go is passed to its original destination."""
    wanting = not it.decision.allowed and it.decision.reason in _WANTING
    return wanting and it.outcome.targets == (ORIGINAL_DESTINATION,)


def _opens(it: Disagreement) -> bool:
    """Whether a connection that is denied gets somewhere all the same."""
    return not it.decision.allowed and _dialled(it) and not _passes(it)


_TOGETHER: tuple[tuple[Code, _Shows], ...] = (
    (Code.PASSES_FOR_WANT_OF_TARGET, _passes),
    (
        Code.SERVER_NAME_NOT_COMPARED,
        lambda it: _opens(it) and isinstance(it.connection.sends, TLSClientHello),
    ),
    (
        Code.PROTOCOL_NOT_COMPARED,
        lambda it: _opens(it) and not isinstance(it.connection.sends, TLSClientHello),
    ),
    (
        Code.SERVER_NAMES_BALANCED,
        lambda it: it.decision.reason is Reason.TLS_SERVER_NAME and len(it.outcome.targets) > 1,
    ),
    (
        Code.PROTOCOLS_MEET,
        lambda it: it.decision.reason in _OVER_TLS and it.outcome.fate is Fate.CLOSED,
    ),
    (Code.CERTIFICATE_LOST, lambda it: it.due.mtls and _dialled(it) and not it.outcome.mtls),
    (
        Code.CERTIFICATE_UNUSABLE,
        lambda it: it.due.mtls and it.outcome.fate in {Fate.CLOSED, Fate.ANSWERED},
    ),
    (
        Code.GATEWAY_BYPASSED,
        lambda it: (
            bool(it.due.gateways)
            and _dialled(it)
            and (not it.outcome.gateways or any(not other.gateways for other in it.outcome.others))
        ),
    ),
    (
        Code.BACKEND_WITHOUT_ENDPOINTS,
        lambda it: it.decision.verdict is Verdict.IN_MESH and bool(it.outcome.others),
    ),
    (Code.SHARED_CONNECTIONS, lambda it: bool(it.outcome.either)),
)

_WORDS: dict[Code, tuple[str, str]] = {
    Code.IPV6_NOT_INTERCEPTED: (
        "only IPv4 is redirected to the sidecar: IPv6 passes by it",
        "block IPv6 in the cluster's network, or give the pods none",
    ),
    Code.HOST_LETTER_CASE: (
        "the sidecar compares a Host in its letters: one in capitals is refused",
        "have clients write the host in lower case",
    ),
    Code.UNKNOWN_METHOD: (
        "the sidecar closes a connection whose method it does not know, without an answer",
        "nothing: it fails closed",
    ),
    Code.PASSES_FOR_WANT_OF_TARGET: (
        "the rule leads nowhere, and the sidecar passes the connection on to its original destination",
        "switch `enableEgress` off, give the rule what it lacks, or add the module",
    ),
    Code.SERVER_NAME_NOT_COMPARED: (
        "the sidecar never compares the server name: TLS with any other goes out as well",
        "add the module, or name address ranges with the protocol `tcp` instead of hosts",
    ),
    Code.SERVER_NAMES_BALANCED: (
        "the sidecar balances over all hosts of the port, whatever the server name",
        "add the module, or give each host a policy and a port of its own",
    ),
    Code.PROTOCOL_NOT_COMPARED: (
        "the sidecar does not see what is sent: everything goes out, not TLS alone",
        "add the module, or say `tcp`, which is what holds",
    ),
    Code.MTLS_TO_OUTSIDE: (
        "the sidecar opens the mesh's own mTLS towards the outside host, which cannot answer it",
        "add the module, or set `sidecarDisabledMTLS`",
    ),
    Code.TLS_IN_TLS: (
        "the sidecar wraps the client's TLS in TLS of its own",
        "use the protocol `tcp` or `http` with `mtls`, and let the client speak in the clear",
    ),
    Code.GATEWAY_BYPASSED: (
        "the sidecar dials directly, not through the egress gateway",
        "add the module, or leave `ipAddresses` and `mtls` out and give every gateway endpoints",
    ),
    Code.BACKEND_WITHOUT_ENDPOINTS: (
        "a backend without endpoints is still picked by its weight: that share of the connections fails",
        "take the backend out of the TrafficSplit, give it endpoints, or add the module",
    ),
    Code.CERTIFICATE_UNUSABLE: (
        "the sidecar has no certificate and key to show: the connection fails",
        "put both into the secret; a certificate of issuer `fsm` needs the sidecar's mTLS",
    ),
    Code.CERTIFICATE_LOST: (
        "the certificate of the policy is not shown: it goes with `ipAddresses` only",
        "give the policy `ipAddresses`, or add the module",
    ),
    Code.DEFAULT_ROUTE_WITHOUT_HOSTS: (
        "with `enableAutoDefaultRoute` and no host at all the sidecar closes, instead of answering 403",
        "nothing: it fails closed",
    ),
    Code.UNKNOWN_HOST_CLOSED: (
        "from FSM 1.3.8 to 1.4.3 a request for a host that no rule names is closed, instead of answered 403",
        "nothing: it fails closed; or update FSM",
    ),
    Code.PROTOCOLS_MEET: (
        "`http` and `https` claims meet on one port and range, and the sidecar takes everything for HTTP",
        "add the module, or give the policies ports of their own",
    ),
    Code.SHARED_CONNECTIONS: (
        (
            "another match leads to the same host and port in another way, and the sidecar lends its"
            " connections: which way a request takes hangs on what came before"
        ),
        "give all policies for the host ranges and certificates, or none of them, or ports of their own",
    ),
    Code.LINE_TOO_LONG: (
        words_of(Code.LINE_TOO_LONG),
        "send the value in the body, or in several headers",
    ),
    Code.NOT_ENFORCED: ("the sidecar does otherwise", "look at the config that it was given"),
}


def _finding(code: Code, rule: FieldRef, shown: Disagreement) -> Finding:
    message, fix = _WORDS[code]
    text = f"{message}: {shown.connection} should be {shown.due}, and is {shown.outcome}"
    return Finding(code, rule, text, witness=shown.connection, fix=fix)
