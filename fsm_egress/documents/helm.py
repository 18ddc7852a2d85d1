"""Helm's `--set` grammar, applied to values as Helm applies it.

Plain JSON values go in, frozen or not, and new plain JSON values come out; no argument is ever changed.
What a field may hold is not looked at here: the result is read as strictly as any other document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..values.construction import frozen
from ..values.errors import PatchError, Problem, show
from ..values.frozen import thaw
from ..values.references import Mark
from ..values.typed import takes
from .patch import NOT_SHOWN, SECRET_KEY, SHOWN, readable, rest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Path", "SetOperation", "apply_set", "parse_set", "put", "remove", "set_error", "spelled"]

Path: TypeAlias = tuple[str | int, ...]

MAX_INDEX: Final = 65536  # as in Helm
MAX_LEVELS: Final = 30  # dots in a key, as in Helm; and indexes, of which Helm takes any number
MAX_PLACES: Final = 2**22  # all indexes of a text added up: each may make a list of its size

_SET: Final = "--set"


@frozen
class SetOperation:
    """One `key=value` of a `--set` text.

    Attributes:
        path: the key, taken apart: names, and indexes as numbers (`a.b[0]` is `("a", "b", 0)`).
        value: a string, integer, boolean or None; or a tuple of such.
        mark: where the key begins.
    """

    path: Path
    value: Any
    mark: Mark

    @property
    def key(self) -> str:
        """The key as Helm reads it, with a backslash before a sign that is part of a name."""
        return spelled(self.path)


def _until(stops: str) -> re.Pattern[str]:
    r"""What goes on to a stop that has no `\` before it, or to a `\` that ends the text."""
    return re.compile(rf"[^\\{stops}]*(?:\\.[^\\{stops}]*)*", re.DOTALL)


_NAME, _VALUE, _ITEM = _until(r"=\[,."), _until(","), _until(",}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL = re.compile(r"[\\=\[,.]")
_INDEX = re.compile(r"([+-]?)([0-9]+)\]")
_INTEGER = re.compile(r"([+-]?)([0-9]+)")
_WORDS = {"true": True, "false": False, "null": None, "0": 0}
_INT64 = range(-(2**63), 2**63)


def parse_set(text: str) -> tuple[SetOperation, ...]:
    r"""The operations of a Helm `--set` text (`a.b=1,c[0].d=x,e={y,z}`), in its order.

    Values are typed as Helm types them: `true`, `false` and `null` in any letter case, and integers of 64
    bits without leading zeros; all else is a string, floats and `[]` too, and `{}` is a list of one empty
    string. A `\` takes the meaning from the sign after it. Spaces belong to the key or the value they are in.

    What Helm loses in silence is an error here: a setting without a name (`=1`, `a..b=1`) and a text that
    breaks off (`a.`, `a[`, `a[0]`, `a=b\`); and so is `a={x}b=1`, which Helm reads as two settings. An empty
    value at the end counts everywhere; Helm loses that of `a[0].b=`.

    Source: Helm, `pkg/strvals/parser.go`.

    Raises:
        PatchError: the text does not follow the grammar, or exceeds `MAX_TEXT`, `MAX_INDEX`, `MAX_LEVELS` or
            `MAX_PLACES`.
    """
    readable(text, _SET)
    operations: list[SetOperation] = []
    at = places = 0
    while at < len(text):
        start = at
        path, at = _read_key(text, at)
        places += sum(step for step in path if isinstance(step, int))
        if places > MAX_PLACES:
            raise set_error(start, path, f"indexes that add up to at most {MAX_PLACES}", f"{places}")
        value, at = (_read_list if text.startswith("{", at) else _read_value)(text, at, path)
        operations.append(SetOperation(path, value, Mark(1, start + 1)))
    return tuple(operations)


def _read_key(text: str, start: int) -> tuple[Path, int]:
    """The key that begins at `start`, and where its value begins."""
    path: list[str | int] = []
    at, read = start, _STEPS["."]
    while read:
        step, at = read(text, at, path)
        path.append(step)
        sign = text[at : at + 1]
        if sign not in _STEPS:
            raise set_error(at, path, "`=` and a value", rest_of(text, at))
        at, read = at + 1, _STEPS[sign]
    indexes = sum(isinstance(step, int) for step in path)
    for count, what in ((len(path) - indexes - 1, "dots"), (indexes, "indexes")):
        if count > MAX_LEVELS:
            raise set_error(start, path, f"at most {MAX_LEVELS} {what} in a key", f"{count}")
    return tuple(path), at


def _read_name(text: str, at: int, path: Sequence[str | int]) -> tuple[str, int]:
    name, end = _matched(_NAME, text, at)
    if not name:
        raise set_error(at, path, "a name", rest_of(text, at))
    return _unescaped(name), end


def _read_index(text: str, at: int, path: Sequence[str | int]) -> tuple[int, int]:
    index = _INDEX.match(text, at)
    number = _integer(*index.groups()) if index else None
    if index is None or number is None or not 0 <= number <= MAX_INDEX:
        raise set_error(at, path, f"an index from 0 to {MAX_INDEX} and `]`", rest_of(text, at))
    return number, index.end()


# The sign after a name or an index -> what reads the next step of the key.
_STEPS: Final[Mapping[str, Callable[[str, int, Sequence[str | int]], tuple[str | int, int]] | None]] = {
    ".": _read_name,
    "[": _read_index,
    "=": None,
}


def _read_value(text: str, at: int, path: Path) -> tuple[Any, int]:
    value, end = _matched(_VALUE, text, at)
    if text.startswith("\\", end):
        raise set_error(end, path, "a sign after the `\\`", rest_of(text, end + 1))
    return _typed(value), end + 1


def _read_list(text: str, at: int, path: Path) -> tuple[Any, int]:
    items: list[Any] = []
    sign = ","
    while sign == ",":
        item, at = _matched(_ITEM, text, at + 1)
        items.append(_typed(item))
        sign = text[at : at + 1]
    if sign != "}":
        raise set_error(at, path, "`}` at the end of the list", rest_of(text, at))
    at += 1
    if text[at : at + 1] not in {"", ","}:
        raise set_error(at, path, "a comma after the list", rest_of(text, at))
    return tuple(items), at + 1


def _matched(pattern: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    found = pattern.match(text, at)
    end = found.end() if found else at
    return text[at:end], end


def _typed(raw: str) -> str | int | None:
    text = _unescaped(raw)
    word = text.casefold()
    if word in _WORDS:
        return _WORDS[word]
    number = None if text.startswith("0") else _INTEGER.fullmatch(text)
    value = _integer(*number.groups()) if number else None
    return text if value is None or value not in _INT64 else value


def _integer(sign: str, digits: str) -> int | None:
    """The number, unless it is far beyond 64 bits, where Python's own conversion is slow, or refuses."""
    digits = digits.lstrip("0") or "0"
    return int(sign + digits) if len(digits) < len(str(2**64)) else None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def spelled(path: Sequence[str | int]) -> str:
    """A key as Helm reads it: the path with dots, indexes in brackets, signs of names behind a backslash."""
    steps = (f"[{step}]" if isinstance(step, int) else "." + _SPECIAL.sub(r"\\\g<0>", step) for step in path)
    return "".join(steps).removeprefix(".")


def set_error(
    offset: int, path: Sequence[str | int], expected: str, found: str = "", proposal: str | None = None
) -> PatchError:
    """What is wrong with the key, or the part of it that leads to `path`, at an offset of the text."""
    key = spelled(path)
    short = key if len(key) <= SHOWN else key[: SHOWN - 1] + "…"
    shown = short if short.isprintable() else ascii(short)[1:-1]
    mark = Mark(1, offset + 1)
    return PatchError(Problem(expected, found, shown, document=_SET, mark=mark, proposal=proposal))


@takes(values=Mapping, text=str)
def apply_set(values: Mapping[str, Any], text: str) -> dict[str, Any]:
    """`values` as a Helm `--set` text changes them; all of the text counts, or it is an error.

    `{x,y}` replaces a list; `[0]` changes one element of the list that is there, or extends it, with null for
    the elements that nobody named. `null` sets null. A key leads through null as if nothing were there, but
    through no other value that is no mapping (before a name) or no list (before an index).

    Source: Helm, `strvals.ParseInto`. That fails where a key leads through null, and lets a mapping take the
    place of any other element of a list.

    Raises:
        PatchError: as `parse_set` does, and for a key that leads through a value of another kind.
    """
    changed: dict[str, Any] = thaw(values)
    for operation in parse_set(text):
        put(changed, operation.path, operation)
    return changed


def put(root: dict[str, Any], path: Path, operation: SetOperation) -> None:
    """Sets what stands at a path of `root` to the value of an operation, with all that leads there."""
    _assign(_holder(root, path, operation, make=True), path[-1], thaw(operation.value))


def remove(root: dict[str, Any], path: Path, operation: SetOperation) -> None:
    """Takes the field at a path out of `root`, if it is there."""
    holder = _holder(root, path, operation, make=False)
    if holder is not None:
        holder.pop(path[-1], None)


def _holder(root: dict[str, Any], path: Path, operation: SetOperation, *, make: bool) -> Any:
    """The mapping or list that the last step of `path` is in; None where there is none and none is made."""
    holder: Any = root
    for depth, (step, below) in enumerate(pairwise(path), start=1):
        expected = list if isinstance(below, int) else dict
        child = _child(holder, step)
        if child is None:
            if not make:
                return None
            child = expected()
            _assign(holder, step, child)
        elif not isinstance(child, expected):
            found = NOT_SHOWN if SECRET_KEY in path[:depth] else show(child)
            raise set_error(operation.mark.column - 1, path[:depth], _KINDS[expected], found)
        holder = child
    return holder


_KINDS = {list: "a list", dict: "a mapping"}


def _child(holder: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return holder[step] if step < len(holder) else None
    return holder.get(step)


def _assign(holder: Any, step: str | int, value: Any) -> None:
    if isinstance(step, int):
        holder.extend([None] * (step + 1 - len(holder)))
    holder[step] = value
