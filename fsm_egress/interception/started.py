"""What a running pod was started with: the iptables rules in the arguments of its init container."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ..policy import Interception
from ..resources.checks import LAST_PORT, MULTIPORT
from ..resources.redirection import INIT
from ..values.construction import frozen
from ..values.errors import InvalidValue, shortly
from ..values.net import Address, Prefix, parse_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..values.references import FieldRef
    from .hosts import Host

__all__ = ["Started", "started_with"]

OUTBOUND = "-A FSM_PROXY_OUTBOUND"
REDIRECT = "-j FSM_PROXY_OUT_REDIRECT"
RETURN = "-j RETURN"
_HERE = re.compile(r"<<\s*'?EOF'?[^\n]*\n(.*?)^EOF\s*$", re.DOTALL | re.MULTILINE)
_UID = "-m owner --uid-owner 1500"
# What stands in every text: it says what `Interception` says without any list.
_ALWAYS = frozenset(
    {
        "*nat",
        "COMMIT",
        *(f":{name} - [0:0]" for name in ("FSM_PROXY_INBOUND", "FSM_PROXY_IN_REDIRECT")),
        *(f":{name} - [0:0]" for name in ("FSM_PROXY_OUTBOUND", "FSM_PROXY_OUT_REDIRECT")),
        "-A FSM_PROXY_OUT_REDIRECT -p tcp -j REDIRECT --to-port 15001",
        "-A FSM_PROXY_OUT_REDIRECT -p tcp --dport 15000 -j ACCEPT",
        "-A OUTPUT -p tcp -j FSM_PROXY_OUTBOUND",
        f"{OUTBOUND} -o lo ! -d 127.0.0.1/32 {_UID} -j FSM_PROXY_IN_REDIRECT",
        f"{OUTBOUND} -o lo -m owner ! --uid-owner 1500 -j RETURN",
        f"{OUTBOUND} {_UID} -j RETURN",
        f"{OUTBOUND} -d 127.0.0.1/32 -j RETURN",
        f"-I OUTPUT -p tcp -o lo -d 127.0.0.1/32 {_UID} -j DNAT --to-destination $POD_IP",
        "-A PREROUTING -p tcp -j FSM_PROXY_INBOUND",
    }
)
_INBOUND = re.compile(r"-[AI] FSM_PROXY_IN(?:BOUND|_REDIRECT) [^\n]*")
_RANGE = re.compile(rf"{OUTBOUND} -d (\S+) (-j \S+)")
_PORTS = re.compile(rf"{OUTBOUND} -p tcp --match multiport --dports (\d+(?:,\d+)*) {RETURN}")
_INTERFACE = re.compile(rf"{OUTBOUND} -o (\S+) {RETURN}")
_DEFAULT = re.compile(rf"{OUTBOUND} (-j RETURN|{REDIRECT})")


@frozen
class Started:
    """The rules of a running pod.

    Attributes:
        lists: what they say; the rule of each entry is the argument that holds the text.
        unclear: the lines that are not understood; with any, nothing is known of the pod.
        refused: what iptables does not take of them: with any, the pod never gets further than that.
    """

    lists: Interception
    unclear: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@frozen
class _Text:
    """The same, without places."""

    excluded: tuple[Prefix, ...]
    included: tuple[Prefix, ...]
    ports: tuple[int, ...]
    interfaces: tuple[str, ...]
    unclear: tuple[str, ...]
    refused: tuple[str, ...] = ()


def started_with(host: Host) -> Started | None:
    """The rules in the init container of a pod; None where it has none."""
    for index, container in enumerate(host.spec.init_containers):
        if container.name == INIT and container.args:
            rule = host.at(f"spec.initContainers[{index}].args[{len(container.args) - 1}]")
            read = _read(container.args[-1])
            return Started(
                Interception(
                    tuple((prefix, rule) for prefix in read.excluded),
                    tuple((prefix, rule) for prefix in read.included),
                    _ports(read.ports, rule),
                    interfaces=tuple((name, rule) for name in read.interfaces),
                ),
                read.unclear,
                read.refused,
            )
    return None


def _ports(ports: tuple[int, ...], rule: FieldRef) -> tuple[tuple[int, FieldRef], ...]:
    return tuple((port, rule) for port in ports)


@lru_cache(maxsize=1024)  # pods that were started alike have the same text
def _read(text: str) -> _Text:
    """The lists of a shell argument that feeds `iptables-restore`."""
    found = _HERE.search(text)
    if found is None:
        return _Text((), (), (), (), ("no text between `<<EOF` and `EOF`",))
    excluded: list[Prefix] = []
    included: list[Prefix] = []
    ports: list[int] = []
    interfaces: list[str] = []
    unclear = list(_lines(found[1], excluded, included, ports, interfaces))
    refused = tuple(_refused(found[1]))
    return _Text(tuple(excluded), tuple(included), tuple(ports), tuple(interfaces), tuple(unclear), refused)


def _refused(text: str) -> Iterator[str]:
    """What iptables does not take, which fails as a whole then (`interception.md`)."""
    for line in text.split("\n"):
        said = " ".join(line.split())
        if (ranged := _RANGE.fullmatch(said)) and ":" in ranged[1]:
            yield f"`{ranged[1]}`, a range of IPv6"
        if counted := _PORTS.fullmatch(said):
            ports = list(map(int, counted[1].split(",")))
            if len(ports) > MULTIPORT:
                yield f"{len(ports)} ports in one rule, where {MULTIPORT} fit"
            yield from (f"port `{port}`" for port in ports if port > LAST_PORT)


def _lines(
    text: str,
    excluded: list[Prefix],
    included: list[Prefix],
    ports: list[int],
    interfaces: list[str],
) -> Iterator[str]:
    """Put what each line says into the lists; those that are not understood, or stand where they may not."""
    default: str | None = None
    for line in text.split("\n"):
        said = " ".join(line.split())
        if not said or said.startswith("#") or said in _ALWAYS or _INBOUND.fullmatch(said):
            continue
        if default is not None:
            yield shortly(said)
        elif ranged := _RANGE.fullmatch(said):
            listed = {RETURN: excluded, REDIRECT: included}.get(ranged[2])
            prefix = _prefix(ranged[1])
            # Iptables takes the first rule that fits: an exclusion behind an inclusion is something else.
            if listed is None or prefix is None or (listed is excluded and included):
                yield shortly(said)
            else:
                listed.append(prefix)
        elif (counted := _PORTS.fullmatch(said)) and not included:
            ports.extend(map(int, counted[1].split(",")))
        elif (named := _INTERFACE.fullmatch(said)) and not included:
            interfaces.append(named[1])
        elif last := _DEFAULT.fullmatch(said):
            default = last[1]
        else:
            yield shortly(said)
    if default is None or (default == RETURN) is not bool(included):
        yield "the rule for what is left"
    yield from (f"port `{port}`" for port in ports if port > LAST_PORT)


def _prefix(text: str) -> Prefix | None:
    """The range of a rule; a bare address is its /32. None where it is no range of IPv4."""
    try:
        found = parse_prefix(text) if "/" in text else Prefix.host(Address(text))
    except InvalidValue:
        return None
    return None if ":" in text else found
