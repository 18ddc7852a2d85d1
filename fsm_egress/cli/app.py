"""The command line `fsm-egress`: its commands, each loaded when it is asked for, and how they end."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import __version__
from .help import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "COMPLETE", "PROGRAM", "app", "command_of", "run"]

PROGRAM = "fsm-egress"
COMPLETE = "_FSM_EGRESS_COMPLETE"
PLUGIN = "kubectl-"  # what the name begins with by which kubectl finds us
BROKEN_PIPE = 141
INTERRUPTED = 130
HELP_OPTIONS = {"-h", "--help"}
HELP: dict[str, object] = {"help_option_names": sorted(HELP_OPTIONS), "max_content_width": 100}

COMMANDS = {
    "certify": ("certifying", "Check certificates of proofs with a solver."),
    "check": ("checking", "Say everything that is wrong with documents."),
    "completion": ("completing", "Print the script for completion in a shell."),
    "config": ("configs", "Write the config.json that the sidecar of an identity reads."),
    "decide": ("deciding", "Say what becomes of connections, and by which rule."),
    "diff": ("answering", "Say what a change of the mesh allows and denies."),
    "equivalent": ("answering", "Prove that two meshes treat all connections alike."),
    "explain": ("explaining", "Say why connections are decided as they are."),
    "explain-code": ("codes", "Say what a finding or a reason means, and what to do."),
    "implies": ("answering", "Prove that a change takes nothing away."),
    "learn": ("learning", "Learn policies from the connections in logs."),
    "lint": ("reviewing", "Say what is amiss with a mesh, and what to do about it."),
    "never": ("answering", "Prove that something is never allowed, or show it."),
    "partition": ("answering", "Divide all connections by what is decided about them."),
    "pods": ("pods", "Say which pods have a sidecar, and what passes by it."),
    "reach": ("answering", "Say who reaches a destination, and by which rules."),
    "replay": ("replaying", "Say what becomes of the connections in logs."),
    "residual": ("answering", "Say what a decision depends on, if not all is known."),
    "schema": ("schemas", "Print the JSON Schema of documents."),
    "sidecar": ("sidecars", "Say what the stock sidecar does with connections."),
    "snapshot": ("snapshots", "Keep what a cluster has of a mesh, in a file for -f."),
    "test": ("testing", "Run policy tests."),
    "verify": ("reviewing", "Compare the policies with what the sidecar does."),
}
"""The module of each command, where it is a function of the same name, and its line in the list of commands.

`--help`, `--version` and completion need no more, and so load no more.
"""


def command_of(name: str) -> click.Command:
    """The command itself, whose module is loaded for it."""
    module, _ = COMMANDS[name]
    command: click.Command = getattr(import_module(f"{__package__}.{module}"), name.replace("-", "_"))
    return command


class _Commands(click.Group):
    """Commands that are listed from the table, and end quietly, whatever ends them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, listed, others = super().resolve_command(ctx, args)
        command = listed and command_of(listed.name or "")
        if command is not None and not HELP_OPTIONS & set(others):
            ctx.default_map = {command.name or "": _defaults_of(ctx, command)}
        return name, command, others

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            with suppress(BrokenPipeError):
                sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
            ctx.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            from .output import printable  # noqa: PLC0415  # because `--help` does without

            vars(error)["message"] = "\n".join(map(printable, error.message.split("\n")))
            raise
        except Exception as error:
            from .problems import stop_for_error  # noqa: PLC0415  # because `--help` does without attrs

            stop_for_error(error)
            raise


def _defaults_of(ctx: click.Context, command: click.Command) -> dict[str, Any]:
    """What the environment or a file says of the options of a command; for completion, if it can be read."""
    from pathlib import Path  # noqa: PLC0415  # because `--help` does without

    from ..values.errors import FSMEgressError  # noqa: PLC0415  # because ditto
    from .settings import defaults_of  # noqa: PLC0415  # because ditto

    try:
        return defaults_of(command, Path.cwd(), os.environ)
    except (FSMEgressError, click.ClickException):
        if ctx.resilient_parsing:
            return {}
        raise


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `arguments`, by default the process's, and leave with its exit code."""
    is_plugin = os.path.basename(sys.argv[0]).startswith(PLUGIN)  # noqa: PTH119  # because pathlib takes longer to load
    app.main(arguments, prog_name=f"kubectl {PROGRAM}" if is_plugin else PROGRAM, complete_var=COMPLETE)


@click.group(
    cls=_Commands,
    commands={name: click.Command(name, short_help=said) for name, (_, said) in COMMANDS.items()},
    context_settings=HELP,
    epilog=examples(
        "fsm-egress check -f policies/",
        "fsm-egress decide -f policies/ --as curl.curl --to 54.9.9.9:443 --tls httpbin.org",
        "fsm-egress config -f policies/ --as curl.curl -O config.json",
        "fsm-egress verify -f policies/ --as curl.curl",
    ),
)
@click.version_option(__version__, prog_name=PROGRAM)
def app() -> None:
    """What the sidecars of a Flomesh Service Mesh let out, why, and the config.json that makes it so.

    Exit codes of every command: 0 done, and nothing found; 1 found what it looks for, such as problems,
    changes or a refutation; 2 wrong usage; 3 no answer, as a file or a document cannot be read, nothing
    can be written, or something could not be decided.
    """
