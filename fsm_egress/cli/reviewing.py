"""The commands that review a mesh: verify, lint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..connections.findings import Code
from ..interception.kinds import alike
from ..outputs.github import github_findings
from ..resources.subjects import pods_told
from ..verification.agreement import verify as verify_mesh
from ..verification.enforceability import advice, codes_of, without_codes
from ..verification.everywhere import EVERYWHERE, severity_in
from .endings import end, fail_on_option
from .help import examples
from .mesh import Documents, mesh_options, say_lost
from .options import (
    Whose,
    as_option,
    code_option,
    config_option,
    enforce_option,
    fsm_option,
    note_unnamed,
    output_option,
    whose_options,
)
from .output import Row, print_objects, print_table, progress, progressing, say
from .sidecars import read_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..connections.connection import Connection
    from ..connections.findings import Finding
    from ..resources.subjects import Subject
    from ..values.errors import Severity
    from ..verification.agreement import Disagreement, Verification

__all__ = ["lint", "print_findings", "verify"]

DIFFERENCE = ("connection", "decision", "should be", "sidecar", "findings", "rule")


@click.command(
    epilog=examples(
        "fsm-egress verify -f policies/ --as curl.curl",
        "fsm-egress verify -f policies/ --as curl.curl --config config.json",
        "fsm-egress verify -f policies/ --all -o json",
        "fsm-egress verify -f policies/ --as curl.curl --enforce",
    )
)
@mesh_options
@as_option(required=False)
@click.option(
    "--all", "every", is_flag=True, help="Verify every identity of the mesh, and any other account."
)
@config_option(required=False, help="The config.json that the sidecar has; by default the one of `config`.")
@enforce_option
@fsm_option
@fail_on_option
@code_option("--without", "Leave out differences with this code; may be repeated.")
@output_option()
def verify(
    documents: Documents,
    identity: Subject | None,
    every: bool,
    config_file: str | None,
    enforce: bool,
    fsm: str | None,
    fail_on: Severity,
    without: tuple[Code, ...],
    output: str,
) -> None:
    """Compare the policies with what the sidecar does.

    All connections are compared. Each difference is shown by its smallest connection, with the known
    shortcoming of the sidecar behind it; what is so in every mesh is told once, at the end. Exit code 1 if
    there is a difference whose shortcoming is as bad as --fail-on says, 3 if something could not be decided.
    """
    if (identity is None) is not every:
        raise click.UsageError("give one of --as and --all")
    if every and config_file is not None:
        raise click.UsageError("--config belongs to --as: each sidecar has its own")
    if enforce and config_file is not None:
        raise click.UsageError("--enforce is said by the config that --config names")
    given = None if config_file is None else read_config(config_file, fsm)
    mesh = documents.changed(documents.load())
    asked = Whose((), documents.namespace).of(mesh) if identity is None else (identity,)
    note_unnamed(asked, mesh)
    subjects = alike(asked, mesh)
    shown: dict[Code, Connection] = {}
    is_undecided = False
    lost = say_lost(mesh, subjects)
    for who in progress(subjects, "verifying"):
        verification = without_codes(verify_mesh(mesh, who, given, enforce=enforce, fsm=fsm), without)
        is_undecided = is_undecided or bool(verification.undecided)
        for it in verification.disagreements:
            for code in codes_of(verification, it):
                shown.setdefault(code, it.connection)
        if output != "table":
            print_objects(_verification_lines(verification), output)
        else:
            _print_verification(verification)
    found = {code: severity_in(mesh, code) for code in shown if code not in without}
    if output == "table":
        _print_everywhere({code: (found[code], shown[code]) for code in found if code in EVERYWHERE})
    end(
        found=any(severity.is_at_least(fail_on) for severity in found.values()),
        unknown=lost or (is_undecided and Code.NOT_DECIDED.severity.is_at_least(fail_on)),
    )


@click.command(
    epilog=examples(
        "fsm-egress lint -f policies/",
        "fsm-egress lint -f policies/ --as curl.curl --without FSE080 --no-sidecar",
        "fsm-egress lint -f policies/ -o sarif > findings.sarif",
    )
)
@mesh_options
@whose_options
@fail_on_option
@code_option("--only", "Look for this code alone; may be repeated.")
@code_option("--without", "Do not look for this code; may be repeated.")
@click.option(
    "--sidecar/--no-sidecar", default=True, help="Compare with what the sidecar does, which is slow."
)
@enforce_option
@click.option("--stock", is_flag=True, help="Look at what a stock fsm-controller makes of the mesh, too.")
@fsm_option
@output_option("sarif", "github")
def lint(
    documents: Documents,
    whose: Whose,
    fail_on: Severity,
    only: tuple[Code, ...],
    without: tuple[Code, ...],
    sidecar: bool,
    enforce: bool,
    stock: bool,
    fsm: str | None,
    output: str,
) -> None:
    """Say what is amiss with a mesh, and what to do about it.

    A resource whose annotation `fsm-egress/ignore` lists codes has no findings of these. Exit code 1 if
    there is a finding that is as bad as --fail-on says.
    """
    mesh = documents.changed(documents.load())
    from ..linting import lint as lint_mesh  # noqa: PLC0415  # because `verify` needs none of it

    subjects = whose.of(mesh)
    lost = say_lost(mesh, subjects)
    findings = lint_mesh(
        mesh,
        identities=subjects,
        progress=progressing("linting"),
        only=only or None,
        without=without,
        sidecar=sidecar,
        enforce=enforce,
        stock=stock,
        fsm=fsm,
        suppressed=output == "sarif",
    )
    if output == "sarif":
        from ..outputs.sarif import sarif_log  # noqa: PLC0415  # because only this output needs it

        print_objects([sarif_log(findings, __version__)], "json")
    elif output == "github":
        say(github_findings(findings))
    elif output != "table":
        print_objects((finding.to_mapping() for finding in findings), output)
    else:
        print_findings(findings)
    end(found=any(it.severity.is_at_least(fail_on) and not it.suppressed for it in findings), unknown=lost)


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


def _verification_lines(verification: Verification) -> Iterator[Mapping[str, Any]]:
    """Each difference and everything undecided as an object, in order."""
    who = {"identity": str(verification.identity), **pods_told(verification.identity)}
    for disagreement in verification.disagreements:
        codes = [code.code for code in codes_of(verification, disagreement)]
        yield who | disagreement.to_mapping() | {"findings": codes}
    for undecided in verification.undecided:
        yield who | {"connection": undecided.connection.to_mapping(), "undecided": undecided.reason}
    for condition in verification.conditions:
        yield who | {"condition": condition.to_mapping()}


def _print_verification(verification: Verification) -> None:
    """What was compared, the table of differences, and what to do about each shortcoming behind them."""
    by_codes = [(each, codes_of(verification, each)) for each in verification.disagreements]
    own = [(each, codes) for each, codes in by_codes if not EVERYWHERE.issuperset(codes)]
    result = f"{len(own)} differ" if own else "engine and sidecar agree"
    if len(own) < len(by_codes):
        result += ", but for what is so in every mesh"
    say([f"{verification.identity}: {verification.classes} classes of connections, {result}"])
    if own:
        print_table(DIFFERENCE, [_difference_row(each, codes) for each, codes in own])
        found = {code for _, codes in own for code in codes} - EVERYWHERE
        say(map(advice, sorted(found, key=str)))
    say(verification.undecided)
    say(verification.conditions)


def _print_everywhere(found: Mapping[Code, tuple[Severity, Connection]]) -> None:
    """What is so in every mesh: how bad it is in this one, and a connection that shows it."""
    if found:
        say(["in every mesh:"])
        for code, (severity, connection) in sorted(found.items(), key=lambda item: item[0].code):
            say([advice(code, severity), f"  shown by {connection}"])


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
