"""What the OpenAPI document says of promotions and evidence beyond the conventions (stellapromote/api/schema.py)."""

from typing import Any

from promotions.api.promotion_resources import PreviewResource
from stellapromote.api.schema import AutoSchema


class PromotionSchema(AutoSchema):
    """POST /promotions has two successes: 201 with the promotion, and 200 with a preview."""

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        if self._endpoint.action == "create":
            bodies["200"] = {
                "description": "With validateOnly=true: what a request would see.",
                "content": {"application/json": {"schema": self._ref(PreviewResource)}},
            }
        return bodies


class VerificationSchema(AutoSchema):
    """POST /evidence/verify takes any JSON object: what is wrong in it is a check that fails."""

    def get_request_serializer(self) -> Any:
        schema = {"type": "object", "description": "An evidence packet, or a DSSE envelope."}
        return {"application/json": schema}
