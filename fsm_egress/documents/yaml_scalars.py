"""What a plain scalar of YAML stands for: as `kubectl` reads it, and where YAML 1.2 has it otherwise.

Source: `sigs.k8s.io/yaml`, which reads every document of `kubectl` and Helm; `tests/oracles` asks it.
"""

from __future__ import annotations

import re
from math import isfinite

from .base import MAX_DIGITS, number, number_flaw

__all__ = ["TRUTHS", "Doubtful", "Scalars", "is_disputed", "is_plain_text", "resolved"]

TRUTHS = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}

_CONSTANTS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_MORE_CONSTANTS = {
    spelling: truth == "true"
    for word, truth in TRUTHS.items()
    for spelling in (word, word.capitalize(), word.upper())
}
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)
# As YAML 1.2 writes integers of other bases.
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
# As Go does: in upper case too, with a sign; and an octal number needs no more than a zero before it.
_GO_BASED = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[bB]([01]+)|[oO]?([0-7]+))", re.ASCII)
_BASES = {2: 16, 3: 2, 4: 8}  # by the group of `_GO_BASED` that holds the digits
# Behind a point Go takes underscores between digits; elsewhere kubectl takes out all that there are.
_POINT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?", re.ASCII)
_SIGNED, _UNSIGNED = range(-(2**63), 2**63), range(2**64)
_SURELY_TEXT = re.compile(r"[^-+.~0-9yYnNoOtTfF]")  # how nothing begins that is read as anything else
_REMEMBERED = 10_000  # scalars of one text


class Doubtful(ValueError):
    """What stands in a text needs a closer look."""


def is_disputed(text: str) -> bool:
    """Whether this plain scalar is no text to kubectl, and something else to YAML 1.2."""
    if text in _MORE_CONSTANTS:
        return True
    value, flaw = resolved(text)
    return not flaw and not isinstance(value, str) and value != _in_yaml_1_2(text)


def is_plain_text(text: str) -> bool:
    """Whether a plain scalar is a text to kubectl and to YAML 1.2."""
    value, flaw = resolved(text)
    return flaw is None and isinstance(value, str) and isinstance(_in_yaml_1_2(text), str)


def resolved(text: str) -> tuple[object, tuple[str, str] | None]:
    """The value of a plain scalar to kubectl, and what was expected and found if it has a flaw."""
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if text in _MORE_CONSTANTS:
        return _MORE_CONSTANTS[text], None
    if _ENDLESS.fullmatch(text):
        return text, ("a finite number", f"`{text}`")
    may_be_number = _POINT.fullmatch(text) if text.startswith(".") else text[0] in "+-0123456789"
    plain = text.replace("_", "") if may_be_number else ""
    based = _GO_BASED.fullmatch(plain)
    if based and len(plain) <= 2 * MAX_DIGITS:
        group = next(group for group in _BASES if based[group])
        value = int(based[1] + based[group], _BASES[group])
        if value in (_SIGNED if based[1] else _UNSIGNED):
            return value, None
    if not _FLOAT.fullmatch(plain):
        return text, None
    if len(plain) <= MAX_DIGITS and not isfinite(float(plain)):
        return text, None  # as it is too great for kubectl, it is a text
    return number(plain), number_flaw(plain)


def _in_yaml_1_2(text: str) -> object:
    """The value of a plain scalar in the core schema of YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _BASED.fullmatch(text):
        return int(text, 0) if len(text) <= MAX_DIGITS else float("inf")
    if _WHOLE.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) or _ENDLESS.fullmatch(text) else text


class Scalars(dict[str, object]):
    """The values of the plain scalars of a text: each is looked at once, as most stand there many times.

    A scalar that is disputed or flawed raises `Doubtful`.
    """

    def __missing__(self, text: str) -> object:
        value: object = text
        if not _SURELY_TEXT.match(text):
            value, flaw = resolved(text)
            if flaw or is_disputed(text):
                raise Doubtful
        if len(self) < _REMEMBERED:
            self[text] = value
        return value
