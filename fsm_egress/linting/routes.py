"""What routes of HTTPRouteGroups take: every request, none, or nothing that another does not take as well.

Paths are compared exactly where automata decide (`patterns/automata.py`); what they cannot decide is not
claimed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ..connections.payloads import HTTPRequest
from ..patterns import Pattern
from ..patterns.automata import Texts, Undecided, witness
from ..patterns.shortest import least_length
from ..patterns.syntax import Alternation, Chars, Group, Sequence
from ..resources.words import FORWARDED_METHODS
from ..values.errors import InvalidValue
from ..values.identity import each_once

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..patterns.syntax import Node
    from ..policy.parts import HTTPRoute

__all__ = [
    "LONG",
    "begins_with_slash",
    "covered",
    "covers",
    "never",
    "request_of",
    "takes_everything",
    "unusual",
]

LONG = 4096  # bytes of a text
HOST = "host"
CONNECT = "CONNECT"
SLASH = frozenset(b"/")
ORIGIN_FORM = Pattern("^/")
TARGET = Pattern(r"^(/|\*$|[Hh][Tt][Tt][Pp][Ss]?://)")  # RFC 9112, 3.2: of any request but CONNECT


@lru_cache(maxsize=4096)
def _text(wanted: frozenset[tuple[Pattern, bool]], texts: Texts) -> tuple[str | None, bool]:
    """A smallest text that is as wanted, if one was found; and whether this was decided.

    A long text is not looked for: automata would take seconds.
    """
    if any(found and least_length(pattern.tree) > LONG for pattern, found in wanted):
        return None, False
    try:
        return witness(sorted(wanted, key=lambda pair: pair[0].text), texts), True
    except Undecided:
        return None, False


def _is_impossible(wanted: frozenset[tuple[Pattern, bool]], texts: Texts) -> bool:
    return _text(wanted, texts) == (None, True)


def _sample(pattern: Pattern, texts: Texts) -> str | None:
    return _text(frozenset([(pattern, True)]), texts)[0]


def never(route: HTTPRoute) -> str:
    """What no request can meet of what the route asks for, as a phrase; empty if nothing is known of that."""
    if _is_impossible(frozenset([(route.path, True)]), Texts.PATH):
        return f"no path is matched by `{route.path.text}`"
    for name, pattern in route.headers:
        if name != HOST and _is_impossible(frozenset([(pattern, True)]), Texts.VALUE):
            return f"no value of the header `{name}` is matched by `{pattern.text}`"
    return ""


def unusual(route: HTTPRoute) -> str:
    """What the paths of a route are if no client sends them, as a phrase; empty where some are sent."""
    if CONNECT in route.methods or not _is_impossible(
        frozenset([(route.path, True), (TARGET, True)]), Texts.PATH
    ):
        return ""
    path = _sample(route.path, Texts.PATH)
    words = f"only paths without a slash before them are matched by `{route.path.text}`, such as `{path}`"
    return words if path else ""


def takes_everything(route: HTTPRoute) -> bool:
    """Whether the route takes every request for a path, by every method that the sidecar forwards."""
    return (
        _methods(route) >= set(FORWARDED_METHODS)
        and all(pattern.matches_everything for _, pattern in route.headers)
        and _is_within(ORIGIN_FORM, route.path)
    )


def covers(wide: HTTPRoute, narrow: HTTPRoute) -> bool:
    """Whether it is proved that one route takes every request that the other takes."""
    return (
        _methods(wide) >= _methods(narrow)
        and _has_headers_of(wide, narrow)
        and _is_within(narrow.path, wide.path)
    )


def covered(narrow: HTTPRoute, wide: Collection[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """Of some routes those that together are proved to take every request that one takes; none if not so."""
    one = next((route for route in wide if covers(route, narrow)), None)
    if one is not None:
        return (one,)
    found: list[HTTPRoute] = []
    for method in sorted(_methods(narrow)):
        apt = [it for it in wide if method in _methods(it) and _has_headers_of(it, narrow)]
        enough = next(([it] for it in apt if _is_within(narrow.path, it.path)), apt)
        if enough is apt and not (apt and _is_within_all(narrow.path, [it.path for it in apt])):
            return ()
        found.extend(enough)
    return each_once(found)


def _has_headers_of(wide: HTTPRoute, narrow: HTTPRoute) -> bool:
    return all(header in narrow.headers or header[1].matches_everything for header in wide.headers)


def _methods(route: HTTPRoute) -> set[str]:
    return set(route.methods or FORWARDED_METHODS)


def _is_within(narrow: Pattern, wide: Pattern) -> bool:
    """Whether a pattern is found wherever another is; one text that shows otherwise spares the proof."""
    if wide == narrow or wide.matches_everything:
        return True
    return _is_within_all(narrow, [wide])


def _is_within_all(narrow: Pattern, wide: Collection[Pattern]) -> bool:
    """Whether one of several patterns is found wherever another is."""
    text = _sample(narrow, Texts.PATH)
    if text is None or not any(pattern.search(text) for pattern in wide):
        return False
    return _is_impossible(frozenset([(narrow, True), *((it, False) for it in wide)]), Texts.PATH)


def begins_with_slash(node: Node) -> bool:
    """Whether all that a pattern matches begins with a slash, while it does not say that the text does."""
    match node:
        case Chars():
            return node.members == SLASH
        case Sequence(items=(first, *_)):
            return begins_with_slash(first)
        case Group():
            return begins_with_slash(node.item)
        case Alternation():
            return all(map(begins_with_slash, node.options))
        case _:
            return False


def request_of(route: HTTPRoute, host: str) -> HTTPRequest | None:
    """A small request for a host that the route takes, where one was found."""
    path = _sample(route.path, Texts.PATH)
    asked = {name: pattern for name, pattern in route.headers if name != HOST or not pattern.search(host)}
    values = {name: _sample(pattern, Texts.VALUE) for name, pattern in asked.items()}
    if path is None or HOST in values or None in values.values():
        return None
    headers = {name: value for name, value in values.items() if value}
    try:
        return HTTPRequest((route.methods or FORWARDED_METHODS)[0], host, path, headers)
    except InvalidValue:
        return None
