"""Texts, settings and patches are read as kubectl, Helm and the API server were seen to read them."""

from __future__ import annotations

import json
from pathlib import Path

from as_kubectl import flaw

VECTORS = Path(__file__).parents[1] / "vectors" / "oracles.json"


def test_all_that_was_asked_is_read_as_it_was_answered() -> None:
    asked = json.loads(VECTORS.read_text())
    flaws = {str(it["question"]): flaw(it["question"], it["answer"]) for it in asked}
    assert {question: found for question, found in flaws.items() if found} == {}
    assert len(flaws) > 400
