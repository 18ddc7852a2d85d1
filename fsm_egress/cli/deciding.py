"""The commands about documents, single connections and configs: check, decide, explain, config, sidecar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..api import pipy_codebase, pipy_config
from ..engine import Engine
from ..explanation import explain as explain_connection
from ..manifests.schemas import json_schema
from ..outputs.github import github_problems
from ..outputs.sarif import sarif_log_of_problems
from ..resolution import resolve
from ..resources.kinds import KINDS
from ..values.errors import LoadError, Severity
from .connections import connection_options
from .endings import end, fail_on_option, stop
from .help import examples
from .mesh import Documents, mesh_options
from .options import as_option, config_option, output_option, read_config
from .output import (
    print_decisions,
    print_objects,
    print_outcomes,
    say,
    why,
    write_file,
)
from .problems import print_problems

if TYPE_CHECKING:
    from ..connections.connection import Connection
    from ..resources.resource import ServiceIdentity

__all__ = ["check", "config", "decide", "explain", "schema", "sidecar"]


DENIED = "denied"


@click.command(
    epilog=examples(
        "fsm-egress check -f mesh.yaml -f policies/",
        "kubectl get egress,meshconfig -A -o yaml | fsm-egress check -f -",
        "fsm-egress check -f policies/ -o sarif > problems.sarif",
    )
)
@mesh_options
@fail_on_option
@output_option("sarif", "github")
def check(documents: Documents, fail_on: Severity, output: str) -> None:
    """Say everything that is wrong with documents.

    Each mistake has its place, file:line:column; kinds that play no part are named and skipped. Exit code
    1 if there is a mistake, 3 if there are documents that cannot be read at all.
    """
    mesh = documents.load(strict=False)
    problems = list(mesh.problems)
    if not any(problem.severity is Severity.ERROR for problem in problems):
        try:
            mesh = documents.changed(mesh)
        except LoadError as error:
            problems.extend(error.problems)
    if output == "sarif":
        print_objects([sarif_log_of_problems(problems, __version__)], "json")
    elif output == "github":
        say(github_problems(problems))
    elif output != "table":
        print_objects((problem.to_mapping() for problem in problems), output)
    else:
        print_problems(problems)
    unread = {problem for problem in problems if problem.severity is Severity.ERROR and not problem.mark}
    end(
        found=any(it.severity.is_at_least(fail_on) for it in problems if it not in unread),
        unknown=unread,
    )
    if output == "table":
        say([f"{len(mesh)} resource{'' if len(mesh) == 1 else 's'}, no problems"])


@click.command(
    epilog=examples(
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:80 --http GET http://httpbin.org/get",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress decide -f policies/ --as curl.curl --to '[2001:db8::5]:3306' --server-first",
        "fsm-egress decide -f policies/ --as curl.curl --connections connections.jsonl -o json",
    )
)
@mesh_options
@as_option(required=True)
@connection_options
@click.option("--fail-on", type=click.Choice([DENIED]), help="End with 1 if a connection is denied.")
@output_option()
def decide(
    documents: Documents,
    identity: ServiceIdentity,
    connections: tuple[Connection, ...],
    fail_on: str | None,
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
    if output != "table":
        print_objects((decision.to_mapping(connection) for connection, decision in decided), output)
    else:
        print_decisions(decided)
        print_problems(mesh.problems, err=True)
        say(policy.findings, err=True)
    end(found=fail_on == DENIED and not all(decision.allowed for _, decision in decided))


@click.command(
    epilog=examples(
        "fsm-egress explain -f policies/ --as curl.curl --to 54.9.9.9:80 --http POST http://httpbin.org/post",
        "fsm-egress explain -f policies/ --as curl.curl --connections connections.jsonl -o json",
    )
)
@mesh_options
@as_option(required=True)
@connection_options
@output_option()
def explain(
    documents: Documents,
    identity: ServiceIdentity,
    connections: tuple[Connection, ...],
    output: str,
) -> None:
    """Say why connections are decided as they are.

    What denied ones miss by one thing only is said, too. A connection in JSON has the form that `decide`
    reads.
    """
    mesh = documents.changed(documents.load())
    explained = [explain_connection(mesh, identity, connection) for connection in connections]
    if output != "table":
        print_objects((explanation.to_mapping() for explanation in explained), output)
    else:
        say("\n\n".join(map(str, explained)).split("\n"))


@click.command(
    epilog=examples(
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

    With --enforce, write a folder that is laid over FSM's sidecar scripts: the config, and the module
    that makes the sidecar enforce what the stock scripts cannot.
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


@click.command(
    epilog=examples(
        "fsm-egress schema > fsm-egress.schema.json",
        "fsm-egress schema Egress | jq '.[\"$defs\"].EgressSpec'",
    )
)
@click.argument("kind", required=False, type=click.Choice([kind.kind for kind in KINDS]))
def schema(kind: str | None) -> None:
    """Print the JSON Schema of documents.

    It is of a kind, or of any document of a mesh. An editor that knows it completes and checks documents
    as you write; what it cannot say, `check` does.
    """
    print_objects([json_schema(kind)], "json")


@click.command(
    epilog=examples(
        "fsm-egress sidecar --config config.json --connections connections.jsonl -o json",
        "fsm-egress sidecar --config config.json --to 54.9.9.9:443 --tls httpbin.org",
    )
)
@config_option(required=True, help="The config.json of a sidecar, compressed or not; `-` is standard input.")
@connection_options
@output_option()
def sidecar(config_file: str, connections: tuple[Connection, ...], output: str) -> None:
    """Say what the stock sidecar does with connections.

    A connection in JSON has the form that `decide` reads. The outcome is dialled, answered, closed,
    refused, echoed, or unknown where the config asks for what the model does not know.
    """
    model = read_config(config_file)
    handled = [(connection, model.handle(connection)) for connection in connections]
    if output != "table":
        print_objects((outcome.to_mapping(connection) for connection, outcome in handled), output)
    else:
        print_outcomes(handled)
