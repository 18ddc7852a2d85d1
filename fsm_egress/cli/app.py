"""The commands of `fsm-egress`: check, decide, config."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import __version__
from ..api import pipy_config
from ..decision import http, server_first, tcp, tls, udp
from ..engine import Engine
from ..errors import FSMEgressError, InvalidValue, LoadError, MissingExtra, Severity
from ..resolve import resolve
from ..resource import ServiceIdentity
from .connections import read_connections, read_headers, read_socket_address
from .mesh import STDIN, STDIN_NAME, Documents, mesh_options, read_stdin
from .output import print_decisions, print_json, problem_line, say, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..decision import Connection

__all__ = ["app", "run"]

FOUND_PROBLEMS = 1
BROKEN_PIPE = 141
INTERRUPTED = 130
PLAIN = {"tcp": tcp, "server_first": server_first, "udp": udp}
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _stop(message: str) -> NoReturn:
    """End the command: it found problems."""
    say(message.splitlines(), err=True)
    raise click.exceptions.Exit(FOUND_PROBLEMS)


class _Commands(click.Group):
    """Commands that end quietly, whatever ends them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MissingExtra:
            raise
        except FSMEgressError as error:
            _stop(str(error))
        except BrokenPipeError:
            with suppress(BrokenPipeError):
                sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
            ctx.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def _identity(_ctx: click.Context, _param: click.Parameter, value: str) -> ServiceIdentity:
    try:
        return ServiceIdentity.parse(value)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from None


def _examples(*lines: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `arguments`, by default the process's, and leave with its exit code."""
    app.main(arguments, prog_name="fsm-egress")


as_option = click.option(
    "--as",
    "identity",
    required=True,
    callback=_identity,
    metavar="NAME.NAMESPACE",
    help="The identity that connections come from.",
)


@click.group(
    cls=_Commands,
    context_settings=HELP,
    epilog=_examples(
        "fsm-egress check -f policies/",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress config -f policies/ --as curl.curl -O config.json",
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
@as_option
@click.option(
    "--connections",
    "connections_file",
    metavar="FILE",
    help="The connections: JSON, or JSON lines; `-` is standard input.",
)
@click.option("--to", metavar="ADDRESS:PORT", help="One connection, to this address and port; it sends:")
@click.option("--http", nargs=2, metavar="METHOD URL", help="an HTTP request,")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="with a header,")
@click.option(
    "--tls", is_flag=False, flag_value="", metavar="[NAME]", help="TLS, with or without a server name,"
)
@click.option("--tcp", is_flag=True, help="bytes that are neither,")
@click.option("--server-first", is_flag=True, help="nothing, as the server speaks first,")
@click.option("--udp", is_flag=True, help="a UDP datagram.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="A table for people, or a JSON object a line, in the order of the connections.",
)
def decide(
    documents: Documents,
    identity: ServiceIdentity,
    connections_file: str | None,
    to: str | None,
    headers: tuple[str, ...],
    output: str,
    **sends: Any,
) -> None:
    """Say what becomes of connections, and by which rule.

    A connection in JSON has the keys `destination`, `port` and `sends` (`bytes`, `nothing`, `datagram`,
    `http` or `tls`), for HTTP `request` with `method`, `host`, `path` and `headers`, for TLS `sni`.
    """
    given = {kind: value for kind, value in sends.items() if value not in {None, False}}
    if to is not None and connections_file is None:
        connections: tuple[Connection, ...] = (_connection(to, headers, given),)
    elif to is not None or connections_file is None:
        raise click.UsageError("give one of --to and --connections")
    elif given or headers:
        raise click.UsageError("--http, --header, --tls, --tcp, --server-first and --udp belong to --to")
    else:
        connections = _connections(connections_file, documents.files)
    mesh = documents.changed(documents.load())
    policy = resolve(mesh, identity)
    engine = Engine.compile(policy)
    decided = [(connection, engine.classify(connection)) for connection in connections]
    if output == "json":
        print_json(decided)
        return
    print_decisions(decided)
    say(map(problem_line, mesh.problems), err=True)
    say(policy.findings, err=True)


@app.command(
    epilog=_examples(
        "fsm-egress config -f policies/ --as curl.curl | jq .Outbound",
        "fsm-egress config -f policies/ --as curl.curl --set fsm.enableEgress=true -O config.json",
        "fsm-egress config -f policies/ --as curl.curl --gzip -O config.json.gz",
    )
)
@mesh_options
@as_option
@click.option("--gzip", "is_gzip", is_flag=True, help="Compress: the bytes of config.json.gz.")
@click.option(
    "-O",
    "--output-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file, whole or not at all, instead of standard output.",
)
def config(
    documents: Documents,
    identity: ServiceIdentity,
    is_gzip: bool,
    output_file: Path | None,
) -> None:
    """Write the config.json that the sidecar of an identity reads."""
    written = pipy_config(documents.changed(documents.load()), identity)
    content = written.to_gzip() if is_gzip else written.to_json()
    if output_file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        write_file(output_file, content)
    except OSError as error:
        _stop(f"{output_file}: cannot be written: {_why(error)}")


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _connections(name: str, files: Sequence[str]) -> tuple[Connection, ...]:
    if name == STDIN:
        if STDIN in files:
            raise click.UsageError("standard input can be read only once")
        content, name = read_stdin(), STDIN_NAME
    else:
        try:
            content = Path(name).read_bytes()
        except OSError as error:
            _stop(f"{name}: cannot be read: {_why(error)}")
    connections, problems = read_connections(content, name)
    if problems:
        _stop("\n".join(map(problem_line, problems)))
    return connections


def _connection(to: str, headers: Sequence[str], given: Mapping[str, Any]) -> Connection:
    """The one connection of the arguments: where to, and by its option what is sent."""
    if len(given) != 1:
        raise click.UsageError("with --to, give one of --http, --tls, --tcp, --server-first and --udp")
    if headers and "http" not in given:
        raise click.UsageError("--header belongs to --http")
    ((kind, value),) = given.items()
    try:
        address, port = read_socket_address(to)
        if kind == "http":
            method, url = value
            return http(address, port, method, url, read_headers(headers))
        if kind == "tls":
            return tls(address, port, value or None)
        return PLAIN[kind](address, port)
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None
