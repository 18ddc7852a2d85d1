"""Tests of policies are run: each connection decided, and compared with what is expected of it."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from attrs import evolve, field

from ..answers.comparison import Effect, effect_of
from ..connections.decision import Decision
from ..connections.findings import Finding, stated
from ..engine import Engine
from ..explanation import Explanation, explain
from ..interception.kinds import alike
from ..resolution import resolve
from ..resolution.everyone import unnamed
from ..resources.meshconfig import NO_MESH, Defaults, MeshConfig
from ..resources.subjects import Subject, Unnamed
from ..snapshot import Snapshot, load
from ..values.construction import frozen
from ..values.errors import LoadError, Problem
from ..values.notebook import Shown, Table
from ..values.references import Mark
from ..values.typed import all_of
from .coverage import Coverage, Part, parts_decided, parts_of
from .document import Expected, MeshSource, PolicyTest, PolicyTests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..connections.connection import Connection
    from ..values.references import FieldRef

__all__ = ["TestReport", "TestResult", "run_tests"]


@frozen
class TestResult:
    """What came of a test.

    Attributes:
        failures: what was expected, and what came instead; none where the test has passed.
        explanations: why the connection fares so, in the mesh and in the other one where that is asked about;
            none where the test has passed.
    """

    __test__ = False  # it is no test of pytest's

    test: PolicyTest
    decision: Decision
    failures: tuple[str, ...] = ()
    explanations: tuple[Explanation, ...] = field(default=(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.failures

    def lines(self) -> Iterator[str]:
        """What failed, and why the connection fares so."""
        test = self.test
        yield f"{test.name} ({test.location}): {test.identity} to {test.connection}"
        yield from (f"  {failure}" for failure in self.failures)
        for explanation in self.explanations:
            yield ""
            yield from (f"  {line}".rstrip() for line in str(explanation).split("\n"))

    def to_mapping(self) -> dict[str, Any]:
        """The result for machines."""
        return {
            "name": self.test.name,
            "source": self.test.location,
            "identity": str(self.test.identity),
            "connection": self.test.connection.to_shown(),
            "passed": self.passed,
            "failures": list(self.failures),
            "decision": self.decision.to_mapping(self.test.connection),
            "explanations": [it.to_mapping() for it in self.explanations],
        }


@frozen
class TestReport(Shown):
    """What came of all tests, and what they have covered.

    Attributes:
        unnamed: those whom tests are about, and whom no document of their meshes names.
        notes: which MeshConfig was taken where the documents of a mesh have none or several.
        conditions: what the meshes use and is not modelled: the results stand under these.
    """

    __test__ = False  # ditto

    results: tuple[TestResult, ...]
    coverage: Coverage
    unnamed: tuple[Unnamed, ...] = ()
    notes: tuple[str, ...] = ()
    conditions: tuple[Finding, ...] = field(default=(), kw_only=True)

    def table(self) -> Table:
        """What a notebook shows of it."""
        rows = tuple(
            (
                "passed" if it.passed else "failed",
                it.test.name,
                str(it.test.connection),
                str(it.decision),
                "; ".join(it.failures) or "-",
            )
            for it in self.results
        )
        headline = (
            f"{len(self.results)} tests, {len(self.failed)} failed, {self.coverage.percent:.0f} % covered"
        )
        return Table(headline, ("result", "test", "connection", "decision", "failures"), rows)

    @property
    def failed(self) -> tuple[TestResult, ...]:
        """The tests that have failed."""
        return tuple(result for result in self.results if not result.passed)

    def to_mapping(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "passed": len(self.results) - len(self.failed),
            "failed": len(self.failed),
            "results": [result.to_mapping() for result in self.results],
            "coverage": self.coverage.to_mapping(),
            **({"unnamed": list(map(str, self.unnamed))} if self.unnamed else {}),
            **stated(self.conditions),
        }


def run_tests(
    files: Iterable[PolicyTests], *, strict_names: bool = False, defaults: Defaults | str | None = None
) -> TestReport:
    """Run the tests of these files; each mesh is read once.

    Args:
        files: what `read_tests` has read.
        strict_names: whether a test about an account that no document of its meshes names is an error.
        defaults: what is assumed of a mesh without a MeshConfig, `fsm` or `chart`; None for FSM's defaults
            with a note, and for documents without any resource being an error.

    Raises:
        LoadError: the documents of a mesh are not valid; or, with `strict_names`, no document names somebody.
        PatchError: what is changed of it cannot be.
        MissingExtra: they are YAML, and PyYAML is not installed.
    """
    mesh_of = lru_cache(maxsize=None)(partial(_load, is_needed=defaults is None))
    meshes: dict[int, Snapshot] = {}
    decided: list[Part] = []
    results: list[TestResult] = []
    names: dict[Unnamed, list[PolicyTest]] = {}
    notes: dict[str, None] = {}
    conditions: dict[Finding, None] = {}
    for file in all_of(PolicyTests, files, "files"):
        read, assumed = mesh_of(file.mesh.paths), defaults or Defaults.FSM
        mesh, after = _changed(read.with_defaults(assumed), file.mesh), None
        noted = [*_notes(mesh, is_asked_for=defaults is None)]
        if file.after is not None:
            later = mesh_of(file.after.paths)
            if len(read.kind(MeshConfig)) and not len(later.kind(MeshConfig)):
                noted.append(_INHERITED)
                later = later.with_(*mesh.kind(MeshConfig))
            after = _changed(later.with_defaults(assumed), file.after)
            noted += _notes(after, is_asked_for=defaults is None)
        notes.update(dict.fromkeys(f"{file.document}: {note}" for note in noted))
        sides = [_Side(mesh), *([] if after is None else [_Side(after)])]
        meshes.update((id(side.mesh), side.mesh) for side in sides)
        for name in unnamed({test.identity: None for test in file.tests}, *(side.mesh for side in sides)):
            names.setdefault(name, []).extend(test for test in file.tests if test.identity == name.subject)
        if strict_names and names:
            continue  # they are all told at once
        for test in file.tests:
            told = [
                _told(test, subject, sides)
                for subject in alike([test.identity], *(side.mesh for side in sides))
            ]
            results.append(_result(test, told))
            for it in told:
                for side, decision in zip(sides, it.decisions, strict=True):
                    conditions.update(dict.fromkeys(decision.conditions))
                    decided.extend(parts_decided(side.mesh, test.connection, decision))
    if strict_names and names:
        raise LoadError(_misnamed(name, test) for name, tests in names.items() for test in tests)
    parts = (part for mesh in meshes.values() for part in parts_of(mesh))
    covered = Coverage.of(parts, decided)
    return TestReport(tuple(results), covered, tuple(names), tuple(notes), conditions=tuple(conditions))


_INHERITED = "no MeshConfig among the documents of `after`: that of the mesh is taken"


def _notes(mesh: Snapshot, *, is_asked_for: bool) -> Iterator[str]:
    """Which MeshConfig is taken, where that is not plain; that none is there, where it is asked for."""
    configs = [str(config.ref) for config in mesh.kind(MeshConfig)]
    if not configs and is_asked_for:
        yield "no MeshConfig among the documents of the mesh: FSM's defaults are assumed"
    elif len(configs) > 1:
        others = ", ".join(name for name in configs if name != str(mesh.mesh_config.ref))
        yield f"{mesh.mesh_config.ref} is taken, and {others} counts for nothing"


def _misnamed(name: Unnamed, test: PolicyTest) -> Problem:
    return Problem(
        "an account that a document of the mesh names, or `any other account`",
        f"`{name.subject}`",
        "as",
        document=test.document,
        mark=None if test.line is None else Mark(test.line, 1),
        proposal=str(name.nearest) if name.nearest else None,
    )


def _load(paths: tuple[str, ...], *, is_needed: bool) -> Snapshot:
    """The mesh of some documents; documents without any resource are none, where it is needed."""
    mesh = load(*map(PurePath, paths))  # as a name that holds a line break would be a text
    if is_needed and not len(mesh):
        raise LoadError([evolve(NO_MESH, document=paths[0])])
    return mesh


def _changed(mesh: Snapshot, source: MeshSource) -> Snapshot:
    for patch in source.patches:
        mesh = mesh.patched(patch)
    for setting in source.settings:
        mesh = mesh.helm_set(setting)
    return mesh


class _Side:
    """A mesh, with the engine of each subject that is asked about."""

    def __init__(self, mesh: Snapshot) -> None:
        self.mesh = mesh
        self.engine: Callable[[Subject], Engine] = lru_cache(maxsize=None)(self._compiled)

    def _compiled(self, subject: Subject) -> Engine:
        return Engine.compile(resolve(self.mesh, subject))


@frozen
class _Told:
    """What was decided about a test's connection for some of the pods, and in what it is not as expected."""

    subject: Subject
    decisions: tuple[Decision, ...]
    failures: tuple[str, ...]
    explanations: tuple[Explanation, ...]


