"""What files with policy tests are called."""

from __future__ import annotations

__all__ = ["SUFFIXES", "is_test_file"]

SUFFIXES = (".egress-test.yaml", ".egress-test.yml", ".egress-test.json")


def is_test_file(name: str) -> bool:
    """Whether a file of this name is one."""
    return name.endswith(SUFFIXES)
