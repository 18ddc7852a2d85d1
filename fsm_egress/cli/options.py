"""What the options of several commands have in common: whose connections, which output, and help."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from ..resources.meshconfig import Defaults
from ..resources.resource import ServiceIdentity
from ..resources.subjects import AnyOtherAccount, Pods, Subject, read_subject
from ..snapshot import load
from ..values.construction import frozen
from ..values.errors import FSMEgressError, InvalidValue
from .inputs import STDIN
from .output import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..connections.findings import Code
    from ..snapshot import Snapshot
    from .mesh import Documents

__all__ = [
    "Command",
    "Whose",
    "as_option",
    "code_option",
    "complete_identities",
    "config_option",
    "defaults_option",
    "enforce_option",
    "note_unnamed",
    "output_option",
    "quiet_option",
    "strict_names_option",
    "strict_whose_options",
    "whose_options",
]

Command: TypeAlias = Callable[..., None]

_OUTPUTS = {
    "table": "a table for people",
    "json": "a JSON object a line",
    "yaml": "YAML documents",
    "sarif": "a SARIF log",
    "github": "GitHub annotations",
    "junit": "JUnit XML",
    "html": "a page for a browser",
    "page": "a page for a browser",
    "mermaid": "a Mermaid diagram",
    "dot": "a Graphviz graph",
}


def output_option(*more: str) -> Callable[[Command], Command]:
    """The option for the form of what is printed: `table`, `json`, `yaml`, and these."""
    outputs = ("table", "json", "yaml", *more)
    *others, last = (_OUTPUTS[output] for output in outputs)
    return click.option(
        "-o",
        "--output",
        type=click.Choice(outputs),
        default="table",
        show_default=True,
        help=f"Print {', '.join(others)} or {last}.",
    )


def config_option(*, required: bool, help: str) -> Callable[[Command], Command]:  # noqa: A002  # as click says it
    """The option that names the config of a sidecar."""
    return click.option("--config", "config_file", required=required, metavar="FILE", help=help)


def _version(_ctx: click.Context, _param: click.Parameter, text: str | None) -> str | None:
    from ..pipy.versions import fsm_version  # noqa: PLC0415  # because few commands ask for it

    try:
        if text is not None:
            fsm_version(text)
    except InvalidValue as error:
        raise click.BadParameter(str(error)) from None
    return text


fsm_option: Callable[[Command], Command] = click.option(
    "--fsm",
    metavar="VERSION",
    callback=_version,
    help="FSM's version, such as 1.4 or 1.3.7; by default one of 1.5 to 1.7.",
)
enforce_option: Callable[[Command], Command] = click.option(
    "--enforce", is_flag=True, help="The sidecars have the module of `config --enforce`."
)
quiet_option: Callable[[Command], Command] = click.option(
    "-q", "--quiet", is_flag=True, help="Print the summary alone."
)


def workers_option(what: str, default: int | None = None) -> Callable[[Command], Command]:
    """The option that says how many processes share what; all cores where there is no other default."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=default or (lambda: os.cpu_count() or 1),
        show_default=True if default else "all cores",
        metavar="N",
        help=f"How many processes share the {what}.",
    )


def code_option(name: str, text: str) -> Callable[[Command], Command]:
    """The option that names codes of findings, any number of times; it completes them."""
    return click.option(
        name, multiple=True, metavar="CODE", shell_complete=_complete_codes, callback=_codes, help=text
    )


def _complete_codes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from ..linting.rules import RULES  # noqa: PLC0415  # because few are completed

    known = ((code, rule) for code, rule in RULES.items() if code.code.startswith(incomplete.upper()))
    return [CompletionItem(code.code, help=rule.title) for code, rule in known]


