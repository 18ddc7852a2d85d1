"""The command that learns policies from logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..connections.decision import Verdict
from ..learning import learn as learn_from
from ..manifests.dump import dump_yaml
from ..resources.checks import is_range, prefixes
from ..values.counting import many
from ..values.errors import InvalidValue
from ..values.times import read_time, spelled_time
from .endings import end, stop, stopping_without_workers
from .files import write_folder
from .help import examples
from .logs import Logs, log_options
from .mesh import Documents, mesh_beside_logs_options, remarks, say_conditions
from .options import as_option, output_option, workers_option
from .output import print_objects, progress_by_bytes, say, why
from .problems import print_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..learning.lessons import Lesson
    from ..resources.resource import ServiceIdentity
    from ..values.net import Prefix

__all__ = ["learn"]

VERDICTS: dict[str, tuple[Verdict, ...]] = {
    "passthrough": (Verdict.PASSTHROUGH,),
    "denied": (Verdict.DENIED,),
    "both": (Verdict.PASSTHROUGH, Verdict.DENIED),
}


def _moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else read_time(value)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from None


def _about(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> frozenset[str | int]:
    for value in values:
        if is_range(value):
            raise click.BadParameter(str(InvalidValue.of("an account, a host, an address or a port", value)))
    return frozenset(int(value) if value.isdecimal() else value.lower() for value in values)


def _prefixes(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[Prefix, ...]:
    try:
        return prefixes(values)
    except InvalidValue as error:
        problem = evolve(error.problems[0], path="", reason=None)  # what is said of policies is not of these
        raise click.BadParameter(str(problem)) from None


@click.command(
    epilog=examples(
        "fsm-egress learn -f mesh/ access.jsonl",
        "fsm-egress learn -f mesh/ -O policies/ --routes --ranges 8 logs/*.jsonl",
        "fsm-egress learn -f mesh/ --verdict denied -o yaml access.jsonl | kubectl apply -f -",
        "fsm-egress learn -f mesh/ -o page access.parquet > report.html",
    ),
)
@mesh_beside_logs_options
@log_options
@as_option(required=False)
@click.option(
    "--verdict",
    type=click.Choice(list(VERDICTS)),
    default="passthrough",
    show_default=True,
    help="What is decided today for the connections that count.",
)
@click.option("--routes", is_flag=True, help="Allow requests by method and path, not all to a host.")
@click.option(
    "--ranges",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    metavar="K",
    help="How many address ranges an account may have on a port, at most.",
)
@click.option(
    "--widest",
    multiple=True,
    default=("0.0.0.0/24", "::/64"),
    show_default="0.0.0.0/24 ::/64",
    callback=_prefixes,
    metavar="PREFIX",
    help="A prefix as long as the shortest that a range may be; repeat for IPv6.",
)
@click.option(
    "--seen-at-least",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How often a destination must have been seen.",
)
@click.option("--since", callback=_moment, metavar="TIME", help="Leave out what is older (RFC 3339).")
@click.option("--until", callback=_moment, metavar="TIME", help="Leave out what is as new, or newer.")
@click.option(
    "--only",
    callback=_about,
    multiple=True,
    metavar="WHAT",
    help="An account, host, port, or address without a name, that counts; repeat.",
)
@click.option(
    "--without",
    callback=_about,
    multiple=True,
    metavar="WHAT",
    help="An account, host, port, or address without a name, to leave out; repeat.",
)
@click.option(
    "--hold-out",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Try the policies of the first part of the logs on this share, the last.",
)
@workers_option("work")
@click.option(
    "-O",
    "--output-folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write each document to a file of its own in this folder, in the place of those of before.",
)
@output_option("page")
def learn(
    documents: Documents,
    logs: Logs,
    identity: ServiceIdentity | None,
    verdict: str,
    output_folder: Path | None,
    output: str,
    **options: Any,
) -> None:
    """Learn policies from the connections in logs.

    They allow what the logs show and no policy allows yet.

    TLS is allowed by its server names, HTTP by its hosts, what has neither by address ranges: those that
    hold all addresses seen and open the fewest others. Existing policies stay as they are.

    The table is a report with the documents; YAML is the documents alone. The report says what is proven
    of them: that with enableEgress off all that counted is
    allowed, by a policy; what they open beyond; what is denied as soon as they are applied; and how likely
    the next connection is to a destination never seen.

    Exit code 1 if something that counted cannot be allowed by a policy, 3 if a record cannot be read.
    """
    mesh = documents.changed(documents.load())
    say_conditions(mesh)
    with stopping_without_workers():
        with progress_by_bytes(logs.size(), "reading") as advance:
            lesson = learn_from(
                mesh,
                logs.open(advance),
                columns=logs.columns,
                identity=identity,
                verdicts=VERDICTS[verdict],
                **options,
            )
        if logs.can_be_read_again:
            with progress_by_bytes(logs.size(), "proving") as advance:
                lesson = lesson.proven(logs.open(advance, again=True), workers=options["workers"])
    if output_folder:
        _write(lesson, output_folder)
    _OUTPUT[output](lesson, output_folder)
    print_problems(remarks(mesh), err=True)
    say((problem for record in lesson.evidence.first_unreadable for problem in record.problems), err=True)
    end(found=lesson.denied or lesson.still_denied, unknown=lesson.evidence.first_unreadable)


LEARNED = "# learned by fsm-egress\n"


def _write(lesson: Lesson, folder: Path) -> None:
    """Write each document to a file that is named after it; those of an earlier run are gone."""
    files = {
        f"{it.namespace}-{it.kind.lower()}-{it.name}.yaml": f"{LEARNED}{dump_yaml(it)}".encode()
        for it in lesson.resources
    }
    try:
        write_folder(folder, files, _is_learned, private=False)
    except OSError as error:
        stop(f"{folder}: cannot be written: {why(error)}")


def _is_learned(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(LEARNED)) == LEARNED.encode()


def _print_report(lesson: Lesson, folder: Path | None) -> None:
    say(_report(lesson))
    if folder is None:
        click.echo(lesson.to_yaml(), nl=False)
    else:
        say([f"{many(len(lesson.resources), 'document')} written to {folder}"])


def _report(lesson: Lesson) -> Iterator[str]:
    """What is proven, in lines."""
    evidence = lesson.evidence
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(evidence.left_out.items()))
    counts = f"{evidence.counted} count{'s' if evidence.counted == 1 else ''}"
    yield f"{many(evidence.read, 'record')}: {counts}{', ' if left_out else ''}{left_out}"
    yield lesson.headline
    yield lesson.proof
    yield from _part("They open, beyond what was seen:", lesson.openings)
    yield from _part(
        "They deny at once, though passthrough is on:",
        (f"{', '.join(map(str, it.identities))}: {it.region}" for it in lesson.denied_at_once),
    )
    yield from _part("To know:", lesson.remarks)
    yield from _part("Is it time to close?", lesson.readiness)
    came = (f"{it.destination} since {spelled_time(it.first)}" for it in lesson.came_last)
    yield from _part("What came up last:", came)
    yield from _part("Findings:", (f"{it.code.code} {it.rule}: {it.message}" for it in lesson.findings))


def _part(title: str, lines: Any) -> Iterator[str]:
    listed = [f"  {line}" for line in lines]
    if listed:
        yield title
        yield from listed


_OUTPUT: dict[str, Callable[[Lesson, Path | None], None]] = {
    "table": _print_report,
    "yaml": lambda lesson, _: click.echo(lesson.to_yaml(), nl=False),
    "json": lambda lesson, _: print_objects([lesson.to_mapping()], "json"),
    "page": lambda lesson, _: click.echo(lesson.as_page(), nl=False),
}
