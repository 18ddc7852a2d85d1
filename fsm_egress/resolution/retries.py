"""Retries: which policy stands on a cluster, for an identity (`controller.json`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..resources.egress import Retry
from ..snapshot.kind import SERVICE_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..resources.egress import RetryPolicy
    from ..resources.subjects import Subject
    from ..snapshot import Snapshot

__all__ = ["SERVICE_KIND", "Account", "retries_of", "retry_for", "service_called", "whole"]

Account = tuple[str, str]
"""A service: its name and its namespace."""

SERVICE_KIND = "Service"
_SEPARATORS = re.compile("[.:]+")
_DOMAIN_AT = 3  # where `svc` must not stand in a name of so many parts


def retries_of(snapshot: Snapshot, identity: Subject) -> Iterator[Retry]:
    """The Retry resources whose source is an identity, by name; none unless the feature flag is on."""
    account = (SERVICE_ACCOUNT, identity.name, identity.namespace)
    if snapshot.mesh_config.spec.feature_flags.enable_retry_policy:
        for retry in snapshot.kind(Retry):
            source = retry.spec.source
            if (source.kind, source.name, source.namespace) == account:
                yield retry


def retry_for(snapshot: Snapshot, identity: Subject, service: Account | None) -> RetryPolicy | None:
    """The first retry policy from an identity to a service, by name.

    `hostname.service` of a headless service is the service.
    """
    if service is None:
        return None
    target = (SERVICE_KIND, *whole(service))
    for retry in retries_of(snapshot, identity):
        if any((to.kind, *whole((to.name, to.namespace))) == target for to in retry.spec.destinations):
            return retry.spec.retry_policy
    return None


def whole(service: Account) -> Account:
    """A service, of which one that is `hostname.service` is a part."""
    name, namespace = service
    return name.rpartition(".")[2], namespace


def service_called(cluster: str) -> Account | None:
    """The service whose retries an outside cluster `host:port` has: the first two parts are read as its name.

    None where the fourth of more parts is `svc`, as in `a.b.c.svc.d:80`.
    """
    parts = [part for part in _SEPARATORS.split(cluster) if part]
    if len(parts) > _DOMAIN_AT + 1 and parts[_DOMAIN_AT].lower() == "svc":
        return None
    return parts[0], parts[1]
