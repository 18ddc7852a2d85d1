"""The annotations of pods about their sidecar: whether they want one, and what passes by it, entry by entry.

FSM's injector refuses to create a pod whose annotations it cannot read; of what it can read, iptables refuses
some (`interception.json`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem, shortly
from ..values.net import Prefix, parse_prefix
from .checks import LAST_PORT, MULTIPORT, REFUSED_BY_IPTABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "EXCLUDED_PORTS",
    "EXCLUDED_RANGES",
    "INCLUDED_RANGES",
    "INIT",
    "INJECTION",
    "LISTS",
    "SIDECAR",
    "SPELLINGS",
    "Entry",
    "asked",
    "entries_of",
    "is_yes",
    "refused_by_iptables",
    "too_many_ports",
]

EXCLUDED_RANGES = "flomesh.io/outbound-ip-range-exclusion-list"
INCLUDED_RANGES = "flomesh.io/outbound-ip-range-inclusion-list"
EXCLUDED_PORTS = "flomesh.io/outbound-port-exclusion-list"

LISTS = (EXCLUDED_RANGES, INCLUDED_RANGES, EXCLUDED_PORTS)

INJECTION = "flomesh.io/sidecar-injection"
SPELLINGS = {
    **dict.fromkeys(("enabled", "yes", "true"), True),
    **dict.fromkeys(("disabled", "no", "false"), False),
}
SIDECAR = "sidecar"
INIT = "fsm-init"

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)  # what Go's `strconv.Atoi` reads


def is_yes(text: str) -> bool:
    """Whether the value of an annotation says yes, as FSM reads it."""
    return SPELLINGS.get(text.lower()) is True


def asked(annotations: Mapping[str, str]) -> bool | str | None:
    """Whether a sidecar is asked for: None where nothing is said, the text where it cannot be read."""
    text = annotations.get(INJECTION)
    return None if text is None else SPELLINGS.get(text.lower(), text)


@frozen
class Entry:
    """An entry of a list.

    Attributes:
        value: the range or the port; None where somebody refuses it.
        problem: what is wrong with it, if anything is.
        by_iptables: whether iptables refuses it when the pod starts; else the injector does at creation.
    """

    value: Prefix | int | None
    problem: Problem | None = None
    by_iptables: bool = False


def entries_of(annotations: Mapping[str, str], name: str) -> Iterator[Entry]:
    """The entries of the list of this name; none where there is no such annotation."""
    text = annotations.get(name)
    for entry in () if text is None else text.split(","):
        try:
            yield _READERS[name](entry.strip())
        except InvalidValue as error:
            yield Entry(None, error.problems[0])


def too_many_ports(count: int, whose: str) -> Problem | None:
    """What is wrong with this many different ports of an exclusion list; None where iptables takes them."""
    if count <= MULTIPORT:
        return None
    return Problem(
        f"at most {MULTIPORT} different ports", f"{count} of them{whose}", reason=REFUSED_BY_IPTABLES
    )


def refused_by_iptables(annotations: Mapping[str, str]) -> tuple[Problem, ...]:
    """What iptables refuses of lists that the injector takes, each with the path of its annotation."""
    if annotations.keys().isdisjoint(LISTS):
        return ()
    lists = {name: tuple(entries_of(annotations, name)) for name in LISTS}
    found = [(name, it) for name, entries in lists.items() for it in entries if it.problem]
    if not all(it.by_iptables for _, it in found):
        return ()  # because the pod is not even created
    ports = {it.value for it in lists[EXCLUDED_PORTS]} - {None}
    many = too_many_ports(len(ports), "")
    told = [(name, it.problem) for name, it in found] + [(EXCLUDED_PORTS, many)]
    return tuple(problem.within(f"annotations.{name}") for name, problem in told if problem)


def _range(text: str) -> Entry:
    found = parse_prefix(text)
    if ":" not in text:
        return Entry(found)
    return _refused("a range of IPv4 addresses", text)


def _port(text: str) -> Entry:
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if number <= 0:
        raise InvalidValue.of(_A_PORT, text)
    if number <= LAST_PORT:
        return Entry(number)
    return _refused(_A_PORT, text)


_A_PORT = f"a port number from 1 to {LAST_PORT}"


def _refused(expected: str, text: str) -> Entry:
    return Entry(None, Problem(expected, shortly(text), reason=REFUSED_BY_IPTABLES), by_iptables=True)


_READERS: dict[str, Callable[[str], Entry]] = {
    EXCLUDED_RANGES: _range,
    INCLUDED_RANGES: _range,
    EXCLUDED_PORTS: _port,
}
