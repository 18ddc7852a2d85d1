"""Meshes with the part of `config.json` that the real `fsm-controller` computes of each (`vectors`)."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

CASES = json.loads((Path(__file__).parent / "vectors" / "controller.json").read_text(encoding="utf-8"))[
    "cases"
]
FURTHER = json.loads((Path(__file__).parent / "vectors" / "controller-2.json").read_text(encoding="utf-8"))[
    "cases"
]
ELSEWHERE = json.loads((Path(__file__).parent / "vectors" / "multicluster.json").read_text(encoding="utf-8"))[
    "cases"
]
EQUAL = [case for case in CASES if "deviates" not in case]
BY_NAME = {case["name"]: case for case in CASES}
GONE = "not written"
RANGES = "DestinationIPRanges"

Path_ = tuple[str | int, ...]


def replaced(tree: Any, changes: dict[Path_, Any]) -> Any:
    changed = deepcopy(tree)
    for (*way, last), value in changes.items():
        place = changed
        for step in way:
            place = place[step]
        if value == GONE:
            del place[last]
        else:
            place[last] = value
    return changed
