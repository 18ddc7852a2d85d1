"""Whom an answer is about: an account, or any other account, which nothing in the mesh names.

Most accounts of a cluster are named by no document, and what the mesh decides for all it decides for them.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import field

from ..values.construction import frozen
from ..values.errors import InvalidValue
from . import checks
from .resource import ServiceIdentity, checked

__all__ = [
    "AnyOtherAccount",
    "Pods",
    "Subject",
    "Unnamed",
    "account_of",
    "pod_named",
    "pods_told",
    "read_pods",
    "read_subject",
]

ANY_OTHER = "any other account"
_OF = f"{ANY_OTHER} of "


@frozen(field_transformer=checked)
class AnyOtherAccount:
    """An account that no policy, target, retry or pod names, written `any other account`.

    All of them are governed alike, but that a service of their own namespace has a shorter name for them:
    `any other account of shop` is one in that namespace. Without a namespace it is one that has no services
    of its own.
    """

    namespace: str = field(default="", converter=checks.optional_namespace)

    @property
    def name(self) -> str:
        """No name: it is that of no source, target or pod."""
        return ""

    def __str__(self) -> str:
        return f"{_OF}{self.namespace}" if self.namespace else ANY_OTHER


LISTED = 3  # pods that a text names before it counts the rest
POD = "pod"
HOSTS = (
    POD,
    "deployment",
    "statefulset",
    "daemonset",
    "replicaset",
    "replicationcontroller",
    "rollout",
    "job",
    "cronjob",
)


@frozen
class Pods:
    """A pod, or the template of pods, written `pod/cart-0.shop`; or all pods of an account that are alike.

    Attributes:
        hosts: `pod/cart-0`, `deployment/cart` and so on.
        namespace: theirs.
        name: the account that they run under, where it is known.
    """

    hosts: tuple[str, ...]
    namespace: str
    name: str = field(default="", eq=False)

    @property
    def first(self) -> str:
        """The first of them by itself, as a text that names it."""
        return f"{self.hosts[0]}.{self.namespace}"

    def __str__(self) -> str:
        if len(self.hosts) == 1:
            return self.first
        rest = len(self.hosts) - LISTED
        few = ", ".join(self.hosts[:LISTED])
        return f"{self.name}.{self.namespace} ({few}{f' and {rest} more' if rest > 0 else ''})"


def account_of(subject: Subject) -> str:
    """The account of a subject, `name.namespace`: what the mesh knows its connections by."""
    return f"{subject.name}.{subject.namespace}" if isinstance(subject, Pods) else str(subject)


def pods_told(subject: Subject) -> dict[str, list[str]]:
    """Which pods an answer is about, for machines; no key where it is about all of an account."""
    return (
        {"pods": [f"{host}.{subject.namespace}" for host in subject.hosts]}
        if isinstance(subject, Pods)
        else {}
    )


Subject: TypeAlias = ServiceIdentity | AnyOtherAccount | Pods
"""Whose connections they are. Each has the name and namespace of an account, by which the mesh knows it."""


@frozen
class Unnamed:
    """Somebody who was asked for, and whom no document names: a slip of the pen, or any other account.

    Attributes:
        subject: who was asked for.
        nearest: the account that is most like it; None where there is none like it.
    """

    subject: Subject
    nearest: ServiceIdentity | None

    def __str__(self) -> str:
        near = f"; nearest: {self.nearest}" if self.nearest else ""
        return f"no document names account {self.subject}{near}"


def read_subject(subject: Subject | str) -> Subject:
    """The subject that a text names: `curl.shop`, `pod/curl-0.shop`, `any other account (of shop)`.

    Raises:
        InvalidValue: the text is neither.
    """
    if isinstance(subject, (ServiceIdentity, AnyOtherAccount, Pods)):
        return subject
    if isinstance(subject, str) and subject.partition("/")[0] in HOSTS:
        return read_pods(subject)
    if subject == ANY_OTHER:
        return AnyOtherAccount()
    if isinstance(subject, str) and subject.startswith(_OF):
        return AnyOtherAccount(checks.namespace(subject.removeprefix(_OF)))
    return ServiceIdentity.parse(subject)


def pod_named(name: str, namespace: str) -> str:
    """The text that names a pod, as `read_subject` reads it."""
    return f"{POD}/{name}.{namespace}"


def read_pods(text: Pods | str) -> Pods:
    """The pod or the template that a text names: `curl-0.curl`, `pod/curl-0.curl`, `deployment/curl.curl`.

    Raises:
        InvalidValue: the text has another form.
    """
    if isinstance(text, Pods):
        return text
    given = checks.text_for(text, read_pods)
    host, dot, namespace = given.rpartition(".")
    kind, slash, name = host.rpartition("/")
    if not dot or (slash and kind not in HOSTS):
        kinds = ", ".join(f"`{kind}/`" for kind in HOSTS)
        raise InvalidValue.of(f"a pod `name.namespace`, with one of {kinds} before it or nothing", given)
    return Pods((f"{kind or POD}/{checks.resource_name(name)}",), checks.namespace(namespace))
