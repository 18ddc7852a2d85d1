"""Meshes with the part of `config.json` that the real `fsm-controller` computes of each (`vectors`)."""

from __future__ import annotations

import json
from copy import deepcopy
from ipaddress import ip_network
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
VARIED = json.loads((Path(__file__).parent / "vectors" / "controller-3.json").read_text(encoding="utf-8"))[
    "cases"
]
EQUAL = [case for case in CASES if "deviates" not in case]
BY_NAME = {case["name"]: case for case in CASES}
GONE = "not written"
RANGES = "DestinationIPRanges"

Path_ = tuple[str | int, ...]
Wire = dict[str, Any]


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


def normal(config: Wire) -> Wire:
    """A config without what FSM leaves to chance or writes in two ways: order, empty and null."""
    outbound = config.get("Outbound") or {}
    matches = {
        port: sorted(map(_match, listed), key=repr) for port, listed in _items(outbound, "TrafficMatches")
    }
    return {
        "Outbound": {"matches": matches, "clusters": outbound.get("ClustersConfigs") or {}},
        "Forward": config.get("Forward") or {},
    }


def _items(tree: Wire, key: str) -> Any:
    return (tree.get(key) or {}).items()


def _match(match: Wire) -> Wire:
    rules = {
        name: {**rule, "RouteRules": [_rule(entry) for entry in rule.get("RouteRules") or []]}
        for name, rule in _items(match, "HttpServiceRouteRules")
    }
    ranges = {str(ip_network(text, strict=False)): cert for text, cert in _items(match, RANGES)}
    hosts = dict(sorted(_items(match, "HttpHostPort2Service")))
    return {
        **dict(sorted(match.items())),
        RANGES: dict(sorted(ranges.items())),
        "HttpServiceRouteRules": dict(sorted(rules.items())),
        "HttpHostPort2Service": hosts,
    }


def _rule(entry: Wire) -> Wire:
    headers = dict(sorted(_items(entry, "Headers")))
    return {
        "Path": entry["Path"],
        "Headers": headers,
        "Methods": sorted(entry.get("Methods") or []),
        "TargetClusters": entry["TargetClusters"] or {},
    }
