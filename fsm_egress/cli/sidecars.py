"""The config of a sidecar as commands read it, and the command about what that makes it do: sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import click
from attrs import evolve

from ..pipy.sidecar import Sidecar
from ..values.errors import InvalidValue
from .connections import addresses, connection_options
from .help import examples
from .inputs import read_input
from .options import config_option, fsm_option, output_option
from .output import Row, print_objects, print_table

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
        return Sidecar.read(content, fsm)
    except InvalidValue as error:
        raise InvalidValue(*(evolve(problem, document=name) for problem in error.problems)) from None


@click.command(
    epilog=examples(
        "fsm-egress sidecar --config config.json --connections connections.jsonl -o json",
        "fsm-egress sidecar --config config.json --to 54.9.9.9:443 --tls httpbin.org",
    )
)
@config_option(required=True, help="The config.json of a sidecar, compressed or not; `-` is standard input.")
@connection_options
@fsm_option
@output_option()
def sidecar(config_file: str, connections: tuple[Connection, ...], fsm: str | None, output: str) -> None:
    """Say what the stock sidecar does with connections.

    A connection in JSON has the form that `decide` reads. The outcome is dialled, answered, closed,
    refused, echoed, or unknown where the config asks for what the model does not know.
    """
    model = read_config(config_file, fsm)
    handled = [(connection, model.handle(connection)) for connection in connections]
    if output != "table":
        print_objects((outcome.to_mapping(connection) for connection, outcome in handled), output)
    else:
        print_outcomes(handled)


def print_outcomes(handled: Iterable[Handled]) -> None:
    """The table of what a sidecar does; where balancing leads to several things, a row for each."""
    rows = [
        _outcome_row(str(connection), connection, each)
        for connection, outcome in handled
        for each in (outcome, *outcome.others)
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
