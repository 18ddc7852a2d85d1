"""What traffic teaches: policies that allow it, and what is proven about them before anyone applies them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from attrs import evolve, field

from ..answers.comparison import ALTERATION, Alteration, Effect, MeshDiff, diff
from ..connections.decision import Decision, Verdict
from ..connections.findings import Finding, Findings
from ..linting import lint
from ..manifests.dump import dump_yaml
from ..manifests.writing import to_mapping
from ..replaying import Decider
from ..replaying.streaming import streamed
from ..replaying.tally import Summary
from ..resources.checks import is_address
from ..resources.egress import EgressPolicy
from ..resources.resource import Resource
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.counting import many
from ..values.net import Address
from ..values.notebook import Shown, Table
from ..values.pages import curve, page, section
from ..values.secrecy import Discreet
from ..values.times import spelled_time
from .choosing import Learner, Prover
from .documents import Grant, documents
from .evidence import Evidence, Need
from .grants import Manner, granted, own_addresses
from .openings import Opening, openings_of
from .readiness import CLOSED, LastSeen, Readiness, decisions_of, readiness_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.context import BaseContext

    from ..replaying.logs import Log
    from ..replaying.streaming import Partitions

__all__ = ["Lesson", "Remark", "lesson_of"]

IN_FORCE = {"spec": {"featureFlags": {"enableEgressPolicy": True}}}
ALIKE = 3  # names below one domain, from which on people wish for a wildcard


@frozen
class Remark:
    """Something about what was seen that people should know before they apply the documents.

    Attributes:
        about: what it is, in a word.
        text: in a sentence.
        count: how many records it concerns.
    """

    about: str
    text: str
    count: int

    def to_mapping(self) -> dict[str, Any]:
        """The remark for machines."""
        return {"about": self.about, "text": self.text, "count": self.count}

    def __str__(self) -> str:
        return f"{self.about}: {self.text} ({many(self.count, 'record')})"


@frozen(repr=False)
class Lesson(Discreet, Shown):
    """What logs teach about a mesh.

    Attributes:
        mesh: today's mesh.
        evidence: what was seen.
        resources: the policies and route groups that allow it, in canonical order.
        grants: what they grant.
        remarks: what people should know.
        openings: what each grant opens beyond what was seen, smallest first.
        readiness: whether it is time to close, for the mesh and for each account.
        manner: how needs became grants.
        refused: needs that no policy can grant, and why.
        counted_by: what decided which records count.
        replayed: what became of each record that counts, with the documents and passthrough off; None before
            `proven`.
    """

    mesh: Snapshot
    evidence: Evidence
    resources: tuple[Resource, ...]
    grants: tuple[Grant, ...]
    remarks: tuple[Remark, ...]
    openings: tuple[Opening, ...]
    readiness: tuple[Readiness, ...]
    manner: Manner
    refused: Mapping[Need, str] = field(repr=False)
    counted_by: Learner = field(repr=False)
    replayed: Summary | None = None

    def proven(
        self, logs: Iterable[Log] | Partitions, *, workers: int = 1, context: BaseContext | None = None
    ) -> Lesson:
        """The lesson with the proof of it: the same logs, replayed with the documents and passthrough off.

        Without that, the proof is that one record of each need is allowed (`decisions`).

        Args:
            logs: those that it was learned from, opened anew.
            workers: how many processes share the work.
            context: how worker processes are started; by default they are spawned.

        Raises:
            InvalidValue: a CSV or Parquet lacks a column.
        """
        today = self.counted_by.decider
        both = evolve(self.counted_by, decider=Decider(self.mesh, self.closed, today.layout))
        return evolve(self, replayed=Summary.of(streamed(Prover(both), logs, workers, context)))

    @cached_property
    def after(self) -> Snapshot:
        """Today's mesh with the documents, passthrough as it is."""
        return self.mesh.patched(IN_FORCE).with_(*self.resources)

    @cached_property
    def closed(self) -> Snapshot:
        """The mesh with the documents, and passthrough off."""
        return self.mesh.patched(CLOSED).with_(*self.resources)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts whose records count."""
        return tuple(sorted({need.identity for need in self.evidence.seen}))

    @cached_property
    def decisions(self) -> Mapping[Need, Decision]:
        """What is decided for each need once passthrough is off: the proof that all is allowed."""
        return dict(decisions_of(self.closed, self.evidence))

    @cached_property
    def denied(self) -> tuple[Need, ...]:
        """What was seen and would be denied all the same; nothing but what no policy can grant."""
        return tuple(
            need for need, decision in self.decisions.items() if decision.verdict is not Verdict.EGRESS_POLICY
        )

    @property
    def allowed(self) -> int:
        """How many records would be allowed, by a policy, once passthrough is off."""
        return self.evidence.counted - sum(self.evidence.seen[need].count for need in self.denied)

    @cached_property
    def opened(self) -> MeshDiff:
        """All that the documents allow once passthrough is off, exactly, whether it was seen or not."""
        return diff(self.mesh.patched(CLOSED), self.closed, self.accounts)

    @cached_property
    def changes(self) -> MeshDiff:
        """What changes as soon as the documents are applied, while passthrough is as it is."""
        return diff(self.mesh, self.after, self.accounts)

    @cached_property
    def findings(self) -> Findings:
        """What is amiss with the documents, and where the stock sidecar lets more through."""
        made = {resource.ref for resource in self.resources}
        found: Iterable[Finding] = lint(self.closed, identities=self.accounts)
        return Findings(it for it in found if it.rule is not None and it.rule.resource in made)

    def to_documents(self) -> list[dict[str, Any]]:
        """The documents, as `kubectl apply` takes them."""
        return [to_mapping(resource) for resource in self.resources]

    def to_yaml(self) -> str:
        """The documents as YAML.

        Raises:
            MissingExtra: PyYAML is not installed.
        """
        return dump_yaml(self.resources)

    @property
    def proof(self) -> str:
        """What the replay has shown, in a line; that there was none."""
        if self.replayed is None:
            return "Not replayed: of each need one record is allowed, or no policy can allow it"
        total = self.replayed.connections
        allowed = total - self.still_denied
        return f"Replayed with enableEgress off: {allowed} of {total} records are allowed, each by a policy"

    @property
    def still_denied(self) -> int:
        """How many records the replay has shown not to be allowed by a policy."""
        counts = {} if self.replayed is None else self.replayed.counts
        return sum(count for ruling, count in counts.items() if ruling.verdict is not Verdict.EGRESS_POLICY)

    @property
    def headline(self) -> str:
        """What was learned, in a line."""
        policies = sum(isinstance(it, EgressPolicy) for it in self.resources)
        rest = self.evidence.counted - self.allowed
        more = f", {rest} that no policy can allow" if rest else ""
        of_all = many(self.evidence.counted, "connection")
        whose = many(len(self.accounts), "account")
        do = "allows" if policies == 1 else "allow"
        return f"{many(policies, 'policy')} {do} {self.allowed} of {of_all} of {whose}{more}"

    def table(self) -> Table:
        """What a notebook shows of it: each grant with what it opens beyond what was seen."""
        rows = tuple((str(opening), ", ".join(opening.grant.accounts)) for opening in self.openings)
        return Table(self.headline, ("opens", "for"), rows)

    def _repr_html_(self) -> str:
        return f"{super()._repr_html_()}{self._curve}"

    @property
    def _curve(self) -> str:
        """How the destinations became known, as a picture."""
        return curve(self.readiness[0].curve, "destinations known, by time")

    def as_page(self) -> str:
        """The report for the people who must agree: one HTML file, no script, nothing from elsewhere.

        Raises:
            MissingExtra: PyYAML is not installed.
        """
        findings = self.findings.table()
        ready = [
            (it.account or "the mesh", "ready" if it.ready else "not ready", str(it)) for it in self.readiness
        ]
        last = [(it.destination, spelled_time(it.first)) for it in self.came_last]
        counts = sorted(self.evidence.left_out.items())
        return page(
            "Egress: from open to closed",
            "From open to closed",
            f"{self.headline}. {self.proof}.",
            section("Records", ("records", "what of them"), self._records(counts)),
            section("What the policies open", ("opens", "for"), self.table().rows),
            section("What to know", ("about", "what", "records"), [_remark_row(it) for it in self.remarks]),
            section(
                "Denied at once, though passthrough is on", ALTERATION, [it.row for it in self.denied_at_once]
            ),
            section("Is it time to close?", ("account", "ready", "why"), ready),
            self._curve,
            section("What came up last", ("destination", "since"), last),
            section("Findings", findings.columns, findings.rows),
            f"<h2>The documents</h2><pre>{escape(self.to_yaml())}</pre>",
        )

    def _records(self, counts: Iterable[tuple[str, int]]) -> list[tuple[str, str]]:
        counted = (str(self.evidence.counted), "count, as no policy allows them yet")
        return [(str(self.evidence.read), "read"), counted, *((str(count), why) for why, count in counts)]

    @property
    def came_last(self) -> tuple[LastSeen, ...]:
        """The destinations that came up last: of the mesh, then of each account that is not ready."""
        mesh, *accounts = self.readiness
        of_accounts = (last for it in accounts if not it.ready for last in it.last)
        return tuple(dict.fromkeys((*mesh.last, *of_accounts)))

    @property
    def denied_at_once(self) -> tuple[Alteration, ...]:
        """What passes through today and is denied as soon as the documents are applied.

        A policy claims its port, or its ranges there: what it does not allow passes through no longer.
        """
        return tuple(it for it in self.changes.changes if it.effect is Effect.DENIED)

    def to_mapping(self) -> dict[str, Any]:
        """The lesson for machines."""
        return {
            "records": {
                "read": self.evidence.read,
                "counted": self.evidence.counted,
                "left_out": dict(sorted(self.evidence.left_out.items())),
            },
            "documents": self.to_documents(),
            "allowed": self.allowed,
            "replayed": None if self.replayed is None else self.replayed.to_mapping(),
            "denied": [
                {
                    "need": str(need),
                    "count": self.evidence.seen[need].count,
                    "why": self.refused.get(need, str(self.decisions[need])),
                }
                for need in self.denied
            ],
            "remarks": [remark.to_mapping() for remark in self.remarks],
            "openings": [opening.to_mapping() for opening in self.openings],
            "opened": self.opened.to_mapping(),
            "changes": self.changes.to_mapping(),
            "findings": [finding.to_mapping() for finding in self.findings],
            "readiness": [one.to_mapping() for one in self.readiness],
        }

    def __str__(self) -> str:
        return self.headline

    def __repr__(self) -> str:
        return f"<Lesson: {self.headline}>"


def lesson_of(
    learner: Learner, evidence: Evidence, manner: Manner, *, seen_at_least: int = 1, hold_out: float = 0.2
) -> Lesson:
    """What evidence teaches about a mesh.

    Args:
        learner: today's mesh, and which records count.
        evidence: what was seen.
        manner: how needs become grants.
        seen_at_least: how often a destination must have been seen to be granted.
        hold_out: which share of the records, the last ones, the policies of the others are tried on.

    Raises:
        InvalidValue: an account's addresses on a port lie too far apart for the ranges that it may have.
    """
    mesh = learner.decider.mesh
    rare = _rare(evidence, seen_at_least)
    learned = granted(evidence.seen.keys() - rare, manner, own_addresses(mesh))
    refused = {**learned.refused, **dict.fromkeys(rare, f"seen less than {seen_at_least} times")}
    resources = documents(learned.grants, ((it.kind, it.namespace, it.name) for it in mesh))
    return Lesson(
        mesh,
        evidence,
        resources,
        learned.grants,
        tuple(_remarks(evidence, refused)),
        tuple(sorted(openings_of(learned))),
        readiness_of(mesh, evidence, manner, hold_out),
        manner,
        refused,
        learner,
    )


def _remark_row(remark: Remark) -> tuple[str, str, str]:
    return remark.about, remark.text, str(remark.count)


def _rare(evidence: Evidence, seen_at_least: int) -> frozenset[Need]:
    counts: Counter[tuple[str, int, str]] = Counter()
    for need, seen in evidence.seen.items():
        counts[need.destination] += seen.count
    return frozenset(need for need in evidence.seen if counts[need.destination] < seen_at_least)


def _remarks(evidence: Evidence, refused: Mapping[Need, str]) -> Iterator[Remark]:
    """What people should know about what was seen, in order."""
    why: Counter[str] = Counter()
    for need, reason in refused.items():
        why[f"{need}: {reason}"] += evidence.seen[need].count
    yield from (Remark("not granted", text, count) for text, count in sorted(why.items()))
    for (host, server_name), count in sorted(evidence.unlike.items()):
        text = f"requests for `{host}` in connections to the server name `{server_name}`"
        yield Remark("a Host that is not the server name", text, count)
    if evidence.lost:
        text = "whoever wrote the logs left records out: what was in them may be denied"
        yield Remark("records that are not in the logs", text, evidence.lost)
    named = {need: seen.count for need, seen in evidence.seen.items() if need.name}
    yield from _literal_hosts(named)
    yield from _many_names(named)
    yield from _wildcards(named)


def _literal_hosts(named: Mapping[Need, int]) -> Iterator[Remark]:
    counts: Counter[str] = Counter()
    for need, count in named.items():
        if is_address(need.name):
            counts[need.name] += count
    for name, count in sorted(counts.items()):
        yield Remark("a host that is an address", f"`{name}` is asked for by its address", count)


def _many_names(named: Mapping[Need, int]) -> Iterator[Remark]:
    names: dict[int, Counter[str]] = defaultdict(Counter)
    for need, count in named.items():
        names[need.address][need.name] += count
    alike: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    for key, counts in names.items():
        if len(counts) > 1:
            alike[tuple(sorted(counts))][key] = sum(counts.values())
    for found, counted in sorted(alike.items()):
        first = Address.from_key(min(counted))
        where = f"{first} has" if len(counted) == 1 else f"{first} and {len(counted) - 1} more addresses have"
        text = f"{where} the names {', '.join(found)}: no range could tell them apart"
        yield Remark("one address with many names", text, sum(counted.values()))


def _wildcards(named: Mapping[Need, int]) -> Iterator[Remark]:
    below: dict[str, Counter[str]] = defaultdict(Counter)
    for need, count in named.items():
        if need.name.count(".") > 1 and not is_address(need.name):
            below[need.name.partition(".")[2]][need.name] += count
    for domain, found in sorted(below.items()):
        if len(found) >= ALIKE:
            text = f"{len(found)} names below `{domain}` are granted one by one: FSM knows no `*.{domain}`"
            yield Remark("a wildcard that FSM does not have", text, sum(found.values()))
