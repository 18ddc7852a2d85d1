"""Reports of policy tests as JUnit XML, as CI servers read it."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from ..policytests.running import TestReport
from ..values.typed import takes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..policytests.running import TestResult

__all__ = ["junit_xml"]

# What XML 1.0 has no way to say, not even as a reference.
_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@takes(report=TestReport)
def junit_xml(report: TestReport) -> str:
    """The report as a JUnit document: a suite for each file, with the explanation of what failed."""
    failed = len(report.failed)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<testsuites name="fsm-egress" tests="{len(report.results)}" failures="{failed}" errors="0">',
    ]
    for document, group in groupby(report.results, key=lambda result: result.test.document):
        lines.extend(_suite(document, list(group)))
    return "\n".join([*lines, "</testsuites>", ""])


def _suite(document: str, results: list[TestResult]) -> Iterator[str]:
    failed = sum(not result.passed for result in results)
    yield (
        f'  <testsuite name={_attribute(document)} tests="{len(results)}" failures="{failed}"'
        ' errors="0" skipped="0">'
    )
    for result in results:
        line = "" if result.test.line is None else f' line="{result.test.line}"'
        case = (
            f"    <testcase name={_attribute(result.test.name)} classname={_attribute(document)}"
            f" file={_attribute(document)}{line}"
        )
        if result.passed:
            yield f"{case}/>"
            continue
        yield f"{case}>"
        message = _attribute("; ".join(result.failures))
        yield f"      <failure message={message}>{_text(chr(10).join(result.lines()))}</failure>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _attribute(text: str) -> str:
    return quoteattr(_UNSAYABLE.sub("\ufffd", text))


def _text(text: str) -> str:
    return escape(_UNSAYABLE.sub("\ufffd", text))
