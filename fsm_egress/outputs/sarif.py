"""Findings as a SARIF 2.1.0 log, the form in which code hosts and editors read what a linter found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..connections.findings import Finding
from ..linting.rules import RULES
from ..values.errors import Severity
from ..values.typed import all_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..linting.rules.rule import LintRule
    from ..values.errors import Problem
    from ..values.references import FieldRef, Mark

__all__ = ["sarif_log", "sarif_log_of_problems"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_INDEX = {code: index for index, code in enumerate(RULES)}


def sarif_log(findings: Iterable[Finding], tool_version: str) -> dict[str, Any]:
    """A log of one run, as a tree that `json.dumps` writes.

    A finding is at the line where its field was written, if it was read from a file, and has the witness and
    its identity among its properties. One that its resource does not want to hear of is marked as suppressed.

    Args:
        findings: what was found, in the order of the log.
        tool_version: of the program that says so, such as `0.7.0`.
    """
    driver = {"name": "fsm-egress", "version": tool_version, "rules": list(map(_rule, RULES.values()))}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": list(map(_result, all_of(Finding, findings, "findings"))),
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def sarif_log_of_problems(problems: Iterable[Problem], tool_version: str) -> dict[str, Any]:
    """A log of what is wrong with documents: mistakes are of the rule `document`, others of their code.

    Args:
        problems: in the order of the log.
        tool_version: of the program that says so, such as `0.7.0`.
    """
    listed = list(problems)
    codes = sorted({problem.code for problem in listed} - {""})
    rules = [_DOCUMENT, *(_rule(rule) for rule in RULES.values() if rule.code.code in codes)]
    driver = {"name": "fsm-egress", "version": tool_version, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result_of_problem(problem, codes) for problem in listed],
    }
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


_DOCUMENT = {
    "id": "document",
    "name": "Document",
    "shortDescription": {"text": "A document is not read as it is written."},
    "fullDescription": {"text": "What is said of a document when it is loaded: mistakes, warnings, hints."},
}


def _result_of_problem(problem: Problem, codes: Sequence[str]) -> dict[str, Any]:
    name = " ".join(str(part) for part in (problem.resource, problem.path) if part)
    location = _place(problem.document or "", problem.mark)
    if name:
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"}]
    return {
        "ruleId": problem.code or "document",
        "ruleIndex": codes.index(problem.code) + 1 if problem.code else 0,
        "level": LEVELS[problem.severity],
        "message": {"text": f"{name}: {problem.message}" if name else problem.message},
        "locations": [location] if location else [],
    }


def _rule(rule: LintRule) -> dict[str, Any]:
    return {
        "id": rule.code.code,
        "name": rule.code.name.title().replace("_", ""),
        "shortDescription": {"text": _sentence(rule.title)},
        "fullDescription": {"text": rule.why},
        "help": {"text": _sentence(rule.fix), "markdown": rule.markdown},
        "defaultConfiguration": {"level": LEVELS[rule.code.severity]},
    }


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}."


def _result(finding: Finding) -> dict[str, Any]:
    advice = f"; to do: {finding.fix}" if finding.fix else ""
    properties: dict[str, Any] = {}
    if finding.identity is not None:
        properties["identity"] = str(finding.identity)
    if finding.witness is not None:
        properties["witness"] = finding.witness.to_mapping()
    return {
        "ruleId": finding.code.code,
        "ruleIndex": _INDEX[finding.code],
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.message}{advice}"},
        "locations": [_location(finding.rule)],
        **({"suppressions": [{"kind": "inSource"}]} if finding.suppressed else {}),
        **({"properties": properties} if properties else {}),
    }


def _location(rule: FieldRef) -> dict[str, Any]:
    """The field by name, and by line where it was read from a file."""
    name = f"{rule.resource} {rule.path}".rstrip()
    location = {"logicalLocations": [{"fullyQualifiedName": name, "kind": "member"}]}
    return location | (_place(rule.source.document, rule.mark) if rule.source else {})


def _place(document: str, mark: Mark | None) -> dict[str, Any]:
    """A file and a place in it; `<stdin>` and the like are none."""
    if not document or document.startswith("<"):
        return {}
    region = {"region": {"startLine": mark.line, "startColumn": mark.column}} if mark else {}
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(document)}, **region}}


def _uri(document: str) -> str:
    """A path as a URI: one that begins with a slash names its file, any other is relative."""
    return f"file://{quote(document)}" if document.startswith("/") else quote(document)
