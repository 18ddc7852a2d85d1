"""Everything that is amiss with a mesh, as findings: of all rules or some, without those that are not wanted.

What `resolve`, the comparison with the sidecar and the stock controller's view find is joined with what is
found here; the table of `rules` says of each code what it means and which of these it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..answers.proofs import identities_of
from ..connections.findings import Code, Finding, Findings
from ..resolution.absence import certain
from ..resources import checks
from ..snapshot import Snapshot
from ..values.errors import InvalidValue
from ..values.typed import takes
from ..verification.everywhere import EVERYWHERE, judged
from .comparing import Comparison, compared
from .openings import shown_findings
from .pods import pod_findings
from .resources import missing_elsewhere, resource_findings
from .rules import RULES
from .rules.rule import Side
from .spare import proved_findings, spare_ports
from .view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..resources.subjects import Subject
    from ..values.references import FieldRef, ResourceRef
    from .spare import Spare

__all__ = ["IGNORE", "lint"]

IGNORE = "fsm-egress/ignore"
"""The annotation by which a resource says which codes it does not want to hear of: `FSE070, FSE071`."""

_BY_NAME = {code.code: code for code in Code}
_BETWEEN = re.compile(r"[\s,]+")


@takes(mesh=Snapshot, only=(Iterable, NoneType), without=Iterable)
def lint(
    mesh: Snapshot,
    *,
    identities: Iterable[Subject | str] | None = None,
    only: Iterable[Code | str] | None = None,
    without: Iterable[Code | str] = (),
    sidecar: bool = True,
    enforce: bool = False,
    stock: bool = False,
    fsm: str | None = None,
    suppressed: bool = False,
    workers: int = 1,
    progress: Callable[[Sequence[Subject]], Iterable[Subject]] = iter,
) -> Findings:
    """What is amiss with a mesh, by code, resource and field.

    A code is found once for a field, however many identities it concerns; the finding names the first whose
    connection shows it. A resource whose annotation `fsm-egress/ignore` lists codes has no findings of these;
    one that is no code is a finding itself.

    A finding that something is missing is none where it may be among what could not be read (`mesh.lost`).

    Args:
        mesh: the resources.
        identities: whose policies are looked at (`name.namespace`); by default those of every identity
            that a resource names, and of any other account.
        only: the codes that are looked for, `FSE070` or members of `Code`; by default all.
        without: the codes that are not.
        sidecar: whether policies are compared with what the sidecar does, which takes longest by far.
        enforce: whether the sidecars have this library's module (`pipy/enforce.js`).
        stock: whether to look at what a stock `fsm-controller` would make of the mesh, too.
        fsm: the version of FSM whose sidecar and controller these are, `1.4` or `1.3.7`; None for 1.5 to 1.7.
        progress: what the identities are taken through one by one, such as `rich.progress.track`.
        workers: how many processes share the comparisons. As each of them imports the main module, a script
            that asks for more than one does its work under `if __name__ == "__main__":`.
        suppressed: whether findings that resources do not want to hear of are returned too, marked so.

    Raises:
        InvalidValue: a text is no identity, no code, or no version; or there are no workers.
    """
    workers = checks.workers(workers)
    wanted = (set(Code) if only is None else set(map(_code, only))) - set(map(_code, without))
    whom = identities_of(identities, mesh)
    sides = {Side.SIDECAR: sidecar, Side.CONTROLLER: stock}
    asked = {side for side, is_asked in sides.items() if is_asked and wanted & _CODES[side]}
    comparison = Comparison(Side.SIDECAR in asked, Side.CONTROLLER in asked, enforce, fsm)
    found = {
        (it.code, it.rule, it.message): it
        for it in certain(_found(mesh, whom, comparison, workers, progress), mesh.lost)
        if it.code in wanted
    }
    ignored = dict(_ignored(mesh))
    unknown = [it for it in _unknown_codes(mesh) if it.code in wanted]
    marked = (
        evolve(
            it,
            fix=it.fix or missing_elsewhere(mesh, it) or RULES[it.code].fix,
            suppressed=it.code.code in ignored.get(it.rule.resource, ()),
        )
        for it in (*found.values(), *unknown)
    )
    listed = sorted(
        judged(mesh, marked), key=lambda it: (it.code.code, it.rule.resource, it.rule.path, it.message)
    )
    return Findings(it for it in listed if suppressed or not it.suppressed)


_CODES = {side: {code for code, rule in RULES.items() if side in rule.sides} for side in Side}


def _code(code: Code | str) -> Code:
    name = code.code if isinstance(code, Code) else code
    if name not in _BY_NAME:
        raise InvalidValue.of("the code of a finding, such as `FSE070`", code)
    return _BY_NAME[name]


# --- findings of all sides -------------------------------------------------------------------------------

_Place = tuple[Code, "FieldRef"]


def _found(
    mesh: Snapshot,
    identities: Sequence[Subject],
    comparison: Comparison,
    workers: int,
    progress: Callable[[Sequence[Subject]], Iterable[Subject]],
) -> Iterator[Finding]:
    """All findings, each code once for a field; that a port is spare only where nobody needs it."""
    with compared(mesh, identities, comparison, workers) as beside:
        found = [*resource_findings(mesh), *pod_findings(mesh)]
        duplicates = {it.rule.resource for it in found if it.code is Code.DUPLICATE_POLICY}
        known = {(it.code, it.rule) for it in found}
        spares: dict[FieldRef, list[Spare]] = {}
        needed: set[FieldRef] = set()
        seeing = (_seen(mesh, identity, enforce=comparison.enforce) for identity in identities)
        seen = seeing if workers == 1 else [*seeing]  # while the workers compare
        for _, (view, shown, ports) in zip(progress(identities), seen, strict=True):
            for rule, spare in ports:
                if spare is None:
                    needed.add(rule)
                else:
                    spares.setdefault(rule, []).append(spare)
            own = _of_identity(view, (shown, *beside(view.policy)))
            found.extend(it for place, findings in own.items() if place not in known for it in findings)
            known.update(own)
    yield from found
    unneeded = {rule: found for rule, found in spares.items() if rule not in needed}
    yield from (it for it in proved_findings(mesh, unneeded) if it.rule.resource not in duplicates)


def _seen(
    mesh: Snapshot, identity: Subject, *, enforce: bool
) -> tuple[View, list[Finding], list[tuple[FieldRef, Spare | None]]]:
    """The policies of an identity, what is to be seen there, and which of their ports are spare."""
    view = View.of(mesh, identity)
    resolved = (it for it in view.policy.findings if not (enforce and Side.SIDECAR in RULES[it.code].sides))
    return view, [*resolved, *shown_findings(view, enforce=enforce)], [*spare_ports(view)]


def _of_identity(view: View, sides: Iterable[Iterable[Finding]]) -> Mapping[_Place, list[Finding]]:
    """The findings of an identity by code and rule; those of a comparison, which have a witness, win."""
    identity = view.policy.identity
    found: dict[_Place, list[Finding]] = {}
    for findings in sides:
        own: dict[_Place, list[Finding]] = {}
        for it in findings:
            rule = view.policy.switch if it.code in EVERYWHERE else it.rule
            own.setdefault((it.code, rule), []).append(evolve(it, rule=rule, identity=identity))
        found.update(own)
    return found


# --- what resources do not want to hear of ---------------------------------------------------------------


def _ignored(mesh: Snapshot) -> Iterator[tuple[ResourceRef, tuple[str, ...]]]:
    """What each resource says to ignore, those too that were refused."""
    for resource in mesh:
        if IGNORE in resource.metadata.annotations:
            yield resource.ref, _listed(resource.metadata.annotations[IGNORE])
    for refused in mesh.refused:
        annotations = _mapping(_mapping(refused.document).get("metadata")).get("annotations")
        text = _mapping(annotations).get(IGNORE)
        if isinstance(text, str):
            yield refused.ref, _listed(text)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _BETWEEN.split(text)))


def _unknown_codes(mesh: Snapshot) -> Iterator[Finding]:
    for resource in mesh:
        for name in _listed(resource.metadata.annotations.get(IGNORE, "")):
            if name not in _BY_NAME:
                rule = resource.at(f"metadata.annotations.{IGNORE}")
                yield Finding(Code.UNKNOWN_CODE_IGNORED, rule, f"`{name}` is no code of a finding")
