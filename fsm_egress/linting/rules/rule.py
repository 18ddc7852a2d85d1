"""What is to be known of a code: why it matters, documents that trigger it, what to do about it."""

from __future__ import annotations

from enum import Enum

from attrs import field

from ...connections.findings import Code
from ...values.construction import frozen

__all__ = ["LintRule", "Side"]


class Side(Enum):
    """Where findings of a code come from."""

    MESH = "the policies"
    SIDECAR = "the comparison with the stock sidecar"
    CONTROLLER = "the stock controller's view"
    DOCUMENTS = "the command `check`"


SIDECAR = frozenset([Side.SIDECAR])
CONTROLLER = frozenset([Side.CONTROLLER])
DOCUMENTS = frozenset([Side.DOCUMENTS])
MESH_SIDECAR_CONTROLLER = frozenset([Side.MESH, Side.SIDECAR, Side.CONTROLLER])
MESH_SIDECAR = frozenset([Side.MESH, Side.SIDECAR])
MESH_CONTROLLER = frozenset([Side.MESH, Side.CONTROLLER])


@frozen
class LintRule:
    """What is to be known of a code.

    Attributes:
        code: of its findings.
        title: what is the matter, in a few words.
        why: why that matters.
        fix: what to do about it.
        example: documents that trigger it, in YAML; empty where none is known.
        instead: texts of the example, each with another in its place that makes it fine.
        sides: where its findings come from.
        along: what the example triggers besides, as the one does not go without the other.
        fsm: the version of FSM that has it; None for any.
    """

    code: Code
    title: str
    why: str
    fix: str
    example: str = field(default="", repr=False)
    instead: tuple[tuple[str, str], ...] = ()
    sides: frozenset[Side] = frozenset([Side.MESH])
    along: tuple[Code, ...] = ()
    fsm: str | None = None

    @property
    def near(self) -> str:
        """Documents that differ from the example in little, and do not trigger it."""
        text = self.example
        for old, new in self.instead:
            text = text.replace(old, new)
        return text

    @property
    def markdown(self) -> str:
        """The rule as a section of the documentation."""
        parts = [
            f"### {self.code}: {self.title}",
            f"*{self.code.severity}*, found by {_listed(self.sides)}"
            + (f", with `--fsm {self.fsm}`" if self.fsm else ""),
            self.why,
            f"What to do: {self.fix}.",
        ]
        if self.example:
            changed = " and ".join(f"`{_line(new)}` in place of `{_line(old)}`" for old, new in self.instead)
            parts += [f"```yaml\n{self.example}```", f"Not with {changed}."]
        if self.along:
            parts.append(f"With it goes {', '.join(map(str, self.along))}.")
        return "\n\n".join(parts) + "\n"


def _listed(sides: frozenset[Side]) -> str:
    return " and ".join(side.value for side in Side if side in sides)


def _line(text: str) -> str:
    return " ".join(text.split())
