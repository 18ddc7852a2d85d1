"""`python -m examples.controller`: the controller, against the cluster of its account or of a kubeconfig."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from typing import TYPE_CHECKING

import kopf

from .handlers import Options, registry_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "options_of"]


def options_of(arguments: Sequence[str] | None = None) -> Options:
    """The options that a command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m examples.controller", description=__doc__)
    parser.add_argument("--repo", required=True, help="URL of the Pipy repo, such as http://fsm-repo:6060")
    parser.add_argument("--prefix", default="fsm-sidecar", help="the codebase above those of the identities")
    parser.add_argument("--base", default="", help="the codebase that they derive from, such as fsm-base")
    parser.add_argument(
        "--enforce", action="store_true", help="publish the module that enforces policies, too"
    )
    parser.add_argument("--webhook-port", type=int, help="serve the ValidatingWebhook at this port")
    parser.add_argument("--webhook-host", help="the name by which the API server reaches it")
    parser.add_argument("--certificate", help="its certificate chain (PEM); made anew where there is none")
    parser.add_argument("--key", help="the key of that (PEM)")
    parser.add_argument("--authority", help="who signed it (PEM), for the API server")
    parser.add_argument("--managed", default="", help="keep the ValidatingWebhookConfiguration of this name")
    given = parser.parse_args(arguments)
    webhook = None
    if given.webhook_port is not None:
        webhook = kopf.WebhookServer(
            port=given.webhook_port,
            host=given.webhook_host,
            cafile=given.authority,
            certfile=given.certificate,
            pkeyfile=given.key,
        )
    return Options(given.repo, given.prefix, given.base, given.enforce, webhook, given.managed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the controller until it is told to stop."""
    options = options_of(arguments)
    kopf.configure()
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # it tells of every object
    if asyncio.run(_operate(options)):
        sys.exit(1)


async def _operate(options: Options) -> bool:
    """Runs the controller, and says whether it has ended by a fault."""
    stop = asyncio.Event()
    registry = registry_of(options, stop)
    await kopf.operator(registry=registry, stop_flag=stop, standalone=True, clusterwide=True)
    return stop.is_set()


if __name__ == "__main__":
    main()
