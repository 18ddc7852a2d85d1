"""Full disks and closed streams: a line that says so, an exit code, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = '{"apiVersion": "config.flomesh.io/v1alpha3", "kind": "MeshConfig", "metadata": {"name": "a"}}'
FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mesh.json").write_text(CONFIG)
    return tmp_path


def ended(arguments: str, streams: str) -> tuple[int, str]:
    """The exit code of a command whose streams a shell has set up so, and what stands in `errors`."""
    command = f"exec {sys.executable} -m fsm_egress {arguments} {streams}"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=300)  # noqa: S603, S607  # because the command is this file's own
    return done.returncode, done.stderr


NOTE = "note: no document names account a.b\n"


@pytest.mark.parametrize(
    ("arguments", "streams", "said"),
    [
        ("check -f mesh.json", ">&-", "cannot read or write: a standard stream is closed\n"),
        ("check -f -", "<&-", "cannot read or write: a standard stream is closed\n"),
        ("config -f mesh.json --as a.b", ">&-", NOTE + "cannot read or write: a standard stream is closed\n"),
        ("check -f nowhere.json", ">/dev/null 2>&- ", ""),
    ],
)
def test_a_closed_stream_is_told(arguments: str, streams: str, said: str) -> None:
    assert ended(arguments, streams) == (3, said)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("arguments", "note"),
    [("check -f mesh.json", ""), ("config -f mesh.json --as a.b", NOTE), ("--help", "")],
)
def test_a_full_disk_is_told(arguments: str, note: str) -> None:
    assert ended(arguments, f">{FULL}") == (3, f"{note}cannot read or write: no space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_nothing_can_be_told_where_both_are_full() -> None:
    assert ended("decide -f mesh.json --as a.b --to 1.2.3.4:5 --tcp", f">{FULL} 2>{FULL}") == (3, "")
    assert ended("config -f nowhere.json --as a.b", f"2>{FULL}") == (3, "")
