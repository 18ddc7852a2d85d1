"""Why a connection is decided as it is: the way through the stages, and what it missed by one thing only.

A near miss is proposed by looking at the rules, nearest first, and told only if the engine allows the changed
question by that very rule: what is told was tried.
"""

from __future__ import annotations

from ..connections.connection import Connection
from ..engine import Engine
from ..interception.kinds import bound
from ..resolution import resolve
from ..resources.subjects import Subject, read_subject
from ..snapshot import Snapshot
from ..values.typed import takes
from .near_misses import near_misses_of
from .question import Question
from .stages import answer_of, stages_of
from .types import Difference, Edit, Explanation, NearMiss, Nearness, Stage, StageName
from .workability import obstacles_of

__all__ = ["Difference", "Edit", "Explanation", "NearMiss", "Nearness", "Stage", "StageName", "explain"]


@takes(mesh=Snapshot, connection=Connection)
def explain(mesh: Snapshot, identity: Subject | str, connection: Connection) -> Explanation:
    """Why a connection of `identity` is decided as it is (`docs/decision.md`).

    The identity is an account (`name.namespace`), `any other account`, a pod or the template of pods.

    Near misses are told of a connection that is denied, and of no other: one that is allowed lacks nothing,
    and by what else it might be allowed is nothing that its owner has to change. A rule is a near miss if the
    engine allows the connection by that rule once one thing is changed: one part of the connection (of a
    request all that a route does not take), the account, or one resource of the mesh. A rule whose change
    another rule would decide is left out; so is one whose pattern no text was found for.

    Raises:
        InvalidValue: the text is no identity, there is no such pod, or the pods of the account are not
            intercepted alike (`kinds_of_pods`).
    """
    who = bound(mesh, read_subject(identity))
    question = Question.of(mesh, who, connection)
    policy = resolve(question.here(), who)
    engine = Engine.compile(policy, incomplete=True)
    decision = engine.classify(connection)
    stages = tuple(stages_of(question, policy, decision))
    offers = () if decision.allowed else tuple(question.offers_of(policy))
    found, untried = ((), 0) if decision.allowed else near_misses_of(question, offers, decision, engine)
    answer = answer_of(question, decision, offers, stages[-1])
    concerned = {rule.resource for rule in (decision.rule, decision.route, *decision.considered) if rule}
    findings = tuple(it for it in policy.findings if it.rule.resource in concerned)
    obstacles = obstacles_of(question, decision, offers)
    return Explanation(who, connection, decision, answer, stages, found, untried, findings, obstacles)
