"""Patterns of all kinds over a small alphabet, and texts in which they may be found."""

from __future__ import annotations

from hypothesis import strategies as st

ATOMS = st.sampled_from(["a", "b", "-", ".", "[ab]", "[^a]", r"\w", "", "[]"])
CONDITIONS = st.sampled_from(["^", "$", r"\b", r"\B"])
TIMES = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}", "{2,3}", "{3,}", "+?"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join).map("({})".format),
        st.builds("(?:{}){}".format, inner, TIMES),
    )


def _looking(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return _grown(inner) | st.builds("(?{}{})".format, st.sampled_from("=!"), inner)


REGULAR = st.recursive(ATOMS | CONDITIONS, _grown, max_leaves=8)
LOOKING = st.recursive(ATOMS | CONDITIONS, _looking, max_leaves=8)
REFERRING = st.builds(r"{}({}){}\1{}".format, REGULAR, ATOMS, REGULAR, REGULAR)

LINES = st.text(alphabet="ab-", max_size=7)
