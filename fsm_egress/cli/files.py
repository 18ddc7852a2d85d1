"""The files that commands write."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_file"]


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is replaced keeps its permissions.

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
        with draft.open("xb") as file:
            if path.exists():
                shutil.copymode(path, draft)
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
