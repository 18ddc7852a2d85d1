"""The command that explains decisions: explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..connections.descriptions import Requests
from ..explanation import explain as explain_connection
from .connections import connection_options, numbered
from .endings import end
from .help import examples
from .mesh import Documents, mesh_options
from .options import as_option, note_unnamed, output_option
from .output import print_objects, say

if TYPE_CHECKING:
    from ..connections.connection import Connection
    from ..resources.resource import ServiceIdentity

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
    identity: ServiceIdentity,
    connections: tuple[Connection, ...],
    output: str,
) -> None:
    """Say why connections are decided as they are.

    HTTP is decided request by request: each --http is a request of the same connection.

    What denied ones miss by one thing only is said, too. A connection in JSON has the form that `decide`
    reads.
    """
    mesh = documents.changed(documents.load())
    note_unnamed([identity], mesh)
    explained = [explain_connection(mesh, identity, connection) for connection in connections]
    if output != "table":
        print_objects(
            (
                {**number, **explanation.to_mapping()}
                for number, explanation in zip(numbered(connections), explained, strict=True)
            ),
            output,
        )
    else:
        texts = [
            f"request {number}: {explanation}" if isinstance(connections, Requests) else str(explanation)
            for number, explanation in enumerate(explained, 1)
        ]
        say("\n\n".join(texts).split("\n"))
    end(found=False, unknown=any(it.decision.without for it in explained))
