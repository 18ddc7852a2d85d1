"""The commands of `fsm-egress`: check, decide, explain, config, sidecar, verify, lint, replay."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import click
from attrs import evolve

from .. import __version__
from ..api import pipy_codebase, pipy_config
from ..engine import Engine
from ..errors import FSMEgressError, InvalidValue, LoadError, MissingExtra, Severity
from ..explanation import explain as explain_connection
from ..linting import lint as lint_mesh
from ..pipy.sidecar import Sidecar
from ..replaying import replay as replay_logs
from ..replaying.tally import unused_rules
from ..resolution import resolve
from ..resource import ServiceIdentity
from ..sarif import sarif_log
from ..verification import verify as verify_mesh
from .connections import connection_options
from .inputs import read_input
from .logs import Logs, log_options
from .mesh import Documents, mesh_options, two_meshes_options
from .output import (
    FOUND_PROBLEMS,
    print_decisions,
    print_findings,
    print_json,
    print_outcomes,
    print_summary,
    print_verification,
    problem_line,
    progress,
    progress_by_bytes,
    say,
    stop,
    summary_mapping,
    verification_lines,
    why,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..connection import Connection

__all__ = ["app", "run"]

Command: TypeAlias = Callable[..., None]

BROKEN_PIPE = 141
INTERRUPTED = 130
HELP: dict[str, object] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """Commands that end quietly, whatever ends them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingExtra:
            raise
        except FSMEgressError as error:
            stop(str(error))
        except BrokenPipeError:
            with suppress(BrokenPipeError):
                sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
            ctx.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _identity(_ctx: click.Context, _param: click.Parameter, value: str | None) -> ServiceIdentity | None:
    try:
        return None if value is None else ServiceIdentity.parse(value)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from None


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `arguments`, by default the process's, and leave with its exit code."""
    app.main(arguments, prog_name="fsm-egress")


def as_option(*, required: bool) -> Callable[[Command], Command]:
    """The option that says whose connections a command is about."""
    return click.option(
        "--as",
        "identity",
        required=required,
        callback=_identity,
        metavar="NAME.NAMESPACE",
        help="The identity that connections come from.",
    )


def config_option(*, required: bool, help: str) -> Callable[[Command], Command]:  # noqa: A002  # as click says it
    """The option that names the config of a sidecar."""
    return click.option("--config", "config_file", required=required, metavar="FILE", help=help)


output_option: Callable[[Command], Command] = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or a JSON object a line.",
)


@click.group(
    cls=_Commands,
    context_settings=HELP,
    epilog=_examples(
        "fsm-egress check -f policies/",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress config -f policies/ --as curl.curl -O config.json",
        "fsm-egress verify -f policies/ --as curl.curl",
    ),
)
@click.version_option(__version__, prog_name="fsm-egress")
def app() -> None:
    """What the sidecars of a Flomesh Service Mesh let out, why, and the config.json that makes it so.

    Exit codes: 0 done, 1 problems found, 2 wrong usage.
    """


@app.command(
    epilog=_examples(
        "fsm-egress check -f mesh.yaml -f policies/",
        "kubectl get egress,meshconfig -A -o yaml | fsm-egress check -f -",
    )
)
@mesh_options
def check(documents: Documents) -> None:
    """Say everything that is wrong with documents, as file:line:column.

    Exit code 1 if there is an error or a warning; kinds that play no part are named and skipped.
    """
    mesh = documents.load(strict=False)
    problems = list(mesh.problems)
    if not any(problem.severity is Severity.ERROR for problem in problems):
        try:
            mesh = documents.changed(mesh)
        except LoadError as error:
            problems.extend(error.problems)
    say(map(problem_line, problems))
    if any(problem.severity is not Severity.INFO for problem in problems):
        raise click.exceptions.Exit(FOUND_PROBLEMS)
    say([f"{len(mesh)} resource{'' if len(mesh) == 1 else 's'}, no problems"])


@app.command(
    epilog=_examples(
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:80 --http GET http://httpbin.org/get",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress decide -f policies/ --as curl.curl --to '[2001:db8::5]:3306' --server-first",
        "fsm-egress decide -f policies/ --as curl.curl --connections connections.jsonl -o json",
    )
)
@mesh_options
@as_option(required=True)
@connection_options
@output_option
def decide(
    documents: Documents,
    identity: ServiceIdentity,
    connections: tuple[Connection, ...],
    output: str,
) -> None:
    """Say what becomes of connections, and by which rule.

    A connection in JSON has the keys `destination`, `port` and `sends` (`bytes`, `nothing`, `datagram`,
    `http` or `tls`), for HTTP `request` with `method`, `host`, `path` and `headers`, for TLS `sni`.
    """
    mesh = documents.changed(documents.load())
    policy = resolve(mesh, identity)
    engine = Engine.compile(policy)
    decided = [(connection, engine.classify(connection)) for connection in connections]
    if output == "json":
        print_json(decision.to_mapping(connection) for connection, decision in decided)
        return
    print_decisions(decided)
    say(map(problem_line, mesh.problems), err=True)
    say(policy.findings, err=True)


