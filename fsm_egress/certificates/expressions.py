"""The sidecar's patterns as regular expressions of SMT-LIB, over bytes, read from their syntax trees.

The language of a pattern are the texts in which it is found somewhere. It is worked out from the end of the
pattern to its start: what may follow a place, by what stands before it, as `^` and word boundaries ask.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from ..patterns import syntax
from .terms import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..patterns import Pattern

__all__ = ["EVERYTHING", "Irregular", "anyway_cased", "found_in", "utf8"]

Row: TypeAlias = "tuple[bytes | str, ...]"
"""An expression: texts and other expressions that follow one another."""

ANYTHING: Row = ("re.all",)
NOTHING: Row = ("re.none",)
EMPTY: Row = ()
ANY_BYTE: Row = ("re.allchar",)
EVERYTHING = "re.all"
SIZE = 40_000  # characters of an expression: more is no proof that anybody reads
START, WORD, OTHER = "start", "word", "other"
SIDES = (START, WORD, OTHER)
_WORDS = syntax.CLASSES["w"]
_Rest: TypeAlias = "Mapping[str, Row]"
"""What may follow a place up to the end of the text, by what stands before the place."""


class Irregular(Exception):
    """Why no regular expression was made of a pattern."""


# --- expressions -----------------------------------------------------------------------------------------


def spelled(row: Row) -> str:
    """An expression as SMT-LIB writes it."""
    parts = [f"(str.to_re {literal(part)})" if isinstance(part, bytes) else part for part in row]
    return parts[0] if len(parts) == 1 else f"(re.++ {' '.join(parts)})" if parts else '(str.to_re "")'


def one_of(members: frozenset[int]) -> Row:
    """One byte of these."""
    if members == syntax.BYTES:
        return ANY_BYTE
    runs: list[list[int]] = []
    for byte in sorted(members):
        if runs and runs[-1][-1] == byte - 1:
            runs[-1].append(byte)
        else:
            runs.append([byte])
    return _union((bytes(run),) if len(run) == 1 else _run(run[0], run[-1]) for run in runs)


def _run(first: int, last: int) -> Row:
    return (f"(re.range {literal(bytes([first]))} {literal(bytes([last]))})",)


def _union(options: Iterable[Row]) -> Row:
    listed = [option for option in dict.fromkeys(options) if option != NOTHING]
    if ANYTHING in listed:
        return ANYTHING
    return (f"(re.union {' '.join(map(spelled, listed))})",) if len(listed) > 1 else (listed or [NOTHING])[0]


def _both(one: Row, other: Row) -> Row:
    if NOTHING in {one, other}:
        return NOTHING
    if ANYTHING in {one, other} or one == other:
        return other if one == ANYTHING else one
    return (f"(re.inter {spelled(one)} {spelled(other)})",)


def _row(*parts: Row) -> Row:
    """One after the other; texts side by side are one."""
    if NOTHING in parts:
        return NOTHING
    joined: list[bytes | str] = []
    for part in chain.from_iterable(parts):
        last = joined[-1] if joined else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            joined[-1] = last + part
        else:
            joined.append(part)
    return tuple(joined)


def _all_but(row: Row) -> Row:
    return {ANYTHING: NOTHING, NOTHING: ANYTHING}.get(row, (f"(re.comp {spelled(row)})",))


_WORD_LETTER = one_of(_WORDS)
_OTHER_LETTER = one_of(syntax.BYTES - _WORDS)
_BEHIND = {WORD: _row(ANYTHING, _WORD_LETTER), OTHER: _row(ANYTHING, _OTHER_LETTER)}
_BEFORE_WORD = _row(_WORD_LETTER, ANYTHING)
_BEFORE_OTHER = _union([EMPTY, _row(_OTHER_LETTER, ANYTHING)])  # the end of the text is no word


# --- nodes without conditions ----------------------------------------------------------------------------


def _is_plain(node: syntax.Node) -> bool:
    conditions = (syntax.Assertion, syntax.LookAhead, syntax.BackReference)
    return not any(isinstance(inner, conditions) for inner in syntax.walk(node))


def _may_be_empty(node: syntax.Node) -> bool:
    """Whether a node without conditions can match nothing."""
    match node:
        case syntax.Sequence():
            return all(map(_may_be_empty, node.items))
        case syntax.Alternation():
            return any(map(_may_be_empty, node.options))
        case syntax.Repeat():
            return node.minimum == 0 or _may_be_empty(node.item)
        case syntax.Group():
            return _may_be_empty(node.item)
        case _:
            return False


def _matched(node: syntax.Node) -> Row:
    """What a node without conditions matches."""
    match node:
        case syntax.Chars():
            return one_of(node.members)
        case syntax.Sequence():
            return _row(*map(_matched, node.items))
        case syntax.Alternation():
            return _union(map(_matched, node.options))
        case syntax.Repeat():
            return _repeated(_matched(node.item), node.minimum, node.maximum)
        case _:
            (item,) = syntax.children(node)  # of a group
            return _matched(item)


def _repeated(item: Row, minimum: int, maximum: int | None) -> Row:
    if item == NOTHING:
        return NOTHING if minimum else EMPTY
    short = {(0, None): "re.*", (1, None): "re.+", (0, 1): "re.opt"}.get((minimum, maximum))
    once = spelled(item)
    if short:
        return (f"({short} {once})",)
    if maximum is None:
        return f"((_ re.^ {minimum}) {once})", f"(re.* {once})"
    return EMPTY if maximum == 0 else (f"((_ re.loop {minimum} {maximum}) {once})",)


# --- conditions ------------------------------------------------------------------------------------------


def _before(node: syntax.Node, rest: _Rest, *, from_look: bool) -> _Rest:
    """What may follow the place before a node, where this may follow the place behind it.

    With `from_look`, the attempt began at the start of the text: then look-aheads see it begin where they
    stand (`LookAhead`).
    """
    if isinstance(node, syntax.Sequence):
        for item in reversed(node.items):
            rest = _before(item, rest, from_look=from_look)
        return rest
    if _is_plain(node):
        return _checked(_before_plain(node, rest))
    match node:
        case syntax.Alternation():
            options = [_before(option, rest, from_look=from_look) for option in node.options]
            return _checked({side: _union(option[side] for option in options) for side in SIDES})
        case syntax.Group():
            return _before(node.item, rest, from_look=from_look)
        case syntax.Repeat():
            return _before_repeated(node, rest, from_look=from_look)
        case syntax.Assertion():
            return _asserted(node.kind, rest)
        case syntax.LookAhead():
            seen = _before(node.item, dict.fromkeys(SIDES, ANYTHING), from_look=from_look)
            ahead = {side: seen[START if from_look else side] for side in SIDES}
            return {
                side: _both(_all_but(ahead[side]) if node.negative else ahead[side], rest[side])
                for side in SIDES
            }
        case _:
            raise Irregular("it refers to a group")


def _before_plain(node: syntax.Node, rest: _Rest) -> _Rest:
    empty = _may_be_empty(node)
    if len(set(rest.values())) == 1:
        following = rest[START]
        all_follows = empty and following == ANYTHING
        return dict.fromkeys(SIDES, ANYTHING if all_follows else _row(_matched(node), following))
    if isinstance(node, syntax.Chars):
        parts = {WORD: one_of(node.members & _WORDS), OTHER: one_of(node.members - _WORDS)}
    else:
        parts = {side: _both(_matched(node), behind) for side, behind in _BEHIND.items()}
    consumed = [_row(part, rest[side]) for side, part in parts.items()]
    return {side: _union([*consumed, *([rest[side]] if empty else [])]) for side in SIDES}


def _before_repeated(node: syntax.Repeat, rest: _Rest, *, from_look: bool) -> _Rest:
    """A repetition with a condition in it, one time after the other."""
    if node.maximum is None:
        raise Irregular("a repetition without end has a condition in it")
    found = rest
    for _ in range(node.maximum - node.minimum):
        once = _before(node.item, found, from_look=from_look)
        found = _checked({side: _union([rest[side], once[side]]) for side in SIDES})
    for _ in range(node.minimum):
        found = _before(node.item, found, from_look=from_look)
    return found


def _asserted(kind: syntax.AssertionKind, rest: _Rest) -> _Rest:
    match kind:
        case syntax.AssertionKind.START:
            return {START: rest[START], WORD: NOTHING, OTHER: NOTHING}
        case syntax.AssertionKind.END:
            return {side: _both(EMPTY, rest[side]) for side in SIDES}
        case _:
            is_boundary = kind is syntax.AssertionKind.WORD_BOUNDARY
            return {
                side: _both(_BEFORE_OTHER if (side == WORD) is is_boundary else _BEFORE_WORD, rest[side])
                for side in SIDES
            }


def _checked(rest: _Rest) -> _Rest:
    if any(len(spelled(row)) > SIZE for row in rest.values()):
        raise Irregular("its expression is too long")
    return rest


# --- patterns --------------------------------------------------------------------------------------------


def found_in(pattern: Pattern) -> str:
    """The texts in which a pattern is found, one character for each of their bytes.

    Raises:
        Irregular: no regular expression was made of it.
    """
    return spelled(_found(pattern.tree))


def _found(tree: syntax.Node) -> Row:
    anything: _Rest = dict.fromkeys(SIDES, ANYTHING)
    kept = _without_head(tree)
    later = _before(kept, anything, from_look=False)
    first = _before(kept, anything, from_look=True)[START]
    if len({first, *later.values()}) == 1:
        return ANYTHING if first == ANYTHING else _row(ANYTHING, first)
    if later[WORD] == later[OTHER]:
        return _union([first, _row((f"(re.+ {spelled(ANY_BYTE)})",), later[WORD])])
    return _union([first, *(_row(behind, later[side]) for side, behind in _BEHIND.items())])


def _without_head(tree: syntax.Node) -> syntax.Node:
    """The tree without what can match nothing at its start, as an attempt begins at every byte.

    Look-aheads ask where the attempt began, so that there nothing may go.
    """
    if not isinstance(tree, syntax.Sequence) or any(
        isinstance(node, syntax.LookAhead) for node in syntax.walk(tree)
    ):
        return tree
    items = list(tree.items)
    while items and _is_plain(items[0]) and _may_be_empty(items[0]):
        del items[0]
    return syntax.Sequence(tuple(items))


def utf8(ascii_bytes: frozenset[int]) -> str:
    """One character, of these or beyond ASCII, as its bytes in UTF-8 (RFC 3629)."""
    tail = _run(0x80, 0xBF)
    return spelled(
        _union(
            [
                one_of(ascii_bytes),
                _row(_run(0xC2, 0xDF), tail),
                _row((b"\xe0",), _run(0xA0, 0xBF), tail),
                _row(_union([_run(0xE1, 0xEC), _run(0xEE, 0xEF)]), tail, tail),
                _row((b"\xed",), _run(0x80, 0x9F), tail),
                _row((b"\xf0",), _run(0x90, 0xBF), tail, tail),
                _row(_run(0xF1, 0xF3), tail, tail, tail),
                _row((b"\xf4",), _run(0x80, 0x8F), tail, tail),
            ]
        )
    )


_KELVIN = "\u212a".encode()  # the one letter beyond ASCII that is a letter of ASCII in lower case


def anyway_cased(text: str) -> str:
    """The texts that are this one of ASCII in lower case."""
    return spelled(_row(*map(_cased, text)))


def _cased(letter: str) -> Row:
    spellings = [letter.encode(), letter.upper().encode(), *([_KELVIN] if letter == "k" else [])]
    return _union((text,) for text in spellings)
