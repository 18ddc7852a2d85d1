"""The mesh of a command: which documents are read, and what is changed in their MeshConfig."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..manifests.foreign import is_foreign
from ..manifests.loader import NamedText
from ..manifests.manifest import DEFAULT_NAMESPACE
from ..resources.meshconfig import NO_MESH, Defaults, MeshConfig
from ..snapshot import Snapshot, load
from ..values.construction import frozen
from ..values.counting import many
from ..values.errors import InvalidValue, PatchError, Problem, Severity, told
from .chart_keys import complete_settings
from .cluster_options import CLUSTER_OPTIONS, Which, one_namespace, which_cluster
from .inputs import STDIN, STDIN_NAME, read_stdin
from .options import defaults_option
from .output import say
from .problems import print_problems, stop_for
from .settings import is_said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..manifests.loader import Input
    from ..resources.losses import Loss
    from ..resources.subjects import Subject

__all__ = [
    "Documents",
    "later_mesh",
    "mesh_and_later_options",
    "mesh_beside_logs_options",
    "mesh_options",
    "passed_over",
    "remarks",
    "say_conditions",
    "say_lost",
    "two_meshes_options",
]

_FEW = 3


@frozen
class Documents:
    """What `-f`, `--patch` and `--set` say; the patches are applied first, each kind in its order.

    Attributes:
        prefix: what the names of the options for patches and settings begin with.
        namespace: of documents and of accounts that name none.
        lenient: whether what cannot be read is told and left out.
        verbose: whether what is passed over is listed, not counted.
        cluster: the one that is read instead of files.
    """

    files: tuple[str, ...]
    patches: tuple[str, ...]
    settings: tuple[str, ...]
    prefix: str = "--"
    set_lenient: bool = False
    defaults: str | None = None
    namespace: str | None = None
    lenient: bool = False
    verbose: bool = False
    cluster: Which | None = None

    def load(
        self, *, strict: bool = True, inherited: Snapshot | None = None, needed: bool = True
    ) -> Snapshot:
        """The mesh as the documents have it; which MeshConfig that is, and what is left out, is told.

        Args:
            strict: whether anything wrong is an error.
            inherited: the mesh whose MeshConfig is meant where the documents have none.
            needed: whether documents without any resource are no mesh about which something can be said;
                with `--defaults` they are one of which nothing else is known.

        Raises:
            LoadError: with everything that is wrong, when `strict`.
            click.UsageError: there is no document, or standard input stands for two.
        """
        mesh = self._read(strict=strict and not self.lenient)
        told = [it for it in mesh.problems if it.severity is Severity.ERROR] if strict else []
        print_problems(told, err=True)
        self._tell_of_foreign(list(filter(is_foreign, mesh.problems)))
        if needed and self.defaults is None and not (len(mesh) or mesh.lost):
            stop_for([NO_MESH])
        configs = [str(config.ref) for config in mesh.kind(MeshConfig)]
        if len(configs) > 1:
            others = ", ".join(name for name in configs if name != str(mesh.mesh_config.ref))
            say([f"note: {mesh.mesh_config.ref} is taken, and {others} counts for nothing"], err=True)
        elif not configs and inherited is not None and len(inherited.kind(MeshConfig)):
            say(["note: no MeshConfig among the documents of --after: that of -f is taken"], err=True)
            return mesh.with_(*inherited.kind(MeshConfig))
        elif not configs and not any(map(_may_be_config, mesh.lost)):
            if self.defaults is None:
                say(_ASSUMED, err=True)
            return mesh.with_defaults(self.defaults or Defaults.FSM)
        return mesh

    def _read(self, *, strict: bool) -> Snapshot:
        if self.cluster is not None:
            from .clusters import mesh_of  # noqa: PLC0415  # because files are read without a client

            return mesh_of(self.cluster)
        try:
            return load(*_sources(self.files), strict=strict, namespace=self.namespace or DEFAULT_NAMESPACE)
        except InvalidValue as error:
            raise click.BadParameter(str(error), param_hint="'-n'") from None

    def _tell_of_foreign(self, foreign: Sequence[Problem]) -> None:
        """What is none of a mesh's own, in a line."""
        if self.verbose:
            print_problems(foreign, err=True)
        elif foreign:
            say([f"note: {passed_over(foreign)} passed over; -v lists what"], err=True)

    def changed(self, mesh: Snapshot) -> Snapshot:
        """The mesh with the patches and the settings applied.

        Raises:
            LoadError: the changed MeshConfig is not valid.
            click.BadParameter: one of them cannot be read, or sets what no MeshConfig has.
        """
        mesh = _with_each(mesh, f"{self.prefix}patch", self.patches, Snapshot.patched)
        return _with_each(mesh, f"{self.prefix}set", self.settings, self._set)

    def _set(self, mesh: Snapshot, text: str) -> Snapshot:
        """The mesh with a setting applied; what only an installation has is named and passed over."""
        from ..documents.chart import placeless  # noqa: PLC0415  # because few meshes are changed so

        passed = placeless(text)
        is_lenient = self.set_lenient or all(is_installed for _, is_installed in passed)
        if is_lenient:
            say(
                [f"{self.prefix}set: no MeshConfig holds `{key}`: it is passed over" for key, _ in passed],
                err=True,
            )
        return mesh.helm_set(text, lenient=is_lenient)

    def __bool__(self) -> bool:
        """Whether they say anything."""
        return bool(self.files or self.patches or self.settings)


