"""What was meant by a word that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["nearest"]

ALIKE = 0.6


def nearest(word: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """The known word that is most like another one; None if none is at least so much like it, up to 1."""
    length = len(word)
    near = [it for it in known if 2 * min(length, len(it)) >= alike * (length + len(it))]
    if not near:
        return None  # as no word is as much like another one as their lengths are
    from difflib import get_close_matches  # noqa: PLC0415  # because good documents hold known words

    return next(iter(get_close_matches(word, near, 1, alike)), None)
