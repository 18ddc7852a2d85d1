"""Terms of SMT-LIB 2.6 as texts: connectives that simplify, literals, names, remarks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "FALSE",
    "TRUE",
    "Definitions",
    "all_of",
    "any_of",
    "choice",
    "is_text",
    "literal",
    "no",
    "remark",
    "symbol",
    "symbols_in",
]

TRUE, FALSE = "true", "false"

_UNFIT = re.compile(r"[^ -~]|[|\\]")
_SPELLED = re.compile(r'[^ -~]|[\\|"]')
_TOKEN = re.compile(r'"[^"]*"|(\|[^|]*\||[A-Za-z][\w.-]*)')  # no text holds a quotation mark


def remark(text: str) -> str:
    """The text as it may stand in a remark or between bars: in one line, of printable ASCII."""
    return _UNFIT.sub("_", text)


def symbol(name: str) -> str:
    """The name between bars, as names with spaces are written."""
    return f"|{remark(name)}|"


def literal(content: bytes) -> str:
    """A string whose characters are these bytes."""
    spelled = _SPELLED.sub(lambda found: rf"\u{{{ord(found[0]):x}}}", content.decode("latin-1"))
    return f'"{spelled}"'


def is_text(variable: str, text: str) -> str:
    """That a variable is this text, in UTF-8."""
    return f"(= {variable} {literal(text.encode('utf-8', 'surrogatepass'))})"


def no(term: str) -> str:
    """The opposite."""
    if term in {TRUE, FALSE}:
        return FALSE if term == TRUE else TRUE
    return term[len("(not ") : -1] if term.startswith("(not ") else f"(not {term})"


def _joined(connective: str, terms: Iterable[str], neutral: str, decisive: str) -> str:
    listed = [term for term in dict.fromkeys(terms) if term != neutral]
    if decisive in listed:
        return decisive
    return f"({connective} {' '.join(listed)})" if len(listed) > 1 else (listed or [neutral])[0]


def all_of(*terms: str) -> str:
    """That all of these hold."""
    return _joined("and", terms, TRUE, FALSE)


def any_of(*terms: str) -> str:
    """That one of these holds."""
    return _joined("or", terms, FALSE, TRUE)


def choice(condition: str, then: str, otherwise: str) -> str:
    """`then` where the condition holds, else `otherwise`."""
    if then == otherwise or condition == TRUE:
        return then
    if condition == FALSE:
        return otherwise
    if then in {TRUE, FALSE}:
        return any_of(condition, otherwise) if then == TRUE else all_of(no(condition), otherwise)
    if otherwise in {TRUE, FALSE}:
        return all_of(condition, then) if otherwise == FALSE else any_of(no(condition), then)
    return f"(ite {condition} {then} {otherwise})"


def symbols_in(term: str) -> Iterator[str]:
    """The names in a term, those of the theories among them."""
    return (found[1] for found in _TOKEN.finditer(term) if found[1])


@define
class Definitions:
    """The definitions of a script, each once, in an order in which each stands on earlier ones.

    Attributes:
        named: the names, by sort, the name that was wanted, and body.
        bodies: sort and body, by name.
    """

    named: dict[tuple[str, str, str], str] = field(factory=dict)
    bodies: dict[str, tuple[str, str]] = field(factory=dict)

    def name(self, wanted: str, body: str, sort: str = "Bool") -> str:
        """The name of what a term says, the wanted one or one like it; what is certain needs none."""
        if body in {TRUE, FALSE}:
            return body
        known = self.named.get((sort, wanted, body))
        if known is None:
            number, known = 1, symbol(wanted)
            while known in self.bodies:
                number += 1
                known = symbol(f"{wanted} ({number})")
            self.named[sort, wanted, body] = known
            self.bodies[known] = sort, body
        return known

    def needed_by(self, *terms: str) -> set[str]:
        """The names that these terms stand on, however far below."""
        found: set[str] = set()
        waiting = [name for term in terms for name in symbols_in(term)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                if name in self.bodies:
                    waiting.extend(symbols_in(self.bodies[name][1]))
        return found

    def lines(self, needed: set[str]) -> Iterator[str]:
        """The definitions of those that are needed."""
        for name, (sort, body) in self.bodies.items():
            if name in needed:
                yield f"(define-fun {name} () {sort}\n  {body})"
