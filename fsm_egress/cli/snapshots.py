"""The command that keeps what a cluster has of a mesh: snapshot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..documents.compressed import pack
from ..values.counting import many
from .cluster_options import CLUSTER_OPTIONS, one_namespace, which_cluster
from .clusters import reading_of
from .endings import stop
from .files import write_file
from .help import examples
from .output import say, why

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["snapshot"]


def _cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in CLUSTER_OPTIONS:
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "fsm-egress snapshot --cluster -O mesh.json.gz",
        "fsm-egress snapshot --cluster --context staging -O staging.json",
    )
)
@_cluster_options
@click.option(
    "-O",
    "--output-file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="The file, compressed where its name ends in .gz; written whole or not at all, for its owner alone.",
)
def snapshot(
    output_file: Path, cluster: bool, context: str | None, namespace: str | None, everywhere: bool
) -> None:
    """Keep what a cluster has of a mesh, in a file for -f.

    Of Secrets it has the names alone. What may not be read is kept as such, so that what hangs on it stays
    unknown: -f then needs --lenient. Nothing is ever written to the cluster.
    """
    namespace, everywhere = one_namespace(namespace, everywhere=everywhere)
    which = which_cluster(cluster=cluster, context=context, namespace=namespace, everywhere=everywhere)
    if which is None:
        raise click.UsageError("missing option '--cluster': what is to be kept")
    read, _ = reading_of(which)
    content = json.dumps(read.without_secrets(), separators=(",", ":"), ensure_ascii=False).encode()
    try:
        write_file(output_file, pack(content) if output_file.suffix == ".gz" else content)
    except OSError as error:
        stop(f"{output_file}: cannot be written: {why(error)}")
    say([f"{output_file}: {many(len(read.documents), 'object')}", *(f"not read: {it}" for it in read.unread)])
