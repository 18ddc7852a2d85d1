"""The config of a sidecar as commands read it, and the command about what that makes it do: sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import click
from attrs import evolve

from ..connections.descriptions import Requests
from ..pipy.sidecar import Sidecar
from ..values.errors import InvalidValue
from .connections import addresses, connection_options, numbered, spoken
from .help import examples
from .inputs import read_input
from .options import config_option, fsm_option, output_option
from .output import Row, print_objects, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..connections.connection import Connection
    from ..pipy.outcome import Outcome

__all__ = ["read_config", "sidecar"]

OUTCOME = ("connection", "outcome", "target", "status", "mtls", "gateway")

Handled: TypeAlias = "tuple[Connection, Outcome]"


def read_config(name: str, fsm: str | None = None) -> Sidecar:
    """The sidecar whose config this file is, or standard input, with the scripts of an FSM.

    Raises:
        InvalidValue: with everything that is malformed in it.
    """
    content, name = read_input(name)
    try:
        model = Sidecar.read(content, fsm)
    except InvalidValue as error:
        raise InvalidValue(*(evolve(problem, document=name) for problem in error.problems)) from None
    if model.is_of_another_version:
        others = "FSM 1.3.8 or later" if model.version.plain_hosts else "FSM up to 1.3.7"
        note = f"{name} is of {others}, whose scripts are others: say which with --fsm"
        say([f"note: {note}"], err=True)
    return model


@click.command(
    epilog=examples(
        "fsm-egress sidecar --config config.json --connections connections.jsonl -o json",
        "fsm-egress sidecar --config config.json --to 54.9.9.9:443 --tls httpbin.org",
        "fsm proxy get config_dump POD -n curl | fsm-egress sidecar --config - --to 54.9.9.9:80 --http GET /",
    )
)
@config_option(
    required=True,
    help="The config.json of a sidecar, compressed or not, as `fsm proxy get config_dump` prints it; `-` is"
    " standard input.",
)
@connection_options
@click.option("--http2", is_flag=True, help="Requests come by HTTP/2, and not by HTTP/1.1.")
@fsm_option
@output_option()
def sidecar(
    config_file: str, connections: tuple[Connection, ...], fsm: str | None, output: str, *, http2: bool
) -> None:
    """Say what the stock sidecar does with connections.

    A connection in JSON has the form that `decide` reads. The outcome is dialled, answered, closed,
    refused, echoed, or unknown where the config asks for what the model does not know.
    """
    model = read_config(config_file, fsm)
    if isinstance(connections, Requests):
        handled = list(zip(connections, model.handle_requests(connections, http2=http2), strict=True))
    else:
        handled = [(connection, model.handle(connection, http2=http2)) for connection in connections]
    if output != "table":
        print_objects(
            (
                {**number, **outcome.to_mapping(connection)}
                for number, (connection, outcome) in zip(numbered(connections), handled, strict=True)
            ),
            output,
        )
    else:
        print_outcomes(handled, spoken(connections))


def print_outcomes(handled: Iterable[Handled], names: Iterable[str]) -> None:
    """The table of what a sidecar does; where balancing leads to several things, a row for each."""
    rows = [
        _outcome_row(name, connection, each)
        for name, (connection, outcome) in zip(names, handled, strict=True)
        for each in (outcome, *outcome.others, *outcome.either)
    ]
    print_table(OUTCOME, rows)


def _outcome_row(name: str, connection: Connection, outcome: Outcome) -> Row:
    return (
        name,
        outcome.fate.value,
        addresses(connection, outcome.targets) or outcome.cause or "-",
        str(outcome.status or "-"),
        "yes" if outcome.mtls else "no",
        ", ".join(used.name for used in outcome.gateways) or "-",
    )
