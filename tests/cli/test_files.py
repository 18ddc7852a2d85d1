"""The files that commands write: whole or not at all, nothing of before, and for nobody else to read."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thoroughness import examples

from fsm_egress.cli import files
from fsm_egress.cli.files import write_file, write_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLD = {"config.json.gz": b"old", "modules/fsm-egress.js": b"old"}
NEW = {"config.json": b"new", "modules/fsm-egress.js": b"new"}
EVERYWHERE = lambda _: True  # noqa: E731  # because every file is ours


def held(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def names(folder: Path) -> list[str]:
    return [it.name for it in folder.iterdir()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that cannot exchange two paths at once."""
    monkeypatch.setattr(files, "_exchanged_at_once", lambda *_: False)


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, 0o644, 0o600, 0o666])
def test_a_file_is_for_its_owner_alone_whatever_it_was(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "deep" / "config.json"
    if before is not None:
        path.parent.mkdir()
        path.write_bytes(b"old")
        path.chmod(before)
    write_file(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    if before is None:
        assert mode(path.parent) == 0o700
    assert names(path.parent) == ["config.json"]


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, b"new")
    assert held(tmp_path) == {"config.json": b"old"}


# --- folders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("before", [None, {}, OLD])
def test_a_folder_holds_what_was_written_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: Mapping[str, bytes] | None, at_once: bool
) -> None:
    folder = tmp_path / "deep" / "codebase"
    if before is not None:
        write_folder(folder, before, EVERYWHERE, private=False)
    if not at_once:
        no_exchange(monkeypatch)
    write_folder(folder, NEW, EVERYWHERE, private=True)
    assert held(folder) == NEW
    assert names(folder.parent) == ["codebase"]


def test_a_folder_that_can_hold_keys_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "codebase"
    write_folder(folder, OLD, EVERYWHERE, private=False)
    others = os.umask(0)
    os.umask(others)
    assert mode(folder) == 0o777 & ~others
    assert mode(folder / "config.json.gz") == 0o666 & ~others
    write_folder(folder, NEW, EVERYWHERE, private=True)
    assert [mode(it) for it in (folder, folder / "modules")] == [0o700, 0o700]
    assert [mode(folder / it) for it in NEW] == [0o600, 0o600]


def test_what_was_not_written_by_it_is_left_alone_with_all_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "codebase"
    write_folder(folder, OLD, EVERYWHERE, private=True)
    (folder / "modules" / "main.js").write_bytes(b"theirs")
    ours = {folder / name for name in (*OLD, *NEW)}
    with pytest.raises(OSError, match=r"it holds `modules/main\.js`, which was not written by this command"):
        write_folder(folder, NEW, ours.__contains__, private=True)
    assert held(folder) == {**OLD, "modules/main.js": b"theirs"}
    (folder / "modules" / "main.js").unlink()
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(OSError, match="it holds `link`"):
        write_folder(folder, NEW, ours.__contains__, private=True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "codebase").write_bytes(b"old")
    with pytest.raises(NotADirectoryError):
        write_folder(tmp_path / "codebase", NEW, EVERYWHERE, private=True)
    assert held(tmp_path) == {"codebase": b"old"}


@pytest.mark.parametrize("below", ["", "x"])
@pytest.mark.parametrize("folder", [False, True])
def test_links_in_a_circle_lead_nowhere(tmp_path: Path, below: str, *, folder: bool) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    path = tmp_path / "a" / below
    write = (
        partial(write_folder, path, NEW, EVERYWHERE, private=True)
        if folder
        else partial(write_file, path, b"")
    )
    with pytest.raises(OSError, match=r"symbolic links|File exists|Not a directory"):
        write()
    assert sorted(names(tmp_path)) == ["a", "b"]
    assert (tmp_path / "a").is_symlink()