def _result(test: PolicyTest, told: Sequence[_Told]) -> TestResult:
    """The result of a test: it has passed where it has for every kind of pods."""
    if len(told) == 1:
        return TestResult(test, told[0].decisions[0], told[0].failures, told[0].explanations)
    first = next((it for it in told if it.failures), told[0])
    return TestResult(
        test,
        first.decisions[0],
        tuple(f"{it.subject}: {failure}" for it in told for failure in it.failures),
        tuple(explanation for it in told for explanation in it.explanations),
    )


def _told(test: PolicyTest, subject: Subject, sides: list[_Side]) -> _Told:
    decisions = tuple(side.engine(subject).classify(test.connection) for side in sides)
    failures = list(_unlike(test.expected, decisions[0], test.connection))
    asked = [sides[0]] if failures else []
    if test.changes is not None:
        before, after = decisions
        found = effect_of(before, after)
        changed = found is not None and found is not Effect.ATTRIBUTED
        if test.changes not in {found, changed}:
            failures.append(f"changes: expected {_spoken(test.changes)}, found {_spoken(found or False)}")
            asked = sides
    if test.after is not None:
        later = [f"after: {failure}" for failure in _unlike(test.after, decisions[1], test.connection)]
        failures.extend(later)
        asked = sides if later else asked
    explanations = tuple(explain(side.mesh, subject, test.connection) for side in asked)
    return _Told(subject, decisions, tuple(failures), explanations)


