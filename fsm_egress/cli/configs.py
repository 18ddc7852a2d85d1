"""The command that writes configs: config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..api import pipy_codebase, pipy_config
from ..manifests.unread import LEFT_OUT
from ..pipy.config import CONFIG_FILES
from ..pipy.enforcement import MODULE, OBSERVER
from ..resolution import resolve
from ..resources.core import Secret, ServiceAccount
from ..values.construction import frozen
from ..values.errors import InvalidValue
from .endings import stop
from .files import resolved, write_file, write_folder
from .help import examples
from .mesh import Documents, later_mesh, mesh_and_later_options, say_conditions
from .options import as_option, fsm_option, note_unnamed
from .output import say, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..resources.losses import Loss
    from ..resources.resource import ServiceIdentity
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot
    from ..values.references import ResourceRef

__all__ = ["config"]

_NOT_SEEN = ("note: enableEgress is off: what no rule takes is closed by FSM's own script, and never logged",)


@click.command(
    epilog=examples(
        "fsm-egress config -f policies/ --as curl.curl | jq .Outbound",
        "fsm-egress config -f policies/ --as curl.curl --set fsm.enableEgress=true -O config.json",
        "fsm-egress config -f policies/ --as curl.curl --gzip -O config.json.gz",
        "fsm-egress config -f policies/ --as curl.curl --enforce -O codebase/",
        "fsm-egress config -f mesh/ --as curl.curl --observe -O codebase/",
        "fsm-egress config -f mesh/ --as curl.curl --shadow --after policies/ \\\n"
        "      --after-set fsm.enableEgress=false --log-to http://logs.monitoring:8080/ -O codebase/",
    )
)
@mesh_and_later_options
@as_option(required=True)
@click.option("--gzip", "is_gzip", is_flag=True, help="Compress: the bytes of config.json.gz.")
@fsm_option
@click.option("--enforce", is_flag=True, help="Write the module too, into the folder that -O names.")
@click.option(
    "--shadow",
    is_flag=True,
    help="Log what the policies of --after (else of -f) would refuse, and let it through all the same.",
)
@click.option("--observe", is_flag=True, help="Log every connection, and each request of HTTP.")
@click.option(
    "--log-to",
    metavar="URL",
    help="Post what is logged to this HTTP endpoint, in batches, instead of standard output.",
)
@click.option(
    "--log-sample",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Look at this share of the connections, such as 0.1; by default at all.",
)
@click.option(
    "-O",
    "--output-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to this file, whole or not at all, instead of standard output; with a module, to a folder.",
)
def config(
    documents: Documents,
    after: Documents,
    identity: ServiceIdentity,
    is_gzip: bool,
    fsm: str | None,
    enforce: bool,
    shadow: bool,
    observe: bool,
    log_to: str | None,
    log_sample: float | None,
    output_file: Path | None,
) -> None:
    """Write the config.json that the sidecar of an identity reads.

    With --enforce, --shadow or --observe, write a folder that is laid over FSM's sidecar scripts: the config,
    and a module. --enforce makes the sidecar do what the policies say, where the stock scripts cannot.
    --shadow and --observe change nothing about what it does: it logs JSON lines, as `replay` and `learn`
    read them. The folder holds these files and nothing else: what an earlier run wrote there is gone, and
    where there is anything else, nothing is written. It is for its owner alone, as it can hold private keys.

    With --lenient, nothing is written that could be another if all could be read: then the exit code is 3.
    """
    with_module = [
        option
        for option, given in (("--enforce", enforce), ("--shadow", shadow), ("--observe", observe))
        if given
    ]
    logs = Logging(shadow, observe, after, log_to, log_sample)
    logs.check()
    if with_module:
        _check_folder(" and ".join(with_module), output_file, is_gzip=is_gzip, fsm=fsm)
    mesh = documents.changed(documents.load())
    _stop_where_lost(mesh, identity)
    say(_read_by_nobody(mesh, identity), err=True)
    if with_module and output_file is not None:
        _write_codebase(output_file, _codebase(mesh, documents, identity, logs, enforce=enforce))
        return
    note_unnamed([identity], mesh)
    say_conditions(mesh, identity)
    say(_by_age(mesh, identity), err=True)
    written = pipy_config(mesh, identity, fsm=fsm)
    content = written.to_gzip() if is_gzip else written.to_json()
    if output_file is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    else:
        _write(output_file, content)


def _by_age(mesh: Snapshot, identity: Subject) -> Iterator[str]:
    """What a config cannot say: which of its shares hang on the age of pods."""
    clusters = resolve(mesh, identity).clusters
    names = [it.name for it in clusters if any(end.growth for end in it.endpoints)]
    if names:
        yield f"note: shares of {', '.join(names)} are by the age of pods: written as of grown ones"


def _read_by_nobody(mesh: Snapshot, subject: Subject) -> Iterator[str]:
    """That no pod of a subject has a sidecar, where it has pods."""
    interception = resolve(mesh, subject).interception
    if interception.without is not None:
        yield f"note: nobody reads this config: {subject} has no sidecar, as {interception.why}"


def _stop_where_lost(mesh: Snapshot, identity: ServiceIdentity) -> None:
    """End the command where the config may hang on what could not be read."""
    lost = [loss for loss in mesh.lost if loss.concerns(identity) and not _is_no_part(loss)]
    told = [*map(str, lost), *(f"{ref} is kept without its data" for ref in _emptied(mesh, identity))]
    if told:
        stop("\n".join(["no config is written, as it may depend on this:", *told]))


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


@frozen
class Logging:
    """What the sidecar is to log, as the options say it."""

    shadow: bool
    observe: bool
    after: Documents
    log_to: str | None
    log_sample: float | None

    def check(self) -> None:
        """See that they go together.

        Raises:
            click.UsageError: they do not.
        """
        if self.after and not self.shadow:
            raise click.UsageError("--after is what --shadow asks")
        told = self.log_to is not None or self.log_sample is not None
        if told and not (self.shadow or self.observe):
            raise click.UsageError("--log-to and --log-sample say how --shadow or --observe log")


def _check_folder(named: str, output_file: Path | None, *, is_gzip: bool, fsm: str | None) -> None:
    """See that the options fit a codebase.

    Raises:
        click.UsageError: they do not.
    """
    if output_file is None or is_gzip:
        raise click.UsageError(f"with {named}, -O names the folder of the codebase, and the mesh says --gzip")
    if fsm is not None:
        raise click.UsageError(f"{named} is for FSM 1.5 to 1.7: leave --fsm out")


def _codebase(
    mesh: Snapshot, documents: Documents, identity: ServiceIdentity, logs: Logging, *, enforce: bool
) -> dict[str, bytes]:
    """The files of a codebase; on standard error, what of the mesh's connections is never logged."""
    if (logs.shadow or logs.observe) and not mesh.mesh_config.spec.traffic.enable_egress:
        say(_NOT_SEEN, err=True)
    try:
        return pipy_codebase(
            mesh,
            identity,
            enforce=enforce,
            shadow=later_mesh(mesh, documents, logs.after) if logs.shadow else None,
            observe=logs.observe,
            log_to=logs.log_to,
            log_sample=1 if logs.log_sample is None else logs.log_sample,
        )
    except InvalidValue as error:
        if error.problems[0].path != "log_to":
            raise
        raise click.BadParameter(str(error).removeprefix("log_to: "), param_hint="'--log-to'") from None


def _write_codebase(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        ours = {resolved(folder) / name for name in (*CONFIG_FILES, MODULE, OBSERVER)}
        write_folder(folder, files, ours.__contains__, private=True)
    except OSError as error:
        stop(f"{folder}: cannot be written: {why(error)}")


def _write(path: Path, content: bytes) -> None:
    try:
        write_file(path, content)
    except OSError as error:
        stop(f"{path}: cannot be written: {why(error)}")
