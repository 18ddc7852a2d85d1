"""What is asked of a connection and of its fate, as terms: the words of `Where`, and of comparisons."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from ..connections.decision import Reason, Verdict
from ..connections.payloads import Sends
from ..values.net import Prefix
from .connection import IPV4, IPV6, METHOD, SERVER_NAME, Vocabulary, sends
from .reading import Fate
from .terms import all_of, any_of, is_text, no
from .trees import among, ends_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from .trees import Tree

__all__ = ["PASSED", "Asked", "dialable", "differs", "holds", "is_beside", "is_passing", "taken_away"]

PASSED = Fate(Verdict.PASSTHROUGH, Reason.NOT_INTERCEPTED)
_PASSING = frozenset({Reason.NOT_INTERCEPTED, Reason.NO_SIDECAR})
_OUT = frozenset({Verdict.EGRESS_POLICY, Verdict.PASSTHROUGH})
_LOOPBACK = tuple(map(Prefix, ("127.0.0.0/8", "::1/128")))
_NOWHERE = ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "::1/128", "ff00::/8")
"""What no client can dial to reach another host: itself, a group of hosts, nobody."""


class Asked(Protocol):
    """A predicate: its name, and its values, which are predicates where it combines some."""

    @property
    def what(self) -> str:
        """What is looked at."""
        ...

    @property
    def values(self) -> tuple[Any, ...]:
        """Those of which it is to be one."""
        ...


def dialable(own: Iterable[Prefix], words: Vocabulary) -> str:
    """That a client reaches another host by the address."""
    nowhere = words.to((*map(Prefix, _NOWHERE), *own))
    return words.definitions.name("an address that can be dialled", no(nowhere))


def is_beside() -> str:
    """That no rule of iptables takes it to a sidecar: UDP and IPv6."""
    return any_of(sends(Sends.DATAGRAM), IPV6)


def is_passing(tree: Tree[Fate], words: Vocabulary) -> str:
    """That it never comes to the sidecar."""
    term = among(tree, lambda fate: fate.reason in _PASSING)
    return words.definitions.name("never comes to the sidecar", term)


def is_allowed(tree: Tree[Fate], words: Vocabulary, when: str = "is ") -> str:
    """That it gets anywhere."""
    term = among(tree, lambda fate: fate.verdict is not Verdict.DENIED)
    return words.definitions.name(f"{when}allowed", term)


def holds(where: Asked, tree: Tree[Fate], words: Vocabulary) -> str:
    """That a predicate holds of the connection and of its fate."""
    return _TERMS[where.what](where.values, tree, words)


def _leaves(tree: Tree[Fate], words: Vocabulary) -> str:
    let_out = among(tree, lambda fate: fate.verdict in _OUT)
    elsewhere = among(tree, lambda fate: fate.leads_outside)
    term = any_of(all_of(let_out, no(words.to(_LOOPBACK))), elsewhere)
    return words.definitions.name("leaves the mesh", term)


def _asks_for(hosts: tuple[str, ...], words: Vocabulary) -> str:
    requests = any_of(*map(words.authority, hosts))
    names = any_of(*(is_text(SERVER_NAME, host) for host in hosts))
    return any_of(all_of(sends(Sends.HTTP), requests), all_of(sends(Sends.TLS), names))


_Term: TypeAlias = "Callable[[tuple[Any, ...], Tree[Fate], Vocabulary], str]"
_TERMS: dict[str, _Term] = {
    "allowed": lambda _, tree, words: is_allowed(tree, words),
    "outside": lambda _, tree, words: _leaves(tree, words),
    "governed": lambda _, tree, words: all_of(sends_tcp(), IPV4, no(is_passing(tree, words))),
    "verdict": lambda values, tree, _: among(tree, lambda fate: fate.verdict in values),
    "reason": lambda values, tree, _: among(tree, lambda fate: fate.reason in values),
    "port": lambda values, _, words: any_of(*map(words.port, values)),
    "destination": lambda values, _, words: words.to(values),
    "host": lambda values, _, words: _asks_for(values, words),
    "sends": lambda values, _, __: any_of(*map(sends, values)),
    "method": lambda values, _, __: all_of(
        sends(Sends.HTTP), any_of(*(is_text(METHOD, method) for method in values))
    ),
    "and": lambda parts, tree, words: all_of(*(holds(part, tree, words) for part in parts)),
    "or": lambda parts, tree, words: any_of(*(holds(part, tree, words) for part in parts)),
    "not": lambda parts, tree, words: no(holds(parts[0], tree, words)),
}


def sends_tcp() -> str:
    """That it is TCP."""
    return no(sends(Sends.DATAGRAM))


def taken_away(before: Tree[Fate], after: Tree[Fate], words: Vocabulary, when: str = "") -> str:
    """That it was allowed, and no longer is."""
    return all_of(is_allowed(before, words, f"{when}was "), no(is_allowed(after, words, f"{when}is ")))


def _has(outcome: Hashable, end: _End) -> bool:
    return end.outcome == outcome


class _End(Protocol):
    @property
    def outcome(self) -> Hashable:
        """What differs for the connection."""
        ...


E = TypeVar("E", bound=_End)


def differs(
    before: Tree[E], after: Tree[E], words: Vocabulary, when: tuple[str, str] = ("before", "after")
) -> str:
    """That something else becomes of it, by whichever rule."""
    names = {end.outcome: str(end) for end in ends_of(before) | ends_of(after)}
    found = []
    for outcome in sorted(names, key=repr):
        was, now = (
            words.definitions.name(f"{said}: {names[outcome]}", among(tree, partial(_has, outcome)))
            for said, tree in zip(when, (before, after), strict=True)
        )
        if was != now:
            found.append(f"(distinct {was} {now})")
    return any_of(*found)
