"""The official Kubernetes client, as far as it is needed to ask: credentials, TLS, and a GET."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import field

from ..values.construction import frozen
from ..values.errors import MissingExtra
from .reading import Refusal, Unreachable, otherwise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .reading import Tree

__all__ = ["Cluster", "Unreachable", "connect"]

TIMEOUT = 60  # seconds for one answer


@frozen
class Cluster:
    """What asks the API server of a cluster.

    Attributes:
        name: of its context in the kubeconfig; empty where the pod's own account is used.
        namespace: the one of the context; empty where it has none.
    """

    name: str
    namespace: str
    _asked: Any = field(repr=False)

    def __call__(self, path: str, query: Mapping[str, str]) -> Tree:
        """What a GET of a path with a query is answered.

        Raises:
            Refusal: the server says no.
            Unreachable: it says nothing, or nothing that can be read.
        """
        return _get(self._asked, path, query)


def connect(context: str | None = None) -> Cluster:
    """The API server of a cluster.

    It is that of the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), with its exec plugins; without one,
    and within a cluster, the pod's own.

    Args:
        context: of the kubeconfig; by default its current one.

    Raises:
        MissingExtra: the client is not installed.
        Unreachable: there is no configuration, or it cannot be used.
    """
    try:
        from kubernetes import client, config, dynamic  # noqa: PLC0415  # because it is an extra
    except ImportError:
        raise MissingExtra("reading a cluster", "cluster") from None
    configuration = client.Configuration()
    try:
        try:
            config.load_kube_config(context=context, client_configuration=configuration)
            name, namespace = _named(context, *config.list_kube_config_contexts())
        except config.ConfigException as no_kubeconfig:
            if context is not None:
                raise
            try:
                config.load_incluster_config(client_configuration=configuration)
            except config.ConfigException:
                raise no_kubeconfig from None
            name, namespace = "", ""
    except (config.ConfigException, OSError, ValueError) as error:
        raise Unreachable(f"no cluster: {error}") from None
    configuration.retries = 0  # whoever asks is told at once, and may ask again
    asked = dynamic.DynamicClient(client.ApiClient(configuration), discoverer=_knows_nothing)
    return Cluster(name, namespace, asked)


def _named(wanted: str | None, contexts: Sequence[Any], current: Any) -> tuple[str, str]:
    """The name of a context, and its namespace, which is empty where it has none."""
    found = next((it for it in contexts if it["name"] == wanted), current)
    return found["name"], found["context"].get("namespace", "")


def _knows_nothing(_client: Any, _cache: Any) -> None:
    """No discovery: the paths are known."""


def _get(asked: Any, path: str, query: Mapping[str, str]) -> Tree:
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415  # because it is an extra
    from urllib3.exceptions import HTTPError  # noqa: PLC0415  # ditto

    try:
        answer = asked.request(
            "get", path, query_params=list(query.items()), serialize=False, _request_timeout=TIMEOUT
        )
        content = json.loads(answer.data)
    except ApiException as error:
        raise Refusal(error.status or 0, _message(error)) from None
    except HTTPError as error:
        raise Unreachable(f"the API server does not answer: {error}") from None
    except (ValueError, RecursionError) as error:
        raise otherwise(error) from None
    if not isinstance(content, dict):
        raise otherwise("no JSON object")
    return content


def _message(error: Any) -> str:
    """What the server says, of its Status object."""
    try:
        said = json.loads(error.body).get("message")
    except (AttributeError, TypeError, ValueError, RecursionError):
        said = None
    return str(said or error.reason or error.status)
