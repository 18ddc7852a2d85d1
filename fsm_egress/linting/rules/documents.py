"""What `check` says of documents beside their mistakes (FSE102 to FSE104)."""

from __future__ import annotations

from ...connections.findings import Code
from .examples import OUTSIDE, document, egress
from .rule import DOCUMENTS, LintRule

__all__ = ["RULES"]

RULES = (
    LintRule(
        Code.API_SERVER_REFUSES,
        "an API server refuses the document",
        "It is good enough to be read here, and `kubectl apply` fails: FSM's CRDs and webhook ask for more,"
        " or kubectl reads a scalar as something else.",
        "write what the message names",
        egress("a", "tcp 25", OUTSIDE)
        .replace("spec:", "  labels: {team: two words}\nspec:")
        .replace("metadata: {name: a, namespace: curl}\n", "metadata:\n  name: a\n  namespace: curl\n"),
        (("two words", "two-words"),),
        DOCUMENTS,
    ),
    LintRule(
        Code.NOT_READ,
        "a name that FSM does not read",
        "A label, an annotation, a field or an API version of Open Service Mesh or of an older FSM counts"
        " for nothing, and so does a name of FSM's that is misspelled, or stands where FSM does not look.",
        "write the name that the message proposes or where it says, or take it out",
        document("v1", "Namespace", "curl").replace(
            "{name: curl}", "{name: curl, labels: {openservicemesh.io/monitored-by: fsm}}"
        ),
        (("openservicemesh.io", "flomesh.io"),),
        DOCUMENTS,
    ),
    LintRule(
        Code.PASSED_OVER,
        "a document that plays no part",
        "Egress does not depend on its kind; or Endpoints are missing, and EndpointSlices are read instead.",
        "nothing, if it is not meant to play a part",
        document("apps.example/v1", "Gadget", "curl/x"),
        (("apps.example/v1\nkind: Gadget", "v1\nkind: ServiceAccount"),),
        DOCUMENTS,
    ),
)
