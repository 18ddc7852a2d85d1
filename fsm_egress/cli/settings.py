"""What options are that the command line does not give: those of the environment, else those of a file.

The file is `fsm-egress.toml`, or the table `tool.fsm-egress` of a `pyproject.toml`, in the folder or in the
nearest one above that has either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from ..resources.meshconfig import Defaults
from ..values.construction import frozen
from ..values.errors import InvalidValue, MissingExtra, Problem, Severity, shortly, show
from ..values.spelling import nearest
from .inputs import STDIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["KEYS", "PREFIX", "defaults_of", "is_said"]

Settings: TypeAlias = "dict[str, Any]"

PREFIX = "FSM_EGRESS_"
FILE, SHARED_FILE = "fsm-egress.toml", "pyproject.toml"
TABLE = ("tool", "fsm-egress")
PAIRS = (("files", "cluster"), ("namespace", "all-namespaces"))  # of which one is in place of the other
ALIKE = 0.7  # of keys
MAX_SETTINGS = 2**20  # bytes of a file


@frozen
class _Kind:
    """What a setting may be.

    Attributes:
        expected: as a phrase.
        takes: whether a value of TOML is one.
        read: the value that a text of the environment stands for; None where it is none.
    """

    expected: str
    takes: Callable[[Any], bool]
    read: Callable[[str], Any]


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _choice(values: Iterable[str]) -> _Kind:
    listed = tuple(values)
    names = ", ".join(f"`{value}`" for value in listed)
    return _Kind(f"one of {names}", listed.__contains__, lambda text: text if text in listed else None)


_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_FLAG = _Kind(
    "`true` or `false`", lambda value: isinstance(value, bool), lambda text: _FLAGS.get(text.lower())
)
_TEXT = _Kind("a string", lambda value: isinstance(value, str) and value != "", str)
_TEXTS = _Kind("a list of strings", _is_texts, lambda text: [text])
_PATHS = _Kind("a list of paths", _is_texts, lambda text: list(filter(None, text.split(os.pathsep))))

KEYS: dict[str, _Kind] = {
    "files": _PATHS,
    "lenient": _FLAG,
    "fail-on": _choice(severity.value for severity in Severity),
    "namespace": _TEXT,
    "patch": _TEXTS,
    "set": _TEXTS,
    "set-lenient": _FLAG,
    "defaults": _choice(defaults.value for defaults in Defaults),
    "strict-names": _FLAG,
    "verbose": _FLAG,
    "cluster": _FLAG,
    "context": _TEXT,
    "all-namespaces": _FLAG,
}
"""What there is to set: each is the option of that name, or `-f` for `files`."""


def defaults_of(command: click.Command, folder: Path, environment: Mapping[str, str]) -> Settings:
    """What the options of a command are where the command line does not give them, by their parameters.

    Args:
        command: that is about to be read.
        folder: where the file is looked for, and above.
        environment: whose variables, such as `FSM_EGRESS_FILES`, count more than the file.

    Raises:
        InvalidValue: the file cannot be read, or has a key or a value that there is not.
        click.BadParameter: a variable has a value that there is not.
        MissingExtra: the Python is too old to read TOML by itself, and the package for that is not installed.
    """
    by_key = {key: it for it in command.params for key in KEYS if _option(key) in it.opts}
    if not by_key:
        return {}
    said = _of_environment(environment)
    written = _of_folder(folder)
    replaced = {key for pair in PAIRS if said.keys() & set(pair) for key in pair}
    settings = {**{key: value for key, value in written.items() if key not in replaced}, **said}
    return {
        parameter.name or "": settings[key]
        for key, parameter in by_key.items()
        if key in settings and _is_taken(parameter, settings[key])
    }


def _option(key: str) -> str:
    return "--file" if key == "files" else f"--{key}"


def _is_taken(parameter: click.Parameter, value: Any) -> bool:
    """Whether the option of this command has such a value; `--fail-on` of `decide` has others."""
    return not isinstance(parameter.type, click.Choice) or value in parameter.type.choices


def is_said(name: str) -> bool:
    """Whether the command line itself gives a parameter, or nothing does."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT_MAP


# --- the environment -------------------------------------------------------------------------------------


def _of_environment(environment: Mapping[str, str]) -> Settings:
    found = {}
    for key, kind in KEYS.items():
        name = _variable(key)
        text = environment.get(name)
        if text:
            found[key] = kind.read(text)
            if found[key] is None:
                raise click.BadParameter(f"expected {kind.expected}, found {shortly(text)}", param_hint=name)
    for pair in _both(found):
        raise click.UsageError(f"give one of {' and '.join(map(_variable, pair))}")
    return found


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace("-", "_")


def _both(settings: Settings) -> Iterator[tuple[str, str]]:
    """The pairs of which there are both."""
    return (pair for pair in PAIRS if all(map(settings.get, pair)))


# --- the file --------------------------------------------------------------------------------------------


def _of_folder(folder: Path) -> Settings:
    for place in (folder, *folder.parents):
        for path, find in ((place / FILE, _own), (place / SHARED_FILE, _shared)):
            if path.is_file():
                settings = find(path)
                if settings is not None:
                    return _checked(settings, path)
    return {}


def _own(path: Path) -> Any:
    return _toml(path, _content(path))


def _shared(path: Path) -> Any:
    """The table of a file that belongs to others, too; None where it has none."""
    content = _content(path)
    if TABLE[-1].encode() not in content:
        return None
    tree: Any = _toml(path, content)
    for key in TABLE:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SETTINGS + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _wrong(path, Problem("a file that can be read", reason=reason)) from None
    if len(content) > MAX_SETTINGS:
        raise _wrong(path, Problem(f"at most {MAX_SETTINGS // 2**20} MiB", "more"))
    return content


def _toml(path: Path, content: bytes) -> Any:
    try:
        toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    except ImportError:
        raise MissingExtra(f"reading {path.name}", "cli") from None
    try:
        return toml.loads(content.decode())
    except RecursionError:
        raise _wrong(path, Problem("TOML", reason="too many levels")) from None
    except ValueError as error:
        raise _wrong(path, Problem("TOML", reason=str(error).lower())) from None


def _checked(settings: Any, path: Path) -> Settings:
    """The settings of a file, whose paths are seen from where it lies.

    Raises:
        InvalidValue: with everything that is wrong with them.
    """
    if not isinstance(settings, dict):
        raise _wrong(path, Problem("a table", show(settings), ".".join(TABLE)))
    problems = []
    for key, value in settings.items():
        kind = KEYS.get(key)
        if kind is None:
            near = nearest(key, KEYS, ALIKE)
            reason = None if near else f"the keys are {', '.join(f'`{known}`' for known in KEYS)}"
            problems.append(Problem("a known key", shortly(key), key, proposal=near, reason=reason))
        elif not kind.takes(value):
            problems.append(Problem(kind.expected, show(value), key))
    problems.extend(Problem(f"one of `{one}` and `{other}`", "both", other) for one, other in _both(settings))
    if problems:
        raise _wrong(path, *problems)
    if "files" in settings:
        settings["files"] = [_from_here(path.parent, name) for name in settings["files"]]
    return settings


def _from_here(folder: Path, name: str) -> str:
    """A path that is written from another folder; standard input is the same everywhere."""
    return name if name == STDIN else os.path.relpath(folder / name)


def _wrong(path: Path, *problems: Problem) -> InvalidValue:
    from attrs import evolve  # noqa: PLC0415  # because few files are wrong

    name = os.path.relpath(path)
    return InvalidValue(*(evolve(problem, document=name) for problem in problems))
