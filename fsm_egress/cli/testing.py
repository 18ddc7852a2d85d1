"""The command that runs policy tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..policytests.document import read_tests
from ..policytests.naming import SUFFIXES, is_test_file
from ..policytests.running import run_tests
from ..values.counting import many
from ..values.errors import LoadError
from .endings import end, stop
from .help import examples
from .inputs import read_input
from .options import defaults_option, output_option, strict_names_option
from .output import print_objects, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..policytests.document import PolicyTests
    from ..policytests.running import TestReport
    from ..values.errors import Problem

__all__ = ["test"]


@click.command(
    epilog=examples(
        "fsm-egress test tests/",
        "fsm-egress test httpbin.egress-test.yaml --coverage --fail-under 80",
        "fsm-egress test tests/ -o junit > report.xml",
    )
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--coverage", is_flag=True, help="Name the rules, hosts and routes that no test decides by.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail if fewer of a hundred policies, ports, hosts and routes are decided by.",
)
@defaults_option
@strict_names_option(default=True)
@output_option("junit")
def test(
    paths: tuple[str, ...],
    coverage: bool,
    fail_under: float | None,
    defaults: str | None,
    strict_names: bool,
    output: str,
) -> None:
    """Run policy tests.

    They are files that say what is expected of connections. A path is a file, or a folder with files
    named *.egress-test.yaml (or .yml, .json). Exit code 1 if a test fails, or less is covered than it
    should be.
    """
    report = run_tests(_files(paths), strict_names=strict_names, defaults=defaults)
    say((f"note: {it}" for it in (*report.notes, *report.unnamed)), err=True)
    if output == "junit":
        from ..outputs.junit import junit_xml  # noqa: PLC0415  # because people read tables

        say(junit_xml(report).split("\n")[:-1])
        say((f"note: {it}" for it in report.conditions), err=True)
    elif output != "table":
        print_objects([report.to_mapping()], output)
    else:
        _print_report(report, with_coverage=coverage or fail_under is not None)
    end(found=report.failed or (fail_under is not None and report.coverage.percent < fail_under))


def _files(paths: tuple[str, ...]) -> list[PolicyTests]:
    """The tests of all files.

    Raises: LoadError: with everything that is wrong in any of them.
    """
    found: list[PolicyTests] = []
    problems: list[Problem] = []
    for name in (file for path in paths for file in _below(path)):
        content, spoken = read_input(name)
        try:
            found.extend(read_tests(content, spoken))
        except LoadError as error:
            problems.extend(error.problems)
    if problems:
        raise LoadError(problems)
    return found


def _below(path: str) -> Iterator[str]:
    """The file, or those below a folder, in the order of their names."""
    if not Path(path).is_dir():
        yield path
        return
    files = sorted(it for it in Path(path).rglob("*") if is_test_file(it.name) and it.is_file())
    if not files:
        names = ", ".join(f"`*{suffix}`" for suffix in SUFFIXES)
        stop(f"{path}: expected a folder with {names} files, found none")
    yield from (it.as_posix() for it in files)


def _print_report(report: TestReport, *, with_coverage: bool) -> None:
    """The tests that failed, with their explanations, how many there were, and what none was decided by."""
    for result in report.failed:
        say(["FAILED " + line if index == 0 else line for index, line in enumerate(result.lines())])
        say([""])
    failed = len(report.failed)
    parts = [many(len(report.results) - failed, "test") + " passed"]
    if failed:
        parts.append(f"{failed} failed")
    if with_coverage:
        parts.append(f"{report.coverage.percent:.0f} % covered")
        say(f"no test is decided by: {part}" for part in report.coverage.missing)
    say(report.conditions)
    say([", ".join(parts)])
