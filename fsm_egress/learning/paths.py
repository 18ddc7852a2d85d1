"""Paths that were seen, as anchored patterns: names stay, what looks like an identifier varies.

A number, a UUID, a long hexadecimal text or a long token is one segment that may be another of its kind; so
is the value of a query's key. No pattern is written that begins or ends anywhere or stands for several
segments.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..patterns import escaped

__all__ = ["covers", "shape_of"]

NUMBER = "[0-9]+"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
HEXADECIMAL = "[0-9a-fA-F]+"
TOKEN = "[^/?]+"
VALUE = "[^&]*"

_KINDS = (
    (NUMBER, re.compile(NUMBER, re.ASCII)),
    (UUID, re.compile(UUID, re.ASCII)),
    # A word such as `facade` is no identifier: there is a digit among at least eight characters.
    (HEXADECIMAL, re.compile(r"(?=[a-fA-F]*[0-9])[0-9a-fA-F]{8,}", re.ASCII)),
    (TOKEN, re.compile(r"(?=(?:\D*\d){3})[0-9A-Za-z_.~=-]{20,}", re.ASCII)),
)
_FOUND = {kind: re.compile(kind, re.ASCII) for kind in (NUMBER, UUID, HEXADECIMAL, TOKEN)}
_WITHIN = {NUMBER: {HEXADECIMAL, TOKEN}, UUID: {TOKEN}, HEXADECIMAL: {TOKEN}, TOKEN: set[str]()}


@lru_cache(maxsize=65_536)
def shape_of(path: str) -> str:
    """The anchored pattern of a path with its query."""
    plain, question, query = path.partition("?")
    segments = "/".join(_segments(plain.split("/")))
    if not question:
        return f"^{segments}$"
    return f"^{segments}\\?{'&'.join(map(_parameter, query.split('&')))}$"


def _segments(texts: list[str]) -> list[str]:
    """Their patterns; in that of a URL, as through a proxy, nobody's user and password stand."""
    shapes = [_segment(text) for text in texts]
    match texts:
        case [scheme, "", server, *_] if scheme.endswith(":") and "@" in server:
            shapes[2] = f"{TOKEN}@{escaped(server.rpartition('@')[2])}"
    return shapes


def _segment(text: str) -> str:
    return next((kind for kind, looks in _KINDS if looks.fullmatch(text)), escaped(text))


def _parameter(text: str) -> str:
    key, equals, _ = text.partition("=")
    return f"{escaped(key)}={VALUE}" if equals else escaped(text)


def covers(wide: str, narrow: str) -> bool:
    """Whether every path of one pattern of `shape_of` is a path of the other, segment by segment."""
    if wide == narrow:
        return True
    (one, one_query), (other, other_query) = _parts(wide), _parts(narrow)
    if one_query != other_query or len(one) != len(other):
        return False
    return all(map(_holds, one, other))


def _parts(shape: str) -> tuple[list[str], str]:
    plain, question, query = shape[1:-1].partition(r"\?")
    # `/` stands in no kind but that of tokens, where it is the only one.
    return plain.replace(TOKEN, "\0").split("/"), question + query


def _holds(wide: str, narrow: str) -> bool:
    one, other = wide.replace("\0", TOKEN), narrow.replace("\0", TOKEN)
    if one == other:
        return True
    if one not in _FOUND:
        return False
    if other in _WITHIN:
        return one in _WITHIN[other]
    literal = re.sub(r"\\(.)", r"\1", other)
    return _FOUND[one].fullmatch(literal) is not None
