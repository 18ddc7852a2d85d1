"""Whether a text, a setting or a patch is read here as kubectl and Helm read it."""

from __future__ import annotations

from typing import Any

from fsm_egress import PatchError
from fsm_egress.documents import read_text
from fsm_egress.documents.helm import apply_set
from fsm_egress.documents.patch import merge_patch
from fsm_egress.manifests.dump import yaml_text

# What is an error here, and in a cluster a loss, or a value that other readers of YAML take for another.
OURS = (
    "each key once",
    "a scalar of one meaning",
    "a key that is a string",
    "no tag",
    "a line `---` before another document",
    "at most",
    "Unicode",
    "without control characters",
    "a string of Unicode characters",
    "a value of its tag",
)
NO_YAML = "refused: YAML"
# Settings that are read in full, where Helm breaks off or loses one; `parse_set` and `apply_set` say so.
BETTER = ("n.x=1", "a[0].b=")
# What the parser refuses, and kubectl loses without a word, or goes on with in another language.
LOST = ("a: 1\n...\nb: 2\n", '{"a":1}\nb: 2\n')


def flaw(question: dict[str, Any], answer: dict[str, Any], *, may_refuse: bool = False) -> str | None:
    """How our reading is another than theirs; None where it is not.

    Args:
        question: what was asked.
        answer: what they said.
        may_refuse: whether a text may be no YAML here, and be some there: the parsers differ in small things.
    """
    if "read" in question:
        found = _of_text(question["read"], answer)
        return None if may_refuse and found == NO_YAML else found
    if "print" in question:
        return _of_printed(question["print"], answer)
    if "set" in question:
        return _of_setting(question["set"], question["on"], answer)
    ours = _without_nulls(merge_patch(question["on"], question["merge"]))
    theirs = _without_nulls(answer["documents"][0])
    return None if same(ours, theirs) else f"{ours} is no {theirs}"


def _without_nulls(value: Any) -> Any:
    """A tree without nulls: those in a list's objects RFC 7386 keeps, and the API server drops at times."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _of_text(text: str, answer: dict[str, Any]) -> str | None:
    documents, problems = read_text(text, "a.yaml")
    values = [document.value for document in documents if document.value is not None]
    said = [problem.expected for document in documents for problem in document.problems]
    said += [problem.expected for problem in problems]
    if "error" in answer:
        return None  # what kubectl refuses may be read
    if said and text in LOST:
        return None
    if said:
        alien = [expected for expected in said if not any(ours in expected for ours in OURS)]
        return f"refused: {alien[0]}" if alien else None
    return None if same(values, answer.get("documents", [])) else f"{values} is no {answer.get('documents')}"


def _of_printed(tree: Any, answer: dict[str, Any]) -> str | None:
    """What kubectl prints is what it was, and so is what we print, to kubectl."""
    (document,), problems = read_text(answer["text"], "a.yaml")
    if document.problems or problems or not same(document.value, tree):
        return f"{document.value} is no {tree}: {document.problems}{problems}"
    ((again,), _) = read_text(yaml_text([tree]), "a.yaml")
    return None if same(again.value, tree) else f"{again.value} is no {tree}"


def _of_setting(text: str, values: dict[str, Any], answer: dict[str, Any]) -> str | None:
    try:
        ours = apply_set(values, text)
    except PatchError:
        return None  # what Helm loses in silence is an error here, and so is what it refuses
    if text in BETTER:
        return None
    if "error" in answer:
        return f"Helm refuses it, and it became {ours}"
    (theirs,) = answer["documents"]
    return None if same(ours, theirs) else f"{ours} is no {theirs}"


def same(ours: Any, theirs: Any) -> bool:
    """Whether two trees are one in JSON, in which `1.0` is `1`, and numbers are doubles."""
    return bool(_plain(ours) == _plain(theirs))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(float(value) + 0.0) if type(value) in {int, float} else value
