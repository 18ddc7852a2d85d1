"""The command about documents themselves: check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from attrs import evolve

from .. import __version__
from ..manifests.admission import refusals
from ..manifests.foreign import is_foreign
from ..resources.core import Pod
from ..resources.workloads import MAKERS
from ..values.counting import many
from ..values.errors import LoadError, Problem, Severity
from ..values.references import Mark
from .endings import end, fail_on_option
from .help import examples
from .mesh import Documents, mesh_options
from .options import code_option, output_option
from .output import print_objects, say
from .problems import print_problems, stop_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.findings import Code
    from ..resources.resource import Resource
    from ..snapshot import Snapshot
    from ..values.references import FieldRef

__all__ = ["check"]


@click.command(
    epilog=examples(
        "fsm-egress check -f mesh.yaml -f policies/",
        "kubectl get egress,meshconfig -A -o yaml | fsm-egress check -f -",
        "fsm-egress check -f policies/ -o sarif > problems.sarif",
    )
)
@mesh_options
@fail_on_option
@code_option("--without", "Leave out what has this code; may be repeated.")
@output_option("sarif", "github")
def check(documents: Documents, fail_on: Severity, without: tuple[Code, ...], output: str) -> None:
    """Say everything that is wrong with documents.

    Each mistake has its place, file:line:column; kinds that play no part are counted, and so are files in
    folders that hold no Kubernetes objects. What an API server with FSM's CRDs and webhook would refuse is a
    warning where it is good enough here. Exit code 1 if there is a mistake or what is as bad as --fail-on
    says, 3 if there are documents that cannot be read at all, or none of a mesh. Mistakes have no code, and
    are never left out.
    """
    mesh = documents.load(strict=False, needed=False)
    problems = list(mesh.problems)
    if not len(mesh) and all(map(is_foreign, problems)):
        stop_for([_NOTHING])
    if not any(problem.severity is Severity.ERROR for problem in problems):
        try:
            mesh = documents.changed(mesh)
        except LoadError as error:
            problems.extend(error.problems)
    refused = (it for it in refusals(mesh) if it.severity is not Severity.INFO or fail_on is Severity.INFO)
    problems.extend(sorted([*refused, *_of_pods(mesh)], key=_place))
    left_out = {code.code for code in without}
    problems = [problem for problem in problems if problem.code not in left_out]
    if output == "sarif":
        from ..outputs.sarif import sarif_log_of_problems  # noqa: PLC0415  # because only this output needs it

        print_objects([sarif_log_of_problems(problems, __version__)], "json")
    elif output == "github":
        from ..outputs.github import github_problems  # noqa: PLC0415  # because ditto

        say(github_problems(problems))
    elif output != "table":
        print_objects((problem.to_mapping() for problem in problems), output)
    else:
        print_problems(it for it in problems if not is_foreign(it))
    unread = {it for it in problems if it.severity is Severity.ERROR and not (it.mark or it.path)}
    end(
        found=any(it.severity.is_at_least(fail_on) for it in problems if it not in unread),
        unknown=unread,
    )
    if output == "table":
        say([f"{many(len(mesh), 'resource')}, no problems"])


_NOTHING = Problem("documents of a mesh", "none", reason="there is nothing to check")


def _of_pods(mesh: Snapshot) -> Iterator[Problem]:
    """What FSM's injector or iptables refuses of pods and templates that is good enough to be read here."""
    kinds: tuple[type[Resource], ...] = (Pod, *MAKERS)
    if not any(len(mesh.kind(kind)) for kind in kinds):
        return
    from ..interception.hosts import hosts_of  # noqa: PLC0415  # because few meshes need it
    from ..interception.injection import State, injection_of  # noqa: PLC0415  # because ditto
    from ..interception.kinds import lists_of  # noqa: PLC0415  # because ditto

    for host in hosts_of(mesh):
        injection = injection_of(mesh, host)
        if injection.problem is not None:
            yield _warning(injection.rule, injection.problem, "FSE025")
        for refusal in lists_of(mesh, host)[1] if injection.state is State.YES else ():
            code = "FSE115" if refusal.by_iptables else "FSE025"
            yield _warning(refusal.rule, evolve(refusal.problem, reason=refusal.effect), code)


def _warning(rule: FieldRef, problem: Problem, code: str) -> Problem:
    return evolve(
        problem,
        path=rule.path,
        resource=rule.resource,
        document=rule.source.document if rule.source else None,
        mark=rule.mark,
        severity=Severity.WARNING,
        code=code,
    )


def _place(problem: Problem) -> tuple[str, Mark]:
    return problem.document or "", problem.mark or Mark(0, 0)
