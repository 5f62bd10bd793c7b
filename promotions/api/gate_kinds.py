"""GET /promotion-gates: the kinds of gates, with whether they can be judged now (api.md, Policies and gates)."""

from typing import Final

from policies import gates
from policies.api.document_body import as_json_schema
from policies.api.resources import GateKindResource
from promotions.api.sequences import SequenceSource, in_place
from promotions.signing_key import current_key
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
        can_sign = current_key() is not None
        return self.page(
            SequenceSource(KINDS),
            present=lambda row: {**in_place(row), "health": _health(in_place(row)["kind"], can_sign)},
        )


def _health(kind: str, can_sign: bool) -> dict[str, str | None]:
    """Every kind is judged inside this process; only what ends in a signature can be unable to (domain.md §8)."""
    if kind == "approval" and not can_sign:
        return {"status": "unavailable", "reason": "There is no usable signing key, so nothing is approved."}
    return {"status": "ok", "reason": None}
