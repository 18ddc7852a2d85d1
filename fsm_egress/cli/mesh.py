"""The mesh of a command: which documents are read, and what is changed in their MeshConfig."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..manifests.loader import NamedText
from ..resources.meshconfig import Defaults, MeshConfig
from ..snapshot import Snapshot, load
from ..values.construction import frozen
from ..values.errors import PatchError
from .inputs import STDIN, STDIN_NAME, read_stdin
from .output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..manifests.loader import Input

__all__ = ["Documents", "later_mesh", "mesh_beside_logs_options", "mesh_options", "two_meshes_options"]


@frozen
class Documents:
    """What `-f`, `--patch` and `--set` say; the patches are applied first, each kind in its order.

    Attributes:
        prefix: what the names of the options for patches and settings begin with.
    """

    files: tuple[str, ...]
    patches: tuple[str, ...]
    settings: tuple[str, ...]
    prefix: str = "--"
    set_lenient: bool = False
    defaults: str | None = None

    def load(self, *, strict: bool = True, inherited: Snapshot | None = None) -> Snapshot:
        """The mesh as the documents have it; on standard error, which MeshConfig that is.

        Args:
            strict: whether anything wrong is an error.
            inherited: the mesh whose MeshConfig is meant where the documents have none.

        Raises:
            LoadError: with everything that is wrong, when `strict`.
            click.UsageError: there is no document, or standard input stands for two.
        """
        mesh = load(*_sources(self.files), strict=strict)
        configs = [str(config.ref) for config in mesh.kind(MeshConfig)]
        if len(configs) > 1:
            others = ", ".join(name for name in configs if name != str(mesh.mesh_config.ref))
            say([f"note: {mesh.mesh_config.ref} is taken, and {others} counts for nothing"], err=True)
        elif not configs and inherited is not None and len(inherited.kind(MeshConfig)):
            say(["note: no MeshConfig among the documents of --after: that of -f is taken"], err=True)
            return mesh.with_(*inherited.kind(MeshConfig))
        elif not configs and not mesh.lost:
            if self.defaults is None:
                say(_ASSUMED, err=True)
            return mesh.with_defaults(self.defaults or Defaults.FSM)
        return mesh

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
        from ..documents.helm import placeless  # noqa: PLC0415  # because few meshes are changed so

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


def later_mesh(mesh: Snapshot, documents: Documents, after: Documents) -> Snapshot:
    """What becomes of a mesh: of documents of its own, or of the mesh itself, changed on top of that.

    Args:
        mesh: the first one.
        documents: what is changed in the first one, and in the other.
        after: what is said of the other.
    """
    return after.changed(documents.changed(after.load(inherited=mesh)) if after.files else mesh)


def _with_each(
    mesh: Snapshot, option: str, texts: tuple[str, ...], change: Callable[[Snapshot, str], Snapshot]
) -> Snapshot:
    for text in texts:
        try:
            mesh = change(mesh, text)
        except PatchError as error:
            from ..documents.helm import PLACED  # noqa: PLC0415  # because few meshes are changed so

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

    @wraps(command)
    def with_files(*, files: tuple[str, ...], more_files: tuple[str, ...], **others: Any) -> None:
        named(files=files + more_files, **others)

    named = _with_documents(command)
    return _given(with_files, *_OPTIONS, click.argument("more_files", nargs=-1, metavar="[PATH]..."))


def mesh_beside_logs_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a command whose arguments are logs: each document stands behind an `-f`."""
    return _given(_with_documents(command), *_OPTIONS)


def _with_documents(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def with_documents(
        *,
        files: tuple[str, ...],
        patches: tuple[str, ...],
        settings: tuple[str, ...],
        set_lenient: bool,
        defaults: str | None,
        **others: Any,
    ) -> None:
        documents = Documents(files, patches, settings, set_lenient=set_lenient, defaults=defaults)
        command(documents=documents, **others)

    return with_documents


def _given(command: Callable[..., None], *options: Callable[..., Any]) -> Callable[..., None]:
    for option in options:
        command = option(command)
    return command


def two_meshes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for a mesh, as `documents`, and for what becomes of it, as `after`."""

    @wraps(command)
    def with_documents(
        *,
        files: tuple[str, ...],
        patches: tuple[str, ...],
        settings: tuple[str, ...],
        set_lenient: bool,
        after_files: tuple[str, ...],
        after_patches: tuple[str, ...],
        after_settings: tuple[str, ...],
        defaults: str | None,
        **others: Any,
    ) -> None:
        documents = Documents(files, patches, settings, set_lenient=set_lenient, defaults=defaults)
        after = Documents(after_files, after_patches, after_settings, "--after-", set_lenient, defaults)
        command(documents=documents, after=after, **others)

    return _given(with_documents, *_OPTIONS_AFTER, *_OPTIONS)


_OPTIONS = (
    click.option(
        "--set-lenient",
        is_flag=True,
        help="Name keys of --set that no MeshConfig holds, and pass them over.",
    ),
    click.option(
        "--defaults",
        type=click.Choice([defaults.value for defaults in Defaults]),
        help="What is assumed without a MeshConfig: FSM's defaults, or those that its chart installs.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
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
