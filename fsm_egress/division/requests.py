"""Requests divided by host, method, path and headers (for these two, see `combinations.py`)."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from ..connections.payloads import HTTPRequest, Sends
from ..patterns import Pattern, escaped
from ..patterns.automata import Texts, Undecided, witness
from ..resources.words import KNOWN_METHODS
from ..values.construction import frozen
from .classes import (
    EVERY,
    HOST,
    UNKNOWN_METHOD,
    Among,
    Condition,
    Found,
    Missing,
    Place,
    Scope,
    Sent,
    only,
)
from .combinations import ways_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

__all__ = [
    "Asked",
    "asked_as",
    "asked_exactly",
    "asked_of",
    "asked_otherwise",
    "asks_host",
    "either",
    "requests_to",
    "unlisted_host",
]

HOST_PATTERNS = 10  # searched in the Host, whose combinations are all tried
OTHER_HOST = "other.example"
KELVIN = "\u212a"
_Asked: TypeAlias = "tuple[str, str, Mapping[str, str], Among, Found, Missing, str]"
"""Method, path and headers of a request; all methods that are alike, what else is, and what is undecided."""


def unlisted_host(taken: Collection[str]) -> str:
    """A host that is none of these, which are in lower case, nor one of them in other letters."""
    name = OTHER_HOST
    while name in taken:
        name = f"an{name}"
    return name


# --- hosts -----------------------------------------------------------------------------------------------


@frozen(cache_hash=True)
class Asked:
    """A Host, and all that are looked at with it.

    Attributes:
        text: one of them.
        names: them, in lower case.
        spellings: them, as they are written.
    """

    text: str
    names: Among
    spellings: Among = EVERY

    @property
    def form(self) -> tuple[bool, bool]:
        """How it is written: as it is listed, in any way, or in any other."""
        return self.spellings.but, self.spellings.every


def asked_exactly(host: str) -> Asked:
    """A Host as it is written."""
    return Asked(host, only(host.lower()), only(host))


def asked_as(written: tuple[str, ...], *, spelled: bool) -> tuple[list[Asked], list[Asked]]:
    """A host that is listed as it is written; and, if `spelled`, in other letters, which is apart then.

    Args:
        written: all ways in which it is listed.
        spelled: whether letters count.
    """
    if not spelled:
        return list(map(_asked_anyhow, written)), []
    other = _respelled(written)
    return list(map(_asked_so, written)), [] if other is None else [_asked_apart(other, frozenset(written))]


def asked_otherwise(words: frozenset[str]) -> Asked:
    """Every host that is not among these, which are in lower case."""
    return Asked(unlisted_host(words), Among(words))


def either(hosts: list[Asked]) -> Asked:
    """Hosts of one form as one; none is all that are not listed, unless it is the only one."""
    first, *rest = hosts
    if not rest:
        return first
    names = frozenset().union(*(host.names.words for host in hosts))
    spelled = frozenset().union(*(host.spellings.words for host in hosts))
    return Asked(first.text, Among(names, but=False), Among(spelled, but=first.spellings.but))


def asks_host(places: Iterable[Place], host: str) -> bool:
    """Whether the Host is searched as a header of requests to a host."""
    return any(_asks_host(place.conditions(host)) for place in places)


def requests_to(
    host: Asked, places: tuple[Place, ...], within: Scope, listed: Collection[str]
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    """Requests, one of each class, with what all of the class send and what is undecided about them."""
    lists = [place.conditions(host.text) for place in places]
    sent = Sent(Sends.HTTP, host.names, host.spellings)
    if not asks_host(places, host.text):
        yield from _by_method(host.text, lists, sent, within)
    elif host.spellings.but:
        yield from _by_host_patterns(host, lists, sent, within, listed)
    else:
        lists = [asked_of(host.text, conditions) for conditions in lists]
        yield from _by_method(host.text, lists, sent, within)


@lru_cache(maxsize=65536)
def _asked_so(host: str) -> Asked:
    return asked_exactly(host)


@lru_cache(maxsize=65536)
def _asked_anyhow(host: str) -> Asked:
    return Asked(host, only(host.lower()))


@lru_cache(maxsize=65536)
def _asked_apart(host: str, written: frozenset[str]) -> Asked:
    return Asked(host, only(host.lower()), Among(written))


def _respelled(written: tuple[str, ...]) -> str | None:
    """A host with one letter in the other case, so that it is not written as it is listed."""
    others = (
        f"{host[:index]}{letter.swapcase()}{host[index + 1 :]}"
        for host in written
        for index, letter in enumerate(host)
        if letter.isascii()
    )
    return next((text for text in others if text not in written), None)


def _asks_host(conditions: tuple[Condition, ...]) -> bool:
    return any(name == HOST for condition in conditions for name, _ in condition.headers)


def _by_host_patterns(
    host: Asked, lists: list[tuple[Condition, ...]], sent: Sent, within: Scope, listed: Collection[str]
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    """Requests whose Host is searched as a header too: in each spelling, a pattern is found or not."""
    patterns = tuple(
        dict.fromkeys(
            pattern
            for conditions in lists
            for condition in conditions
            for name, pattern in condition.headers
            if name == HOST
        )
    )
    texts, undecided = _other_hosts(patterns, host, listed)
    for text in texts:
        signs = tuple((pattern, pattern.search(text)) for pattern in patterns)
        left = [asked_of(text, conditions) for conditions in lists]
        yield from _by_method(text, left, evolve(sent, hosts=signs), within)
    if undecided:
        yield HTTPRequest("GET", host.text), sent, undecided


def _other_hosts(
    patterns: tuple[Pattern, ...], host: Asked, listed: Collection[str]
) -> tuple[list[str], str]:
    """Spellings of a host, or hosts that are not listed, one for each way to find the patterns in them.

    A host that is a listed one in other letters stays one.
    """
    spelled: list[tuple[Pattern, bool]] = []
    avoid = frozenset(text.lower() for text in listed)
    if not host.names.but:
        exact = [text for text in listed if text not in host.spellings]
        spelled = [(_literal(host.text, any_case=True), True), *((_literal(text), False) for text in exact)]
        avoid = frozenset()
    texts = [host.text]
    undecided = ""
    tried = patterns[:HOST_PATTERNS]
    if tried != patterns:
        undecided = f"which hosts more than {HOST_PATTERNS} patterns of `{HOST}` leave"
    for signs in product((False, True), repeat=len(tried)):
        try:
            text = witness([*spelled, *zip(tried, signs, strict=True)], Texts.HOST, avoid)
        except Undecided as error:
            undecided = f"which hosts the patterns of `{HOST}` leave: {error}"
            continue
        if text is not None and tuple(pattern.search(host.text) for pattern in tried) != signs:
            texts.append(text)
    return texts, undecided


def _literal(text: str, *, any_case: bool = False) -> Pattern:
    letters = (_cased(char) if any_case else escaped(char) for char in text)
    return Pattern.of_bytes(f"^{''.join(letters)}$")


def _cased(char: str) -> str:
    """A pattern of all that is this character in lower case; the sign of kelvin is a `k`, too."""
    if not (char.isascii() and char.isalpha()):
        return escaped(char)
    lower = char.lower()
    return f"(?:[{lower}{char.upper()}]|{KELVIN})" if lower == "k" else f"[{lower}{char.upper()}]"


def asked_of(host: str, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """The conditions that are left for a Host, without what they ask of it."""
    return tuple(
        evolve(condition, headers=tuple(header for header in condition.headers if header[0] != HOST))
        for condition in conditions
        if all(pattern.search(host) for name, pattern in condition.headers if name == HOST)
    )


def _by_method(
    host: str, lists: list[tuple[Condition, ...]], sent: Sent, within: Scope
) -> Iterator[tuple[HTTPRequest, Sent, str]]:
    """Requests by method, path and headers."""
    for method, path, headers, methods, found, missing, undecided in _asked_requests(tuple(lists), within):
        asked = Sent(sent.kind, sent.names, sent.spellings, methods, sent.hosts, found, missing)
        yield HTTPRequest(method, host, path, headers), asked, undecided


@lru_cache(maxsize=4096)
def _asked_requests(lists: tuple[tuple[Condition, ...], ...], within: Scope) -> tuple[_Asked, ...]:
    """Requests of which these conditions are asked: methods are alike for which the same ones are left."""
    alike: dict[tuple[bool, tuple[tuple[int, ...], ...]], list[str]] = {}
    for method in (*KNOWN_METHODS, UNKNOWN_METHOD) if within.method is None else (within.method,):
        left = tuple(
            tuple(index for index, condition in enumerate(conditions) if method in condition.methods)
            for conditions in lists
        )
        alike.setdefault((method in KNOWN_METHODS, left), []).append(method)
    found: list[_Asked] = []
    for (known, left), methods in alike.items():
        chosen = (
            tuple(conditions[index] for index in kept) for conditions, kept in zip(lists, left, strict=True)
        )
        open_lists = tuple(dict.fromkeys(_left_open(conditions, within) for conditions in chosen))
        are_all = not known and within.method is None
        spoken = Among(frozenset(KNOWN_METHODS)) if are_all else only(*methods)
        for way in ways_of(tuple(filter(None, open_lists))):
            sent_path = way.path if within.path is None else within.path
            sent_headers = way.headers if within.headers is None else within.headers
            asked = methods[0], sent_path, sent_headers, spoken
            found.append((*asked, way.found, way.missing, way.undecided))
    return tuple(found)


def _left_open(conditions: tuple[Condition, ...], within: Scope) -> tuple[Condition, ...]:
    """What is left to ask where the path or the headers are known."""
    path, headers = within.path, within.headers
    if path is not None:
        conditions = tuple(
            evolve(condition, path=None)
            for condition in conditions
            if condition.path is None or condition.path.search(path)
        )
    if headers is not None:
        conditions = tuple(
            evolve(condition, headers=())
            for condition in conditions
            if all(pattern.search(headers.get(name, "")) for name, pattern in condition.headers)
        )
    return conditions
