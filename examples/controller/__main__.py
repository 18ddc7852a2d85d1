"""`python -m examples.controller`: the controller, against the cluster of its account or of a kubeconfig."""

from __future__ import annotations

import argparse
import asyncio
import logging
import ssl
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import kopf

from .certificates import self_signed
from .handlers import NoCluster, Options, login, registry_of
from .repo import STOCK, is_own_prefix
from .running import AT_MOST, PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "options_of"]

ALL = 100  # percent


def options_of(arguments: Sequence[str] | None = None) -> Options:
    """The options that a command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m examples.controller", description=__doc__)
    parser.add_argument("--repo", required=True, help="URL of the Pipy repo, such as http://fsm-repo:6060")
    parser.add_argument(
        "--prefix", type=_prefix, default=PREFIX, help="the codebase above those of the identities"
    )
    parser.add_argument("--base", default="", help="the codebase that they derive from, such as fsm-base")
    parser.add_argument("--adopt", action="store_true", help="take over what is below the prefix already")
    parser.add_argument(
        "--delete-at-most",
        type=_percent,
        default=AT_MOST,
        metavar="PERCENT",
        help="of its codebases at once, within ten minutes; one may always be, unless it is 0 (%(default)s)",
    )
    parser.add_argument("--yes", action="store_true", help="delete any number of them")
    parser.add_argument(
        "--enforce", action="store_true", help="publish the module that enforces policies, too"
    )
    parser.add_argument("--webhook-port", type=int, help="serve the ValidatingWebhook at this port")
    parser.add_argument("--webhook-host", help="the name by which the API server reaches it")
    parser.add_argument("--certificate", help="its certificate chain (PEM); made anew where there is none")
    parser.add_argument("--key", help="the key of that (PEM)")
    parser.add_argument("--authority", help="who signed it (PEM), for the API server")
    parser.add_argument("--client-authority", help="who signed what the API server is to show (PEM)")
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
            verify_mode=ssl.CERT_REQUIRED if given.client_authority else None,
            verify_cafile=given.client_authority,
        )
    return Options(
        given.repo,
        given.prefix,
        given.base,
        given.enforce,
        webhook,
        given.managed,
        given.adopt,
        given.delete_at_most,
        given.yes,
    )


def _prefix(text: str) -> str:
    found = text.strip("/")
    if not is_own_prefix(found):
        stock = " and ".join(f"`{name}`" for name in STOCK)
        raise argparse.ArgumentTypeError(f"a path of its own expected, which {stock} are not: found {text!r}")
    return found


def _percent(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= ALL):
        raise argparse.ArgumentTypeError(f"a number from 0 to {ALL} expected, found {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the controller until it is told to stop."""
    options = options_of(arguments)
    try:
        login(settings=kopf.OperatorSettings())
    except NoCluster as error:
        sys.exit(str(error))
    kopf.configure()
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)  # it tells of every object
    with TemporaryDirectory() as folder:
        if options.webhook is not None:
            certify(options.webhook, Path(folder))
        by_a_fault = asyncio.run(_operate(options))
    if by_a_fault:
        sys.exit(1)


def certify(webhook: kopf.WebhookServer, folder: Path) -> None:
    """Gives a webhook that has no certificate one of its own, in a folder."""
    if webhook.certfile is None:
        webhook.certfile, webhook.pkeyfile = self_signed(webhook.host or "localhost", folder)
        webhook.cafile = webhook.certfile


async def _operate(options: Options) -> bool:
    """Runs the controller, and says whether it has ended by a fault."""
    stop = asyncio.Event()
    registry = registry_of(options, stop)
    await kopf.operator(registry=registry, stop_flag=stop, standalone=True, clusterwide=True)
    return stop.is_set()


if __name__ == "__main__":
    main()
