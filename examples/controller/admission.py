"""What the admission webhook says of an object: the errors of a strict load, or the linter's findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fsm_egress as fe

from .state import read

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["around", "warnings_of"]

MAX_WARNING = 256  # characters: a client shows no more


def warnings_of(mesh: fe.Snapshot, document: Mapping[str, Any], *, enforce: bool = False) -> tuple[str, ...]:
    """What the linter warns of in an object as it would be in a mesh.

    The whole comparison with the sidecar takes longer than an API server waits: `fsm-egress lint` has it.

    Raises:
        LoadError: the object is not valid.
    """
    resource = read(document)
    after = around(mesh.with_(resource), resource)
    whom = after.identities() if isinstance(resource, fe.EgressPolicy) else ()
    findings = fe.lint(after, identities=whom, sidecar=False, enforce=enforce)
    return tuple(
        f"{it.code} {it.rule.path}: {it.message}"[:MAX_WARNING]
        for it in findings
        if it.rule.resource == resource.ref and it.severity is not fe.Severity.INFO
    )


def around(mesh: fe.Snapshot, resource: Any) -> fe.Snapshot:
    """Of a mesh what a policy shares its sources with; nobody else's policies say anything about it."""
    if not isinstance(resource, fe.EgressPolicy):
        return mesh
    sources = mesh.kind(fe.EgressPolicy).sources
    near = {
        policy.ref
        for source in resource.spec.sources
        for policy in sources[source.kind, source.name, source.namespace]
    }
    far = (policy.ref for policy in mesh.kind(fe.EgressPolicy) if policy.ref not in near)
    return mesh.without(*far)
