"""The command about pods: who is behind a sidecar, and under which lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from ..interception.hosts import hosts_of
from ..interception.injection import State, injection_of, shares_the_sidecars_user
from ..interception.kinds import kind_of, lists_of
from ..interception.stale import stale
from ..resources.resource import ServiceIdentity
from .endings import end
from .help import examples
from .mesh import Documents, mesh_options, say_lost
from .output import print_objects, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..interception.hosts import Host
    from ..snapshot import Snapshot

__all__ = ["pods"]

SHORT = ("pod", "account", "sidecar", "lists", "stale", "user", "without effect")


@click.command(
    epilog=examples("fsm-egress pods -f cluster.yaml", "fsm-egress pods -f cluster.yaml -n shop -o wide")
)
@mesh_options
@click.option("-o", "--output", type=click.Choice(("table", "json", "yaml", "wide")), default="table")
def pods(documents: Documents, output: str) -> None:
    """Say which pods have a sidecar, and what passes by it.

    Pods and the templates of pods have a line each; with `-o wide` it says why, too. Exit code 3 if something
    could not be read on which that may hang.
    """
    mesh = documents.changed(documents.load())
    lost = say_lost(mesh)
    found = [_of(mesh, host) for host in hosts_of(mesh) if documents.namespace in {None, host.namespace}]
    if output in {"json", "yaml"}:
        print_objects(found, output)
    else:
        _print_pods(found, output)
    end(found=False, unknown=lost)


def _print_pods(found: Iterable[dict[str, Any]], output: str) -> None:
    rows = [
        (
            it["pod"],
            it["account"],
            it["sidecar"],
            _lists(it["lists"], it["refused"]),
            "-" if it["stale"] is None else f"shown by {it['stale']}",
            ", ".join(it["sidecarUser"]) or "-",
            ", ".join(it["policiesWithoutEffect"]) or "-",
            *([it["why"]] if output == "wide" else []),
        )
        for it in found
    ]
    print_table((*SHORT, *(["why"] if output == "wide" else [])), rows)


def _of(mesh: Snapshot, host: Host) -> dict[str, Any]:
    """All there is to say of a pod, for machines."""
    injection = injection_of(mesh, host)
    account = ServiceIdentity(*host.account)
    kind = kind_of(mesh, host.namespace, host.name)
    connection = stale(mesh, host)
    policies = mesh.policies_for(account) if injection.state is State.NO else ()
    lists = None
    if kind is not None and injection.state is not State.NO:
        lists = {
            "excludedRanges": [str(it) for it, _ in kind.lists.excluded],
            "excludedPorts": [it for it, _ in kind.lists.excluded_ports],
            "includedRanges": [str(it) for it, _ in kind.lists.included],
            "excludedInterfaces": [it for it, _ in kind.lists.interfaces],
        }
    refused = lists_of(mesh, host)[1] if kind is None and injection.state is not State.NEVER_CREATED else ()
    return {
        "pod": f"{host.name}.{host.namespace}",
        "account": str(account),
        "sidecar": injection.state.value,
        "why": injection.why,
        "lists": lists,
        "refused": [evolve(it.problem, reason=it.effect).message for it in refused],
        "stale": None if connection is None else str(connection),
        "sidecarUser": [name for _, name in shares_the_sidecars_user(host)],
        "policiesWithoutEffect": [str(policy.ref) for policy in policies],
    }


def _lists(lists: dict[str, list[Any]] | None, refused: Iterable[str]) -> str:
    """The lists in force, in a word each; or why they keep the pod from running."""
    if lists is None:
        return "; ".join(refused) or "-"
    named = {
        "not": lists["excludedRanges"],
        "not port": lists["excludedPorts"],
        "not by": lists["excludedInterfaces"],
        "only": lists["includedRanges"],
    }
    said = [f"{name} {', '.join(map(str, entries))}" for name, entries in named.items() if entries]
    return "; ".join(said) or "everything"
