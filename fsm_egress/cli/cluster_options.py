"""The options that say which live cluster is read."""

from __future__ import annotations

import click

from ..values.construction import frozen
from .settings import is_said

__all__ = ["CLUSTER_OPTIONS", "Which", "one_namespace", "which_cluster"]


@frozen
class Which:
    """What `--cluster`, `--context`, `-n` and `-A` say.

    Attributes:
        context: of the kubeconfig; None for its current one.
        namespace: where not all may be listed, what is in this one is; None for that of the context.
        everywhere: whether there is no such namespace.
    """

    context: str | None
    namespace: str | None
    everywhere: bool


def which_cluster(
    *, cluster: bool, context: str | None, namespace: str | None, everywhere: bool
) -> Which | None:
    """What the values of `CLUSTER_OPTIONS` say: None where no cluster is asked for.

    Raises:
        click.UsageError: they contradict one another.
    """
    if not cluster:
        for name, value, option in (("context", context, "--context"), ("everywhere", everywhere, "-A")):
            if value and is_said(name):
                raise click.UsageError(f"{option} belongs to --cluster")
        return None
    if everywhere and namespace is not None:
        raise click.UsageError("give one of -n and -A")
    return Which(context, namespace, everywhere)


def one_namespace(namespace: str | None, *, everywhere: bool) -> tuple[str | None, bool]:
    """What `-n` and `-A` say: the one on the command line counts more than a setting of the other."""
    if everywhere and not is_said("namespace"):
        return None, True
    return namespace, everywhere and (namespace is None or is_said("everywhere"))


CLUSTER_OPTIONS = (
    click.option(
        "-A",
        "--all-namespaces",
        "everywhere",
        is_flag=True,
        help="With --cluster: read all namespaces or, where that is forbidden, none.",
    ),
    click.option(
        "-n",
        "--namespace",
        metavar="NAMESPACE",
        help="The namespace of documents, and of --as, that name none; without --as, look at the accounts of"
        " this one only. With --cluster, the one to read where not all may be read.",
    ),
    click.option("--context", metavar="NAME", help="With --cluster: the context of the kubeconfig."),
    click.option(
        "--cluster",
        is_flag=True,
        help="Read the cluster of the kubeconfig, or the one that this runs in, instead of -f.",
    ),
)
