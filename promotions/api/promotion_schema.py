"""The parts of the OpenAPI document about promotions and evidence beyond the conventions
(stellapromote/api/schema.py)."""

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


class UploadSchema(AutoSchema):
    """A call that takes a document: as JSON, or as a form with the file `document`."""

    def get_request_serializer(self) -> Any:
        body = super().get_request_serializer()
        if self._endpoint.action not in self._endpoint.prepared:
            return body
        component = self.resolve_serializer(body, "request")
        fields = component.schema["properties"]
        form = {
            "type": "object",
            "description": f"{component.name} as a form.",
            "properties": {
                **{name: field for name, field in fields.items() if not name.startswith("document")},
                "document": {"type": "string", "format": "binary", "description": "The file."},
            },
            "required": sorted({*component.schema["required"], "document"}),
            "additionalProperties": False,
        }
        forms = self._component(f"{component.name}Form", form).ref
        return {"application/json": body, "multipart/form-data": forms}

    def _get_request_body(self, direction: Any = "request") -> Any:
        base: Any = super()  # untyped
        body = base._get_request_body(direction)
        # drf-spectacular requires no body that has several media types.
        return body and {**body, "required": True}


class VerificationSchema(AutoSchema):
    """POST /evidence/verify takes any JSON object: what is wrong in it is a check that fails."""

    def get_request_serializer(self) -> Any:
        schema = {"type": "object", "description": "An evidence packet, or a DSSE envelope."}
        return {"application/json": schema}


class ConfigSchema(AutoSchema):
    """A call that takes the file of policy as code: as JSON, or as YAML of the same form."""

    def get_request_serializer(self) -> Any:
        body = super().get_request_serializer()
        text = {"type": "string", "description": "The same, as YAML without anchors, aliases and tags."}
        return {"application/json": body, "application/yaml": text}

    def _get_request_body(self, direction: Any = "request") -> Any:
        base: Any = super()  # untyped
        body = base._get_request_body(direction)
        return body and {**body, "required": True}
