"""Who reaches what, as a page for a browser and as graphs: Mermaid and Graphviz's dot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, TypeAlias

from ..answers.partition import PORTION
from ..answers.reach import Reachability
from ..connections.decision import Reason, Verdict
from ..values.notebook import COLOURS
from ..values.typed import takes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..answers.partition import Portion
    from ..answers.reach import Way
    from ..connections.findings import Finding

__all__ = ["as_dot", "as_mermaid", "as_page"]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } nav a { margin-right: 1rem; } .soft { opacity: .7; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 600; } td b { white-space: nowrap; }
@media (max-width: 45rem) {
  thead { display: none; } tr { display: block; border-bottom: 1px solid var(--line); padding: .5rem 0; }
  td { display: flex; gap: .75rem; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-name); flex: 0 0 6rem; opacity: .7; }
  td > span { min-width: 0; overflow-wrap: anywhere; }
}
""".strip()


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
    told = list(findings)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Egress: {escape(str(found.partial))}</title><style>{_STYLE}</style></head><body>",
        f'<h1>Who reaches what</h1><p class="soft">{escape(found.headline)}</p><nav>{links}</nav>',
        *(_section(who, ways) for who, ways in by_identity.items()),
        _more("Not decided", [(str(it),) for it in found.undecided], ("what, and why",)),
        _more(
            "Findings",
            [(it.code.code, it.severity.value, str(it.rule), it.message, it.fix) for it in told],
            ("code", "severity", "rule", "message", "fix"),
        ),
        "</body></html>",
    ]
    return "\n".join(filter(None, parts)) + "\n"


def _section(who: str, ways: list[Way]) -> str:
    rows = [way.portion.row for way in ways]
    content = _rows(PORTION, rows) if rows else "<p>nothing of this</p>"
    return f'<h2 id="{escape(who)}">{escape(who)}</h2>{content}'


def _more(title: str, rows: list[tuple[str, ...]], columns: tuple[str, ...]) -> str:
    return f"<h2>{title}</h2>{_rows(columns, rows)}" if rows else ""


def _rows(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell(name, text) for name, text in zip(columns, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(name: str, text: str) -> str:
    colour = COLOURS.get(text)
    shown = f'<b style="color:{colour}">{escape(text)}</b>' if colour else escape(text)
    return f'<td data-name="{escape(name)}"><span>{shown}</span></td>'


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