def _spoken(effect: Effect | bool) -> str:
    return f"`{str(effect).lower()}`"


def _unlike(expected: Expected, decision: Decision, connection: Connection) -> Iterator[str]:
    """In what a decision is not as expected."""
    targets = sorted(target.address(connection) for target in decision.targets)
    pairs: tuple[tuple[str, object, object, bool], ...] = (
        ("verdict", expected.verdict, decision.verdict, expected.verdict is decision.verdict),
        ("reason", expected.reason, decision.reason, expected.reason is decision.reason),
        ("rule", expected.rule, _named(decision.rule), expected.rule in _names(decision.rule)),
        ("route", expected.route, _named(decision.route), expected.route in _names(decision.route)),
        ("target", _listed(expected.targets), _listed(targets), sorted(expected.targets or ()) == targets),
        ("status", expected.status, decision.status, expected.status == decision.status),
    )
    for name, wanted, found, is_alike in pairs:
        if wanted is not None and not is_alike:
            yield f"{name}: expected `{wanted}`, found {'none' if found is None else f'`{found}`'}"


def _listed(targets: Iterable[str] | None) -> str | None:
    return None if targets is None else ", ".join(sorted(targets)) or None


def _named(field_: FieldRef | None) -> str | None:
    return str(field_) if field_ else None


def _names(field_: FieldRef | None) -> tuple[str, ...]:
    """What a field may be called in a test."""
    return (str(field_.resource), f"{field_.resource} {field_.path}") if field_ else ()
