"""Texts -> syntax trees, or an error that says where a pattern is wrong and how it would be right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..values.errors import InvalidValue, Problem, show
from .errors import PatternError
from .grammar import Refused, parsed
from .places import Undecided
from .plain import is_plain

if TYPE_CHECKING:
    from .syntax import (
        Node,
    )

__all__ = ["read_pattern"]


LENGTH = 4096  # characters of a pattern: more than any route needs, few enough for every later proof
REPAIRS = 16  # mistakes of one pattern that a proposal mends
BUDGET = 1_000  # steps for each byte of a text: some hundred milliseconds for a path of a kilobyte, at worst


def read_pattern(text: Any, *, any_byte: bool = False) -> Node:
    """The tree of a pattern; raises `PatternError`.

    With `any_byte`, each character up to U+00FF stands for a byte; without, all are ASCII.
    """
    if not isinstance(text, str):
        raise InvalidValue.of("a regular expression as a string", text)
    try:
        return _tree(text, any_byte=any_byte)
    except Refused as refused:
        problem = Problem(
            expected="a regular expression of the sidecar's dialect",
            found=show(text),
            proposal=_mended(refused.repair),
            reason=f"at position {refused.position}, {refused.reason}",
        )
        raise PatternError(problem, refused.position, refused.reason, ours=refused.ours) from None


def _mended(candidate: str | None) -> str | None:
    """The candidate with all its mistakes mended, if that makes it a pattern."""
    for _ in range(REPAIRS):
        if candidate is None:
            break
        try:
            _tree(candidate)
        except Refused as refused:
            candidate = refused.repair
        else:
            return candidate
    return None


def _tree(text: str, *, any_byte: bool = False) -> Node:
    if len(text) > LENGTH:
        raise Refused(LENGTH, f"it is longer than {LENGTH} characters", ours=True)
    foreign = None if any_byte else _NON_ASCII.search(text)
    if foreign:
        raise Refused(
            foreign.start(),
            f"U+{ord(foreign[0]):04X} is not ASCII, as paths and header values are",
            None if "[" in text else _NON_ASCII.sub(_percent_encoded, text),
            ours=True,
        )
    tree = parsed(text)
    if not is_plain(text):  # what is plain never takes many
        _check_steps(tree)
    return tree


def _check_steps(tree: Node) -> None:
    """Refuse what a text could make slow, however short it is."""
    from .search import steps_by_byte  # noqa: PLC0415  # because most patterns are plain, and not read

    try:
        steps = steps_by_byte(tree)
    except Undecided as undecided:
        raise Refused(0, str(undecided), ours=True) from None
    if steps > BUDGET:
        reason = f"a search may take {steps:,.0f} steps for each byte, more than {BUDGET:,}"
        raise Refused(0, reason, ours=True)


_NON_ASCII = re.compile(r"[^\x00-\x7f](?P<repeated>(?=[*+?{]))?")


def _percent_encoded(found: re.Match[str]) -> str:
    encoded = quote(found[0], errors="surrogatepass")
    return encoded if found["repeated"] is None else f"(?:{encoded})"
