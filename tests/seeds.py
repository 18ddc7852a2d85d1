"""What a script prints in processes that hash texts otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["told_with_each_seed"]


def told_with_each_seed(script: str, given: str = "", **world: str) -> set[str]:
    """What the script prints with each of two seeds of hashes: one text, if it is the same with both."""
    return {
        subprocess.run(  # noqa: S603  # because it runs this very interpreter
            [sys.executable, "-c", script],
            input=given,
            env={**os.environ, **world, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for seed in ("1", "2")
    }
