"""Who reaches what, as a page for a browser and as graphs: Mermaid and Graphviz's dot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeAlias

from ..answers.partition import PORTION
from ..answers.reach import Reachability
from ..connections.decision import Reason, Verdict
from ..connections.findings import Findings
from ..values.pages import page, section, table
from ..values.typed import takes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..answers.partition import Portion
    from ..answers.reach import Way
    from ..connections.findings import Finding

__all__ = ["as_dot", "as_mermaid", "as_page"]


@takes(found=Reachability)
def as_page(found: Reachability, findings: Iterable[Finding] = ()) -> str:
    """A page that shows who reaches what, by which rule, in one file: no script, nothing from elsewhere.

    Args:
        found: by `reachable`.
        findings: what is amiss with the mesh, shown below.
    """
    by_identity: dict[str, list[Way]] = {str(identity): [] for identity in found.identities}
    for way in found.ways:
        by_identity[str(way.identity)].append(way)
    links = " ".join(f'<a href="#{escape(who)}">{escape(who)}</a>' for who in by_identity)
    told = Findings(findings).table()
    return page(
        f"Egress: {found.partial}",
        "Who reaches what",
        found.headline,
        f"<nav>{links}</nav>",
        *(_section(who, ways) for who, ways in by_identity.items()),
        section("Not decided", ("what, and why",), [(str(it),) for it in found.undecided]),
        section("Findings", told.columns, told.rows),
    )


def _section(who: str, ways: list[Way]) -> str:
    rows = [way.portion.row for way in ways]
    content = table(PORTION, rows) if rows else "<p>nothing of this</p>"
    return f'<h2 id="{escape(who)}">{escape(who)}</h2>{content}'


# --- graphs ----------------------------------------------------------------------------------------------


@takes(found=Reachability)
def as_mermaid(found: Reachability) -> str:
    """A Mermaid flowchart: from each identity to what it reaches, by which rule."""
    nodes, edges = _graph(found)
    lines = [
        "flowchart LR",
        *(f'  {name}["{_mermaid(label)}"]' for label, name in nodes.items()),
        *(f'  {nodes[one]} -->|"{_mermaid(by)}"| {nodes[other]}' for one, by, other in edges),
    ]
    return "\n".join(lines) + "\n"


@takes(found=Reachability)
def as_dot(found: Reachability) -> str:
    """A Graphviz graph: from each identity to what it reaches, by which rule."""
    nodes, edges = _graph(found)
    lines = [
        "digraph egress {",
        "  rankdir=LR",
        '  node [shape=box, fontname="sans-serif"]',
        *(f"  {name} [label={_dot(label)}]" for label, name in nodes.items()),
        *(f"  {nodes[one]} -> {nodes[other]} [label={_dot(by)}]" for one, by, other in edges),
        "}",
    ]
    return "\n".join(lines) + "\n"


Edge: TypeAlias = tuple[str, str, str]
"""From whom, by what, to where."""


def _graph(found: Reachability) -> tuple[dict[str, str], tuple[Edge, ...]]:
    """The names of nodes by their labels, and the edges between labels, each once.

    What passes by the sidecar is left out.
    """
    edges = dict.fromkeys(
        (str(way.identity), _by(way.portion), where)
        for way in found.ways
        if way.portion.decision.reason is not Reason.NOT_INTERCEPTED
        for where in _where(way.portion)
    )
    labels = dict.fromkeys([*map(str, found.identities), *(where for *_, where in edges)])
    return {label: f"n{number}" for number, label in enumerate(labels)}, tuple(edges)


def _by(portion: Portion) -> str:
    rule = portion.decision.rule
    return f"{rule.resource}" if rule else portion.decision.reason.value


def _where(portion: Portion) -> Iterator[str]:
    """Where connections go, in words: the targets, or any address by passthrough."""
    port, addresses, _ = portion.region.words
    if portion.decision.verdict is Verdict.PASSTHROUGH or any(it.original for it in portion.decision.targets):
        yield f"{addresses}, port {port}"
        return
    for target in portion.decision.targets:
        yield target.spoken()


def _mermaid(text: str) -> str:
    """A text between quotes: what Mermaid, Markdown or HTML could read is written as an entity."""
    return "".join(
        char if char.isalnum() or char in " .,:;/-()+=" else f"#{ord(char)};" for char in _printable(text)
    )


def _dot(text: str) -> str:
    """A quoted text, in which Graphviz reads entities of HTML as well as what is behind a backslash."""
    escaped = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_printable(escaped)}"'


def _printable(text: str) -> str:
    """A text on one line that nothing turns around."""
    return "".join(char if char.isprintable() else " " for char in text)
