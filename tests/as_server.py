"""Whether a document is judged here as an API server with FSM's own CRDs judges it."""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import fields

import fsm_egress as fe
from fsm_egress.manifests.admission import REFUSED, WHOLE, refusals
from fsm_egress.resources.resource import Part
from fsm_egress.values.errors import Severity

# What an API server takes, and is an error here: FSM would pass it over in silence, or fail to read it, with
# all others of its kind; `docs/formats.md` says so. Bytes may be a list of numbers there, as nobody writes.
STRICTER = re.compile(
    r"data\..*|spec\.(?:"
    r"ports\[\d+\]\.(?:protocol|number)|ipAddresses\[\d+\]|cidrs\[\d+\]|hosts\[\d+\]"
    r"|matches\[\d+\](?:\.(?:apiGroup|kind|name|pathRegex|headers.*))?"
    r"|(?:sources|destinations|global)\[\d+\]\.(?:name|namespace|service)"
    r"|(?:source|destination)\.(?:name|namespace)"
    r"|(?:backends|global)\[\d+\]\.weight"
    r"|connectionSettings\.tcp\.(?:maxConnections|connectTimeout)|retryPolicy\.\w+"
    r"|observability\.tracing\.sampledFraction|(?:warmup\.)?duration"  # which the controller cannot read
    r")"
)
# The API server gives each namespace a label with its name.
OWN_LABEL = "kubernetes.io/metadata.name"


def flaw(document: dict[str, Any], back: dict[str, Any] | None) -> str | None:
    """How our judgement is another than the server's; None where it is not.

    Args:
        document: what was sent.
        back: what was given back of it; None where it was refused.
    """
    mesh = fe.load(json.dumps(document), strict=False)
    errors = [problem for problem in mesh.problems if problem.severity is Severity.ERROR]
    refused = [problem for problem in refusals(mesh) if problem.reason in {REFUSED, WHOLE}]
    if back is None:
        return None if errors or refused else "the server refuses it, and nothing is said"
    if errors:
        return None if all(STRICTER.fullmatch(it.path) for it in errors) else f"taken, but here: {errors[0]}"
    if refused:
        return f"taken, but said to be refused: {refused[0]}"
    given = fe.load(json.dumps(back), strict=False)
    worse = [problem for problem in given.problems if problem.severity is Severity.ERROR]
    if worse:
        return f"given back, but here: {worse[0]}"
    ours, theirs = (tuple(map(_meaning, it)) for it in (mesh, given))
    return None if ours == theirs else f"{ours} is given back as {theirs}"


def _meaning(value: Any) -> Any:
    """What a resource means: all but what is carried along, with what the server fills in."""
    if isinstance(value, Part):
        names = [it.name for it in fields(type(value)) if it.name not in {"extra", "explicit", "source"}]
        found = {name: _meaning(getattr(value, name)) for name in names}
        if "target_port" in found:
            found["target_port"] = found["target_port"] or found["port"]
        if "type" in found:
            found["type"] = found["type"] or "Opaque"
        if "labels" in found:
            found["labels"] = {key: it for key, it in found["labels"].items() if key != OWN_LABEL}
        return type(value).__name__, found
    return tuple(map(_meaning, value)) if isinstance(value, tuple) else value
