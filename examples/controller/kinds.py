"""Where Kubernetes serves the kinds that the library reads, and what of an object is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import fields, frozen

import fsm_egress as fe
from fsm_egress.live.paths import served
from fsm_egress.resources.kinds import KINDS, OF_FILES

__all__ = [
    "CLASSES",
    "FOLLOWED",
    "HOSTS",
    "SERVED",
    "Served",
    "Tree",
    "bare",
    "is_over",
    "ref_of",
    "version_of",
]

Tree = dict[str, Any]

_MESH = (".flomesh.io", ".smi-spec.io")
_KEPT = ("name", "namespace", "labels", "annotations", "ownerReferences")

_WHOLE: Any = ...
_POD: Any = {
    "serviceAccountName": _WHOLE,
    "hostNetwork": _WHOLE,
    "nodeName": _WHOLE,
    "securityContext": _WHOLE,
    "containers": [{"name": _WHOLE, "securityContext": _WHOLE}],
    "initContainers": [{"name": _WHOLE, "args": _WHOLE}],
}
_TEMPLATE: Any = {"metadata": {"labels": _WHOLE, "annotations": _WHOLE}, "spec": _POD}
_CERTIFICATE = {"ca.crt": _WHOLE, "tls.crt": _WHOLE, "tls.key": _WHOLE}
_MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
_READ_OF: Mapping[str, Any] = {
    "Pod": {"spec": _POD, "status": {"podIPs": _WHOLE}},
    **{kind: {"spec": {"template": _TEMPLATE}} for kind in _MAKERS},
    "CronJob": {"spec": {"jobTemplate": {"spec": {"template": _TEMPLATE}}}},
    "Secret": {"data": _CERTIFICATE},
}
"""What is read of pods, of what makes them, and of Secrets: the rest is long, changes often, or is secret."""

HOSTS = tuple(kind for kind in _READ_OF if kind != "Secret")
"""The kinds that connections come from."""
_OVER = ("Succeeded", "Failed")


@frozen
class Served:
    """A kind as the API server serves it; a group that has been renamed is watched under its new name."""

    kind: str
    group: str
    version: str
    plural: str
    has_status: bool  # whether what the library reads stands in `status`, too

    @property
    def api_version(self) -> str:
        """`v1`, `policy.flomesh.io/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_of_mesh(self) -> bool:
        """Whether its objects are about the mesh alone: without others a cluster stands still."""
        return self.group.endswith(_MESH)

    @property
    def path(self) -> str:
        """The path of all its objects."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}/{self.plural}"

    def path_of(self, ref: fe.ResourceRef) -> str:
        """The path of one object."""
        root, _, plural = self.path.rpartition("/")
        space = f"/namespaces/{ref.namespace}" if ref.namespace else ""
        return f"{root}{space}/{plural}/{ref.name}"


def _served(kind: type[Any]) -> Served:
    ((newest, *_), *_) = served(kind)
    has_status = any(attribute.name == "status" for attribute in fields(kind))
    return Served(kind.kind, newest.group, newest.version, newest.plural, has_status)


SERVED: Mapping[str, Served] = {kind.kind: _served(kind) for kind in KINDS if kind not in OF_FILES}
FOLLOWED = tuple(it for it in SERVED.values() if it.kind != fe.Secret.kind)
"""The kinds that are listed and watched; of Secrets those are read that policies name, and no others."""
CLASSES = {kind.kind: kind for kind in KINDS if kind.kind in SERVED}


def bare(document: Mapping[str, Any]) -> Tree:
    """An object without what its server and its controllers write: equal as long as its meaning is."""
    kind, metadata = document["kind"], document["metadata"]
    kept = {key: metadata[key] for key in _KEPT if key in metadata}
    if kind == fe.Secret.kind:
        kept.pop("annotations", None)  # kubectl leaves a copy of all of it there
    left = {"metadata"} if SERVED[kind].has_status else {"metadata", "status"}
    named = {"apiVersion": document["apiVersion"], "kind": kind}
    content = {key: value for key, value in document.items() if key not in left}
    read = named | _part(content, _READ_OF[kind]) if kind in _READ_OF else content
    return {**read, "metadata": kept}


def _part(value: Any, shape: Any) -> Any:
    """What of a value has a place in a shape; a value of another kind as it is, for the loader to judge."""
    if isinstance(shape, dict) and isinstance(value, Mapping):
        return {key: _part(value[key], part) for key, part in shape.items() if key in value}
    if isinstance(shape, list) and isinstance(value, list):
        return [_part(item, shape[0]) for item in value]
    return value


def is_over(document: Mapping[str, Any]) -> bool:
    """Whether it is a pod that has come to its end: its address may be another's by now."""
    return document["kind"] == fe.Pod.kind and document.get("status", {}).get("phase") in _OVER


def ref_of(document: Mapping[str, Any]) -> fe.ResourceRef:
    """The name of an object."""
    metadata = document["metadata"]
    return fe.ResourceRef(document["kind"], metadata.get("namespace", ""), metadata["name"])


def version_of(document: Mapping[str, Any]) -> int:
    """The revision of the cluster at which an object, or a list, was as it is."""
    return int(document["metadata"]["resourceVersion"])
