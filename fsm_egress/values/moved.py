"""What is said of a name that is no longer where an older version had it, as its pickles say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["advice", "looked_up_in"]


def advice(package: str) -> str:
    """Where the names are, and what is to be done with a pickle that looks for them elsewhere."""
    return f"public names are in `{package}`, and what another version has pickled is to be made anew"


def looked_up_in(module: str) -> Callable[[str], object]:
    """The `__getattr__` of a module that has held classes of pickles: it says where to look for what it lacks."""

    def __getattr__(name: str) -> object:
        text = f"module `{module}` has no attribute `{name}`: {advice(module.partition('.')[0])}"
        raise AttributeError(text, name=name)

    return __getattr__
