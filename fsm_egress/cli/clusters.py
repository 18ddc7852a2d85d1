"""The mesh of a live cluster, as commands read it with --cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..live.client import connect
from ..live.reading import Refusal, Unreachable, read_cluster
from ..manifests.loader import NamedObjects
from ..snapshot import load
from ..values.counting import many
from .endings import stop
from .output import say

if TYPE_CHECKING:
    from ..live.client import Cluster
    from ..live.reading import ClusterRead
    from ..snapshot import Snapshot
    from .cluster_options import Which

__all__ = ["mesh_of", "reading_of"]

OF_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def reading_of(which: Which) -> tuple[ClusterRead, str]:
    """What a cluster has of a mesh, and what the cluster is called; or the command ends without an answer."""
    try:
        cluster = connect(which.context)
        read = read_cluster(cluster, _namespace(which, cluster))
    except Unreachable as error:
        stop(str(error))
    except Refusal as refusal:
        stop(f"the API server refuses to answer: {refusal}")
    name = f"cluster {cluster.name}" if cluster.name else "the cluster of this pod"
    when = f"at revision {read.version}" if read.version else "at several moments, as it keeps no older ones"
    say([f"note: {name}: {many(len(read.documents), 'object')}, {when}"], err=True)
    return read, name


def _namespace(which: Which, cluster: Cluster) -> str:
    if which.everywhere or which.namespace:
        return which.namespace or ""
    return cluster.namespace if cluster.name else _namespace_of_pod()


def _namespace_of_pod() -> str:
    """The namespace of the pod that this runs in; empty where it does not say."""
    try:
        return OF_POD.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def mesh_of(which: Which) -> Snapshot:
    """The mesh of a cluster; what cannot be read of it is lost."""
    read, name = reading_of(which)
    return load(NamedObjects(tuple(read.everything), name), strict=False)
