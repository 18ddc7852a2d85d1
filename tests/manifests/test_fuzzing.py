"""What the fuzzer is given at night, a little of it at each run."""

from __future__ import annotations

from fuzzing import FORMS, attempt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thoroughness import examples

PARTS = st.sampled_from(
    [
        *"ab-.^$|()*+?",
        "[ab]",
        "[^a",
        r"\b",
        r"\1",
        "(?:",
        "(?=",
        "(?!",
        "{9}",
        "{0,99}",
        "{4294967295}",
        "{2,}",
    ]
)
PATTERNS = st.lists(PARTS, max_size=30).map("".join).map(str.encode)


@settings(max_examples=examples(300))
@given(st.integers(0, len(FORMS) - 1), st.binary(max_size=60) | PATTERNS)
@example(2, b"(?:a|a)*b(?:" + b"(?:" * 30 + b"a" + b")?" * 30 + b"){60}x")
@example(2, b"(?:(?:" + rb"\b" * 40 + b"|a){99}b?){99}c")
def test_law_only_errors_of_the_library_come_of_any_bytes(form: int, content: bytes) -> None:
    attempt(bytes([form]) + content)


def test_no_bytes_at_all_are_bytes() -> None:
    attempt(b"")