def _codes(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> tuple[Code, ...]:
    if not names:
        return ()
    from ..connections.findings import Code  # noqa: PLC0415  # because `check` knows no findings

    known = {code.code: code for code in Code}
    for name in names:
        if name not in known:
            raise click.BadParameter(str(InvalidValue.of("the code of a finding, such as `FSE070`", name)))
    return tuple(known[name] for name in names)


# --- whose connections -----------------------------------------------------------------------------------


@frozen
class Whose:
    """What `--as` and `-n` say: whose connections a command is about."""

    subjects: tuple[Subject, ...]
    namespace: str | None
    strict: bool = False

    def of(self, *meshes: Snapshot) -> tuple[Subject, ...]:
        """Those that are named, else those of the namespace, else all that there are.

        Raises:
            click.BadParameter: there is none in the namespace, or, when `strict`, no document names one.
        """
        note_unnamed(self.subjects, *meshes, strict=self.strict)
        if self.subjects or self.namespace is None:
            from ..resolution.everyone import subjects_of  # noqa: PLC0415  # because `check` asks nobody

            return self.subjects or subjects_of(*meshes)
        named = {identity: None for mesh in meshes for identity in mesh.identities()}
        found = tuple(it for it in named if it.namespace == self.namespace)
        if not (found or any(self.namespace in mesh.namespaces() for mesh in meshes)):
            raise click.BadParameter(f"no identity of namespace `{self.namespace}`", param_hint="'-n'")
        return *found, AnyOtherAccount(self.namespace)


def as_option(*, required: bool) -> Callable[[Command], Command]:
    """The options that say which identity a command is about, as its argument `identity`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_identity(*, name: str | None, documents: Documents, **others: Any) -> None:
            identity = None if name is None else _subject(name, documents.namespace)
            command(identity=identity, documents=documents, **others)

        return _as(with_identity, required)

    return decorate


def note_unnamed(subjects: Iterable[Subject], *meshes: Snapshot, strict: bool = False) -> list[str]:
    """Say on standard error whom no document names; the same is returned.

    Raises:
        click.BadParameter: there is one, and it is to be `strict`.
    """
    from ..resolution.everyone import may_name_more, unnamed  # noqa: PLC0415  # because `check` asks nobody

    notes = list(map(str, unnamed(subjects, *meshes)))
    if notes and strict and not may_name_more(*meshes):
        hint = "; for one that nothing names, --as 'any other account' or --no-strict-names"
        raise click.BadParameter("; ".join(notes) + hint, param_hint="'--as'")
    say((f"note: {note}" for note in notes), err=True)
    return notes


def whose_options(command: Command, *, strict: bool = False) -> Command:
    """Give a command the options that say whose connections it is about, as its argument `whose`.

    Args:
        command: what is given them.
        strict: whether a name that no document has is an error unless that is said.
    """

    @wraps(command)
    def with_whose(
        *, names: tuple[str, ...], documents: Documents, strict_names: bool, **others: Any
    ) -> None:
        subjects = tuple(_subject(name, documents.namespace) for name in names)
        whose = Whose(subjects, documents.namespace, strict_names)
        command(whose=whose, documents=documents, **others)

    option = click.option(
        "--as",
        "names",
        multiple=True,
        metavar="NAME.NAMESPACE",
        shell_complete=complete_identities,
        help="Whose connections; by default those of every account of the mesh, and of any other.",
    )
    return option(strict_names_option(default=strict)(with_whose))


def strict_names_option(*, default: bool) -> Callable[[Command], Command]:
    """The option that says whether a name that no document has is an error."""
    return click.option(
        "--strict-names/--no-strict-names",
        default=default,
        show_default=True,
        help="Whether an account that no document names is an error, or a note.",
    )


defaults_option: Callable[[Command], Command] = click.option(
    "--defaults",
    type=click.Choice([defaults.value for defaults in Defaults]),
    help="What is assumed without a MeshConfig: FSM's defaults, or those that its chart installs.",
)


def strict_whose_options(command: Command) -> Command:
    """`whose_options` of a command that proves: a slip of the pen is no proof."""
    return whose_options(command, strict=True)


def complete_identities(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The identities of the documents that have been named so far."""
    files = [Path(name) for name in ctx.params.get("files") or () if name != STDIN]
    try:
        mesh = load(*files, strict=False)
    except FSMEgressError:
        return []
    known = [str(it) for it in mesh.identities()]
    if "/" in incomplete:
        from ..interception.hosts import hosts_of  # noqa: PLC0415  # because few ask for pods

        known = [f"{host.name}.{host.namespace}" for host in hosts_of(mesh)]
    return [CompletionItem(it) for it in known if it.startswith(incomplete)]


def _as(command: Command, required: bool) -> Command:
    return click.option(
        "--as",
        "name",
        required=required,
        metavar="NAME.NAMESPACE",
        shell_complete=complete_identities,
        help="Whose connections: an account, or pods as pod/NAME.NAMESPACE, deployment/NAME.NAMESPACE.",
    )(command)


def _subject(name: str, namespace: str | None) -> Subject:
    """An identity, or any other account."""
    try:
        subject = read_subject(f"{name}.{namespace}" if "/" in name and namespace else name)
    except InvalidValue:
        return _identity(name, namespace)
    return subject if isinstance(subject, (AnyOtherAccount, Pods)) else _identity(name, namespace)


def _identity(name: str, namespace: str | None) -> ServiceIdentity:
    """`name.namespace`, or a name whose namespace is said by itself."""
    full = name if namespace is None or "." in name else f"{name}.{namespace}"
    try:
        return ServiceIdentity.parse(full)
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="'--as'") from None
