"""Pods of `curl.curl` as documents: annotated, and started with rules."""

from __future__ import annotations

from typing import Any

from iptables import shell_argument

Wire = dict[str, Any]
RULES = ["-A FSM_PROXY_OUTBOUND -j FSM_PROXY_OUT_REDIRECT"]


def pod(name: str, ip: str = "", rules: list[str] | None = None, *names: str, **said: str) -> Wire:
    """A pod of `curl.curl`, annotated; with an address it runs."""
    annotations = {f"flomesh.io/{key.replace('_', '-')}": value for key, value in said.items()}
    spec: Wire = {"serviceAccountName": "curl", "containers": [{"name": it} for it in (names or ("app",))]}
    if rules is not None:
        spec["initContainers"] = [{"name": "fsm-init", "args": ["-c", shell_argument(rules)]}]
    metadata = {"name": name, "namespace": "curl", "annotations": annotations}
    status = {"podIPs": [{"ip": ip}]} if ip else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}
