"""What a stock `fsm-controller` makes of a mesh otherwise than its policies mean, each with a connection.

The controller's config (`stock_config.py`) and this library's are put to the same model of the sidecar, on
one connection of each class that either tells apart. What differs is laid to a case of `controller.json`
("Goes its own way") that brings it about (`stock_departures.py`); what no line explains is reported as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ..connections.findings import Code, Finding, Findings
from ..division.criteria import reading_of_sidecar, redirected
from ..division.dividing import dialled
from ..pipy.sidecar import Sidecar
from ..snapshot import Snapshot
from ..values.errors import Severity
from ..values.identity import Memory
from ..values.typed import takes
from .sides import Disagreement, Sides, own_certificate
from .stock_config import stock_config, version_of, written
from .stock_departures import suspicions
from .stock_exhibits import Choosing, Exhibits, unexplained
from .stock_mesh import Claiming, Shown, StockMesh
from .stock_view import view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.connection import Connection
    from ..division.dividing import Choose
    from ..pipy.outcome import Outcome
    from ..resources.subjects import Subject
    from ..values.references import FieldRef

__all__ = ["stock_findings"]

_WORDS: dict[Code, tuple[str, str]] = {
    Code.NEIGHBOURS_RANGES: (
        "the policy has no `ipAddresses`, and is narrowed to those of its neighbours on the port",
        "give it a port of its own, or `ipAddresses`",
    ),
    Code.NEIGHBOURS_HOSTS: (
        "the hosts of the policy are reached in the `ipAddresses` of its neighbours on the port",
        "give it a port of its own",
    ),
    Code.TLS_WITHOUT_HOSTS: (
        "without `hosts` the `https` port lets nothing through, unless `enableEgress` is on",
        "name the hosts, or use the protocol `tcp`",
    ),
    Code.RANGE_DROPPED: (
        "it is no address range, and is dropped for `http`: with no other one every address is open",
        "write a range in CIDR notation",
    ),
    Code.RANGE_PASSED_ON: (
        "it is no range, and passed on: the sidecar takes a bare IPv4 address for all, else closes the port",
        "write a range in CIDR notation",
    ),
    Code.GRPC_PORT: ("the port is dropped silently", "write `http`, which carries gRPC"),
    Code.REFUSED_IN_FORCE: (
        "it is refused here, and in force there",
        "correct what is wrong with it",
    ),
    Code.IPV6_ADDRESS_AS_RANGE: (
        "an IPv6 address of the service takes the whole /32 around it into the mesh",
        "nothing while IPv6 is not redirected to the sidecar",
    ),
    Code.HEADER_NAME_AS_WRITTEN: (
        "header names keep their capitals, and the sidecar never finds them",
        "write header names in lower case",
    ),
    Code.NAMED_TWICE: ("it is named before, and counts once", "leave it out"),
    Code.EGRESS_BEFORE_MESH: (
        "an Egress policy with more or longer ranges takes addresses of the service",
        "leave the addresses of the mesh out of `ipAddresses`",
    ),
    Code.RANGES_LOST: (
        "without hosts and routes the `ipAddresses` are lost: every address is claimed, or the neighbours'",
        "give the policy hosts, and route groups that exist",
    ),
    Code.CERTIFICATE_OF_NEIGHBOUR: (
        "its ranges have the certificate of another policy of the port, or none",
        "give it a port of its own",
    ),
    Code.IPV6_ENDPOINT_WITHOUT_PORT: (
        "an IPv6 endpoint that ends in a number is written without its port",
        "give the pods IPv4 addresses",
    ),
    Code.PROTOCOLS_OVERLAP: (
        "policies of other protocols overlap with its addresses: the sidecar uses one of them only",
        "give the policies ports of their own",
    ),
    Code.STOCK_CONTROLLER_DIFFERS: (
        "the config of a stock controller does otherwise",
        "look at the witness",
    ),
    Code.EGRESS_POLICY_FLAG_ABSENT: (
        "the flag is absent, and read as false: no Egress policy is in force",
        "set `enableEgressPolicy: true`",
    ),
    Code.MISSING_SECRET: (
        "the secret of the certificate does not exist: an empty certificate is shown",
        "create the secret",
    ),
    Code.CERTIFICATE_LOST: (
        "the certificate is lost: it goes with `ipAddresses` only",
        "give the policy `ipAddresses`",
    ),
    Code.TLS_IN_TLS: (
        "the sidecar wraps the client's TLS in TLS of its own",
        "use the protocol `tcp` or `http` with `mtls`, and let the client speak in the clear",
    ),
    Code.SETTING_WITHOUT_EFFECT: (
        "the UpstreamTrafficSetting has no effect here",
        "use it with the protocol `http` only",
    ),
    Code.PROTOCOLS_MEET: (
        "policies of several protocols claim the same: each has a match, and the sidecar uses one of them",
        "give the policies ports of their own",
    ),
    Code.CONFLICTING_SETTINGS: (
        "another says other settings or another certificate for the same: which of them count is chance",
        "say the same in both",
    ),
    Code.UNKNOWN_APP_PROTOCOL: (
        "the `appProtocol` is unknown to the sidecar: its match leads nowhere",
        "write one of `http`, `grpc`, `tcp`, `tcp-server-first`",
    ),
    Code.HEADLESS_WITHOUT_ADDRESSES: (
        "without ready addresses the headless service takes its whole port, whatever the destination",
        "take the service away while it has no pods",
    ),
    Code.NOT_TCP: ("the port is proxied as TCP", "exclude the port, if TCP to it matters"),
    Code.SHARED_ADDRESS: (
        "an address is behind two services: which of them has it is chance",
        "give the services ports of their own",
    ),
    Code.HTTP_AND_GRPC: (
        "HTTP and gRPC services share the port: which of both is spoken is chance",
        "give the services ports of their own",
    ),
    Code.GATEWAY_MODE: ("the mode is read as `http2tunnel`", "SOCKS5 is spelled `sock5`"),
    Code.UNUSABLE_GATEWAY: (
        "the gateway carries nothing, and egress rules name it all the same",
        "give the gateway's service endpoints",
    ),
    Code.ISOLATED_SERVICE: (
        "with every address isolated the service takes its whole port, whatever the destination",
        "leave an address of the service out of the Isolation, or take the service away",
    ),
    Code.HOST_AS_WRITTEN: (
        "the host keeps its capitals, and the sidecar compares it to the letter: clients write it small",
        "write it in lower case",
    ),
    Code.SPLIT_WITHOUT_HOST: (
        "no route leads to exactly the backends of a split: the service answers to no host, 403",
        "give the service one split without `matches`, or groups that exist; name each backend once",
    ),
    Code.SPLIT_READ_OTHERWISE: (
        "the split is read otherwise: its groups, its apex, a backend's port, or which of two counts",
        "name groups of its own namespace, each route once, ports that the backends have, the plain service",
    ),
    Code.CERTIFICATE_READ_OTHERWISE: (
        "the first source of the name counts, of any kind, and no secret without namespace is found",
        "name the secret's namespace, and the account in one source only",
    ),
    Code.SETTING_READ_OTHERWISE: (
        "a setting of the legacy group is not found; one of an empty host counts for every service",
        "use `policy.flomesh.io/v1alpha1`, and write the host",
    ),
    Code.TWO_GLOBAL_GATEWAYS: (
        "FSM's webhook refuses a second EgressGateway with a `global` list; without it chance decides",
        "list all gateways in one EgressGateway",
    ),
    Code.PATHS_LETTER_CASE: (
        "paths that differ in the case of letters only are taken for equal: the routes' order is another",
        "write paths that differ otherwise",
    ),
    Code.RETRY_BY_CHANCE: (
        "another Retry is for the same service or cluster: which of them counts is chance",
        "write the same Retry for all",
    ),
    Code.ISOLATED_SOURCE: (
        "the pod's own address is isolated: the controller writes no config for it",
        "leave the pods that send out of the Isolation",
    ),
    Code.PACKED_CONFIG: (
        "clusters of one content are one, with the weight of one: shares are others than written",
        "set `enableSidecarPrettyConfig: true`",
    ),
    Code.OLDER_VERSION: (
        "the controller of this version of FSM makes something else of it than 1.5 to 1.7 do",
        "look at the witness, or update FSM",
    ),
    Code.SHARES_BY_AGE: (
        "shares grow with the age of pods, and the config is written anew: here they are as of grown pods",
        "nothing: the decision says which shares a target may have",
    ),
    Code.SHARE_BY_CHANCE: (
        "which share of the traffic a cluster has is chance: it goes by an order that is none",
        "open what is here and what is elsewhere by one TrafficTarget; give weights that can be divided",
    ),
    Code.RETRY_WITHOUT_TIMES: (
        "the controller does not survive every Retry",
        "give all of its times",
    ),
}


@takes(snapshot=Snapshot)
def stock_findings(snapshot: Snapshot, identity: Subject | str, *, fsm: str | None = None) -> Findings:
    """What becomes of an identity's policies under a stock `fsm-controller`, by code.

    Each finding has a witness: a connection that the sidecar with the controller's config treats otherwise
    than is due, or, where nothing can be seen of it (a setting without effect, a choice left to chance, IPv6,
    which is not redirected), one that the rule concerns. Policies that a tolerant load refused are looked at
    as the controller reads them.

    Args:
        snapshot: the mesh.
        identity: `name.namespace`.
        fsm: the version of FSM, `1.4` or `1.3.7`; None for 1.5 to 1.7.

    Raises:
        InvalidValue: the text is no identity, or `fsm` is no version.
    """
    snapshot = _without_plugins(snapshot)
    ours = Sides.of(snapshot, identity, fsm=fsm).alone()
    carried = {"Certificate": None, **own_certificate(snapshot)}
    view = view_of(snapshot, version_of(fsm))
    theirs = ours.beside(Sidecar.read(written(view, identity, carried), fsm).alone())
    plain = Sidecar.read(written(view, identity, carried, pretty=True), fsm).alone()
    latest = None if fsm is None else Sidecar.read(stock_config(snapshot, identity, carried)).alone()
    mesh = StockMesh.of(view, snapshot, ours.policy, plain)
    suspected = list(suspicions(mesh))

    def is_packed(it: Shown) -> bool:
        return view.packs and plain.handle(it.connection) != it.of.outcome

    def strange_of(shown: Iterable[Shown]) -> list[Shown]:
        unpacked = (it for it in shown if it.differs and not is_packed(it))
        return list(unexplained(unpacked, suspected, mesh))

    choosing = Choosing(theirs, suspected)
    exhibits = Exhibits(tuple(_shown(ours, theirs, choosing.choose)), mesh)
    strange = strange_of(exhibits.shown)
    if strange and choosing.left_out:  # each rule is told that decides about what nothing explains
        exhibits = Exhibits(tuple(_shown(ours, theirs, None)), mesh)
        strange = strange_of(exhibits.shown)
    seen: dict[tuple[Code, FieldRef], Connection | None] = {}
    unseen: dict[tuple[Code, FieldRef], Connection | None] = {}
    for suspicion in suspected:
        first = exhibits.first(suspicion)
        if first is not None:
            seen.setdefault((suspicion.code, suspicion.rule), first.connection)
        elif suspicion.always:
            unseen.setdefault((suspicion.code, suspicion.rule), suspicion.concerns)
    pretty = snapshot.mesh_config.at("spec.featureFlags.enableSidecarPrettyConfig")
    for it in exhibits.shown:
        if it.differs and is_packed(it):
            seen.setdefault((Code.PACKED_CONFIG, pretty), it.connection)
    for it in strange:
        is_old = latest is not None and latest.handle(it.connection) != it.of.outcome
        code = Code.OLDER_VERSION if is_old else Code.STOCK_CONTROLLER_DIFFERS
        seen.setdefault((code, it.decision.rule or ours.policy.switch), it.connection)
    findings = [_finding(code, rule, witness) for (code, rule), witness in {**unseen, **seen}.items()]
    mild = (
        it if (it.code, it.rule) in seen else evolve(it, severity=_UNSEEN.get(it.code, it.severity))
        for it in findings
    )
    return Findings(sorted(mild, key=lambda finding: finding.code.code))


def _without_plugins(snapshot: Snapshot) -> Snapshot:
    """A mesh without plugins: what their scripts do is a condition of the answer, on both sides."""
    config = snapshot.mesh_config
    flags = config.spec.feature_flags
    if not flags.enable_plugin_policy:
        return snapshot
    flags = evolve(flags, enable_plugin_policy=False)
    return snapshot.with_(evolve(config, spec=evolve(config.spec, feature_flags=flags)))


_UNSEEN: dict[Code, Severity] = dict.fromkeys(
    (Code.TLS_WITHOUT_HOSTS, Code.NEIGHBOURS_RANGES, Code.RANGES_LOST, Code.HEADER_NAME_AS_WRITTEN),
    Severity.INFO,
)
"""How bad it is where no connection shows it: the config is another, and what comes of it is not."""


def _finding(code: Code, rule: FieldRef, witness: Connection | None) -> Finding:
    message, fix = _WORDS[code]
    return Finding(code, rule, message, witness=witness, fix=fix)


def _shown(ours: Sides, theirs: Sides, choose: Choose | None) -> Iterator[Shown]:
    readings = (
        ours.reading,
        *(redirected(reading_of_sidecar(side.sidecar)) for side in (ours, theirs)),
    )
    claiming: Memory[Claiming] = Memory()
    hosts: Memory[frozenset[str]] = Memory()
    for part in dialled(*readings, choose=choose):
        found = None if part.undecided else theirs.compare(part.witness)
        if isinstance(found, Disagreement):
            yield Shown(
                found,
                ours.outcome(part.witness) != found.outcome,
                claiming.once(found.decision.considered, Claiming),
                hosts.once(found.outcome, _dialled),
            )


def _dialled(outcome: Outcome) -> frozenset[str]:
    return frozenset(target.host for target in outcome.targets)