def test_older_pythons_say_so_in_another_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(path: Path) -> NoReturn:
        raise RuntimeError(f"Symlink loop from {path}")

    (tmp_path / "a").symlink_to("a")
    monkeypatch.setattr(Path, "resolve", resolve)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        write_file(tmp_path / "a", b"new")


def test_a_link_to_a_folder_leads_to_what_was_written(tmp_path: Path) -> None:
    write_folder(tmp_path / "real", OLD, EVERYWHERE, private=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_folder(tmp_path / "link", NEW, EVERYWHERE, private=True)
    assert (tmp_path / "link").is_symlink()
    assert held(tmp_path / "link") == NEW


class Killed(BaseException):
    """What no command catches, as when it is killed."""


STEPS = ("mkdir", "rename", "open")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60))
@given(
    st.sampled_from([OSError(errno.ENOSPC, "full"), OSError(errno.EACCES, "no"), Killed()]),
    st.integers(0, 8),
    st.booleans(),
)
def test_law_a_folder_is_that_of_before_or_that_of_now(
    tmp_path_factory: pytest.TempPathFactory, fault: BaseException, step: int, at_once: bool
) -> None:
    """Whatever step of the way fails: nobody ever finds anything between."""
    folder = tmp_path_factory.mktemp("at") / "codebase"
    write_folder(folder, OLD, EVERYWHERE, private=True)
    left = [step]

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **others: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise fault
            return original(*arguments, **others)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", failing(Path.mkdir))
        patch.setattr(Path, "rename", failing(Path.rename))
        patch.setattr(os, "open", failing(os.open))
        if not at_once:
            no_exchange(patch)
        told: BaseException | None = None
        try:
            write_folder(folder, NEW, EVERYWHERE, private=True)
        except (OSError, Killed) as error:
            told = error
    if told is None:
        assert held(folder) == NEW
    elif isinstance(told, OSError):
        assert (held(folder), names(folder.parent)) == (OLD, ["codebase"])
    else:
        assert held(folder) in (OLD, NEW)


@pytest.mark.parametrize("fault", [AttributeError, OSError, TypeError])
def test_a_system_without_that_call_exchanges_in_two_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def no_library(_: None) -> NoReturn:
        raise fault

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    write_folder(tmp_path / "codebase", OLD, EVERYWHERE, private=True)
    write_folder(tmp_path / "codebase", NEW, EVERYWHERE, private=True)
    assert held(tmp_path / "codebase") == NEW


def test_drafts_of_one_process_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = shutil.rmtree
    nested: list[int] = []

    def meanwhile(path: Path, **others: Any) -> None:
        if not nested:
            nested.append(1)
            write_folder(tmp_path / "codebase", OLD, EVERYWHERE, private=True)
        removed(path, **others)

    monkeypatch.setattr(shutil, "rmtree", meanwhile)
    write_folder(tmp_path / "codebase", NEW, EVERYWHERE, private=True)
    assert held(tmp_path / "codebase") == OLD
    assert names(tmp_path) == ["codebase"]


def test_a_folder_that_another_process_has_made_meanwhile_is_exchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def meanwhile(path: Path, to: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        write_folder(tmp_path / "codebase", OLD, EVERYWHERE, private=True)
        return path.rename(to)

    monkeypatch.setattr(Path, "rename", meanwhile)
    write_folder(tmp_path / "codebase", NEW, EVERYWHERE, private=True)
    assert held(tmp_path / "codebase") == NEW
    assert names(tmp_path) == ["codebase"]


def test_a_folder_that_cannot_be_put_in_its_place_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path / "codebase", NEW, EVERYWHERE, private=True)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    for content in (OLD, NEW):
        write_folder(tmp_path / name, content, EVERYWHERE, private=True)
        assert held(tmp_path / name) == content
    write_file(tmp_path / name / "config.json", b"whole")
    write_file(tmp_path / name / name, b"whole")
    assert (tmp_path / name / name).read_bytes() == b"whole"
