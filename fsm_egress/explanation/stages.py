"""The stages that a connection comes to, and the answer in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..connections.decision import PASSING, Decision, Reason, Verdict, ungoverned
from ..connections.payloads import HTTPRequest, Sends, shown_host, shown_path
from ..resolution.services import left_out
from ..resources.core import Endpoints, Service
from ..resources.egress import EgressPolicy, UpstreamTrafficSetting
from ..resources.smi import TrafficTarget
from ..resources.words import Protocol
from ..snapshot.kind import SERVICE_ACCOUNT
from ..values.errors import shortly
from .question import missing_references
from .types import STAGES, Stage, StageName
from .wording import NAMED, ending, owner_of, those

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..policy import OutboundPolicy
    from ..values.references import FieldRef
    from .question import Question
    from .rule_parts import Offer

__all__ = ["Found", "answer_of", "stages_of"]

Found: TypeAlias = "tuple[str, tuple[FieldRef, ...]]"
"""What a stage found, in words, and the rules."""

TCP = "TCP"
_VERDICTS = {
    Verdict.IN_MESH: "in mesh",
    Verdict.EGRESS_POLICY: "allowed",
    Verdict.PASSTHROUGH: "passed through",
    Verdict.DENIED: "denied",
}
_ANSWERS = {
    Reason.TCP_SERVICE: "{by} has {place}",
    Reason.HTTP_ROUTE: "{by} takes {request} of {name}",
    Reason.TCP_PORT: "{by} lets anything out to {place}",
    Reason.TLS_SERVER_NAME: "{by} has the server name {name}",
    Reason.TLS_ANY: "{by} lets any TLS out to {place}",
    Reason.NO_HOST: "{name} is no host of {those}",
    Reason.NO_ROUTE: "no route of {those} takes {request}",
    Reason.NO_ENDPOINTS: "{by} has no endpoints",
    Reason.NO_SERVER_NAME: "server name {name} is no host of {those}",
    Reason.NO_CERTIFICATE: "the certificate of {by} does not exist",
    Reason.PROTOCOL_MISMATCH: "`{sent}` is sent, which no port of {those} takes",
    Reason.EGRESS_ENABLED: "no rule claims {place}, and `enableEgress` is on",
    Reason.EGRESS_DISABLED: "no rule claims {place}, and `enableEgress` is off",
}
_UNNAMED = {
    Reason.NO_HOST: "no host is asked for, which {those} would need",
    Reason.NO_SERVER_NAME: "no server name is asked for, which {those} would need",
}
_CONCERNED = {
    Reason.NO_HOST: Protocol.HTTP,
    Reason.NO_ROUTE: Protocol.HTTP,
    Reason.NO_SERVER_NAME: Protocol.HTTPS,
}


def stages_of(question: Question, policy: OutboundPolicy, decision: Decision) -> Iterator[Stage]:
    """The stages up to the one that decides."""
    last = _stage_of(decision)
    findings = (_interception, _in_mesh, _egress_policies, _passthrough)
    for name, find in zip(STAGES[: STAGES.index(last) + 1], findings, strict=False):
        finding, rules = find(question, policy, decision, is_last=name is last)
        yield Stage(name, finding, rules, name is last)


def _interception(question: Question, policy: OutboundPolicy, decision: Decision, *, is_last: bool) -> Found:
    """Stage 0: why the sidecar never sees the connection, or that it does."""
    here, port, rule = shortly(str(question.connection.destination)), question.connection.port, decision.rule
    lists = policy.interception
    if not is_last:
        if passing := ungoverned(question.connection):
            return f"FSM redirects no {passing}: it passes by the sidecar, whatever is decided below", ()
        return f"no list keeps {here}, port {port}, from the sidecar", ()
    if decision.reason is Reason.NO_SIDECAR:
        return f"`{policy.identity}` has no sidecar: {lists.why}", (rule,) if rule else ()
    if rule is None:
        what = "UDP" if question.connection.kind is Sends.DATAGRAM else here
        return f"{what} is never redirected to the sidecar", ()
    if any(rule == listed for _, listed in lists.excluded_ports):
        return f"port {port} is excluded by {owner_of(rule)}", (rule,)
    if any(rule == listed for _, listed in lists.included):
        return f"{here} is in no range that {owner_of(rule)} includes", (rule,)
    return f"{here} is excluded by {owner_of(rule)}", (rule,)


def _in_mesh(question: Question, policy: OutboundPolicy, _: Decision, *, is_last: bool) -> Found:
    """Stage 1: the service that has the destination, if one has that may be reached."""
    if is_last:
        owners = (
            owner.rule
            for port in policy.ports
            if port.port == question.connection.port
            for match in port.mesh
            for owner in match.owners
            if question.connection.destination in owner.prefix
        )
        rule = next(owners)
        return f"{owner_of(rule)} has {question.place}", (rule,)
    is_open = question.mesh.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode
    found = f"no service{'' if is_open else f' that `{question.account}` may reach'} has {question.place}"
    outside = [(service, _why_not(question, service)) for service in _services_at(question)]
    noted = _listed([(f"`{it.namespace}/{it.name}`", why) for it, why in outside if why])
    return "; ".join((found, *noted)), tuple(service.at() for service, why in outside if why)


def _listed(aside: Sequence[tuple[str, str]]) -> list[str]:
    """The first of those that take no part, with why, and how many more there are."""
    told = [f"{name} takes no part: {why}" for name, why in aside[:NAMED]]
    return told + ([f"{len(aside) - NAMED} more take no part"] if len(aside) > NAMED else [])


def _services_at(question: Question) -> Iterator[Service]:
    """The services that have the address by their documents, in the mesh or out of it."""
    there = question.connection.destination
    for service in question.mesh.kind(Service):
        endpoints = question.mesh.kind(Endpoints).get(service.namespace, service.name)
        subsets = endpoints.subsets if endpoints else ()
        listed = (entry.ip for subset in subsets for entry in subset.addresses)
        if service.spec.cluster_ip == str(there) or there in listed:
            yield service


def _why_not(question: Question, service: Service) -> str:
    """Why a service that has the address takes no part, in words; empty if that is not known."""
    ports = [port for port in service.spec.ports if port.port == question.connection.port]
    if not ports:
        numbers = ", ".join(str(port.port) for port in service.spec.ports) or "none"
        return f"it has no port {question.connection.port}, its ports are {numbers}"
    if not any(port.protocol == TCP for port in ports):
        return f"its port {ports[0].port} is {ports[0].protocol}"
    why, who = left_out(question.mesh, service), question.who
    is_open = question.mesh.mesh_config.spec.traffic.enable_permissive_traffic_policy_mode
    sources = (source for target in question.mesh.kind(TrafficTarget) for source in target.spec.sources)
    is_named = any((it.name, it.namespace) == (who.name, who.namespace) for it in sources)
    return why if why or is_open or is_named else f"no TrafficTarget names `{question.account}`"


def _egress_policies(question: Question, _: OutboundPolicy, decision: Decision, *, is_last: bool) -> Found:
    """Stage 2: the policies of the identity that claim the destination."""
    aside = list(_out_of_force(question))
    noted = _listed([(str(policy.ref), why) for policy, why in aside])
    if is_last:
        rules = decision.considered
        return "; ".join((f"{those(rules)} claim{ending(rules)} {question.place}", *noted)), rules
    count = len(question.own) - sum(policy in question.own for policy, _ in aside)
    is_one = count == 1
    policies = f"{'policy' if is_one else f'{count} policies'} of `{question.account}`"
    in_force = " in force" if aside else ""
    if count and not question.mesh.mesh_config.spec.feature_flags.egress_policies_apply:
        found = f"`enableEgressPolicy` is off: the {policies} do{'es' * is_one} not count"
    elif not count:
        found = "" if noted else f"no policy names `{question.account}`"
    elif is_one:
        found = f"the only {policies}{in_force} does not claim {question.place}"
    else:
        found = f"none of the {policies}{in_force} claims {question.place}"
    return "; ".join(filter(None, (found, *noted))), tuple(policy.at() for policy, _ in aside)


def _out_of_force(question: Question) -> Iterator[tuple[EgressPolicy, str]]:
    """The policies that name the identity and take no part, each with why, in words."""
    mesh, who = question.mesh, question.who
    for policy in question.own:
        missing = next(missing_references(question, policy, UpstreamTrafficSetting), None)
        if not mesh.monitors(policy.namespace):
            yield policy, f"namespace `{policy.namespace}` is not monitored"
        elif missing is not None:
            yield policy, f"UpstreamTrafficSetting `{policy.namespace}/{missing[1]}` does not exist"
    for (kind, *account), policies in mesh.kind(EgressPolicy).sources.items():
        if kind != SERVICE_ACCOUNT and account == [who.name, who.namespace]:
            why = f"its source `{question.account}` is of kind `{kind}`, which names nobody"
            yield from ((policy, why) for policy in policies if policy not in question.own)


def _passthrough(_question: Question, policy: OutboundPolicy, _: Decision, *, is_last: bool) -> Found:
    """Stage 3: the switch."""
    return f"`enableEgress` is {'on' if policy.spec.enable_egress else 'off'}", (policy.switch,) * is_last


def answer_of(question: Question, decision: Decision, offers: tuple[Offer, ...], last: Stage) -> str:
    """Verdict and reason, in words."""
    sent = question.connection.sends
    reason = last.finding
    if last.name is not StageName.INTERCEPTION:
        unnamed = not question.name and decision.reason in _UNNAMED
        reason = (_UNNAMED if unnamed else _ANSWERS)[decision.reason].format(
            by=owner_of(decision.rule) if decision.rule else "",
            those=those(_concerned(question, decision, offers)),
            place=question.place,
            name=shortly(shown_host(sent.host) if isinstance(sent, HTTPRequest) else question.name),
            request=shortly(f"{sent.method} {shown_path(sent.path)}")
            if isinstance(sent, HTTPRequest)
            else "",
            sent=question.connection.kind.value,
        )
    verdict = _VERDICTS[decision.verdict]
    if not decision.allowed:
        verdict += f" ({decision.status or 'closed'})"
    return f"{verdict}: {reason}"


def _concerned(question: Question, decision: Decision, offers: tuple[Offer, ...]) -> tuple[FieldRef, ...]:
    """The rules that a reason is about: those that might have let the connection through, and did not."""
    rule, rules = decision.rule, frozenset(decision.considered)
    protocol = _CONCERNED.get(decision.reason)
    found = [
        offer.rule
        for offer in offers
        if offer.rule in rules
        and offer.port == question.connection.port
        and offer.protocol is protocol
        and (decision.reason is not Reason.NO_ROUTE or offer.has(question.name))
    ]
    if decision.reason is Reason.PROTOCOL_MISMATCH and rule and rule.resource.kind == EgressPolicy.kind:
        found = list(decision.considered)
    return tuple(found) or ((rule,) if rule else ())


def _stage_of(decision: Decision) -> StageName:
    """The stage that decided."""
    if decision.reason in PASSING:
        return StageName.INTERCEPTION
    if not decision.considered:
        return StageName.PASSTHROUGH
    is_policy = decision.considered[0].resource.kind == EgressPolicy.kind
    return StageName.EGRESS_POLICIES if is_policy else StageName.IN_MESH
