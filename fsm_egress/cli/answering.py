"""The commands about all connections: partition, residual, reach, never, diff, equivalent, implies."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ..answers.comparison import ALTERATION
from ..answers.comparison import diff as diff_meshes
from ..answers.comparison import equivalent as equivalent_meshes
from ..answers.comparison import implies as implies_meshes
from ..answers.partition import PORTION
from ..answers.partition import partition as partition_of
from ..answers.predicates import Where
from ..answers.reach import never as never_happens
from ..answers.reach import reachable
from ..answers.residual import Partial
from ..answers.residual import residual as residual_of
from ..connections.descriptions import last_headers, split_socket_address
from ..connections.payloads import Sends
from ..interception.kinds import alike
from ..values.errors import InvalidValue
from .certifying import certificate_option, write_certificate
from .connections import read_headers
from .endings import end
from .help import examples
from .mesh import Documents, later_mesh, mesh_options, two_meshes_options
from .options import (
    Command,
    Whose,
    as_option,
    note_unnamed,
    output_option,
    strict_whose_options,
    whose_options,
)
from .output import (
    print_objects,
    print_table,
    progress,
    progressing,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from ..answers.comparison import MeshDiff
    from ..answers.partition import Portion
    from ..answers.proofs import Answer
    from ..answers.reach import Reachability, Way
    from ..answers.residual import Residual
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["diff", "equivalent", "implies", "never", "partition", "reach", "residual"]

_KINDS = tuple(kind.value for kind in Sends)
_PICTURES = ("html", "mermaid", "dot")


@click.command(
    epilog=examples(
        "fsm-egress partition -f mesh.yaml -f policies/ --as curl.curl",
        "fsm-egress partition -f mesh/ -n curl --as curl -o json | jq '.portions[].addresses'",
    )
)
@mesh_options
@whose_options
@output_option()
def partition(documents: Documents, whose: Whose, output: str) -> None:
    """Divide all connections by what is decided about them.

    Every connection of an identity is in one row, or among those that could not be decided about, which are
    named with the reason; then the exit code is 3.
    """
    mesh = documents.changed(documents.load())
    subjects = alike(whose.of(mesh), mesh)
    is_proven = True
    for subject in progress(subjects, "dividing"):
        found = partition_of(mesh, subject)
        is_proven = is_proven and not found.undecided
        if output != "table":
            print_objects([found.to_mapping()], output)
            continue
        if len(subjects) > 1:
            say([f"{found.identity}: {found.classes} classes of connections"])
        _print_portions(found.portions)
        say((*found.undecided, *found.conditions))
    end(found=False, unknown=not is_proven)


def _known_options(command: Command) -> Command:
    """Give a command the options that say what is known of a connection, as its argument `partial`."""

    @wraps(command)
    def with_partial(*, headers: tuple[str, ...], **others: Any) -> None:
        known = {name: others.pop(name) for name in ("to", "port", "sends", "host", "method", "path")}
        try:
            partial = Partial(**known, headers=last_headers(read_headers(headers)) if headers else None)
        except InvalidValue as error:
            raise click.UsageError(str(error)) from None
        command(partial=partial, **others)

    for option in (
        click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="All its headers."),
        click.option("--path", metavar="PATH", help="The path of the request, with the query."),
        click.option("--method", metavar="METHOD", help="The method of the request."),
        *_DESTINATION,
    ):
        with_partial = option(with_partial)
    return with_partial


_DESTINATION = (
    click.option("--host", metavar="HOST", help="The Host of the request, or the server name."),
    click.option("--sends", type=click.Choice(_KINDS), help="What is sent; else anything by TCP."),
    click.option("--port", type=int, metavar="PORT", help="The port."),
    click.option("--to", metavar="RANGE", help="The destination: an address, or a range of them."),
)


@click.command(
    epilog=examples(
        "fsm-egress residual -f policies/ --as curl.curl --port 443",
        "fsm-egress residual -f policies/ --as curl.curl --to 54.0.0.0/8 --port 80 --host httpbin.org",
    )
)
@mesh_options
@as_option(required=True)
@_known_options
@output_option()
def residual(documents: Documents, identity: Subject, partial: Partial, output: str) -> None:
    """Say what a decision depends on, if not all is known.

    What no option says is unknown. The answer names what of that the decision depends on, and how. Exit
    code 1 where it depends on something, 3 where that could not be decided.
    """
    mesh = documents.changed(documents.load())
    note_unnamed([identity], mesh)
    answers = [residual_of(mesh, subject, partial) for subject in alike([identity], mesh)]
    print_residuals(answers, output)
    end(
        found=any(len(found.portions) > 1 for found in answers),
        unknown=any(found.undecided for found in answers),
    )


def print_residuals(answers: Iterable[Residual], output: str) -> None:
    """What is decided, and what that depends on."""
    for found in answers:
        if output != "table":
            print_objects([found.to_mapping()], output)
        else:
            say([found.headline])
            _print_portions(found.portions)
            say((*found.undecided, *found.conditions))


def _destination_options(command: Command) -> Command:
    for option in _DESTINATION:
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "fsm-egress reach -f mesh/ --to 54.0.0.0/8 --port 443",
        "fsm-egress reach -f mesh/ -n dev --host httpbin.org",
        "fsm-egress reach -f mesh/ -o html > egress.html",
    )
)
@mesh_options
@whose_options
@_destination_options
@output_option(*_PICTURES)
def reach(
    documents: Documents,
    whose: Whose,
    to: str | None,
    port: int | None,
    sends: str | None,
    host: str | None,
    output: str,
) -> None:
    """Say who reaches a destination, and by which rules.

    What no option says is open: without any, everything that is allowed is shown. The page of `-o html` has
    the findings of `lint --no-sidecar` below. Exit code 3 where something could not be decided.
    """
    mesh = documents.changed(documents.load())
    try:
        if host is not None:
            _see_host(host)
        found = reachable(
            mesh,
            to,
            port,
            sends=sends,
            host=host,
            identities=whose.of(mesh),
            progress=progressing("dividing"),
        )
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None
    if output in _PICTURES:
        say(_picture(mesh, found, output).split("\n")[:-1])
    elif output != "table":
        print_objects([found.to_mapping()], output)
    else:
        say([found.headline])
        _print_ways(found.ways)
        say((*found.undecided, *found.conditions))
    end(found=False, unknown=found.undecided)


def _picture(mesh: Snapshot, found: Reachability, output: str) -> str:
    """The answer as a page, which tells what is amiss with the mesh, too, or as a graph."""
    from ..linting import lint as lint_mesh  # noqa: PLC0415  # because a table needs no findings
    from ..outputs.pictures import as_dot, as_mermaid, as_page  # noqa: PLC0415  # ditto

    if output == "html":
        shown = progressing("linting")
        return as_page(found, lint_mesh(mesh, identities=found.identities, sidecar=False, progress=shown))
    return (as_mermaid if output == "mermaid" else as_dot)(found)


@click.command(
    epilog=examples(
        "fsm-egress never -f mesh/ -n dev --outside --but httpbin.org:443",
        "fsm-egress never -f mesh/ --to 169.254.169.254",
        "fsm-egress never -f mesh/ --method DELETE --host api.example.com",
        "fsm-egress never -f mesh/ --port 25 --certificate no-mail.smt2",
    )
)
@mesh_options
@strict_whose_options
@click.option("--outside", is_flag=True, help="Only what leaves the mesh.")
@click.option("--governed", is_flag=True, help="Only what comes to the sidecar, not what passes by it.")
@click.option("--to", "ranges", multiple=True, metavar="RANGE", help="Only to this range.")
@click.option("--port", "ports", multiple=True, type=int, metavar="PORT", help="Only to this port.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only for this Host or server name.")
@click.option("--sends", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only what sends this.")
@click.option("--method", "methods", multiple=True, metavar="METHOD", help="Only with this method.")
@click.option("--but", "origins", multiple=True, metavar="HOST:PORT", help="Except for this host and port.")
@click.option("--but-to", "spared", multiple=True, metavar="RANGE", help="Except to this range.")
@certificate_option
@output_option()
def never(
    documents: Documents,
    whose: Whose,
    outside: bool,
    governed: bool,
    certificate: Path | None,
    output: str,
    **said: tuple[Any, ...],
) -> None:
    """Prove that something is never allowed, or show it.

    A repeated option asks for any of its values; different options must hold together.
    TCP over IPv4 is what a mesh governs: UDP and IPv6 pass by the sidecar, which is said beside a proof.
    Exit code 1 if it is refuted, 3 if it is not proven.
    """
    mesh = documents.changed(documents.load())
    try:
        where = _where(outside=outside, governed=governed, **said)
    except InvalidValue as error:
        raise click.UsageError(str(error)) from None
    found = never_happens(mesh, where, whose.of(mesh), progress=progressing("proving"))
    _answer(found, output, certificate)


def _where(*, outside: bool, governed: bool, **said: tuple[Any, ...]) -> Where:
    where = Where.outside() if outside else Where.allowed()
    if governed:
        where &= Where.governed()
    for host in said["hosts"]:
        _see_host(host)
    said["hosts"] += tuple(f"{host}:{port}" for host in said["hosts"] for port in said["ports"])
    for name, ask in _ASKED.items():
        if said[name]:
            where &= ask(*said[name])
    for origin in said["origins"]:
        parts = split_socket_address(origin)
        if parts is None:
            raise InvalidValue.of("a host and a port such as `httpbin.org:443`", origin)
        where &= ~Where.origin(*parts)
    return where & ~Where.to(*said["spared"]) if said["spared"] else where


def _see_host(host: str) -> None:
    """See that what somebody asks about is what clients ask for, so that no slip of the pen proves anything.

    A client adds the port to a Host where it is not the usual one: that is looked at, too.

    Raises:
        InvalidValue: the text is empty, or has a port or a dot at its end, which no TLS client sends.
    """
    name, _, port = host.rpartition(":")
    if not host:
        raise InvalidValue.of("a host", host, reason="without `--host` it is any")
    if port.isdecimal() and _NAMED.fullmatch(name):
        raise InvalidValue.of("a host without a port", host, proposal=f"--host {name} --port {port}")
    if host.endswith("."):
        raise InvalidValue.of("a host without a dot at its end", host, proposal=host.rstrip("."))


_NAMED = re.compile(r"[^:\[\]]+|\[.*\]")  # a name or an address, but no part of an IPv6 address
_ASKED: dict[str, Callable[..., Where]] = {
    "ranges": Where.to,
    "ports": Where.port,
    "hosts": Where.host,
    "kinds": Where.sends,
    "methods": Where.method,
}


def _meshes(documents: Documents, after: Documents) -> tuple[Snapshot, Snapshot]:
    """Both meshes of a comparison."""
    if not after:
        raise click.UsageError("say what changes: --after, --after-patch or --after-set")
    mesh = documents.changed(documents.load())
    return mesh, later_mesh(mesh, documents, after)


@click.command(
    epilog=examples(
        "fsm-egress diff -f mesh/ --after-set fsm.enableEgress=true",
        "fsm-egress diff -f mesh/ --after new-mesh/ -n curl",
        """fsm-egress diff -f mesh/ --after-patch '{"spec": {"traffic": {"enableEgress": true}}}' -o json""",
    )
)
@two_meshes_options
@strict_whose_options
@output_option()
def diff(documents: Documents, after: Documents, whose: Whose, output: str) -> None:
    """Say what a change of the mesh allows and denies.

    Each change is shown by its smallest connection, with both decisions; identities with the same change
    are together. Exit code 1 if something changes, 3 if something could not be decided.
    """
    meshes = _meshes(documents, after)
    found = diff_meshes(*meshes, whose.of(*meshes), progress=progressing("comparing"))
    if output != "table":
        print_objects([found.to_mapping()], output)
    else:
        _print_alterations(found)
    end(found=found.changes, unknown=found.undecided)


@click.command(
    epilog=examples("fsm-egress equivalent -f mesh/ --after refactored-mesh/"),
)
@two_meshes_options
@strict_whose_options
@certificate_option
@output_option()
def equivalent(
    documents: Documents, after: Documents, whose: Whose, certificate: Path | None, output: str
) -> None:
    """Prove that two meshes treat all connections alike.

    Else a connection that fares otherwise is shown. Exit code 1 if it is refuted, 3 if it is not proven.
    """
    meshes = _meshes(documents, after)
    found = equivalent_meshes(*meshes, whose.of(*meshes), progress=progressing("proving"))
    _answer(found, output, certificate)


@click.command(
    epilog=examples("fsm-egress implies -f mesh/ --after-set fsm.enableEgress=true"),
)
@two_meshes_options
@strict_whose_options
@certificate_option
@output_option()
def implies(
    documents: Documents, after: Documents, whose: Whose, certificate: Path | None, output: str
) -> None:
    """Prove that a change takes nothing away.

    Else a connection is shown that was allowed and no longer is. Exit code 1 if it is refuted, 3 if it is
    not proven.
    """
    meshes = _meshes(documents, after)
    found = implies_meshes(*meshes, whose.of(*meshes), progress=progressing("proving"))
    _answer(found, output, certificate)


def _answer(answer: Answer, output: str, certificate: Path | None) -> None:
    write_certificate(answer, certificate)
    if output != "table":
        print_objects([answer.to_mapping()], output)
    else:
        say(str(answer).split("\n"))
    end(found=answer.proven is False, unknown=answer.proven is None)


def _print_portions(portions: Iterable[Portion]) -> None:
    """The table of what is decided about which connections."""
    print_table(PORTION, [portion.row for portion in portions])


def _print_ways(ways: Sequence[Way]) -> None:
    """The table of who reaches what."""
    if ways:
        print_table(("identity", *PORTION), [(str(way.identity), *way.portion.row) for way in ways])


def _print_alterations(found: MeshDiff) -> None:
    """What a change changes, then what is decided as before for another reason."""
    say([found.headline])
    if found.changes:
        print_table(ALTERATION, [it.row for it in found.changes])
    if found.attributions:
        say(["as before, but for another reason:"])
        print_table(ALTERATION, [it.row for it in found.attributions])
    say((*found.undecided, *found.conditions))