@app.command(
    epilog=_examples(
        "fsm-egress explain -f policies/ --as curl.curl --to 54.9.9.9:80 --http POST http://httpbin.org/post",
        "fsm-egress explain -f policies/ --as curl.curl --connections connections.jsonl -o json",
    )
)
@mesh_options
@as_option(required=True)
@connection_options
@output_option
def explain(
    documents: Documents,
    identity: ServiceIdentity,
    connections: tuple[Connection, ...],
    output: str,
) -> None:
    """Say why connections are decided as they are, and what the denied ones miss by one thing only.

    A connection in JSON has the form that `decide` reads.
    """
    mesh = documents.changed(documents.load())
    explained = [explain_connection(mesh, identity, connection) for connection in connections]
    if output == "json":
        print_json(explanation.to_mapping() for explanation in explained)
    else:
        say("\n\n".join(map(str, explained)).split("\n"))


@app.command(
    epilog=_examples(
        "fsm-egress config -f policies/ --as curl.curl | jq .Outbound",
        "fsm-egress config -f policies/ --as curl.curl --set fsm.enableEgress=true -O config.json",
        "fsm-egress config -f policies/ --as curl.curl --gzip -O config.json.gz",
        "fsm-egress config -f policies/ --as curl.curl --enforce -O codebase/",
    )
)
@mesh_options
@as_option(required=True)
@click.option("--gzip", "is_gzip", is_flag=True, help="Compress: the bytes of config.json.gz.")
@click.option("--enforce", is_flag=True, help="Write the module too, into the folder that -O names.")
@click.option(
    "-O",
    "--output-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file, whole or not at all, instead of standard output; with --enforce, to a folder.",
)
def config(
    documents: Documents,
    identity: ServiceIdentity,
    is_gzip: bool,
    enforce: bool,
    output_file: Path | None,
) -> None:
    """Write the config.json that the sidecar of an identity reads.

    With --enforce, write a folder that is laid over FSM's sidecar scripts: the config, and the module that
    makes the sidecar enforce what the stock scripts cannot.
    """
    if enforce and (output_file is None or is_gzip):
        raise click.UsageError(
            "with --enforce, -O names the folder of the codebase, and the mesh says --gzip"
        )
    mesh = documents.changed(documents.load())
    if enforce and output_file is not None:
        for path, content in pipy_codebase(mesh, identity, enforce=True).items():
            _write(output_file / path, content)
        return
    written = pipy_config(mesh, identity)
    content = written.to_gzip() if is_gzip else written.to_json()
    if output_file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        _write(output_file, content)


def _write(path: Path, content: bytes) -> None:
    try:
        write_file(path, content)
    except OSError as error:
        stop(f"{path}: cannot be written: {why(error)}")


@app.command(
    epilog=_examples(
        "fsm-egress sidecar --config config.json --connections connections.jsonl -o json",
        "fsm-egress sidecar --config config.json --to 54.9.9.9:443 --tls httpbin.org",
    )
)
@config_option(required=True, help="The config.json of a sidecar, compressed or not; `-` is standard input.")
@connection_options
@output_option
def sidecar(config_file: str, connections: tuple[Connection, ...], output: str) -> None:
    """Say what the stock sidecar does with connections, given its config.json.

    A connection in JSON has the form that `decide` reads. The outcome is dialled, answered, closed, refused,
    echoed, or unknown where the config asks for what the model does not know.
    """
    model = _read_config(config_file)
    handled = [(connection, model.handle(connection)) for connection in connections]
    if output == "json":
        print_json(outcome.to_mapping(connection) for connection, outcome in handled)
    else:
        print_outcomes(handled)


