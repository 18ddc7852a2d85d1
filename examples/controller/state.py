"""What is known of the cluster, and what is to be published and reported of it: a value, and what changes it.

Nothing here depends on the order in which changes come: objects, lists and deletions carry the revision of
the cluster that they are of, and what is older than what is known says nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

import fsm_egress as fe

from .kinds import CLASSES, HOSTS, SERVED, Tree, bare, is_over, ref_of, version_of

__all__ = ["Change", "Codebases", "Gone", "Listed", "Refusal", "Seen", "State", "Status", "read"]

Codebases: TypeAlias = Mapping[fe.ServiceIdentity, Mapping[str, bytes]]
Pods: TypeAlias = Mapping[fe.ResourceRef, tuple[fe.Pod, str]]


@frozen
class Seen:
    """An object as it was at some revision."""

    document: Mapping[str, Any] = field(repr=False)


@frozen
class Gone:
    """An object was deleted at some revision."""

    document: Mapping[str, Any] = field(repr=False)


@frozen
class Listed:
    """All objects of a kind as they were at a revision: what is not among them is not there."""

    kind: str
    version: int
    documents: tuple[Mapping[str, Any], ...] = field(repr=False)


Change: TypeAlias = "Seen | Gone | Listed"


@frozen
class Refusal:
    """An object that is not valid.

    Attributes:
        problems: what is wrong with it.
        withholds: whose configs must not change as nobody knows what it was when it was valid: those that it
            names, `None` for all.
    """

    problems: tuple[fe.Problem, ...]
    withholds: frozenset[fe.ServiceIdentity] | None = frozenset()

    @property
    def message(self) -> str:
        """The problems, one a line."""
        return "\n".join(f"{problem.path}: {problem.message}".lstrip(": ") for problem in self.problems)


@frozen
class Status:
    """What is reported of a policy, as its `status` holds it."""

    current: str
    reason: str

    def to_mapping(self) -> Tree:
        """The wire form."""
        return {"currentStatus": self.current, "reason": self.reason}

    def is_in(self, status: Mapping[str, Any]) -> bool:
        """Whether an object's status says so already, whatever else it says."""
        return self.to_mapping().items() <= status.items()


@frozen(eq=False)
class State:
    """The cluster, as far as it is known.

    Attributes:
        mesh: the last good form of every object.
        refused: the objects whose newest form is not valid.
        workloads: every identity, with its config.
        codebases: the files of each identity.
        pods: each pod, and what there is to say of it where one that starts now gets other lists.
        enforce: whether they have the module that enforces what the stock scripts cannot.
        statuses: what the policies say of themselves.
        versions: the revision of each object that is there, or was deleted after the newest list.
        horizons: the revision of the newest list of each kind.
    """

    mesh: fe.Snapshot = field(factory=fe.Snapshot)
    refused: Mapping[fe.ResourceRef, Refusal] = field(factory=dict)
    workloads: Mapping[fe.ServiceIdentity, fe.Workload] = field(factory=dict, repr=False)
    codebases: Codebases = field(factory=dict, repr=False)
    pods: Pods = field(factory=dict, repr=False)
    enforce: bool = False
    statuses: Mapping[fe.ResourceRef, Mapping[str, Any]] = field(factory=dict, repr=False)
    versions: Mapping[fe.ResourceRef, int] = field(factory=dict, repr=False)
    horizons: Mapping[str, int] = field(factory=dict, repr=False)

    @property
    def is_known(self) -> bool:
        """Whether every kind has been listed: before, what is missing may only not have been seen."""
        return self.horizons.keys() >= SERVED.keys()

    def after(self, *changes: Change) -> State:
        """The state with these changes: what they do not touch is not computed again."""
        return _recomputed(self, _Fold(self).of(changes))

    @property
    def secrets(self) -> frozenset[fe.ResourceRef]:
        """The Secrets that policies name."""
        return self.mesh.once(_secrets, (fe.EgressPolicy,))

    def warnings(self) -> dict[fe.ResourceRef, tuple[str, str]]:
        """What is to be said of objects that have no status for it: a reason and a message."""
        refused = {
            ref: ("Invalid", refusal.message)
            for ref, refusal in self.refused.items()
            if ref.kind != fe.EgressPolicy.kind
        }
        return {ref: ("StaleRules", said) for ref, (_, said) in self.pods.items() if said} | refused

    @cached_property
    def withheld(self) -> frozenset[fe.ServiceIdentity] | None:
        """Whose published configs stay as they are, `None` for all."""
        found: set[fe.ServiceIdentity] = set()
        for ref, refusal in self.refused.items():
            concerned = refusal.withholds
            if concerned is None and ref.kind == fe.HTTPRouteGroup.kind:
                concerned = self._referring(ref)
            if concerned is None:
                return None
            found |= concerned
        return frozenset(found)

    def _referring(self, group: fe.ResourceRef) -> frozenset[fe.ServiceIdentity] | None:
        """Whom a route group concerns: the sources of what refers to it; by a split everyone who asks."""
        splits = self.mesh.kind(fe.TrafficSplit).by_namespace.get(group.namespace, ())
        if any(match.name == group.name for split in splits for match in split.spec.matches):
            return None
        policies = self.mesh.kind(fe.EgressPolicy).by_namespace.get(group.namespace, ())
        targets = self.mesh.kind(fe.TrafficTarget).by_namespace.get(group.namespace, ())
        referring: list[fe.EgressPolicy | fe.TrafficTarget] = [
            *(it for it in policies if any(match.name == group.name for match in it.spec.matches)),
            *(it for it in targets if any(rule.name == group.name for rule in it.spec.rules)),
        ]
        sources = [source for it in referring for source in it.spec.sources]
        return frozenset(
            fe.ServiceIdentity(source.name, source.namespace)
            for source in sources
            if source.kind == fe.ServiceAccount.kind and source.namespace
        )

    def reports(self, pending: Mapping[fe.ServiceIdentity, str]) -> dict[fe.ResourceRef, Status]:
        """What policies should say of themselves and do not.

        Args:
            pending: the identities whose config is not published yet, and why.
        """
        due: dict[fe.ResourceRef, Status] = {}
        findings = self._findings
        waiting = {(who.name, who.namespace): why for who, why in pending.items()}
        for policy in self.mesh.kind(fe.EgressPolicy):
            due[policy.ref] = _status_of(policy, waiting, findings.get(policy.ref, ()))
        for ref, refusal in self.refused.items():
            if ref.kind == fe.EgressPolicy.kind:
                due[ref] = Status("invalid", refusal.message)
        return {ref: it for ref, it in due.items() if not it.is_in(self.statuses.get(ref, {}))}

    @cached_property
    def _findings(self) -> Mapping[fe.ResourceRef, tuple[str, ...]]:
        found: dict[fe.ResourceRef, dict[str, None]] = {}
        for workload in self.workloads.values():
            for it in workload.policy.findings:
                found.setdefault(it.rule.resource, {})[f"{it.code}: {it.message}"] = None
        return {ref: tuple(texts) for ref, texts in found.items()}


