"""What the helps of all commands have in common."""

from __future__ import annotations

import re

__all__ = ["examples"]

WIDTH = 72  # of an example, so that a line of 80 cells holds it with what continues it


def examples(*lines: str) -> str:
    """The end of a command's help; a long example goes on in the next line, as a shell reads it."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for example in lines for line in _lines(example))


def _lines(example: str) -> list[str]:
    """The lines of an example, each but the first from an option on."""
    lines = [""]
    for part in re.split(r" (?=-[-a-zA-Z])", example):
        if lines[-1] and len(lines[-1]) + len(part) > WIDTH:
            lines[-1] += " \\"
            lines.append(f"    {part}")
        else:
            lines[-1] += f" {part}" if lines[-1] else part
    return lines
