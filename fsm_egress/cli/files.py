"""The files that commands write: whole or not at all, and what can hold a key for nobody else to read."""

from __future__ import annotations

import os
import shutil
from errno import ELOOP, ENOTDIR, ENOTEMPTY
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["resolved", "write_file", "write_folder"]

OWNER_ONLY = 0o600
FOLDER_OF_OWNER = 0o700
NAMED = 48  # characters of a name that its draft has, too
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner alone.

    Raises:
        OSError: it cannot be written; then what was there is there.
    """
    path = resolved(path)
    if path.exists() and not path.is_file():  # a device or a pipe takes the bytes as they come
        path.write_bytes(content)
        return
    path.parent.mkdir(FOLDER_OF_OWNER, parents=True, exist_ok=True)
    draft = _beside(path)
    try:
        _write(draft, content, OWNER_ONLY)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def resolved(path: Path) -> Path:
    """Where a path leads, by whatever links.

    Raises:
        OSError: the links lead in a circle.
    """
    try:
        found = path.resolve()
    except RuntimeError:  # as Python up to 3.12 says it
        found = path
    if found.is_symlink():
        raise OSError(ELOOP, os.strerror(ELOOP), str(path))
    return found


def write_folder(
    folder: Path, files: Mapping[str, bytes], is_ours: Callable[[Path], bool], *, private: bool
) -> None:
    """Put a folder of files in the place of the one before: whole or not at all, and with nothing of before.

    Args:
        folder: its path.
        files: what it is to hold, by their paths in it.
        is_ours: whether a file that is there may go: where one may not, nothing is written.
        private: whether it is for its owner alone.

    Raises:
        OSError: it cannot be written, or holds something else; then what was there is there.
    """
    folder = resolved(folder)
    for it in (folder, folder.parent):
        if it.exists() and not it.is_dir():
            raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(it))
    stranger = next((it for it in sorted(folder.rglob("*")) if not (_is_folder(it) or is_ours(it))), None)
    if stranger is not None:
        name = stranger.relative_to(folder).as_posix()
        raise OSError(ENOTEMPTY, f"it holds `{name}`, which was not written by this command", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(folder)
    mode, file_mode = (FOLDER_OF_OWNER, OWNER_ONLY) if private else (0o777, 0o666)
    try:
        draft.mkdir(mode)
        for name, content in files.items():
            (draft / name).parent.mkdir(mode, parents=True, exist_ok=True)
            _write(draft / name, content, file_mode)
        try:
            draft.rename(folder)
        except OSError:  # it is there already, and by now even where it was not at first
            if not folder.exists():
                raise
            _exchange(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _beside(path: Path) -> Path:
    """A path that nobody else has, on the same disk; no longer than names may be."""
    return path.with_name(f".{path.name[:NAMED]}.{token_hex(8)}")


def _write(path: Path, content: bytes, mode: int) -> None:
    """Make a file; nobody is let in between."""
    with os.fdopen(os.open(path, _NEW, mode), "wb") as file:
        file.write(content)


def _exchange(one: Path, other: Path) -> None:
    """Put a folder in the place of another one, which goes: in one step where the system can."""
    if _exchanged_at_once(one, other):
        return
    aside = _beside(other)
    other.rename(aside)
    try:
        one.rename(other)
    except BaseException:
        aside.rename(other)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchanged_at_once(one: Path, other: Path) -> bool:
    """Whether Linux has exchanged two paths (`renameat2`); no system call of Python's own does."""
    from ctypes import CDLL, c_char_p, c_int, c_uint  # noqa: PLC0415  # because few commands write a folder

    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        rename = CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    rename.argtypes = (c_int, c_char_p, c_int, c_char_p, c_uint)
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
