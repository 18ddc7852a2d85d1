"""What the scripts of each version of FSM do with a config: `tests/dataplane/record_versions.py FOLDER`.

The folder has a folder for each tag of FSM (`v1.3.8`), with the scripts of its sidecar. Versions of the same
scripts are observed once. It keeps what is seen in `tests/vectors/versions.json`, and needs what `record.py`
needs, but for `PIPY_CODEBASE`.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from observe import observe  # noqa: E402  # because it is beside this file

Wire = dict[str, Any]

KEPT = TESTS / "vectors" / "versions.json"
NAMES = {"a.com": "54.1.1.2"}
ABOUT = (
    'what the scripts of each version of FSM do: with hosts as `{"RuleName": …}` (written) or as plain'
    " names (plain), with a host that no rule names (unknown), and with nothing but a config.json.gz (gzip);"
    " `scripts` is the SHA-256 of the files of the sidecar in the order of their names; observed with Pipy"
    " 1.5.14 by record_versions.py"
)


def config(*, plain: bool) -> Wire:
    rule = {"Path": ".*", "Type": "Regex", "TargetClusters": {"a.com:80": 100}}
    chains = {
        f"outbound-{kind}": [
            f"modules/outbound-{kind}-{part}.js" for part in ("routing", "load-balancing", "default")
        ]
        for kind in ("tcp", "http")
    }
    match = {
        "DestinationIPRanges": None,
        "Port": 80,
        "Protocol": "http",
        "HttpHostPort2Service": {"a.com": "a.com" if plain else {"RuleName": "a.com"}},
        "HttpServiceRouteRules": {"a.com": {"RouteRules": [rule]}},
    }
    return {
        "Spec": {"SidecarTimeout": 60, "Traffic": {}, "Probes": {}, "Observability": {}},
        "Outbound": {
            "TrafficMatches": {"80": [match]},
            "ClustersConfigs": {"a.com:80": {"Endpoints": {"a.com:80": {"Weight": 100}}}},
        },
        "Chains": chains,
    }


CONFIGS = {name: config(plain=name == "plain") for name in ("written", "plain")}


def probe(host: str) -> Wire:
    request = {"method": "GET", "host": host, "path": "/", "headers": {}}
    return {"connection": {"destination": "9.9.9.9", "port": 80, "sends": "http", "request": request}}


def seen(files: dict[str, bytes], host: str) -> str:
    """What becomes of a request, in a word."""
    (found,) = observe(files, NAMES, [80], [probe(host)])
    return f"answered {found['status']}" if found["outcome"] == "answered" else str(found["outcome"])


def observed() -> Wire:
    written, plain = (json.dumps(CONFIGS[name]).encode() for name in ("written", "plain"))
    nothing = json.dumps({**CONFIGS["written"], "Outbound": None}).encode()
    packed = {"config.json.gz": gzip.compress(written), "config.json": nothing}
    return {
        "written": seen({"config.json": written}, "a.com"),
        "plain": seen({"config.json": plain}, "a.com"),
        "unknown written": seen({"config.json": written}, "b.com"),
        "unknown plain": seen({"config.json": plain}, "b.com"),
        "gzip": seen(packed, "a.com"),
    }


def main(folder: str) -> None:
    """Observe, and keep."""
    tags = [path for path in Path(folder).iterdir() if re.fullmatch(r"v\d+\.\d+\.\d+", path.name)]
    by_scripts: dict[str, Wire] = {}
    for path in sorted(tags, key=lambda it: tuple(map(int, it.name[1:].split(".")))):
        scripts = sorted(path.rglob("*.js"))
        digest = sha256(b"".join(script.read_bytes() for script in scripts)).hexdigest()
        if digest not in by_scripts:
            os.environ["PIPY_CODEBASE"] = str(path)
            by_scripts[digest] = {"scripts": digest, "versions": [], "seen": observed()}
        by_scripts[digest]["versions"].append(path.name[1:])
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"about": ABOUT}
    content = {**kept, "configs": CONFIGS, "observed": list(by_scripts.values())}
    KEPT.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1])
