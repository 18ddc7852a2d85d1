"""Rules and lists in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..values.references import FieldRef

__all__ = ["LISTED", "NAMED", "ending", "owner_of", "rule_name", "shortened", "those"]

NAMED = 3  # hosts or ranges that are
LISTED = 2  # resources that are named one by one


def rule_name(rule: FieldRef) -> str:
    """Resource and field."""
    return f"{rule.resource} {rule.path}".rstrip()


def owner_of(rule: FieldRef) -> str:
    """The resource of a rule."""
    return str(rule.resource)


def those(rules: Iterable[FieldRef]) -> str:
    """The resources of some rules, in words."""
    names = list(dict.fromkeys(map(owner_of, rules)))
    if len(names) > LISTED:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)


def ending(rules: Iterable[FieldRef]) -> str:
    """The ending of a verb that these rules are the subject of."""
    return "s" if len({rule.resource for rule in rules}) == 1 else ""


def shortened(items: Sequence[object]) -> str:
    """The first few of a list."""
    rest = f", and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return f"[{', '.join(map(str, items[:NAMED]))}{rest}]"
