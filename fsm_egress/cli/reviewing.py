"""The commands that review a mesh: verify, lint, replay."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from .. import __version__
from ..connections.findings import Code
from ..linting import lint as lint_mesh
from ..linting.rules import RULES
from ..outputs.github import github_findings
from ..outputs.sarif import sarif_log
from ..replaying import replay as replay_logs
from ..replaying.tally import unused_rules
from ..resolution.everyone import subjects_of
from ..values.errors import InvalidValue, Severity
from ..verification.agreement import verify as verify_mesh
from ..verification.enforceability import codes_of, without_codes
from ..verification.everywhere import EVERYWHERE, severity_in
from .endings import end, fail_on_option, stop
from .help import examples
from .logs import Logs, log_options
from .mesh import Documents, later_mesh, mesh_options, two_meshes_options
from .options import (
    Whose,
    as_option,
    config_option,
    enforce_option,
    output_option,
    read_config,
    whose_options,
)
from .output import (
    print_everywhere,
    print_findings,
    print_objects,
    print_summary,
    print_verification,
    progress,
    progress_by_bytes,
    progressing,
    say,
    summary_mapping,
    verification_lines,
)
from .problems import print_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..connections.connection import Connection
    from ..resources.resource import ServiceIdentity

__all__ = ["lint", "replay", "verify"]


def _code_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that names codes of findings, any number of times; it completes them."""
    return click.option(
        name, multiple=True, metavar="CODE", shell_complete=_complete_codes, callback=_codes, help=text
    )


def _complete_codes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    known = ((code, rule) for code, rule in RULES.items() if code.code.startswith(incomplete.upper()))
    return [CompletionItem(code.code, help=rule.title) for code, rule in known]


def _codes(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> tuple[Code, ...]:
    known = {code.code: code for code in RULES}
    for name in names:
        if name not in known:
            raise click.BadParameter(str(InvalidValue.of("the code of a finding, such as `FSE070`", name)))
    return tuple(known[name] for name in names)


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
@fail_on_option
@_code_option("--without", "Leave out what this shortcoming explains.")
@output_option()
def verify(
    documents: Documents,
    identity: ServiceIdentity | None,
    every: bool,
    config_file: str | None,
    enforce: bool,
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
    given = None if config_file is None else read_config(config_file)
    mesh = documents.changed(documents.load())
    subjects = subjects_of(mesh) if identity is None else (identity,)
    shown: dict[Code, Connection] = {}
    is_undecided = False
    for who in progress(subjects, "verifying"):
        verification = without_codes(verify_mesh(mesh, who, given, enforce=enforce), without)
        is_undecided = is_undecided or bool(verification.undecided)
        for it in verification.disagreements:
            for code in codes_of(verification, it):
                shown.setdefault(code, it.connection)
        if output != "table":
            print_objects(verification_lines(verification), output)
        else:
            print_verification(verification)
    found = {code: severity_in(mesh, code) for code in shown if code not in without}
    if output == "table":
        print_everywhere({code: (found[code], shown[code]) for code in found if code in EVERYWHERE})
    end(
        found=any(severity.is_at_least(fail_on) for severity in found.values()),
        unknown=is_undecided and Code.NOT_DECIDED.severity.is_at_least(fail_on),
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
@_code_option("--only", "Look for this, and others that are named so.")
@_code_option("--without", "Do not look for this.")
@click.option(
    "--sidecar/--no-sidecar", default=True, help="Compare with what the sidecar does, which is slow."
)
@enforce_option
@click.option("--stock", is_flag=True, help="Look at what a stock fsm-controller makes of the mesh, too.")
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
    output: str,
) -> None:
    """Say what is amiss with a mesh, and what to do about it.

    A resource whose annotation `fsm-egress/ignore` lists codes has no findings of these. Exit code 1 if
    there is a finding that is as bad as --fail-on says.
    """
    mesh = documents.changed(documents.load())
    findings = lint_mesh(
        mesh,
        identities=whose.of(mesh),
        progress=progressing("linting"),
        only=only or None,
        without=without,
        sidecar=sidecar,
        enforce=enforce,
        stock=stock,
        suppressed=output == "sarif",
    )
    if output == "sarif":
        print_objects([sarif_log(findings, __version__)], "json")
    elif output == "github":
        say(github_findings(findings))
    elif output != "table":
        print_objects((finding.to_mapping() for finding in findings), output)
    else:
        print_findings(findings)
    end(found=any(it.severity.is_at_least(fail_on) and not it.suppressed for it in findings))


@click.command(
    epilog=examples(
        "fsm-egress replay -f mesh.yaml -f policies/ access.jsonl",
        "fsm-egress replay -f mesh.yaml -f policies/ --after mesh.yaml --after new-policies/ logs/*.csv",
        "fsm-egress replay -f mesh/ --after-set fsm.enableEgress=true --workers 4 flows.parquet -o json",
        "fsm-egress replay -f mesh/ --as curl.curl --column destination=upstream_host \\\n"
        "      --column host=authority envoy.jsonl",
    )
)
@two_meshes_options
@log_options
@as_option(required=False)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=lambda: os.cpu_count() or 1,
    show_default="all cores",
    metavar="N",
    help="How many processes share the work.",
)
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
    later = later_mesh(mesh, documents, after) if after else None
    try:
        with progress_by_bytes(logs.size(), "replaying") as advance:
            summary = replay_logs(
                mesh,
                logs.open(advance),
                later,
                columns=logs.columns,
                identity=identity,
                workers=workers,
                strict=strict,
            )
    except BrokenExecutor:
        stop("a worker process has ended before its work was done")
    unused = unused_rules(mesh, summary.counts)
    unused_after = () if later is None else unused_rules(later, summary.counts_after)
    if output != "table":
        print_objects([summary_mapping(summary, unused, unused_after)], output)
    else:
        print_summary(summary, unused, unused_after)
        print_problems(mesh.problems, err=True)
    end(found=summary.changes, unknown=summary.unreadable)
