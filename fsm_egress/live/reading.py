"""Everything of a mesh, listed page by page from an API server, which is asked and never told anything.

All lists are of one moment, that of the first one, as far as the server still knows it. A kind that may not
be listed, or that the cluster lacks, is named: what hangs on it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from attrs import field

from ..manifests.unread import LEFT_OUT, Unread
from ..resources.checks import NAME_LENGTH, is_subdomain
from ..resources.core import Namespace, Secret
from ..resources.egress import EgressPolicy
from ..resources.kinds import KINDS, OF_FILES
from ..resources.resource import APPLIED
from ..values.construction import frozen
from ..values.errors import show
from .paths import Served, served

if TYPE_CHECKING:
    from ..resources.resource import Resource

__all__ = ["Ask", "ClusterRead", "Refusal", "Unreachable", "otherwise", "read_cluster"]

Tree: TypeAlias = "dict[str, Any]"
Ask: TypeAlias = "Callable[[str, Mapping[str, str]], Tree]"
"""What answers a GET of a path with a query, or raises `Refusal`."""

PAGE = 500
PAGES = 10_000  # of one list: five million objects, more than any server can keep
FORBIDDEN, NOT_FOUND, GONE = 403, 404, 410
_NO_SUCH_MOMENT = {400, GONE, 504}  # it is not understood, it is past, it is to come
_OF_SECRETS = ("data", "stringData")


class Refusal(Exception):
    """The API server did not give what it was asked for.

    Attributes:
        status: of its answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return self.message


class Unreachable(Exception):
    """There is no cluster, no way to it, nobody who may ask, or no answer that can be read."""


def otherwise(what: object) -> Unreachable:
    """What is said of an answer that is none."""
    return Unreachable(f"the API server answers otherwise than expected: {what}")


