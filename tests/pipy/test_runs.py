"""Which of several lists holds given words side by side: told as a slow search tells it, in few steps."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fsm_egress.pipy.runs import Runs

LISTS = st.lists(st.text("abc", max_size=8), max_size=8)


def known(lists: list[str]) -> Runs:
    runs = Runs()
    for number, words in enumerate(lists):
        runs.add(words, number)
    return runs


@given(LISTS, st.text("abc", max_size=4))
def test_law_the_first_list_with_these_words_is_found(lists: list[str], words: str) -> None:
    """A letter is a word here, so that a search in texts is the slow way."""
    first = next((number for number, text in enumerate(lists) if words in text), None)
    assert known(lists).first(words) == first


@given(LISTS)
def test_law_every_run_of_every_list_is_known(lists: list[str]) -> None:
    runs = known(lists)
    for text in lists:
        for start in range(len(text)):
            for end in range(start, len(text)):
                first = next(number for number, it in enumerate(lists) if text[start:end] in it)
                assert runs.first(text[start:end]) == first


@given(st.text("abc", max_size=12))
def test_law_a_list_that_is_known_takes_nothing(text: str) -> None:
    runs = known([text])
    kept = repr(vars(runs))
    runs.add(text, 1)
    assert repr(vars(runs)) == kept


def test_what_is_kept_grows_as_the_lists_do(monkeypatch: Any) -> None:
    """Lists that share nearly all of their words: a table of all runs would be a million times as large."""
    made = 0
    state = Runs._state  # noqa: SLF001  # whose calls are the steps

    def counted(*given: Any) -> int:
        nonlocal made
        made += 1
        return state(*given)

    monkeypatch.setattr(Runs, "_state", counted)
    lists = [[str(number) for number in range(1_000) if number != left_out] for left_out in range(20)]
    runs = Runs()
    for number, words in enumerate(lists):
        runs.add(words, number)
        assert runs.first(words[number:]) is not None
    assert made < 2 * 20 * 1_000
