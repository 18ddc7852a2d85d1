"""The command that explains the codes of findings and the reasons of decisions."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ..explanation.reasons import REASONS
from ..linting.rules import RULES
from ..values.spelling import nearest
from .help import examples
from .output import say

__all__ = ["explain_code"]


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    titles = {code.code: rule.title for code, rule in RULES.items()}
    titles |= {reason.value: page.title for reason, page in REASONS.items()}
    known = ((name, title) for name, title in titles.items() if name.lower().startswith(incomplete.lower()))
    return [CompletionItem(name, help=title) for name, title in known]


@click.command(
    "explain-code",
    epilog=examples("fsm-egress explain-code FSE034", "fsm-egress explain-code no_route tls_any"),
)
@click.argument("codes", nargs=-1, required=True, metavar="CODE...", shell_complete=_complete)
def explain_code(codes: tuple[str, ...]) -> None:
    """Say what a finding or a reason means, and what to do.

    A code is one of a finding, such as FSE034, or the reason of a decision, such as `no_route`.
    """
    pages = {code.code.lower(): rule.markdown for code, rule in RULES.items()}
    pages |= {reason.value: page.markdown for reason, page in REASONS.items()}
    for code in codes:
        if code.lower() not in pages:
            near = nearest(code.lower(), pages)
            meant = f"; is `{_as_written(near)}` meant?" if near else ""
            raise click.UsageError(f"`{code}` is neither the code of a finding nor a reason{meant}")
    say("\n".join(pages[code.lower()] for code in codes).rstrip("\n").split("\n"))


def _as_written(name: str) -> str:
    return name.upper() if name.startswith("fse") else name
