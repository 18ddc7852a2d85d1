"""The route rules of a host with their patterns read, as the sidecar reads them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING

from ..patterns import Pattern, PatternError, escaped, searchable
from ..patterns.prefilter import Prefilter, needs
from ..values.construction import frozen
from .outcome import CLOSED, Outcome, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.payloads import HTTPRequest
    from ..patterns.prefilter import Needed
    from .scripts import Rule

__all__ = ["FORWARDED_METHODS", "ReadRule", "filter_of", "read_rules", "texts_of"]

FORWARDED_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


@frozen(eq=False)
class ReadRule:
    """A route rule with its patterns read; one without a known type breaks the connection that reaches it.

    Attributes:
        path: None where it takes every path.
        headers: by name in lower case; those that are never sent under the name as written are gone.
        never: whether a header that is never sent would have to be there.
    """

    methods: tuple[str, ...]
    path: Pattern | None
    headers: tuple[tuple[str, Pattern], ...]
    clusters: Mapping[str, int]
    breaks: bool
    never: bool

    def matches(self, request: HTTPRequest, host: str) -> bool:
        """Whether the rule takes the request, whose Host may have been rewritten."""
        values = {**request.headers, "host": host}
        return (
            not self.never
            and (self.path is None or self.path.search(request.path))
            and all(pattern.search(values.get(name, "")) for name, pattern in self.headers)
        )


def filter_of(rules: Iterable[ReadRule]) -> Prefilter:
    """What tells which of many rules may take a request; one that breaks may take any."""
    return Prefilter.of(() if rule.breaks else _needed(rule) for rule in rules)


def _needed(rule: ReadRule) -> Iterator[Needed]:
    if rule.path is not None:
        yield from needs("", rule.path)
    for name, pattern in rule.headers:
        yield from needs(name, pattern)


def texts_of(request: HTTPRequest, host: str) -> Iterator[tuple[str, str]]:
    """The texts of a request in which patterns are searched, after their headers; the path has no name."""
    values = {**request.headers, "host": host, "": request.path}
    return ((name, searchable(text)) for name, text in values.items())


def read_rules(rules: Iterable[Rule]) -> tuple[ReadRule, ...] | Outcome:
    """The rules of a host, or what becomes of every request where one of their patterns cannot be read."""
    try:
        return tuple(map(_read_rule, rules))
    except PatternError as error:
        if error.ours:
            return unknown(error.problems[0].message)
        return CLOSED


_PATHS = {"Regex": "{}", "Exact": "^{}$", "Prefix": "^{}"}


def _read_rule(rule: Rule) -> ReadRule:
    frame = _PATHS.get(rule.type)
    text = rule.path if rule.type == "Regex" else escaped(rule.path)
    path = Pattern.of_bytes((frame or "").format(text))
    headers = [(name, Pattern.of_bytes(text)) for name, text in rule.headers]
    sent = [(name, pattern) for name, pattern in headers if name == name.lower()]
    unsent = [pattern for name, pattern in headers if name != name.lower()]
    return ReadRule(
        FORWARDED_METHODS if rule.methods is None else rule.methods,
        None if path.matches_everything else path,
        tuple(sorted(sent, key=itemgetter(0))),
        rule.clusters,
        breaks=frame is None,
        never=not all(pattern.search("") for pattern in unsent),
    )
