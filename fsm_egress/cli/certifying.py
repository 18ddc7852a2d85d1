"""The command that checks certificates, and the option that writes them: certify."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..values.errors import InvalidValue
from .endings import end, stop
from .files import write_file
from .help import examples
from .inputs import read_input
from .options import Command, output_option
from .output import print_objects, say, why

if TYPE_CHECKING:
    from ..answers.proofs import Answer
    from ..verification.agreement import Verification

LONGEST = 1_000_000
_UNFIT = re.compile(r"[^\w.-]+")  # for the name of a folder

__all__ = ["certificate_option", "certify", "write_certificate", "write_certificates"]


@click.command(
    epilog=examples(
        "fsm-egress never -f mesh/ --to 169.254.169.254 --certificate never.smt2",
        "fsm-egress certify never.smt2",
        "fsm-egress certify --timeout 60 verify*.smt2",
    )
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--timeout",
    type=click.FloatRange(0, LONGEST, min_open=True),
    metavar="SECONDS",
    help="Stop the solver at a file after this time: not decided.",
)
@output_option()
def certify(files: tuple[str, ...], timeout: float | None, output: str) -> None:
    """Check certificates of proofs with a solver.

    The solver knows nothing of meshes. You hear what was proved, of whom, and about which documents, whose
    digests stand in the certificate. Exit code 1 where one does not hold, 3 where the solver could not tell.
    """
    from ..certificates.checking import certify as certified  # noqa: PLC0415  # because `never` writes only

    results = []
    for name in files:
        content, shown = read_input(name)
        try:
            results.append(result := certified(content.decode("utf-8", "replace"), timeout=timeout))
        except InvalidValue as error:
            stop(f"{shown}: {error}")
        if output == "table":
            say(f"{shown}: {result}".split("\n"))
        else:
            print_objects([{"file": shown, **result.to_mapping()}], output)
    end(
        found=any(result.holds is False for result in results),
        unknown=any(result.holds is None for result in results),
    )


def certificate_option(command: Command) -> Command:
    """The option that names the file for a certificate of the answer."""
    return click.option(
        "--certificate",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write what any SMT solver checks to this file.",
    )(command)


def write_certificate(answer: Answer, path: Path | None) -> None:
    """Write the certificate of an answer, if one is asked for and there can be one."""
    if path is None:
        return
    if answer.proven is None:
        say([_NONE], err=True)
    else:
        _write(path, answer.certificate())


def write_certificates(verification: Verification, path: Path | None, *, is_alone: bool) -> None:
    """Write the certificate of a verification, if one is asked for, and one of each difference beside it.

    Those have the name of the first with a number: `verify-1.smt2`. One that is not alone is written into a
    folder of its own, which is named after whose it is: `curl.curl/verify.smt2`.
    """
    if path is None:
        return
    if not is_alone:
        path = path.parent / _UNFIT.sub("-", str(verification.identity)).strip("-") / path.name
    if verification.undecided:
        say([_NONE], err=True)
    else:
        _write(path, verification.certificate())
    for number, it in enumerate(verification.disagreements, 1):
        _write(path.with_name(f"{path.stem}-{number}{path.suffix}"), verification.certificate(it))


_NONE = "note: what is neither proven nor refuted has no certificate"


def _write(path: Path, script: str) -> None:
    try:
        write_file(path, script.encode())
    except OSError as error:
        stop(f"{path}: cannot be written: {why(error)}")
