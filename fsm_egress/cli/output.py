"""What the command line prints: lines, JSON, a table, a file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.progress import DownloadColumn, Progress, track
from rich.table import Table
from rich.text import Text

from ..answers.comparison import ALTERATION
from ..answers.partition import PORTION
from ..connections.decision import Verdict
from ..manifests.dump import yaml_text
from ..pipy.outcome import Fate
from ..replaying.tally import ordered
from ..verification.enforceability import advice, codes_of
from ..verification.everywhere import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ..answers.comparison import MeshDiff
    from ..answers.partition import Portion
    from ..answers.reach import Way
    from ..connections.connection import Connection
    from ..connections.decision import Decision, Target
    from ..connections.findings import Code, Finding
    from ..pipy.outcome import Outcome
    from ..policytests.running import TestReport
    from ..replaying.tally import Change, Changed, Ruling, Summary
    from ..values.errors import Severity
    from ..values.references import FieldRef
    from ..verification.agreement import Disagreement, Verification

__all__ = [
    "print_alterations",
    "print_decisions",
    "print_everywhere",
    "print_findings",
    "print_objects",
    "print_outcomes",
    "print_portions",
    "print_report",
    "print_summary",
    "print_verification",
    "print_ways",
    "progress",
    "progress_by_bytes",
    "progressing",
    "say",
    "summary_mapping",
    "verification_lines",
    "why",
    "write_file",
]

T = TypeVar("T")

DECISION = ("connection", "verdict", "reason", "target", "rule")
OUTCOME = ("connection", "outcome", "target", "status", "mtls", "gateway")
RULING = ("count", "identity", "verdict", "reason", "rule", "route")
CHANGE = ("count", "identity", "before", "after", "differs", "example")
DIFFERENCE = ("connection", "decision", "due", "sidecar", "findings", "rule")
UNBROKEN = {"port", "effect", "verdict", "reason", "outcome", "status", "mtls", "findings"}
STYLES = {
    Verdict.IN_MESH.value: "cyan",
    Verdict.EGRESS_POLICY.value: "green",
    Verdict.PASSTHROUGH.value: "yellow",
    Verdict.DENIED.value: "red",
    Fate.UNKNOWN.value: "magenta",
}
UTF_8 = "utf-8"
GAP = "  "
MANY = 2  # identities from which on a progress bar is worth its place

Row: TypeAlias = tuple[str, ...]
Decided: TypeAlias = "tuple[Connection, Decision]"
Handled: TypeAlias = "tuple[Connection, Outcome]"


def say(lines: Iterable[object], *, err: bool = False) -> None:
    """Print lines at once, to standard output or standard error; what a terminal could obey is escaped."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{_printable(str(line), stream)}\n" for line in lines))
    stream.flush()


def why(error: OSError) -> str:
    """What the system says, as a phrase."""
    return (error.strerror or str(error)).lower()


def _printable(text: str, stream: TextIO) -> str:
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    encoding = stream.encoding or UTF_8  # there is none while a progress bar stands in for the stream
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_objects(objects: Iterable[Mapping[str, Any]], output: str) -> None:
    """Objects in order: a line of JSON each, or a document of YAML."""
    if output == "yaml":
        say(line for it in objects for line in yaml_text([it]).splitlines())
    else:
        say(map(json.dumps, objects))


def print_findings(findings: Iterable[Finding]) -> None:
    """Each finding, with the connection that shows it and what to do."""
    for finding in findings:
        lines = [str(finding)]
        if finding.witness:
            whose = f"{finding.identity} to " if finding.identity else ""
            lines.append(f"  shown by {whose}{finding.witness}")
        if finding.fix:
            lines.append(f"  fix: {finding.fix}")
        say(lines)


def print_decisions(decided: Iterable[Decided]) -> None:
    """The table of decisions."""
    _print_table(DECISION, [_decision_row(connection, decision) for connection, decision in decided])


def print_outcomes(handled: Iterable[Handled]) -> None:
    """The table of what a sidecar does; where balancing leads to several things, a row for each."""
    rows = [
        _outcome_row(str(connection), connection, each)
        for connection, outcome in handled
        for each in (outcome, *outcome.others)
    ]
    _print_table(OUTCOME, rows)