def _may_be_config(loss: Loss) -> bool:
    """Whether the MeshConfig may be what could not be read, so that nothing is assumed in its place."""
    return loss.ref is None or loss.ref.kind == MeshConfig.kind


def later_mesh(mesh: Snapshot, documents: Documents, after: Documents) -> Snapshot:
    """What becomes of a mesh: of documents of its own, or of the mesh itself, changed on top of that.

    Args:
        mesh: the first one.
        documents: what is changed in the first one, and in the other.
        after: what is said of the other.
    """
    return after.changed(documents.changed(after.load(inherited=mesh)) if after.files else mesh)


def passed_over(foreign: Sequence[Problem]) -> str:
    """What is none of a mesh's own, counted, and named where it is little."""
    kinds = [it.resource.kind for it in foreign if it.resource]
    files = [it.document for it in foreign if it.document and not it.resource]
    more = [it.found for it in foreign if not it.document]
    parts = [
        many(len(kinds), "document") + f" of other kinds ({shortened(dict.fromkeys(kinds))})"
        if kinds
        else "",
        f"{many(len(files), 'file')} without Kubernetes objects ({shortened(files)})" if files else "",
        *more,
    ]
    return " and ".join(filter(None, parts))


def shortened(names: Iterable[str]) -> str:
    """The first few of some names."""
    listed = list(names)
    return ", ".join(map(told, listed[:_FEW])) + (", …" if len(listed) > _FEW else "")


def remarks(mesh: Snapshot) -> list[Problem]:
    """What there is to say of documents that are read, and are of the mesh."""
    return [it for it in mesh.problems if it.severity is not Severity.ERROR and not is_foreign(it)]


def say_lost(mesh: Snapshot, subjects: Iterable[Subject] | None = None) -> list[Loss]:
    """What could not be read and may bear on decisions: about these, or anybody; told on standard error."""
    lost = [it for it in mesh.lost if it.bearing and (subjects is None or any(map(it.concerns, subjects)))]
    say((f"note: {loss}" for loss in lost), err=True)
    return lost


def say_conditions(mesh: Snapshot, *subjects: Subject) -> None:
    """What a mesh uses and is not modelled, told on standard error: what is answered stands under that."""
    from ..resolution.conditions import conditions_of  # noqa: PLC0415  # because some commands resolve nothing

    say((f"note: {it}" for it in conditions_of(subjects or mesh.identities(), mesh)), err=True)


def _with_each(
    mesh: Snapshot, option: str, texts: tuple[str, ...], change: Callable[[Snapshot, str], Snapshot]
) -> Snapshot:
    for text in texts:
        try:
            mesh = change(mesh, text)
        except PatchError as error:
            from ..documents.chart import PLACED  # noqa: PLC0415  # because few meshes are changed so

            hint = "; --set-lenient passes it over" if error.problem.expected == PLACED else ""
            raise click.BadParameter(f"{error}{hint}", param_hint=f"'{option}'") from None
    return mesh


_ASSUMED = (
    "note: no MeshConfig among the documents: FSM's defaults are assumed, egress and permissive mode off",
    "      (FSM's chart installs them switched on: --defaults chart)",
)