def _secrets(mesh: fe.Snapshot) -> frozenset[fe.ResourceRef]:
    certificates = (
        (policy.namespace, source.mtls.cert.secret)
        for policy in mesh.kind(fe.EgressPolicy)
        for source in policy.spec.sources
        if source.mtls is not None and source.mtls.cert is not None
    )
    return frozenset(
        fe.ResourceRef(fe.Secret.kind, secret.namespace or home, secret.name)
        for home, secret in certificates
        if secret is not None and secret.name
    )


def _recomputed(before: State, state: State) -> State:
    """The configs of a changed mesh; there are none before it is known."""
    if not state.is_known or (before.is_known and state.mesh is before.mesh):
        return state
    known = before.workloads
    workloads = {
        who: known[who].after(state.mesh) if who in known else fe.Workload.of(state.mesh, who)
        for who in state.mesh.identities()
    }
    codebases = {
        who: before.codebases[who] if workload is known.get(who) else _files_of(state, who, workload)
        for who, workload in workloads.items()
    }
    return evolve(state, workloads=workloads, codebases=codebases, pods=_pods(before, state))


_TELLING = (fe.MeshConfig, fe.Namespace)
"""What the lists of pods that start now hang on, besides the pods themselves."""


def _pods(before: State, state: State) -> Pods:
    """What there is to say of each pod; of those that are as they were nobody is asked again."""
    mesh = state.mesh
    is_same = all(mesh.kind(kind) is before.mesh.kind(kind) for kind in _TELLING)
    known = before.pods if is_same else {}
    pods = {pod.ref: pod for pod in mesh.kind(fe.Pod)}
    old = {ref for ref, pod in pods.items() if ref in known and known[ref][0] is pod}
    telling = (it for kind in _TELLING for it in mesh.kind(kind))
    asked = fe.Snapshot.of((*telling, *(pod for ref, pod in pods.items() if ref not in old)))
    found = fe.lint(asked, identities=(), only=(fe.Code.STALE_RULES,), sidecar=False)
    said = {it.rule.resource: f"{it.code.code}: {it.message}; shown by {it.witness}" for it in found}
    return {ref: known[ref] if ref in old else (pod, said.get(ref, "")) for ref, pod in pods.items()}


def _files_of(state: State, who: fe.ServiceIdentity, workload: fe.Workload) -> Mapping[str, bytes]:
    if state.enforce:
        return fe.pipy_codebase(state.mesh, who, enforce=True)
    config = workload.config
    return {config.file_name: config.to_gzip() if config.compressed else config.to_json()}


def _status_of(
    policy: fe.EgressPolicy, pending: Mapping[tuple[str, str], str], findings: Iterable[str]
) -> Status:
    for source in policy.spec.sources if pending else ():
        why = pending.get((source.name, source.namespace))
        if why is not None and source.kind == fe.ServiceAccount.kind:
            return Status("pending", why)
    return Status("published", "\n".join(findings))