def print_portions(portions: Iterable[Portion]) -> None:
    """The table of what is decided about which connections."""
    _print_table(PORTION, [portion.row for portion in portions])


def print_ways(ways: Sequence[Way]) -> None:
    """The table of who reaches what."""
    if ways:
        _print_table(("identity", *PORTION), [(str(way.identity), *way.portion.row) for way in ways])


def print_alterations(found: MeshDiff) -> None:
    """What a change changes, then what is decided as before for another reason."""
    say([found.headline])
    if found.changes:
        _print_table(ALTERATION, [it.row for it in found.changes])
    if found.attributions:
        say(["the same becomes of, for another reason:"])
        _print_table(ALTERATION, [it.row for it in found.attributions])
    say(found.undecided)


def print_report(report: TestReport, *, with_coverage: bool) -> None:
    """The tests that failed, with their explanations, how many there were, and what none was decided by."""
    for result in report.failed:
        say(["FAILED " + line if index == 0 else line for index, line in enumerate(result.lines())])
        say([""])
    failed = len(report.failed)
    parts = [_many(len(report.results) - failed, "test") + " passed"]
    if failed:
        parts.append(f"{failed} failed")
    if with_coverage:
        parts.append(f"{report.coverage.percent:.0f} % covered")
        say(f"no test is decided by: {part}" for part in report.coverage.missing)
    say([", ".join(parts)])


def verification_lines(verification: Verification) -> Iterator[Mapping[str, Any]]:
    """Each difference and everything undecided as an object, in order."""
    who = {"identity": str(verification.identity)}
    for disagreement in verification.disagreements:
        codes = [code.code for code in codes_of(verification, disagreement)]
        yield who | disagreement.to_mapping() | {"findings": codes}
    for undecided in verification.undecided:
        yield who | {"connection": undecided.connection.to_mapping(), "undecided": undecided.reason}


def print_verification(verification: Verification) -> None:
    """What was compared, the table of differences, and what to do about each shortcoming behind them."""
    by_codes = [(each, codes_of(verification, each)) for each in verification.disagreements]
    own = [(each, codes) for each, codes in by_codes if not EVERYWHERE.issuperset(codes)]
    result = f"{len(own)} differ" if own else "engine and sidecar agree"
    if len(own) < len(by_codes):
        result += ", but for what is so in every mesh"
    say([f"{verification.identity}: {verification.classes} classes of connections, {result}"])
    if own:
        _print_table(DIFFERENCE, [_difference_row(each, codes) for each, codes in own])
        found = {code for _, codes in own for code in codes} - EVERYWHERE
        say(map(advice, sorted(found, key=str)))
    say(verification.undecided)


def print_everywhere(found: Mapping[Code, tuple[Severity, Connection]]) -> None:
    """What is so in every mesh: how bad it is in this one, and a connection that shows it."""
    if found:
        say(["in every mesh:"])
        for code, (severity, connection) in sorted(found.items(), key=lambda item: item[0].code):
            say([advice(code, severity), f"  shown by {connection}"])


def print_summary(summary: Summary, unused: Iterable[FieldRef], unused_after: Iterable[FieldRef]) -> None:
    """What became of connections, what would change, and the rules that let none of them out."""
    parts = [_many(summary.connections, "connection")]
    if summary.counts_after:
        parts.append(f"{summary.changed or 'none'} would change")
    if summary.unreadable:
        parts.append(f"{_many(summary.unreadable, 'record')} left out")
    say([", ".join(parts)])
    if summary.counts:
        _print_table(RULING, [_ruling_row(*counted) for counted in ordered(summary.counts)])
    if summary.changes:
        _print_table(CHANGE, [_change_row(*counted) for counted in summary.ordered_changes()])
    say(f"never used: {rule}" for rule in unused)
    say(f"never used after: {rule}" for rule in unused_after)
    told = summary.first_unreadable
    say((problem for record in told for problem in record.problems), err=True)
    if len(told) < summary.unreadable:
        say([f"{_many(summary.unreadable - len(told), 'more record')} cannot be read"], err=True)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def summary_mapping(
    summary: Summary, unused: Iterable[FieldRef], unused_after: Iterable[FieldRef]
) -> Mapping[str, Any]:
    """The same for machines."""
    rules = {"unused": unused, "unused_after": unused_after}
    return summary.to_mapping() | {
        key: [{"rule": f"{rule.resource} {rule.path}", "source": rule.location} for rule in listed]
        for key, listed in rules.items()
    }


