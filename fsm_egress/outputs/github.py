"""Problems and findings as workflow commands, which GitHub shows beside the lines that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..values.errors import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..connections.findings import Finding
    from ..values.errors import Problem
    from ..values.references import Mark

__all__ = ["github_findings", "github_problems"]

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_MESSAGES | str.maketrans({":": "%3A", ",": "%2C"})


def github_problems(problems: Iterable[Problem]) -> Iterator[str]:
    """A command for each thing that is wrong with documents."""
    for problem in problems:
        name = " ".join(str(part) for part in (problem.resource, problem.path) if part)
        message = f"{name}: {problem.message}" if name else problem.message
        yield _command(
            problem.severity,
            problem.document or "",
            problem.mark,
            f"fsm-egress {problem.code}".rstrip(),
            message,
        )


def github_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """A command for each finding, with what to do about it."""
    for finding in findings:
        rule = finding.rule
        name = f"{rule.resource} {rule.path}".rstrip()
        advice = f"; to do: {finding.fix}" if finding.fix else ""
        document = rule.source.document if rule.source else ""
        message = f"{name}: {finding.message}{advice}"
        yield _command(finding.severity, document, rule.mark, f"fsm-egress {finding.code}", message)


def _command(severity: Severity, document: str, mark: Mark | None, title: str, message: str) -> str:
    place: dict[str, object] = {"title": title}
    if document and not document.startswith("<"):
        place["file"] = document
        if mark is not None:
            place |= {"line": mark.line, "col": mark.column}
    properties = ",".join(f"{key}={str(value).translate(_IN_PROPERTIES)}" for key, value in place.items())
    return f"::{_COMMANDS[severity]} {properties}::{message.translate(_IN_MESSAGES)}"
