"""The official Kubernetes client, as far as it is needed to ask: credentials, TLS, and a GET."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from ..values.errors import MissingExtra
from .reading import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .reading import Ask

__all__ = ["Unreachable", "connect"]

TIMEOUT = 60  # seconds for one answer


class Unreachable(Exception):
    """There is no cluster, no way to it, or nobody who may ask."""


def connect(context: str | None = None) -> Ask:
    """What asks the API server of a cluster.

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
        except config.ConfigException as no_kubeconfig:
            if context is not None:
                raise
            try:
                config.load_incluster_config(client_configuration=configuration)
            except config.ConfigException:
                raise no_kubeconfig from None
    except (config.ConfigException, OSError, ValueError) as error:
        raise Unreachable(f"no cluster: {error}") from None
    configuration.retries = 0  # whoever asks is told at once, and may ask again
    asked = dynamic.DynamicClient(client.ApiClient(configuration), discoverer=_knows_nothing)
    return partial(_get, asked)


def _knows_nothing(_client: Any, _cache: Any) -> None:
    """No discovery: the paths are known."""


def _get(asked: Any, path: str, query: Mapping[str, str]) -> dict[str, Any]:
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
    except ValueError as error:
        raise Unreachable(f"the API server answers otherwise than expected: {error}") from None
    if not isinstance(content, dict):
        raise Unreachable("the API server answers otherwise than expected: no JSON object")
    return content


def _message(error: Any) -> str:
    """What the server says, of its Status object."""
    try:
        said = json.loads(error.body).get("message")
    except (AttributeError, TypeError, ValueError):
        said = None
    return str(said or error.reason or error.status)
