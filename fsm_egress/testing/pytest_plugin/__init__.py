"""The pytest plugin: files named `*.egress-test.yaml` (or `.yml`, `.json`) are collected and run as tests.

It comes with the package; `-p no:fsm_egress` switches it off. Without such files it costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...policytests.naming import is_test_file

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = ["pytest_collect_file"]


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Collect a file that is named as test files are."""
    if not is_test_file(file_path.name):
        return None
    from .items import EgressFile  # noqa: PLC0415  # because most projects have no such file

    return EgressFile.from_parent(parent, path=file_path)
