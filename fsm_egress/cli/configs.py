"""The command that writes configs: config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..api import pipy_codebase, pipy_config
from ..manifests.unread import LEFT_OUT
from ..resources.core import Secret, ServiceAccount
from .endings import stop
from .files import write_file
from .help import examples
from .mesh import Documents, mesh_options, say_conditions
from .options import as_option, fsm_option, note_unnamed
from .output import why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources.losses import Loss
    from ..resources.resource import ServiceIdentity
    from ..snapshot import Snapshot
    from ..values.references import ResourceRef

__all__ = ["config"]


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
@fsm_option
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
    fsm: str | None,
    enforce: bool,
    output_file: Path | None,
) -> None:
    """Write the config.json that the sidecar of an identity reads.

    With --enforce, write a folder that is laid over FSM's sidecar scripts: the config, and the module
    that makes the sidecar enforce what the stock scripts cannot. With --lenient, none is written that could
    be another one if all could be read: then the exit code is 3.
    """
    if enforce and (output_file is None or is_gzip):
        raise click.UsageError(
            "with --enforce, -O names the folder of the codebase, and the mesh says --gzip"
        )
    if enforce and fsm is not None:
        raise click.UsageError("--enforce is for FSM 1.5 to 1.7: leave --fsm out")
    mesh = documents.changed(documents.load())
    lost = [loss for loss in mesh.lost if loss.concerns(identity) and not _is_no_part(loss)]
    told = [*map(str, lost), *(f"{ref} is kept without its data" for ref in _emptied(mesh, identity))]
    if told:
        stop("\n".join(["no config is written, as it may hang on this:", *told]))
    if enforce and output_file is not None:
        for path, content in pipy_codebase(mesh, identity, enforce=True).items():
            _write(output_file / path, content)
        return
    note_unnamed([identity], mesh)
    say_conditions(mesh, identity)
    written = pipy_config(mesh, identity, fsm=fsm)
    content = written.to_gzip() if is_gzip else written.to_json()
    if output_file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        _write(output_file, content)


def _emptied(mesh: Snapshot, identity: ServiceIdentity) -> Iterator[ResourceRef]:
    """The Secrets of an account's certificates of which a snapshot has no more than the names."""
    secrets = mesh.kind(Secret)
    for policy in mesh.policies_for(identity):
        for source in policy.spec.sources:
            reference = source.mtls and source.mtls.cert and source.mtls.cert.secret
            secret = reference and secrets.get(reference.namespace or policy.namespace, reference.name)
            if secret and LEFT_OUT in secret.metadata.annotations:
                yield secret.ref


def _is_no_part(loss: Loss) -> bool:
    """Whether nothing of what is lost stands in any config."""
    return loss.ref is not None and loss.ref.kind == ServiceAccount.kind


def _write(path: Path, content: bytes) -> None:
    try:
        write_file(path, content)
    except OSError as error:
        stop(f"{path}: cannot be written: {why(error)}")