@app.command(
    epilog=_examples(
        "fsm-egress verify -f policies/ --as curl.curl",
        "fsm-egress verify -f policies/ --as curl.curl --config config.json",
        "fsm-egress verify -f policies/ --all -o json",
        "fsm-egress verify -f policies/ --as curl.curl --enforce",
    )
)
@mesh_options
@as_option(required=False)
@click.option("--all", "every", is_flag=True, help="Verify every identity of the mesh, one after the other.")
@config_option(required=False, help="The config.json that the sidecar has; by default the one of `config`.")
@click.option("--enforce", is_flag=True, help="The sidecar has the module of `config --enforce`.")
@output_option
def verify(
    documents: Documents,
    identity: ServiceIdentity | None,
    every: bool,
    config_file: str | None,
    enforce: bool,
    output: str,
) -> None:
    """Compare what the policies mean with what the stock sidecar does, for all connections.

    Each difference is shown by its smallest connection, with the known shortcoming of the sidecar behind it.
    Exit code 1 if there is a difference, or something that could not be decided.
    """
    if (identity is None) is not every:
        raise click.UsageError("give one of --as and --all")
    if every and config_file is not None:
        raise click.UsageError("--config belongs to --as: each sidecar has its own")
    if enforce and config_file is not None:
        raise click.UsageError("--enforce is said by the config that --config names")
    given = None if config_file is None else _read_config(config_file)
    mesh = documents.changed(documents.load())
    identities = mesh.identities() if identity is None else (identity,)
    agreed = True
    for who in progress(identities, "verifying"):
        verification = verify_mesh(mesh, who, given, enforce=enforce)
        agreed = agreed and verification.agreed
        if output == "json":
            print_json(verification_lines(verification))
        else:
            print_verification(verification)
    if not agreed:
        raise click.exceptions.Exit(FOUND_PROBLEMS)


@app.command(
    epilog=_examples(
        "fsm-egress lint -f policies/",
        "fsm-egress lint -f policies/ --as curl.curl --without FSE080 --no-sidecar",
        "fsm-egress lint -f policies/ -o sarif > findings.sarif",
    )
)
@mesh_options
@as_option(required=False)
@click.option("--only", multiple=True, metavar="CODE", help="Look for this, and others that are named so.")
@click.option("--without", multiple=True, metavar="CODE", help="Do not look for this.")
@click.option(
    "--sidecar/--no-sidecar", default=True, help="Compare with what the sidecar does, which is slow."
)
@click.option("--enforce", is_flag=True, help="The sidecars have the module of `config --enforce`.")
@click.option("--stock", is_flag=True, help="Look at what a stock fsm-controller makes of the mesh, too.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "sarif"]),
    default="table",
    help="Lines for people, a JSON object a line, or a SARIF log.",
)
def lint(
    documents: Documents,
    identity: ServiceIdentity | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    sidecar: bool,
    enforce: bool,
    stock: bool,
    output: str,
) -> None:
    """Say what is amiss with a mesh, and what to do about it.

    A resource whose annotation `fsm-egress/ignore` lists codes has no findings of these. Exit code 1 if there
    is a finding that is more than an information.
    """
    mesh = documents.changed(documents.load())
    try:
        findings = lint_mesh(
            mesh,
            identities=None if identity is None else [identity],
            only=only or None,
            without=without,
            sidecar=sidecar,
            enforce=enforce,
            stock=stock,
            suppressed=output == "sarif",
        )
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None
    if output == "sarif":
        print_json([sarif_log(findings, __version__)])
    elif output == "json":
        print_json(finding.to_mapping() for finding in findings)
    else:
        print_findings(findings)
    if any(finding.severity is not Severity.INFO and not finding.suppressed for finding in findings):
        raise click.exceptions.Exit(FOUND_PROBLEMS)


@app.command(
    epilog=_examples(
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
@output_option
def replay(
    documents: Documents,
    after: Documents,
    logs: Logs,
    identity: ServiceIdentity | None,
    workers: int,
    strict: bool,
    output: str,
) -> None:
    """Say what becomes of the connections in logs, by which rules, and which rules no connection uses.

    With another mesh, say also which connections would change. A log is JSON lines, CSV with a header, or
    Parquet. A record has an `identity` (`name.namespace`; else --as says it), a `destination` and a `port`,
    or both in `destination`; for HTTP `host`, `method`, `path` and `headers`, for TLS `server_name`. What is
    sent is what `sends` says as for `decide`; without it HTTP if there is a host, a method or a path, else
    TLS if there is a server name, else bytes. Null, nothing and `-` are no value.

    Exit code 1 if a connection would change, or a record cannot be read; those are counted and passed over.
    """
    mesh = documents.changed(documents.load())
    later = after.changed(documents.changed(after.load()) if after.files else mesh) if after else None
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
    unused_after = unused_rules(later, summary.counts_after) if later else ()
    if output == "json":
        print_json([summary_mapping(summary, unused, unused_after)])
    else:
        print_summary(summary, unused, unused_after)
        say(map(problem_line, mesh.problems), err=True)
    if summary.changes or summary.unreadable:
        raise click.exceptions.Exit(FOUND_PROBLEMS)


def _read_config(name: str) -> Sidecar:
    content, name = read_input(name)
    try:
        return Sidecar.read(content)
    except InvalidValue as error:
        raise InvalidValue(*(evolve(problem, document=name) for problem in error.problems)) from None
