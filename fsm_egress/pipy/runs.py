"""Lists of words, and which of them is the first that holds given ones side by side: found in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Runs"]


class Runs:
    """The suffix automaton of lists of words: each of its states is a set of runs with the same places.

    Adding a list takes as many steps as it has words, and so does a question.
    """

    def __init__(self) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._shorter = [-1]  # the state of the longest run that ends alike and stands elsewhere, too
        self._length = [0]
        self._first: list[int | None] = [None]

    def add(self, words: Iterable[str], number: int) -> None:
        """A list more, whose number is no smaller than those before."""
        if self._first[0] is None:
            self._first[0] = number
        last = 0
        for word in words:
            last = self._extended(last, word, number)

    def first(self, words: Iterable[str]) -> int | None:
        """The number of the first list that holds these words side by side, in this order."""
        at = 0
        for word in words:
            known = self._next[at].get(word)
            if known is None:
                return None
            at = known
        return self._first[at]

    def _extended(self, last: int, word: str, number: int) -> int:
        known = self._next[last].get(word)
        if known is not None:
            return self._split(last, word, known)
        new = self._state(self._length[last] + 1, number, {}, 0)
        at = last
        while at >= 0 and word not in self._next[at]:
            self._next[at][word] = new
            at = self._shorter[at]
        if at >= 0:
            self._shorter[new] = self._split(at, word, self._next[at][word])
        return new

    def _split(self, before: int, word: str, known: int) -> int:
        """The state of the run that `word` makes of the longest run of a state, taken out of a known one."""
        length = self._length[before] + 1
        if self._length[known] == length:
            return known
        copy = self._state(length, self._first[known], dict(self._next[known]), self._shorter[known])
        self._shorter[known] = copy
        at = before
        while at >= 0 and self._next[at].get(word) == known:
            self._next[at][word] = copy
            at = self._shorter[at]
        return copy

    def _state(self, length: int, first: int | None, following: dict[str, int], shorter: int) -> int:
        self._next.append(following)
        self._shorter.append(shorter)
        self._length.append(length)
        self._first.append(first)
        return len(self._length) - 1