@contextmanager
def progress_by_bytes(total: int | None, doing: str) -> Iterator[Callable[[int], object]]:
    """What is to be told of bytes that were read, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(*Progress.get_default_columns(), DownloadColumn(), console=console, transient=True) as bar:
        yield partial(bar.advance, bar.add_task(doing, total=total))


def progress(items: Sequence[T], doing: str) -> Iterable[T]:
    """The items one by one, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal or len(items) < MANY:
        return items
    return track(items, doing, console=console, transient=True)


def progressing(doing: str) -> Callable[[Sequence[T]], Iterable[T]]:
    """`progress` with what is being done."""
    return partial(progress, doing=doing)


def _print_table(columns: Row, rows: Sequence[Row]) -> None:
    """A table for people: in colour on a terminal, else aligned text that is never cut or wrapped."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(columns, rows))
    else:
        say(_aligned([tuple(map(str.upper, columns)), *rows]))


def _table(columns: Row, rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in UNBROKEN)
    for row in rows:
        table.add_row(*(Text(_printable(cell, sys.stdout), STYLES.get(cell, "")) for cell in row))
    return table


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield GAP.join(cells).rstrip()


def _outcome_row(name: str, connection: Connection, outcome: Outcome) -> Row:
    return (
        name,
        outcome.fate.value,
        _targets(connection, outcome.targets) or outcome.cause or "-",
        str(outcome.status or "-"),
        "yes" if outcome.mtls else "no",
        ", ".join(used.name for used in outcome.gateways) or "-",
    )


def _ruling_row(ruling: Ruling, count: int) -> Row:
    rule = f"{ruling.rule} ({ruling.source})" if ruling.source else ruling.rule
    return (
        str(count),
        ruling.identity,
        ruling.verdict.value,
        ruling.reason.value,
        rule or "-",
        ruling.route or "-",
    )


def _change_row(change: Change, changed: Changed) -> Row:
    return (
        str(changed.count),
        change.before.identity,
        str(change.before),
        str(change.after),
        ", ".join(change.differs),
        str(changed.examples[0]),
    )


def _difference_row(disagreement: Disagreement, codes: Iterable[Code]) -> Row:
    decision = disagreement.decision
    return (
        str(disagreement.connection),
        f"{decision.verdict} {decision.reason}",
        str(disagreement.due),
        str(disagreement.outcome),
        ",".join(code.code for code in codes),
        str(decision.rule or "-"),
    )


def _decision_row(connection: Connection, decision: Decision) -> Row:
    return (
        str(connection),
        decision.verdict.value,
        decision.reason.value,
        _outcome(connection, decision),
        str(decision.rule or "-"),
    )


def _outcome(connection: Connection, decision: Decision) -> str:
    """Where the connection goes, or how its client learns that it does not."""
    if not decision.targets:
        return f"HTTP {decision.status}" if decision.status else "closed"
    targets = _targets(connection, decision.targets)
    gateways = ", ".join(gateway.name for gateway in decision.gateways)
    return f"{targets} via {gateways}" if gateways else targets


def _targets(connection: Connection, targets: Sequence[Target]) -> str:
    """The addresses, with their weights where there are several."""
    shared = len(targets) > 1
    return ", ".join(
        f"{target.address(connection)} ({target.weight})" if shared else target.address(connection)
        for target in targets
    )


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is replaced keeps its permissions.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():  # a device or a pipe takes the bytes as they come
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:
            if path.exists():
                shutil.copymode(path, draft)
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