@frozen
class ClusterRead:
    """What a cluster has of a mesh.

    Attributes:
        documents: the objects as they were given, with their kinds.
        unread: what could not be read.
        version: the revision of the cluster that was read; empty where lists are of several moments.
    """

    documents: tuple[Tree, ...] = field(repr=False)
    unread: tuple[Unread, ...]
    version: str

    @property
    def everything(self) -> list[Tree]:
        """The objects, and a document for whatever could not be read."""
        return [*self.documents, *(it.to_mapping() for it in self.unread)]

    def without_secrets(self) -> Tree:
        """All that as one list, to be kept: nothing of what Secrets hold is in it."""
        metadata = {"resourceVersion": self.version} if self.version else {}
        items = [_without_data(it) if it["kind"] == Secret.kind else it for it in self.everything]
        return {"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items}


def read_cluster(ask: Ask, namespace: str = "") -> ClusterRead:
    """The mesh of a cluster.

    Secrets are never listed: those whose certificates the Egress policies name are read one by one.

    Args:
        ask: what is asked.
        namespace: where objects may not be listed in all namespaces, those of this one are.

    Raises:
        Refusal: with any other status than 403 and 404.
        Unreachable: an answer is no list or no object, or a list has no end.
    """
    reader = _Reader(ask, namespace)
    for kind in _LISTED:
        for versions in served(kind):
            reader.read(versions, is_current=versions[0].api_version == kind.api_versions[0])
    reader.read_secrets()
    version = reader.versions.pop() if len(reader.versions) == 1 else ""
    return ClusterRead(tuple(reader.documents), tuple(reader.unread), version)


_LISTED: tuple[type[Resource], ...] = (
    Namespace,
    *(kind for kind in KINDS if kind not in {Namespace, Secret, *OF_FILES}),
)


def _without_data(secret: Tree) -> Tree:
    """A Secret without what it holds, marked so."""
    metadata = secret["metadata"]
    annotated = metadata.get("annotations")
    annotations = {**(annotated if isinstance(annotated, dict) else {}), LEFT_OUT: "data"}
    kept = {key: value for key, value in secret.items() if key not in _OF_SECRETS}
    return {**kept, "metadata": {**metadata, "annotations": annotations}}


class _Reader:
    """Collects what is read."""

    def __init__(self, ask: Ask, namespace: str) -> None:
        self.ask = ask
        self.namespace = namespace
        self.moment = ""
        self.groups: dict[str, bool] = {}
        self.versions: set[str] = set()
        self.documents: list[Tree] = []
        self.unread: list[Unread] = []

    def read(self, versions: tuple[Served, ...], *, is_current: bool) -> None:
        """The objects of a kind in the first version of its group that the cluster serves."""
        if not (is_current or self.serves(versions[0].group)):
            return
        for it in versions:
            try:
                self.documents += self.listed(it)
            except Refusal as refusal:
                if refusal.status == NOT_FOUND:
                    continue
                if refusal.status != FORBIDDEN:
                    raise
                self.unread.append(Unread(it.kind, f"may not be listed: {refusal}", self.of_namespace(it)))
            return
        if is_current:
            self.unread.append(Unread(versions[0].kind, "the cluster does not have this kind"))

    def serves(self, group: str) -> bool:
        """Whether the cluster has an API group of an earlier name; else nobody may list what is in it."""
        if group not in self.groups:
            try:
                self.groups[group] = bool(self.ask(f"/apis/{group}", {}))
            except Refusal as refusal:
                if refusal.status not in {FORBIDDEN, NOT_FOUND}:
                    raise
                self.groups[group] = refusal.status == FORBIDDEN
        return self.groups[group]

    def of_namespace(self, it: Served) -> str:
        """Reads the objects of the one namespace: its name, or nothing where it may not be listed either."""
        if not (self.namespace and it.in_namespaces):
            return ""
        try:
            self.documents += self.listed(it, self.namespace)
        except Refusal as refusal:
            if refusal.status != FORBIDDEN:
                raise
            return ""
        return self.namespace

    def listed(self, it: Served, namespace: str = "") -> list[Tree]:
        """The objects of a kind, of the moment of the first list if the server still knows it."""
        path = it.path(namespace)
        if self.moment:
            exactly = {"resourceVersion": self.moment, "resourceVersionMatch": "Exact"}
            try:
                return self.pages(it, path, exactly)
            except Refusal as refusal:
                if refusal.status not in _NO_SUCH_MOMENT:
                    raise
        try:
            return self.pages(it, path, {})
        except Refusal as refusal:
            if refusal.status != GONE:
                raise
        return self.pages(it, path, {}, limit=0)  # in one piece, as its pages did not last long enough

    def pages(self, it: Served, path: str, asked: Mapping[str, str], *, limit: int = PAGE) -> list[Tree]:
        found: list[Tree] = []
        query = {**asked, "limit": str(limit)}
        for _ in range(PAGES):
            items, version, token = _page(path, self.ask(path, query))
            found += (_whole(it, item) for item in items)
            if not token:
                self.moment = self.moment or version
                self.versions.add(version)
                return found
            if token == query.get("continue"):
                break
            query = {"limit": str(limit), "continue": token}
        raise otherwise(f"{path}: a list without end")

    def read_secrets(self) -> None:
        """The Secrets that policies name, each once."""
        ((core,),) = served(Secret)
        for namespace, name in dict.fromkeys(_secrets_named(self.documents)):
            path = core.path(namespace, name)
            try:
                self.documents.append(_whole(core, _object(path, self.ask(path, {}))))
            except Refusal as refusal:
                if refusal.status == FORBIDDEN:
                    self.unread.append(Unread(Secret.kind, f"may not be read: {refusal}", namespace, name))
                elif refusal.status != NOT_FOUND:
                    raise


def _page(path: str, page: Tree) -> tuple[list[Tree], str, str]:
    """The objects of a page, the revision that they are of, and what the next one is asked for by."""
    items, metadata = page.get("items") or [], page.get("metadata") or {}
    if not (isinstance(items, list) and isinstance(metadata, dict)):
        raise otherwise(f"{path}: no list")
    version, token = metadata.get("resourceVersion") or "", metadata.get("continue") or ""
    if not (isinstance(version, str) and isinstance(token, str)):
        raise otherwise(f"{path}: no list, by its metadata")
    return [_object(path, item) for item in items], version, token


def _object(path: str, item: Any) -> Tree:
    """An object as it was answered, if it is one."""
    if not (isinstance(item, dict) and isinstance(item.get("metadata", {}), dict)):
        raise otherwise(f"{path}: no object, but {show(item)}")
    return item


def _whole(it: Served, item: Tree) -> Tree:
    """An object of a list with its kind, which only the list has, and without what servers add."""
    metadata = {key: value for key, value in item.get("metadata", {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if it.kind == Secret.kind and isinstance(annotations, dict):
        kept = {key: value for key, value in annotations.items() if key != APPLIED}
        metadata["annotations"] = kept
    return {"apiVersion": it.api_version, "kind": it.kind, **item, "metadata": metadata}


def _secrets_named(documents: list[Tree]) -> Iterator[tuple[str, str]]:
    """The Secrets of the certificates in the sources of Egress policies, by namespace and name."""
    for policy in documents:
        if policy["kind"] == EgressPolicy.kind:
            sources = _within(policy, "spec").get("sources")
            for source in sources if isinstance(sources, list) else ():
                secret = _within(source, "mtls", "cert", "secret")
                name = secret.get("name")
                namespace = secret.get("namespace") or policy["metadata"].get("namespace")
                if _is_name(namespace) and _is_name(name):
                    yield namespace, name


def _is_name(value: Any) -> TypeGuard[str]:
    """Whether an object can be called so: nothing else comes into a path that is asked for."""
    return isinstance(value, str) and len(value) <= NAME_LENGTH and bool(is_subdomain(value))


def _within(value: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping at these keys; an empty one where there is something else."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
