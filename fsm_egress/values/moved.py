"""What is said of a name that is no longer where an older version had it, as its pickles say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["advice", "without"]


def advice(package: str) -> str:
    """Where the names are, and what is to be done with a pickle that looks for them elsewhere."""
    return f"public names are in `{package}`, and what another version has pickled is to be made anew"


def without(module: str, name: str) -> Callable[[str], object]:
    """The `__getattr__` of a module that has held a class: it says where to look for it.

    It is an ImportError that says so, as pickle puts words of its own in the place of an AttributeError.
    """

    def absent(wanted: str) -> object:
        if wanted == name:
            raise ImportError(f"`{module}` has no `{name}`: {advice(module.partition('.')[0])}", name=module)
        raise AttributeError(f"module `{module}` has no attribute `{wanted}`", name=wanted)

    return absent
