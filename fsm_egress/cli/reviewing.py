"""The commands that review a mesh: verify, lint."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click
from attrs import define, evolve, field

from .. import __version__
from ..connections.connection import Connection
from ..connections.findings import Code
from ..interception.kinds import alike
from ..outputs.github import github_findings
from ..resolution import resolve
from ..resolution.alike import once_for_all
from ..resources.subjects import pods_told
from ..values.counting import many
from ..values.errors import Severity
from ..verification.agreement import verify as verify_mesh
from ..verification.enforceability import advice, codes_of, without_codes
from ..verification.everywhere import EVERYWHERE, severity_in
from .certifying import certificate_option, write_certificates
from .endings import end, fail_on_option, stopping_without_workers
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
    quiet_option,
    whose_options,
    workers_option,
)
from .output import Row, print_objects, print_table, progress, progressing, say
from .sidecars import read_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ..connections.findings import Finding
    from ..resources.subjects import Subject
    from ..verification.agreement import Verification
    from ..verification.sides import Disagreement

__all__ = ["lint", "print_findings", "verify"]

DIFFERENCE = ("connection", "decision", "should be", "sidecar", "findings", "rule")


@click.command(
    epilog=examples(
        "fsm-egress verify -f policies/ --as curl.curl",
        "fsm-egress verify -f policies/ --as curl.curl --config config.json",
        "fsm-egress verify -f policies/ --all -o json",
        "fsm-egress verify -f policies/ --as curl.curl --enforce",
        "fsm-egress verify -f policies/ --as curl.curl --certificate verify.smt2",
        "fsm-egress verify -f policies/ --all --certificate proofs/verify.smt2",
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
@quiet_option
@certificate_option
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
    quiet: bool,
    certificate: Path | None,
    output: str,
) -> None:
    """Compare the policies with what the sidecar does.

    All connections are compared. Each difference is shown by its smallest connection, with the known
    shortcoming of the sidecar behind it. One that says "others likewise" stands for others of its rule, which
    differ from it only in the hosts that they lead to, all of which are told. What is so in every mesh is
    told once, at the end. With --all so is what to do about each shortcoming, and a summary stands below it.
    Beside the file of --certificate one is written for each difference, with a number; of several sidecars
    each has a folder of its own for them. Exit code 1 if there is a difference whose shortcoming is as bad as
    --fail-on says, 3 if something could not be decided.
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
    tally = _Tally()
    lost = say_lost(mesh, subjects)
    verified = once_for_all(lambda it: verify_mesh(mesh, it.identity, given, enforce=enforce, fsm=fsm))
    for who in progress(subjects, "verifying"):
        policy = resolve(mesh, who)
        found_here = evolve(verified(policy), identity=policy.identity)
        write_certificates(found_here, certificate, is_alone=len(subjects) == 1)
        verification = without_codes(found_here, without)
        tally.add(verification)
        if output != "table":
            print_objects(_verification_lines(verification), output)
        elif not quiet:
            _print_verification(verification, is_alone=not every)
    found = {code: severity_in(mesh, code) for code in tally.shown if code not in without}
    if output == "table":
        tally.say(found, len(subjects), every=every, quiet=quiet)
    end(
        found=any(severity.is_at_least(fail_on) for severity in found.values()),
        unknown=lost or (tally.undecided and Code.NOT_DECIDED.severity.is_at_least(fail_on)),
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
@workers_option("comparisons", default=1)
@fsm_option
@quiet_option
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
    workers: int,
    fsm: str | None,
    quiet: bool,
    output: str,
) -> None:
    """Say what is amiss with a mesh, and what to do about it.

    What findings have in common to be done about them stands below them, and a summary at the end. A
    resource whose annotation `fsm-egress/ignore` lists codes has no findings of these. Exit code 1 if there
    is a finding that is as bad as --fail-on says.
    """
    mesh = documents.changed(documents.load())
    from ..linting import lint as lint_mesh  # noqa: PLC0415  # because `verify` needs none of it

    subjects = whose.of(mesh)
    lost = say_lost(mesh, subjects)
    with stopping_without_workers():
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
            workers=workers,
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
        if not quiet:
            print_findings(findings)
        say([_summary(findings)])
    end(found=any(it.severity.is_at_least(fail_on) and not it.suppressed for it in findings), unknown=lost)


