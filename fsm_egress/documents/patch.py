"""JSON merge patches (RFC 7386), as users paste them after `kubectl patch … -p`.

Plain JSON values go in, frozen or not, and new plain JSON values come out; no argument is ever changed.
What a field may hold is not looked at here: the result is read as strictly as any other document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import isinf
from typing import Any, Final

from ..values.errors import MissingExtra, PatchError, Problem, show
from ..values.frozen import thaw
from ..values.references import Mark, joined
from .base import ONE_MEANING

__all__ = ["differing", "merge_patch", "parse_merge_patch"]

MAX_TEXT: Final = 2**20  # characters or bytes: Kubernetes stores little more of one object
MAX_DEPTH: Final = 100  # objects and lists inside each other: a MeshConfig has less than ten
MAX_NUMBER: Final = 400  # characters: the greatest double has 309 digits

_PATCH: Final = "<patch>"
_EXAMPLE: Final = '{"spec": {"traffic": {"enableEgress": true}}}'
SHOWN: Final = 80  # characters of a key or a proposal in an error
SECRET_KEY: Final = "authorization"  # of remote logging: what a text says that names it is in no error
NOT_SHOWN: Final = "what is not shown here"
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def readable(text: str, document: str) -> str:
    """The text itself, if it is of a bearable size and can be written as UTF-8."""
    if len(text) > MAX_TEXT:
        found = f"{len(text)} characters"
        raise PatchError(Problem(f"at most {MAX_TEXT} characters", found, document=document))
    if half := _SURROGATE.search(text):
        mark = mark_at(text, half.start())
        raise PatchError(Problem("text", _surrogate(half), document=document, mark=mark))
    return text


def _surrogate(half: re.Match[str]) -> str:
    return f"half of a surrogate pair, `{ascii(half[0])[1:-1]}`"


def mark_at(text: str, offset: int) -> Mark:
    return Mark(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def rest_of(text: str, offset: int) -> str:
    if offset >= len(text):
        return "the end of the text"
    return NOT_SHOWN if SECRET_KEY in text.lower() else show(text[offset : offset + 2 * SHOWN])


# JSON merge patch


def differing(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The paths of the values that are not the same in two JSON trees; a list is one value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from differing(before.get(key), after.get(key), joined(path, key))
    elif before != after:
        yield path


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` as `patch` changes it: RFC 7386, `kubectl patch --type=merge`.

    An object changes the members that it names, and `null` removes one; anything else replaces the target
    whole.
    """
    if not isinstance(patch, Mapping):
        return thaw(patch)
    members: Mapping[str, Any] = target if isinstance(target, Mapping) else {}
    changes: Mapping[str, Any] = patch
    merged = {name: value if name in changes else thaw(value) for name, value in members.items()}
    for name, change in changes.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


# The tokens that matter before and after a text is known to be JSON. A string that never ends is one
# too, so that no scan goes over a part of the text again and again.
_TOKEN: Final = re.compile(
    r"""(?P<string>"[^"\\]*(?:\\.[^"\\]*)*"?)(?P<colon>[ \t\n\r]*:)?
      | (?P<open>[\[{])
      | (?P<close>[\]}])
      | (?P<constant>NaN|-?Infinity)
      | (?P<number>-?[0-9][0-9.eE+-]*)""",
    re.DOTALL | re.VERBOSE,
)


def parse_merge_patch(text: str | bytes) -> dict[str, Any]:
    """The object that a patch text holds: what follows `kubectl patch … -p`, in JSON or YAML.

    Raises:
        PatchError: the text is no object, or not in UTF-8; an object has a member twice; a number is
            none of JSON's (`NaN`) or exceeds a double (`1e999`); the text exceeds `MAX_TEXT`, `MAX_DEPTH` or
            `MAX_NUMBER`.
    """
    text = readable(text if isinstance(text, str) else _decoded(text), _PATCH)
    looks_like_json = text.lstrip().startswith(("{", "[", '"'))
    found = None if looks_like_json else _in_yaml(text, is_certain=True)
    if found is not None:
        return found
    _check_bounds(text)
    try:
        patch: Any = json.loads(text)
    except json.JSONDecodeError as error:
        found = _in_yaml(text, is_certain=False) if looks_like_json else None
        if found is not None:
            return found
        raise PatchError(_not_json(text, error)) from None
    _check_members(text)
    if not isinstance(patch, dict):
        proposal = _unwrapped(patch) if isinstance(patch, str) else None
        raise _patch_error(text, 0, f"a JSON object such as `{_EXAMPLE}`", show(patch), proposal)
    return patch


