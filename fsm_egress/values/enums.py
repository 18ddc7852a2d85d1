"""Enumerations whose members are words: equal to their text, and printed as it."""

from __future__ import annotations

from enum import Enum

__all__ = ["Word"]


class Word(str, Enum):
    """A word of a closed set; `str` and `format` give its text."""

    def __str__(self) -> str:
        return str(self.value)
