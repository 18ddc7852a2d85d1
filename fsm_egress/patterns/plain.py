"""Plain patterns: known to be patterns at a glance, without being read.

They are letters, classes and dots, some of them repeated, and groups of alternatives of these; `^` may stand
at the start and `$` at the end. None matches nothing, and none looks ahead or refers to a group.
"""

from __future__ import annotations

import re
from functools import cache

__all__ = ["is_plain", "may_be_literal", "unescaped"]

LENGTH = 1024  # no repetition of so much reaches the bounds of the sidecar's automaton

_LETTER = r"""[\w/~!@#%&=:;,'"<>` -]"""
_SIGN = r"\\[./\-+*?()\[\]{}|^$\\]"
_ESCAPE = rf"(?:\\[dswDSW]|{_SIGN})"
_MEMBER = r"(?:a-z|A-Z|0-9|a-f|A-F|[\w/~!@#%&=:;,.+*?(){}|$]|\\[dswDSW.\-/])"
_OTHER = rf"(?:{_ESCAPE}|\.|\[\^?{_MEMBER}+-?\])"
_TIMES = r"(?:[*+?]|\{(?:\d,?|[01],[1-9])\})\??(?![*+?{])"


def _row(other: str) -> str:
    """What begins with a letter or another single byte, and goes on with `other` things as well."""
    return rf"(?:{_LETTER}|{_OTHER}){_LETTER}*(?:(?:{other}|{_TIMES}){_LETTER}*)*"


_GROUP = rf"\((?:\?:)?{_row(_OTHER)}(?:\|{_row(_OTHER)})*\)"
_LITERAL = re.compile(rf"(?:{_LETTER}|{_SIGN}|\[{_MEMBER}+-?\])*", re.ASCII)
_ESCAPED = re.compile(r"\\(.)")


@cache
def _plain() -> re.Pattern[str]:
    """What is plainly a pattern; a mesh without patterns does not pay for it."""
    return re.compile(rf"\^?(?=(?:{_LETTER}|{_OTHER})(?![*?{{])){_row(f'{_OTHER}|{_GROUP}')}\$?", re.ASCII)


def is_plain(text: str) -> bool:
    """Whether a text is plainly a pattern; others may be patterns, too."""
    return len(text) <= LENGTH and _plain().fullmatch(text) is not None


def may_be_literal(text: str) -> bool:
    """Whether a plain pattern may stand for one text alone; it does if it has no brackets."""
    return _LITERAL.fullmatch(text) is not None


def unescaped(text: str) -> str:
    """The text that a plain pattern stands for, which may be a literal and has no brackets."""
    return _ESCAPED.sub(r"\1", text)
