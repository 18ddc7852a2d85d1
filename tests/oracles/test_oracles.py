"""kubectl's and Helm's own code, asked about what is kept of it and about texts made up anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from as_kubectl import flaw
from asked import Oracle, asked_anew, known
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTS = [text for path in sorted(EXAMPLES.rglob("*.yaml")) if len(text := path.read_text()) < 1500]
PIECES = [*"\n :-#&*!|>'\"%@`{}[],?~<=.\t\r0123_eExXob+yn", "---\n", "\n---\n", "...\n", "--- # c\n"]
PIECES += ["\ufeff", "&a ", "*a", "<<: *a\n", "<<: {a: b}\n", "|\n", "|-\n", "|+\n", ">\n", ">2\n", "0x1F"]
PIECES += [
    "1e3",
    "1_0",
    "\\n",
    "\\u00e9",
    "é",
    "\xa0",
    "null",
    "true",
    "yes",
    "2001-01-01",
    "!!str ",
    "!!int ",
]
PIECES += ["  ", "\r\n", "# c\n", "key: val\n", "? a\n", '{"a": 1}\n']
SCALARS = st.text(st.sampled_from("0123456789+-._:eExXobBOaFynT~=<"), max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | SCALARS,
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)
SETTINGS = st.lists(
    st.sampled_from([*"abc", ".", "=", "[0]", "[1]", "{x}", "{1,y}", ",", "a=1,", "b.a=", "null"])
)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    asked = Oracle(tmp_path_factory.mktemp("oracle"))
    yield asked
    asked.close()


def test_what_is_kept_is_what_is_answered_today(oracle: Oracle) -> None:
    assert asked_anew(oracle) == known()


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A document with something put in, left out or cut off."""
    text = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        piece, gone = draw(st.sampled_from(PIECES)), draw(st.integers(0, 6))
        text = text[:place] + piece * draw(st.booleans()) + text[place + gone * draw(st.booleans()) :]
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 4)) == 0 else text


def question_of(name: str) -> Any:
    return lambda value: {name: value}


@given(st.data())
def test_law_texts_are_read_as_kubectl_reads_them(oracle: Oracle, data: st.DataObject) -> None:
    question = data.draw(
        mutated().map(question_of("read")) | SCALARS.map(lambda text: {"read": f"v: {text}\n"})
    )
    assert flaw(question, oracle.ask(question), may_refuse=True) is None


@given(st.data())
def test_law_what_kubectl_prints_is_what_it_was(oracle: Oracle, data: st.DataObject) -> None:
    question = {"print": {"v": data.draw(TREES)}}
    assert flaw(question, oracle.ask(question)) is None


@given(st.data())
def test_law_settings_are_read_as_helm_reads_them(oracle: Oracle, data: st.DataObject) -> None:
    question = {"set": "".join(data.draw(SETTINGS)), "on": data.draw(MAPPINGS)}
    assert flaw(question, oracle.ask(question)) is None


@given(st.data())
def test_law_patches_are_merged_as_the_api_server_merges_them(oracle: Oracle, data: st.DataObject) -> None:
    question = {"on": data.draw(MAPPINGS), "merge": data.draw(MAPPINGS)}
    assert flaw(question, oracle.ask(question)) is None
