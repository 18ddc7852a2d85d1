"""Why what is decided about cannot work: though it is allowed, or as a route asks for what is never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..connections.findings import Code
from ..connections.obstacles import CONNECTION, Obstacle, obstacles_to, words_of
from ..connections.payloads import HTTPRequest
from .rule_parts import unmet_by

if TYPE_CHECKING:
    from ..connections.decision import Decision
    from .question import Question
    from .rule_parts import Offer

__all__ = ["obstacles_of"]


def obstacles_of(question: Question, decision: Decision, offers: tuple[Offer, ...]) -> tuple[Obstacle, ...]:
    """What is in the way of a connection, besides what decides; `offers` are those of one that is denied."""
    request = question.connection.sends
    if decision.allowed or not isinstance(request, HTTPRequest):
        return obstacles_to(question.connection, decision)
    routes = (
        route
        for offer in offers
        if offer.is_here and offer.port == question.connection.port and offer.has(request.authority)
        for route in offer.routes or ()
    )
    if any({name for _, name, _ in unmet_by(route, request)} == {CONNECTION} for route in routes):
        return (Obstacle(Code.CONNECTION_HEADER, words_of(Code.CONNECTION_HEADER)),)
    return ()
