"""The table of findings: of each code why it matters, documents that trigger it, what to do about it.

Each module beside `rule.py` and `examples.py` is a part of it, by who finds them. The documentation is made
from it (`rules_markdown`), and every example is tried by the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import clients, controller, departures, documents, pods, policies, resolution, sidecar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...connections.findings import Code
    from .rule import LintRule

__all__ = ["RULES", "rules_markdown"]

_TABLES = (
    resolution.RULES,
    sidecar.RULES,
    controller.RULES,
    departures.RULES,
    policies.RULES,
    documents.RULES,
    pods.RULES,
    clients.RULES,
)

RULES: Mapping[Code, LintRule] = {
    rule.code: rule
    for rule in sorted((rule for table in _TABLES for rule in table), key=lambda rule: rule.code.code)
}
"""The rule of each code, in the order of the codes."""


def rules_markdown() -> str:
    """The documentation of all codes, in their order."""
    return "\n".join(rule.markdown for rule in RULES.values())
