"""A search by backtracking that counts its steps: slow and literal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from fsm_egress.patterns import syntax

if TYPE_CHECKING:
    from collections.abc import Iterator


class TooMany(Exception):
    """More steps than are counted."""


class Engine:
    """Searches as the sidecar does, in the order of the pattern, and counts its steps."""

    def __init__(self, content: bytes, limit: float) -> None:
        self.content = content
        self.limit = limit
        self.steps = 0

    def search(self, tree: syntax.Node) -> float:
        """The steps after which the search has come to its end, or the limit."""
        try:
            for at in range(len(self.content) + 1):
                if next(self.ways(tree, at, {}), None):
                    break
        except TooMany:
            return self.limit
        return self.steps

    def step(self) -> None:
        self.steps += 1
        if self.steps >= self.limit:
            raise TooMany

    def ways(self, node: syntax.Node, at: int, groups: Groups) -> Iterator[tuple[int, Groups]]:
        """The ends of the ways through a node, one after the other."""
        match node:
            case syntax.Sequence():
                yield from self.in_turn(node.items, at, groups)
            case syntax.Alternation():
                for option in node.options:
                    self.step()
                    yield from self.ways(option, at, groups)
            case syntax.Repeat():
                yield from self.again(node, at, groups, 0)
            case syntax.Group():
                for end, inner in self.ways(node.item, at, groups):
                    yield end, {**inner, node.index: self.content[at:end]}
            case syntax.BackReference():
                yield from self.the_same(groups.get(node.index), at, groups)
            case syntax.LookAhead():
                yield from self.ahead(node, at, groups)
            case _:
                yield from self.here(node, at, groups)

    def here(
        self, node: syntax.Chars | syntax.Assertion, at: int, groups: Groups
    ) -> Iterator[tuple[int, Groups]]:
        self.step()
        if isinstance(node, syntax.Assertion):
            yield from [(at, groups)] if self.holds(node.kind, at) else []
        elif not node.members.isdisjoint(self.content[at : at + 1]):
            yield at + 1, groups

    def ahead(self, node: syntax.LookAhead, at: int, groups: Groups) -> Iterator[tuple[int, Groups]]:
        self.step()
        first = next(self.ways(node.item, at, groups), None)
        if (first is None) is node.negative:
            yield at, first[1] if first else groups

    def in_turn(
        self, items: tuple[syntax.Node, ...], at: int, groups: Groups
    ) -> Iterator[tuple[int, Groups]]:
        if not items:
            yield at, groups
            return
        for end, inner in self.ways(items[0], at, groups):
            yield from self.in_turn(items[1:], end, inner)

    def again(self, node: syntax.Repeat, at: int, groups: Groups, times: int) -> Iterator[tuple[int, Groups]]:
        self.step()
        if times >= node.minimum and not node.greedy:
            yield at, groups
        if node.maximum is None or times < node.maximum:
            for end, inner in self.ways(node.item, at, groups):
                if end > at or times < node.minimum:  # what matches nothing is not repeated
                    yield from self.again(node, end, inner, times + 1)
        if times >= node.minimum and node.greedy:
            yield at, groups

    def the_same(self, wanted: bytes | None, at: int, groups: Groups) -> Iterator[tuple[int, Groups]]:
        self.step()
        for byte in wanted or b"":
            self.step()
            if self.content[at : at + 1] != bytes([byte]):
                return
            at += 1
        if wanted is not None:
            yield at, groups

    def holds(self, kind: syntax.AssertionKind, at: int) -> bool:
        around = self.content[at - 1 : at] if at else b"", self.content[at : at + 1]
        boundary = [byte in syntax.CLASSES["w"] for side in around for byte in side].count(True) == 1
        return {
            syntax.AssertionKind.START: at == 0,
            syntax.AssertionKind.END: at == len(self.content),
            syntax.AssertionKind.WORD_BOUNDARY: boundary,
            syntax.AssertionKind.NO_WORD_BOUNDARY: not boundary,
        }[kind]


Groups: TypeAlias = dict[int, bytes]
