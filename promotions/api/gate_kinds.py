"""GET /promotion-gates: the kinds of gates, with whether they can be judged now (contract.md, Policies and gates)."""

from typing import Final

from django.conf import settings

from policies import gates
from policies.api.document_body import as_json_schema
from policies.api.resources import GateKindResource
from promotions.api.sequences import SequenceSource, in_place
from promotions.packets.signing_key import problem
from stellapromote.accounts.scopes import POLICY_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiView

KINDS: Final = tuple({**each, "configSchema": as_json_schema(each["configSchema"])} for each in gates.describe())


class GateKindsView(ApiView):
    """The kinds of gates that promotion policies can use (domain.md §6)."""

    tag = "Policies and gates"
    scopes = {"get": POLICY_READ}
    parameters = {"get": PAGING}
    answers = {"get": Answer(GateKindResource, paged=True)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Every kind of gate, in the order in which they are judged."""
        can_sign = problem() is None
        return self.page(
            SequenceSource(KINDS),
            present=lambda row: {**in_place(row), "health": _health(in_place(row)["kind"], can_sign)},
        )


def _health(kind: str, can_sign: bool) -> dict[str, str | None]:
    """The health of a kind, as far as this process knows it without the network: a kind that ends in a signature needs
    a key, and answers of others are the worker's task.

    Whether a policy server or an address answers is a fact of each promotion, which its gate shows with its time.
    """
    if kind == "approval" and not can_sign:
        return {"status": "unavailable", "reason": "There is no usable signing key, so nothing is approved."}
    return {"status": "ok", "reason": _asked_elsewhere(kind)}


def _asked_elsewhere(kind: str) -> str | None:
    if kind == "dependency":
        return "Addresses are asked by the worker for each promotion: its gate says what each answered, and when."
    if kind != "policy":
        return None
    if not settings.OPA_CONNECTIONS:
        return "Policies are evaluated here, except with the engine opa, which waits: no connection is configured."
    return (
        "Policies are evaluated here, except with the engine opa: each promotion's gate says what the server answered."
    )
