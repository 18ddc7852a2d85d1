"""The egress demo of FSM, step by step: what is decided for each connection, and the sidecar's config.json.

Run it with `python examples/egress_demo.py`. The resources are the files beside it, in `egress-demo/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsm_egress as fe

HERE = Path(__file__).parent / "egress-demo"
IDENTITY = "curl.curl"
WIDTH = 100

# A step: what it shows, the documents beside the MeshConfig, and what is patched into the MeshConfig.
PASSTHROUGH = {"spec": {"traffic": {"enableEgress": True}}}
STEPS: tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...] = (
    ("passthrough on, no policy", (), PASSTHROUGH),
    ("passthrough off, no policy", (), {}),
    ("an HTTP policy", ("http.yaml",), {}),
    ("an HTTPS policy", ("https.yaml",), {}),
    ("a TCP policy", ("tcp.yaml",), {}),
    ("an HTTP policy with one route", ("http-one-route.yaml",), {}),
    ("an HTTP policy with two routes", ("http-two-routes.yaml",), {}),
    ("an HTTP policy with one route, passthrough on", ("http-one-route.yaml",), PASSTHROUGH),
)


def folded(value: Any, indent: str = "") -> str:
    """JSON with each object and list on one line where it fits there."""
    line = json.dumps(value)
    if len(indent + line) <= WIDTH or not isinstance(value, (dict, list)):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {folded(part, deeper)}" for key, part in value.items()]
    else:
        parts = [folded(part, deeper) for part in value]
    separator = f",\n{deeper}"
    return f"{line[0]}\n{deeper}{separator.join(parts)}\n{indent}{line[-1]}"


def main() -> None:
    """Print every step of the demo."""
    lines = (HERE / "connections.jsonl").read_text(encoding="utf-8").splitlines()
    connections = [fe.Connection.from_mapping(json.loads(line)) for line in lines]
    for number, (title, documents, patch) in enumerate(STEPS, 1):
        mesh = fe.load(HERE / "mesh-config.yaml", *(HERE / name for name in documents)).patched(patch)
        engine = fe.compile(mesh, IDENTITY)
        config = fe.pipy_config(mesh, IDENTITY)
        print(f"{number}. {title}\n")
        for connection in connections:
            decision = engine.classify(connection)
            rule = f"{decision.rule.resource} {decision.rule.path}" if decision.rule else "no rule"
            print(f"   {connection!s:54} {decision.verdict!s:14} {decision.reason!s:18} {rule}")
        print(f"\n   config.json: {folded(config.to_mapping(), '   ')}\n")


if __name__ == "__main__":
    main()
