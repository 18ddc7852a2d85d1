"""Whose connections a record tells of: an account, or one of the kinds of its pods; and who decides them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from attrs import Factory, field

from ..engine import Engine
from ..interception.hosts import hosts_by_address, hosts_by_name
from ..interception.kinds import alike
from ..resolution import resolve
from ..resources.resource import ServiceIdentity
from ..resources.subjects import HOSTS, Pods, Subject, read_pods
from ..snapshot import Snapshot
from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem
from ..values.net import Address, Prefix
from .records import SOURCE

if TYPE_CHECKING:
    from ..interception.hosts import Host

__all__ = ["Engines", "Whom", "Whose"]

SHOWN = 3  # pods that share an address are named, and no more

Engines: TypeAlias = "tuple[Engine, Engine | None]"
"""What decides in a mesh, and in the one that it is compared with."""


@frozen(eq=False)
class Whose:
    """Whose connections they are.

    Attributes:
        name: by which they are counted: the account, or those of its pods that are intercepted alike.
        account: `name.namespace`.
        engines: of a record that does not say which pod it is of, those of each kind, where they differ.
        own: the addresses of the pod itself, as texts.
        pod: the pod, where the record says which it is.
    """

    name: str
    account: str
    engines: tuple[Engines, ...]
    own: frozenset[str] = frozenset()
    pod: Pods | None = None


@frozen(eq=False)
class Whom:
    """The mesh, or two, by which it is known whose a record is; engines are compiled when they are needed."""

    meshes: tuple[Snapshot, ...]
    incomplete: bool = False
    _named: frozenset[tuple[str, str]] = field(
        init=False, repr=False, default=Factory(lambda self: self._identities(), takes_self=True)
    )
    _known: dict[tuple[str, str], Whose] = field(factory=dict, init=False, repr=False)
    _engines: dict[Subject | None, Engines] = field(factory=dict, init=False, repr=False)
    _kinds: dict[ServiceIdentity, Mapping[str, Subject]] = field(factory=dict, init=False, repr=False)

    def _identities(self) -> frozenset[tuple[str, str]]:
        meshes = self.meshes
        lost = {account for mesh in meshes for loss in mesh.lost for account in loss.accounts or ()}
        return frozenset(lost.union((it.name, it.namespace) for mesh in meshes for it in mesh.identities()))

    def whose(self, identity: str, pod: str) -> Whose:
        """Whose the connections of a record are.

        Args:
            identity: `name.namespace`, or a pod or a template; may be empty where there is a pod.
            pod: as `pod_named` has it, or the address of one behind `SOURCE`, or empty.

        Raises:
            InvalidValue: neither is in the mesh, or they contradict one another.
        """
        if (identity, pod) not in self._known:
            is_pod = identity.partition("/")[0] in HOSTS
            account, told = ("", pod or identity) if is_pod else (identity, pod)
            self._known[identity, pod] = self._of_pod(account, told) if told else self._of_account(account)
        return self._known[identity, pod]

    def _of_pod(self, identity: str, text: str) -> Whose:
        if text.startswith(SOURCE):
            text = self._pod_at(text.removeprefix(SOURCE))
        try:
            named = read_pods(text)
        except InvalidValue as error:
            raise error.at("pod") from None
        found = (hosts_by_name(mesh).get((named.namespace, named.hosts[0])) for mesh in self.meshes)
        host = next((it for it in found if it), None)
        kind = self._kind_of(host) if host else None
        if host is None or kind is None:
            if not identity:
                raise InvalidValue.of("a pod of the mesh", text).at("pod")
            return self._of_account(identity)  # pods come and go, and documents are of one moment
        account = ServiceIdentity(*host.account)
        if identity and ServiceIdentity.parse(identity) != account:
            raise InvalidValue.of(f"`{account}`, the account of `{named}`", identity).at("identity")
        own = frozenset(str(prefix.network) for prefix in host.own)
        return Whose(str(kind), str(account), (self.engines(kind),), own, named)

    def _pod_at(self, text: str) -> str:
        """The one pod that has an address."""
        try:
            address = Address(text)
        except InvalidValue as error:
            raise error.at("source") from None
        prefix = Prefix.host(address)
        listed = (it for mesh in self.meshes for it in hosts_by_address(mesh).get(prefix, ()))
        found = {(it.namespace, it.name): it for it in listed}
        nodes = any(host.spec.host_network for host in found.values())
        if len(found) == 1 and not nodes:
            ((namespace, name),) = found
            return f"{name}.{namespace}"
        names = " and ".join(f"`{name}.{namespace}`" for namespace, name in sorted(found)[:SHOWN])
        whose = "a node's" if nodes else f"that of {names}" if found else "nobody's"
        raise InvalidValue(Problem("the address of one pod of the mesh", f"`{address}`, {whose}", "source"))

    def _kind_of(self, host: Host) -> Subject | None:
        """The kind of a pod; None for one that never runs."""
        account = ServiceIdentity(*host.account)
        kinds = self._kinds_of(account)
        return kinds.get(host.name, account if account in kinds.values() else None)

    def _kinds_of(self, account: ServiceIdentity) -> Mapping[str, Subject]:
        """The kinds of the pods of an account, by their names; the account alone where they do not differ."""
        if account not in self._kinds:
            kinds = alike([account], *self.meshes)
            named = {
                host: kind for kind in kinds for host in (kind.hosts if isinstance(kind, Pods) else ("",))
            }
            self._kinds[account] = named
        return self._kinds[account]

    def _of_account(self, identity: str) -> Whose:
        who = ServiceIdentity.parse(identity)
        if (who.name, who.namespace) not in self._named:
            return Whose(identity, str(who), (self.engines(who, is_named=False),))
        kinds = dict.fromkeys(self._kinds_of(who).values())
        return Whose(identity, str(who), tuple(map(self.engines, kinds)))

    def engines(self, subject: Subject, *, is_named: bool = True) -> Engines:
        """What decides about a subject; those that no resource names are decided about alike."""
        key = subject if is_named else None
        if key not in self._engines:
            made = [
                Engine.compile(resolve(mesh, subject), incomplete=self.incomplete) for mesh in self.meshes
            ]
            self._engines[key] = made[0], (made[1] if len(made) > 1 else None)
        return self._engines[key]
