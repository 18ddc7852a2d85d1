"""What a plain scalar of YAML stands for, and which ones the versions of YAML read differently."""

from __future__ import annotations

import re

from .base import number, number_flaw

__all__ = ["TRUTHS", "Doubtful", "Scalars", "is_disputed", "resolved"]

TRUTHS = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}

_CONSTANTS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*|([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?)", re.ASCII)
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# What YAML 1.1 and 1.2 read differently: truths, other bases, underscores, sexagesimals, dates, exponents.
_DISPUTED = re.compile(
    r"(?i:y|n|yes|no|on|off)|=|<<"
    r"|[-+]?0[0-9_]+|0o[0-7]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0b[01_]+|[-+]?[1-9][0-9]*_[0-9_]*"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"
    r"|[-+]?(?=[0-9.]*_)([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
    r"|[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][0-9]+|[-+]?[0-9]+[eE][-+][0-9]+",
    re.ASCII,
)
_SURELY_TEXT = re.compile(r"[^-+.~=<0-9yYnNoOtTfF]")  # how nothing begins that is read as anything else
_REMEMBERED = 10_000  # scalars of one text


class Doubtful(ValueError):
    """What stands in a text needs a closer look."""


def is_disputed(text: str) -> bool:
    """Whether YAML 1.1 and YAML 1.2 read this plain scalar differently."""
    return _DISPUTED.fullmatch(text) is not None


def resolved(text: str) -> tuple[object, tuple[str, str] | None]:
    """The value of a plain scalar that is not disputed, and what was expected and found if it has a flaw."""
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if _ENDLESS.fullmatch(text):
        return text, ("a finite number", f"`{text}`")
    if _NUMBER.fullmatch(text):
        return number(text), number_flaw(text)
    return text, None


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
