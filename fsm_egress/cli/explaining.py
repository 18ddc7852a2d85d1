"""The command that explains decisions: explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..explanation import explain as explain_connection
from ..interception.kinds import alike, interception_of
from .connections import connection_options, numbered
from .endings import end
from .help import examples
from .mesh import Documents, mesh_options
from .options import as_option, note_unnamed, output_option
from .output import NOT_CERTAIN, print_objects, say

if TYPE_CHECKING:
    from ..connections.connection import Connection
    from ..resources.subjects import Subject

__all__ = ["explain"]


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
    identity: Subject,
    connections: tuple[Connection, ...],
    output: str,
) -> None:
    """Say why connections are decided as they are.

    HTTP is decided request by request: each --http is a request of the same connection.

    What denied ones miss by one thing only is said, too; of an account whose pods are not intercepted alike,
    all of it for each kind of them. A connection in JSON has the form that `decide` reads.
    """
    mesh = documents.changed(documents.load())
    note_unnamed([identity], mesh)
    subjects = alike([identity], mesh)
    doubts = list(filter(None, (interception_of(mesh, subject).unproven for subject in subjects)))
    explained = [
        (number, explain_connection(mesh, subject, connection))
        for subject in subjects
        for number, connection in zip(numbered(connections), connections, strict=True)
    ]
    if output != "table":
        print_objects(({**number, **explanation.to_mapping()} for number, explanation in explained), output)
    else:
        texts = [
            f"request {number['request']}: {explanation}" if number else str(explanation)
            for number, explanation in explained
        ]
        say("\n\n".join(texts).split("\n"))
        say(f"{NOT_CERTAIN} {it}" for it in doubts)
    end(found=False, unknown=any(it.decision.without for _, it in explained))
