"""The command line `fsm-egress`: its commands, and how they end."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import get_completion_class

from .. import __version__
from ..values.errors import InvalidValue, LoadError, PatchError
from . import answering, deciding, reviewing, testing
from .options import examples
from .output import say
from .problems import stop_for

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "run"]

PROGRAM = "fsm-egress"
COMPLETE = "_FSM_EGRESS_COMPLETE"
BROKEN_PIPE = 141
INTERRUPTED = 130
HELP: dict[str, object] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """Commands that end quietly, whatever ends them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (InvalidValue, LoadError) as error:
            stop_for(error.problems)
        except PatchError as error:
            stop_for([error.problem])
        except BrokenPipeError:
            with suppress(BrokenPipeError):
                sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
            ctx.exit(BROKEN_PIPE)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of `arguments`, by default the process's, and leave with its exit code."""
    app.main(arguments, prog_name=PROGRAM, complete_var=COMPLETE)


@click.group(
    cls=_Commands,
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

    Exit codes: 0 done, 1 problems found, 2 wrong usage.
    """


@app.command(
    epilog=examples(
        "source <(fsm-egress completion bash)",
        "fsm-egress completion fish > ~/.config/fish/completions/fsm-egress.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for completion in a shell.

    Commands and options are completed, identities of the documents that are named, and codes of findings.
    """
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101  # click has these three
    say(complete(app, {}, PROGRAM, COMPLETE).source().split("\n"))


for _command in (
    deciding.check,
    deciding.decide,
    deciding.explain,
    answering.partition,
    answering.residual,
    answering.reach,
    answering.never,
    answering.diff,
    answering.equivalent,
    answering.implies,
    deciding.config,
    deciding.schema,
    deciding.sidecar,
    reviewing.verify,
    reviewing.lint,
    reviewing.replay,
    testing.test,
):
    app.add_command(_command)
