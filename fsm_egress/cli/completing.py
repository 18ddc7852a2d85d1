"""The command that prints a shell's script for completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .app import COMPLETE, PROGRAM, app
from .help import examples
from .output import say

__all__ = ["completion"]


@click.command(
    epilog=examples(
        "source <(fsm-egress completion bash)",
        "fsm-egress completion fish > ~/.config/fish/completions/fsm-egress.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for completion in a shell.

    Commands and options are completed, identities of the documents that are named, codes of findings, and
    keys of --set.
    """
    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101  # click has these three
    say(complete(app, {}, PROGRAM, COMPLETE).source().split("\n"))
