"""The command about logs: replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..replaying import replay as replay_logs
from ..replaying.tally import ordered, unused_rules
from ..values.counting import many
from .endings import end, stopping_without_workers
from .help import examples
from .logs import Logs, log_options
from .mesh import Documents, later_mesh, remarks, say_conditions, two_meshes_options
from .options import as_option, output_option, workers_option
from .output import NOT_CERTAIN, Row, print_objects, print_table, progress_by_bytes, say, verdict_of
from .problems import print_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..replaying.tally import Change, Changed, Ruling, Summary
    from ..resources.resource import ServiceIdentity
    from ..values.references import FieldRef

__all__ = ["replay"]

RULING = ("count", "identity", "verdict", "reason", "rule", "route")
DENIED = ("count", "identity", "denied")
DESTINATIONS = 20  # that were denied are shown
CHANGE = ("count", "identity", "before", "after", "differs", "example")


@click.command(
    epilog=examples(
        "fsm-egress replay -f mesh.yaml -f policies/ access.jsonl",
        "fsm-egress replay -f mesh.yaml -f policies/ --after mesh.yaml --after new-policies/ logs/*.csv",
        "fsm-egress replay -f mesh/ --after-set fsm.enableEgress=true --workers 4 flows.parquet -o json",
        "fsm-egress replay -f mesh/ --as curl.curl --column destination=upstream_host"
        " --column host=authority envoy.jsonl",
    )
)
@two_meshes_options
@log_options
@as_option(required=False)
@workers_option("work")
@click.option("--strict", is_flag=True, help="Stop at the first record that cannot be read.")
@output_option()
def replay(
    documents: Documents,
    after: Documents,
    logs: Logs,
    identity: ServiceIdentity | None,
    workers: int,
    strict: bool,
    output: str,
) -> None:
    """Say what becomes of the connections in logs.

    It says by which rules, and which rules no connection uses. With another mesh, say also which
    connections would change. A log is JSON lines, CSV with a header, or Parquet. A record has an
    `identity` (`name.namespace`; else --as says it), a `destination` and a `port`, or both in
    `destination`; for HTTP `host`, `method`, `path` and `headers`, for TLS `server_name`. What is sent is
    what `sends` says as for `decide`; without it HTTP if there is a host, a method or a path, else TLS if
    there is a server name, else bytes. Null, nothing and `-` are no value.

    Exit code 1 if a connection would change, 3 if a record cannot be read: those are counted and passed
    over.
    """
    mesh = documents.changed(documents.load())
    say_conditions(mesh)
    later = later_mesh(mesh, documents, after) if after else None
    with stopping_without_workers(), progress_by_bytes(logs.size(), "replaying") as advance:
        summary = replay_logs(
            mesh,
            logs.open(advance),
            later,
            columns=logs.columns,
            identity=identity,
            workers=workers,
            strict=strict,
            incomplete=True,
        )
    unused = unused_rules(mesh, summary.counts)
    unused_after = () if later is None else unused_rules(later, summary.counts_after)
    if output != "table":
        print_objects([_summary_mapping(summary, unused, unused_after)], output)
    else:
        _print_summary(summary, unused, unused_after)
        print_problems(remarks(mesh), err=True)
    end(found=summary.changes, unknown=summary.unreadable or _without(summary))


def _print_summary(summary: Summary, unused: Iterable[FieldRef], unused_after: Iterable[FieldRef]) -> None:
    """What became of connections, what would change, and the rules that let none of them out."""
    parts = [many(summary.connections, "connection")]
    if summary.counts_after:
        parts.append(f"{summary.changed or 'none'} would change")
    if summary.unreadable:
        parts.append(f"{many(summary.unreadable, 'record')} cannot be read")
    say([", ".join(parts)])
    say(f"left out: {many(count, 'record')}, {reason}" for reason, count in summary.left_out.items())
    if summary.lost:
        say([f"not in the logs: {many(summary.lost, 'record')} that whoever wrote them left out"])
    if summary.counts:
        print_table(RULING, [_ruling_row(*counted) for counted in ordered(summary.counts)])
    if summary.denied:
        denied = summary.ordered_denied()
        print_table(DENIED, [(str(count), *whose) for whose, count in denied[:DESTINATIONS]])
        if len(denied) > DESTINATIONS:
            say([f"and {many(len(denied) - DESTINATIONS, 'more destination')} denied: -o json names them"])
    if summary.changes:
        print_table(CHANGE, [_change_row(*counted) for counted in summary.ordered_changes()])
    say(f"{NOT_CERTAIN} {text}" for text in _without(summary))
    say(f"never used: {rule}" for rule in unused)
    say(f"never used after: {rule}" for rule in unused_after)
    told = summary.first_unreadable
    say((problem for record in told for problem in record.problems), err=True)
    if len(told) < summary.unreadable:
        say([f"{many(summary.unreadable - len(told), 'more record')} cannot be read"], err=True)


def _without(summary: Summary) -> dict[str, None]:
    """What rulings hang on that could not be read."""
    rulings = (*summary.counts, *summary.counts_after)
    return dict.fromkeys(text for ruling in rulings for text in ruling.without)


def _ruling_row(ruling: Ruling, count: int) -> Row:
    rule = f"{ruling.rule} ({ruling.source})" if ruling.source else ruling.rule
    return (
        str(count),
        ruling.identity,
        verdict_of(ruling),
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


def _summary_mapping(
    summary: Summary, unused: Iterable[FieldRef], unused_after: Iterable[FieldRef]
) -> Mapping[str, Any]:
    """The same for machines."""
    rules = {"unused": unused, "unused_after": unused_after}
    return summary.to_mapping() | {
        key: [{"rule": f"{rule.resource} {rule.path}", "source": rule.location} for rule in listed]
        for key, listed in rules.items()
    }