def _sources(files: Sequence[str]) -> list[Input]:
    if not files:
        raise click.UsageError("missing option '-f': the documents to read")
    return [NamedText(read_stdin(), STDIN_NAME) if file == STDIN else Path(file) for file in files]


def mesh_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which mesh it is about, as its argument `documents`."""
    return _given(_with_documents(command), *_OPTIONS, _MORE)


def mesh_and_later_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same, and what becomes of the mesh, as its argument `after`."""
    return _given(_with_after(command), *_OPTIONS_AFTER, *_OPTIONS, _MORE)


def mesh_beside_logs_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command whose arguments are logs: each document stands behind an `-f`."""
    return _given(_with_documents(command), *_OPTIONS)


def two_meshes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for a mesh, as `documents`, and for what becomes of it, as `after`."""
    return _given(_with_after(command), *_OPTIONS_AFTER, *_OPTIONS)


def _with_after(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def with_after(
        *,
        after_files: tuple[str, ...],
        after_patches: tuple[str, ...],
        after_settings: tuple[str, ...],
        **others: Any,
    ) -> None:
        shared = {name: others[name] for name in _SHARED}
        space = others["namespace"]
        after = Documents(after_files, after_patches, after_settings, "--after-", namespace=space, **shared)
        named(after=after, **others)

    named = _with_documents(command)
    return with_after


_SHARED = ("set_lenient", "defaults", "lenient", "verbose")
"""What is said once of all documents."""


def _with_documents(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def with_documents(
        *,
        files: tuple[str, ...],
        patches: tuple[str, ...],
        settings: tuple[str, ...],
        cluster: bool,
        context: str | None,
        namespace: str | None,
        everywhere: bool,
        more_files: tuple[str, ...] = (),
        **others: Any,
    ) -> None:
        named = (*(files if is_said("files") else ()), *more_files)
        if named or (cluster and is_said("cluster")):  # which count more than settings
            files, cluster = named, cluster and is_said("cluster")
        namespace, everywhere = one_namespace(namespace, everywhere=everywhere)
        which = which_cluster(cluster=cluster, context=context, namespace=namespace, everywhere=everywhere)
        if which is not None and files:
            raise click.UsageError("give one of -f and --cluster")
        shared = {name: others.pop(name) for name in _SHARED}
        documents = Documents(files, patches, settings, namespace=namespace, cluster=which, **shared)
        command(documents=documents, **others)

    return with_documents


def _given(command: Callable[..., None], *options: Callable[..., Any]) -> Callable[..., None]:
    for option in options:
        command = option(command)
    return command


_MORE = click.argument("more_files", nargs=-1, metavar="[PATH]...")
_OPTIONS = (
    *CLUSTER_OPTIONS,
    click.option("-v", "--verbose", is_flag=True, help="List what is ignored: other kinds, other files."),
    click.option(
        "--lenient",
        is_flag=True,
        help="Answer what does not depend on documents that cannot be read, with a note.",
    ),
    click.option(
        "--set-lenient",
        is_flag=True,
        help="Ignore keys of --set that no MeshConfig has, with a note.",
    ),
    defaults_option,
    click.option(
        "--set",
        "settings",
        multiple=True,
        shell_complete=complete_settings,
        metavar="KEY=VALUE",
        help="Set a chart key on the MeshConfig, as `helm --set` does; after every --patch.",
    ),
    click.option(
        "--patch",
        "patches",
        multiple=True,
        metavar="JSON",
        help="Merge JSON or YAML into the MeshConfig, as `kubectl patch --type merge -p` does.",
    ),
    click.option(
        "-f",
        "--file",
        "files",
        multiple=True,
        metavar="PATH",
        help="A file or a folder of YAML and JSON documents; `-` is standard input.",
    ),
)
_OPTIONS_AFTER = (
    click.option(
        "--after-set",
        "after_settings",
        multiple=True,
        shell_complete=complete_settings,
        metavar="KEY=VALUE",
        help="Set a chart key on the MeshConfig of the mesh to compare with, on top of everything else.",
    ),
    click.option(
        "--after-patch",
        "after_patches",
        multiple=True,
        metavar="JSON",
        help="Merge JSON into the MeshConfig of the mesh to compare with, on top of every --patch and --set.",
    ),
    click.option(
        "--after",
        "after_files",
        multiple=True,
        metavar="PATH",
        help="Documents of a mesh to compare with; by default those of -f, if --after-patch or --after-set"
        " change it.",
    ),
)
