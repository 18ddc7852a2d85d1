"""What the API server is to ask the webhook about, and what becomes of an object where it does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .kinds import HOSTS, SERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .kinds import Served, Tree

__all__ = ["ASKED", "PATH", "is_only_warned_of", "webhooks"]

PATH = "admit"
HTTPS = 443
MADE_BY_OTHERS = ("ReplicaSet",)  # nobody reads what is said to a controller
ASKED = tuple(
    served
    for served in SERVED.values()
    if served.is_of_mesh or (served.kind in HOSTS and served.kind not in MADE_BY_OTHERS)
)
"""The kinds that the webhook is asked about."""
MONITORED = {"matchExpressions": [{"key": "flomesh.io/monitored-by", "operator": "Exists"}]}


def is_only_warned_of(kind: str) -> bool:
    """Whether objects of a kind are admitted whatever is amiss: a cluster cannot wait for a mesh."""
    return kind in HOSTS


def webhooks(name: str, client: Mapping[str, Any]) -> list[Tree]:
    """The content of a ValidatingWebhookConfiguration.

    An object of the mesh is not admitted unless the webhook has said so. A pod, or what makes pods, is
    admitted in any case; the webhook is asked only where the mesh watches the namespace, and not for long.

    Args:
        name: of the configuration.
        client: how the API server reaches the webhook, as a `clientConfig` says it.
    """
    own = [served for served in ASKED if not is_only_warned_of(served.kind)]
    hosts = [served for served in ASKED if is_only_warned_of(served.kind)]
    return [
        {**_webhook(f"mesh.{name}", client, own), "failurePolicy": "Fail", "timeoutSeconds": 15},
        {
            **_webhook(f"pods.{name}", client, hosts),
            "failurePolicy": "Ignore",
            "timeoutSeconds": 5,
            "namespaceSelector": MONITORED,
        },
    ]


def _reached(url: str) -> Tree:
    """Where the webhook is: a Service by its name, as an API server need not know the cluster's DNS."""
    there = urlsplit(url)
    name, _, rest = (there.hostname or "").partition(".")
    namespace, _, ending = rest.partition(".")
    if ending != "svc":
        return {"url": f"{url.rstrip('/')}/{PATH}"}
    service = {"name": name, "namespace": namespace, "path": f"/{PATH}", "port": there.port or HTTPS}
    return {"service": service}


def _webhook(name: str, client: Mapping[str, Any], kinds: Iterable[Served]) -> Tree:
    return {
        "name": name,
        "clientConfig": {"caBundle": client["caBundle"], **_reached(client["url"])},
        "rules": [
            {
                "apiGroups": [served.group],
                "apiVersions": [served.version],
                "resources": [served.plural],
                # What a running pod is can no longer be chosen.
                "operations": ["CREATE"] if served.kind == "Pod" else ["CREATE", "UPDATE"],
            }
            for served in kinds
        ],
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
