"""The files that commands write."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_file"]

PRIVATE, ANYBODYS = 0o600, 0o666  # the latter but for what the process masks
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_file(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole or not at all; one that is replaced keeps its permissions.

    Args:
        path: where.
        content: what.
        private: whether nobody but its owner may read it, whatever was there before.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():  # a device or a pipe takes the bytes as they come
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, _NEW, PRIVATE if private else ANYBODYS), "wb") as file:
            if path.exists() and not private:
                shutil.copymode(path, draft)
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
