"""How a stock `fsm-controller` packs a config where `enableSidecarPrettyConfig` is off.

Clusters and rules are renamed, and those of equal content are one. What that does to shares is its own: a
cluster without a config is left out of them, and of two that are one the weight of one counts, by chance.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["packed"]

Wire = dict[str, Any]
DIGITS = 5
TARGETS = "TargetClusters"
HTTP_RULES, HTTP_HOSTS = "HttpServiceRouteRules", "HttpHostPort2Service"
TCP_RULES = "TcpServiceRouteRules"


def packed(outbound: Wire) -> Wire:
    """The `Outbound` of a config, packed; names that the controller gives by chance go by the alphabet."""
    configs = outbound["ClustersConfigs"] or {}
    if not configs:
        return outbound
    names = _Names()
    clusters = {name: names.of(configs[name]) for name in sorted(configs)}
    kept = {clusters[name]: configs[name] for name in sorted(configs, reverse=True)}
    matches = {
        port: [_packed_match(match, clusters, names) for match in listed]
        for port, listed in outbound["TrafficMatches"].items()
    }
    return {**outbound, "TrafficMatches": matches, "ClustersConfigs": kept}


class _Names:
    """The names that contents are given, one after the other."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def of(self, content: Any) -> str:
        """The name of a content: equal ones have one."""
        return self.known.setdefault(_digest(content), f"{len(self.known) + 1:0{DIGITS}X}")


def _packed_match(match: Wire, clusters: Mapping[str, str], names: _Names) -> Wire:
    found = dict(match)
    rules = match.get(HTTP_RULES) or {}
    if rules:
        repointed = {name: _repointed(rules[name], clusters) for name in sorted(rules)}
        renamed = {name: names.of(rule) for name, rule in repointed.items()}
        found[HTTP_RULES] = {renamed[name]: rule for name, rule in reversed(repointed.items())}
        found[HTTP_HOSTS] = {
            host: {"RuleName": renamed[target["RuleName"]], "Service": target["RuleName"]}
            for host, target in (match.get(HTTP_HOSTS) or {}).items()
        }
    stream = match.get(TCP_RULES) or {}
    if stream.get(TARGETS):
        found[TCP_RULES] = {**stream, TARGETS: _packed_targets(stream[TARGETS], clusters)}
    return found


def _repointed(rule: Wire, clusters: Mapping[str, str]) -> Wire:
    routes = [
        {**route, TARGETS: _packed_targets(route[TARGETS] or {}, clusters)}
        for route in rule["RouteRules"] or ()
    ]
    return {**rule, "RouteRules": routes}


def _packed_targets(targets: Mapping[str, int], clusters: Mapping[str, str]) -> dict[str, int]:
    """Of those that have become one the last counts here, by name."""
    return {clusters[name]: targets[name] for name in sorted(targets) if name in clusters}


# --- what is equal ---------------------------------------------------------------------------------------


def _digest(content: Any) -> str:
    return json.dumps(_plain(content), sort_keys=True)


def _plain(content: Any) -> Any:
    """A content as the controller compares it: without what is empty, lists without their order."""
    if isinstance(content, Mapping):
        return {name: value for name, value in _named(content.items()) if value not in (None, "", 0, [], {})}
    if isinstance(content, (list, tuple)):
        return sorted(map(_digest, content))
    return content


def _named(items: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    return ((name, _plain(value)) for name, value in items)