def _in_yaml(text: str, *, is_certain: bool) -> dict[str, Any] | None:
    """The mapping that a text is in YAML, which `kubectl patch` takes too; None where it is none.

    Args:
        text: the patch.
        is_certain: whether it cannot be meant as JSON, so that what is wrong with the YAML is an error.
    """
    from . import read_text  # noqa: PLC0415  # because most patches are JSON

    try:
        documents, problems = read_text(text, _PATCH)
    except MissingExtra:
        return None
    problems += tuple(
        problem
        for document in documents
        for problem in document.problems
        if problem.expected != ONE_MEANING  # as the field takes what kubectl reads, or is an error
    )
    values = [document.value for document in documents if document.value is not None]
    if len(values) != 1 or not isinstance(values[0], dict):
        return None
    if problems:
        if is_certain:
            raise PatchError(problems[0])
        return None
    found: dict[str, Any] = values[0]
    return found


def _decoded(text: bytes) -> str:
    if len(text) > MAX_TEXT:
        raise PatchError(Problem(f"at most {MAX_TEXT} bytes", f"{len(text)} bytes", document=_PATCH))
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        before = text[: error.start].decode()
        found = f"the byte `0x{text[error.start]:02x}`"
        raise _patch_error(before, len(before), "text in UTF-8", found) from None


def _check_bounds(text: str) -> None:
    """Refuse what would cost the JSON parser its stack or its time, and numbers that only Python reads."""
    depth = 0
    for token in _TOKEN.finditer(text):
        kind, at, length = token.lastgroup, token.start(), token.end() - token.start()
        depth += (kind == "open") - (kind == "close")
        if depth > MAX_DEPTH:
            raise _patch_error(text, at, f"at most {MAX_DEPTH} objects and lists in each other", "one more")
        if kind == "constant":
            raise _patch_error(text, at, "a JSON value", f"`{token[0]}`")
        if kind == "number" and length > MAX_NUMBER:
            found = f"{length} characters"
            raise _patch_error(text, at, f"a number of at most {MAX_NUMBER} characters", found)


def _check_members(text: str) -> None:
    """Refuse what JSON's grammar allows and a reader would lose in silence, in a text that is JSON."""
    members: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        kind, at = token.lastgroup, token.start()
        if kind == "open":
            members.append(set())
        elif kind == "close":
            members.pop()
        elif kind == "number":
            if isinf(float(token[0])):
                raise _patch_error(text, at, "a number that a double can hold", show(token[0]))
        else:
            string = json.loads(token["string"])
            if half := _SURROGATE.search(string):
                raise _patch_error(text, at, "text", _surrogate(half))
            if kind == "colon":
                if string in members[-1]:
                    raise _patch_error(text, at, "each member of an object once", f"{show(string)} again")
                members[-1].add(string)


def _not_json(text: str, error: json.JSONDecodeError) -> Problem:
    start = len(text) - len(text.lstrip())
    if error.pos > start:
        mark = mark_at(text, error.pos)
        reason = error.msg[0].lower() + error.msg[1:]
        return Problem("JSON", rest_of(text, error.pos), document=_PATCH, mark=mark, reason=reason)
    return Problem(
        f"JSON such as `{_EXAMPLE}`",
        rest_of(text, start),
        document=_PATCH,
        mark=mark_at(text, start),
        proposal=_unwrapped(text.strip().strip("'")),
    )


def _unwrapped(text: str) -> str | None:
    """What was meant by an object in one pair of quotes too many."""
    is_short = text.startswith("{") and len(text) <= SHOWN and text.isprintable()
    return text if is_short and SECRET_KEY not in text.lower() else None


def _patch_error(
    text: str, offset: int, expected: str, found: str, proposal: str | None = None
) -> PatchError:
    mark = mark_at(text, offset)
    return PatchError(Problem(expected, found, document=_PATCH, mark=mark, proposal=proposal))
