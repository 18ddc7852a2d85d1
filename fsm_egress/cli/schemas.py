"""The command about what documents may hold: schema."""

from __future__ import annotations

import click

from ..manifests.schemas import json_schema
from ..resources.kinds import READ
from .help import examples
from .output import print_objects

__all__ = ["schema"]


@click.command(
    epilog=examples(
        "fsm-egress schema > fsm-egress.schema.json",
        "fsm-egress schema Egress | jq '.[\"$defs\"].EgressSpec'",
    )
)
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice([kind.kind for kind in READ]))
def schema(kind: str | None) -> None:
    """Print the JSON Schema of documents.

    It is of a KIND, such as Egress, or of any document of a mesh. An editor that knows it completes
    and checks documents as you write; what it cannot say, `check` does.
    """
    print_objects([json_schema(kind)], "json")