def print_findings(findings: Iterable[Finding]) -> None:
    """Each finding, with the connection that shows it; of those with the same fix, that once, below them."""
    for (_, fix), together in groupby(findings, lambda finding: (finding.code, finding.fix)):
        for finding in together:
            lines = [str(finding)]
            if finding.witness:
                whose = f"{finding.identity} to " if finding.identity else ""
                lines.append(f"  shown by {whose}{finding.witness}")
            say(lines)
        if fix:
            say([f"  fix: {fix}"])


def _summary(findings: Iterable[Finding]) -> str:
    """`5 findings: 1 error, 2 warnings, 2 info (FSE004 1, FSE034 4)`."""
    severities = Counter(finding.severity for finding in findings)
    told = [_severities(severities[each], each) for each in Severity if severities[each]]
    codes = _by_code(Counter(finding.code for finding in findings))
    return f"{many(severities.total(), 'finding')}: {', '.join(told)}{codes}" if told else "no findings"


def _severities(count: int, severity: Severity) -> str:
    return f"{count} info" if severity is Severity.INFO else many(count, severity)


def _by_code(codes: Counter[Code]) -> str:
    listed = ", ".join(f"{code.code} {codes[code]}" for code in sorted(codes, key=str))
    return f" ({listed})" if listed else ""


@define
class _Tally:
    """What was found of all that were compared.

    Attributes:
        shown: the shortcomings that were seen, each with a connection that shows it.
        differing: of how many they were seen, but for those that are so in every mesh.
        differ: of how many there was one.
        undecided: of how many something could not be decided.
    """

    shown: dict[Code, Connection] = field(factory=dict)
    differing: Counter[Code] = field(factory=Counter)
    differ: int = 0
    undecided: int = 0

    def add(self, verification: Verification) -> None:
        """Counts one more."""
        for it in verification.disagreements:
            for code in codes_of(verification, it):
                self.shown.setdefault(code, it.connection)
        own = _own_codes(verification)
        self.differing.update(own)
        self.differ += bool(own)
        self.undecided += bool(verification.undecided)

    def say(self, found: Mapping[Code, Severity], count: int, *, every: bool, quiet: bool) -> None:
        """The end of it all: what is so in every mesh, and the summary."""
        if not quiet:
            if every:
                say(map(advice, sorted(self.differing, key=str)))
            _print_everywhere({code: (found[code], self.shown[code]) for code in found if code in EVERYWHERE})
        if every or quiet:
            counts = {"differ": self.differ, "could not be decided": self.undecided}
            told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
            say([f"{count} compared: {told or 'all agree'}{_by_code(self.differing)}"])


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


def _own_codes(verification: Verification) -> frozenset[Code]:
    """The shortcomings behind the differences that are not so in every mesh."""
    return frozenset(
        code for each in verification.disagreements for code in codes_of(verification, each)
    ) - frozenset(EVERYWHERE)


def _print_verification(verification: Verification, *, is_alone: bool) -> None:
    """What was compared, the table of differences, and what to do about each shortcoming behind them."""
    by_codes = [(each, codes_of(verification, each)) for each in verification.disagreements]
    own = [(each, codes) for each, codes in by_codes if not EVERYWHERE.issuperset(codes)]
    result = f"{len(own)} differ" if own else "engine and sidecar agree"
    if len(own) < len(by_codes):
        result += ", but for what is so in every mesh"
    say([f"{verification.identity}: {verification.classes} classes of connections, {result}"])
    if own:
        print_table(DIFFERENCE, [_difference_row(each, codes) for each, codes in own])
        if is_alone:
            say(map(advice, sorted(_own_codes(verification), key=str)))
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
        disagreement.happens,
        ",".join(code.code for code in codes),
        str(decision.rule or "-"),
    )