def read(document: Mapping[str, Any]) -> Any:
    """The resource of an object.

    Raises:
        LoadError: with everything that is wrong with it.
    """
    return next(iter(fe.load(bare(document))))


class _Fold:
    """The tables of a state while changes are put into it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.put: dict[fe.ResourceRef, Any] = {}
        self.gone: set[fe.ResourceRef] = set()
        self.refused = dict(state.refused)
        self.statuses = dict(state.statuses)
        self.versions = dict(state.versions)
        self.horizons = dict(state.horizons)

    def of(self, changes: Iterable[Change]) -> State:
        for change in changes:
            if isinstance(change, Listed):
                self.listed(change)
            elif self.is_news(change.document, self.horizons.get(change.document["kind"], 0)):
                self.take(change)
        mesh = self.state.mesh
        if self.put:
            mesh = mesh.with_(*self.put.values())
        if self.gone:
            mesh = mesh.without(*self.gone)
        return evolve(
            self.state,
            mesh=mesh,
            refused=self.refused,
            statuses=self.statuses,
            versions=self.versions,
            horizons=self.horizons,
        )

    def is_news(self, document: Mapping[str, Any], horizon: int) -> bool:
        version = version_of(document)
        return version > max(horizon, self.versions.get(ref_of(document), 0))

    def take(self, change: Seen | Gone) -> None:
        ref = ref_of(change.document)
        self.versions[ref] = version_of(change.document)
        if isinstance(change, Gone):
            self.drop(ref)
        else:
            self.see(ref, change.document)

    def drop(self, ref: fe.ResourceRef) -> None:
        self.put.pop(ref, None)
        if self.current(ref) is not None:
            self.gone.add(ref)
        self.refused.pop(ref, None)
        self.statuses.pop(ref, None)

    def see(self, ref: fe.ResourceRef, document: Mapping[str, Any]) -> None:
        if is_over(document):
            self.drop(ref)
            return
        if ref.kind == fe.EgressPolicy.kind:
            self.statuses[ref] = document.get("status") or {}
        try:
            resource = read(document)
        except fe.LoadError as error:
            self.refused[ref] = Refusal(error.problems, self.withheld_by(ref, document))
            if ref.kind != fe.Pod.kind:
                return
            resource = _elsewhere(document)
        else:
            self.refused.pop(ref, None)
        self.gone.discard(ref)
        if self.current(ref) != resource:
            self.put[ref] = resource

    def withheld_by(
        self, ref: fe.ResourceRef, document: Mapping[str, Any]
    ) -> frozenset[fe.ServiceIdentity] | None:
        """Whom an object holds that has never been seen good, and was there before this controller."""
        if ref in self.refused:
            return self.refused[ref].withholds
        is_old = ref.kind not in self.state.horizons and self.current(ref) is None
        return _concerned(document) if is_old else frozenset()

    def current(self, ref: fe.ResourceRef) -> Any:
        known = self.state.mesh.kind(CLASSES[ref.kind]).get(ref.namespace, ref.name)
        return self.put.get(ref, known)

    def listed(self, change: Listed) -> None:
        if change.version <= self.horizons.get(change.kind, -1):
            return
        listed = {ref_of(document): document for document in change.documents}
        for document in listed.values():
            if self.is_news(document, 0):
                self.take(Seen(document))
        old = [
            ref
            for ref, version in self.versions.items()
            if ref.kind == change.kind and version <= change.version and ref not in listed
        ]
        for ref in old:
            del self.versions[ref]
            self.drop(ref)
        self.horizons[change.kind] = change.version


def _elsewhere(document: Mapping[str, Any]) -> fe.Pod:
    """A pod that nothing can be said of but where it is, and which services it stands behind."""
    metadata = {key: value for key, value in document["metadata"].items() if key != "annotations"}
    status = document.get("status", {})
    account = document.get("spec", {}).get("serviceAccountName", "default")
    whole = {**document, "metadata": metadata, "status": status, "spec": {"serviceAccountName": account}}
    found: fe.Pod = read(whole)
    return found


_WITH_SOURCES = (fe.EgressPolicy.kind, fe.TrafficTarget.kind)


def _concerned(document: Mapping[str, Any]) -> frozenset[fe.ServiceIdentity] | None:
    """Whom an object that cannot be read concerns: its sources where it has some; of anything else, everyone.

    A template has no say in any config, and a pod only by where it is, which is known.
    """
    if document["kind"] in HOSTS:
        return frozenset()
    spec = document.get("spec")
    if document["kind"] not in _WITH_SOURCES or not isinstance(spec, Mapping):
        return None
    try:
        return frozenset(
            fe.ServiceIdentity(source["name"], source["namespace"])
            for source in spec["sources"]
            if source["kind"] == fe.ServiceAccount.kind
        )
    except (fe.InvalidValue, KeyError, TypeError):
        return None
