"""What kopf leaves to its user: whole lists, statuses and Events of objects that no handler is called for."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import field, frozen

from .answers import content_of
from .kinds import SERVED
from .state import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import kopf

    import fsm_egress as fe

    from .kinds import Served, Tree

__all__ = ["Cluster", "Forbidden", "session_of"]

ADMISSION = "admissionregistration.k8s.io/v1"
COMPONENT = "fsm-egress-controller"
FORBIDDEN, NOT_FOUND, CONFLICT = 403, 404, 409
PAGE = 500
PAGES = 10_000  # of one list: five million objects, more than any server can keep
MOST = PAGE << 21  # bytes of an answer: the largest object that etcd keeps has 1.5 MiB
MAX_MESSAGE = 1024  # characters of an Event
MAX_NAME = 200  # characters of the object's name in an Event's


class Forbidden(Exception):
    """The controller's account has no right to that."""


@frozen
class Cluster:
    """The Kubernetes API."""

    session: aiohttp.ClientSession = field(repr=False)
    server: str

    async def listed(self, served: Served) -> Listed:
        """All objects of a kind; none where the cluster does not know the kind.

        Raises:
            aiohttp.ClientError: the server did not answer, or not well.
        """
        documents: list[Tree] = []
        token = ""
        named = {"apiVersion": served.api_version, "kind": served.kind}
        for _ in range(PAGES):
            params = {"limit": str(PAGE), **({"continue": token} if token else {})}
            async with self.session.get(f"{self.server}{served.path}", params=params) as response:
                if response.status == NOT_FOUND:
                    return Listed(served.kind, 0, ())
                response.raise_for_status()
                try:
                    page = await _json(response)
                    items = [{**named, **item} for item in page["items"]]
                    version = int(page["metadata"]["resourceVersion"])
                    before, token = token, str(page["metadata"].get("continue") or "")
                except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
                    raise aiohttp.ClientPayloadError(f"{served.path}: no list: {error!r}") from error
            documents += items
            if not token:
                return Listed(served.kind, version, tuple(documents))
            if token == before:
                break
        raise aiohttp.ClientPayloadError(f"{served.path}: a list without end")

    async def read(self, ref: fe.ResourceRef) -> Tree | None:
        """An object; None where it is not there.

        Raises:
            Forbidden: it may not be read.
            aiohttp.ClientError: the server did not answer, or not well.
        """
        served = SERVED[ref.kind]
        async with self.session.get(f"{self.server}{served.path_of(ref)}") as response:
            if response.status == NOT_FOUND:
                return None
            if response.status == FORBIDDEN:
                raise Forbidden(str(ref))
            response.raise_for_status()
            try:
                return {"apiVersion": served.api_version, "kind": served.kind, **await _json(response)}
            except (TypeError, ValueError, RecursionError) as error:
                raise aiohttp.ClientPayloadError(f"{ref}: no object: {error!r}") from error

    async def set_status(self, ref: fe.ResourceRef, status: Mapping[str, Any]) -> None:
        """Writes an object's status; one that is gone needs none.

        Raises:
            aiohttp.ClientError: the server did not answer, or not well.
        """
        url = f"{self.server}{SERVED[ref.kind].path_of(ref)}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self.session.patch(url, json={"status": status}, headers=headers) as response:
            if response.status != NOT_FOUND:
                response.raise_for_status()

    async def warn(self, ref: fe.ResourceRef, reason: str, message: str, now: str) -> None:
        """Posts a warning about an object at a time (RFC 3339), unless it is there: its name says all of it.

        Raises:
            aiohttp.ClientError: the server did not answer, or not well.
        """
        space = ref.namespace or "default"
        digest = hashlib.sha256(json.dumps([str(ref), reason, message]).encode()).hexdigest()[:16]
        event = {
            "metadata": {"name": f"{ref.name[:MAX_NAME].rstrip('-.')}.{digest}", "namespace": space},
            "involvedObject": {
                "apiVersion": SERVED[ref.kind].api_version,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
            },
            "type": "Warning",
            "reason": reason,
            "message": message[:MAX_MESSAGE],
            "source": {"component": COMPONENT},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        url = f"{self.server}/api/v1/namespaces/{space}/events"
        async with self.session.post(url, json=event) as response:
            if response.status != CONFLICT:
                response.raise_for_status()

    async def set_webhooks(self, name: str, webhooks: Sequence[Tree]) -> None:
        """Writes what a ValidatingWebhookConfiguration holds; it is made where it is missing.

        Raises:
            aiohttp.ClientError: the server did not answer, or not well.
        """
        url = f"{self.server}/apis/{ADMISSION}/validatingwebhookconfigurations"
        content = {"webhooks": list(webhooks)}
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self.session.patch(f"{url}/{name}", json=content, headers=headers) as response:
            if response.status != NOT_FOUND:
                response.raise_for_status()
                return
        whole = {"apiVersion": ADMISSION, "kind": "ValidatingWebhookConfiguration", **content}
        async with self.session.post(url, json={**whole, "metadata": {"name": name}}) as response:
            response.raise_for_status()


async def _json(response: aiohttp.ClientResponse) -> Any:
    """What an answer says.

    Raises:
        ValueError: it is no JSON, or too large.
    """
    content = await content_of(response, MOST)
    if content is None:
        raise ValueError(f"an answer of more than {MOST:,} bytes")
    return json.loads(content)


def session_of(info: kopf.ConnectionInfo, timeout: float = 30) -> aiohttp.ClientSession:
    """HTTP with the credentials that kopf has found."""
    context: ssl.SSLContext | bool = True
    if info.server.startswith("https:"):
        context = ssl.create_default_context(cafile=_path(info.ca_path), cadata=_text(info.ca_data))
        if info.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _load_certificate(context, info)
    headers = {"Authorization": f"{info.scheme or 'Bearer'} {info.token}"} if info.token else {}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=16),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=timeout),
    )


def _load_certificate(context: ssl.SSLContext, info: kopf.ConnectionInfo) -> None:
    """The client's certificate; Python reads one only from files."""
    if info.certificate_path:
        context.load_cert_chain(_path(info.certificate_path) or "", _path(info.private_key_path))
    elif info.certificate_data:
        with NamedTemporaryFile() as chain:
            chain.write(f"{_text(info.certificate_data)}\n{_text(info.private_key_data)}".encode())
            chain.flush()
            context.load_cert_chain(chain.name)


def _path(path: Any) -> str | None:
    return str(path) if path else None


def _text(data: str | bytes | None) -> str | None:
    """PEM, which a kubeconfig has in base64."""
    text = data.decode() if isinstance(data, bytes) else data
    return base64.b64decode(text).decode() if text and not text.startswith("-----") else text
