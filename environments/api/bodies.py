"""The bodies of the calls of "Environments" (contract.md)."""

from typing import Any

from drf_spectacular.drainage import set_override
from rest_framework import serializers

from environments.settings_schema import CLEAR_REASON, SETTINGS, WINDOW
from policies.api.document_body import DocumentBody, DocumentField
from stellapromote import wrong_values as wrong
from stellapromote.api.fields import StrictBooleanField
from stellapromote.api.reading import ReadField, refused
from stellapromote.patterns import SLUG


class EnvironmentBody(DocumentBody):
    """An environment (domain.md §1). What is left out stays as it is."""

    display_name = DocumentField(SETTINGS["displayName"])
    order_index = DocumentField(SETTINGS["orderIndex"])
    is_production = DocumentField(SETTINGS["isProduction"], required=False)
    protected = DocumentField(SETTINGS["protected"], required=False)
    config = DocumentField(SETTINGS["config"], required=False)
    required_approvals = DocumentField(SETTINGS["requiredApprovals"], required=False)
    require_separation_of_duties = DocumentField(SETTINGS["requireSeparationOfDuties"], required=False)
    require_sod = StrictBooleanField(required=False, help_text="Another name of requireSeparationOfDuties.")
    promotion_policy = DocumentField(SETTINGS["promotionPolicy"], required=False)
    approval_policies = DocumentField(SETTINGS["approvalPolicies"], required=False)
    product_approval_policies = DocumentField(SETTINGS["productApprovalPolicies"], required=False)
    other_products = DocumentField(SETTINGS["otherProducts"], required=False)
    auto_promote_from = DocumentField(SETTINGS["autoPromoteFrom"], required=False, allow_null=True)
    auto_promote_hold = DocumentField(SETTINGS["autoPromoteHold"], required=False)
    exclusive = DocumentField(SETTINGS["exclusive"], required=False)
    require_manifest_report = DocumentField(SETTINGS["requireManifestReport"], required=False)
    required_on_every_path = DocumentField(SETTINGS["requiredOnEveryPath"], required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The two names of one setting become one; both with different values contradict each other."""
        if "require_sod" in attrs:
            required = attrs.pop("require_sod")
            if attrs.setdefault("require_separation_of_duties", required) is not required:
                message = "requireSeparationOfDuties says otherwise: send one of the two."
                raise serializers.ValidationError({"requireSod": [message]})
        return attrs


class NewEnvironmentBody(EnvironmentBody):
    """An environment to create. What is left out has its default."""

    name = DocumentField({"type": "string", "pattern": SLUG})


class ChangedEnvironmentBody(EnvironmentBody):
    """Any part of an environment. `orderIndex` null is what an archived one says of itself."""

    order_index = DocumentField(SETTINGS["orderIndex"], allow_null=True)


class OrderIndexBody(DocumentBody):
    """Where the environment returns to: a free place in the promotion order."""

    order_index = DocumentField(SETTINGS["orderIndex"])


class NotSupportedYet(ReadField):
    """What a later version knows. Every window says that it has none; that is taken back, and nothing else."""

    def __init__(self, nothing: Any, form: dict[str, Any]) -> None:
        self.nothing = nothing
        super().__init__(required=False, allow_null=True)
        set_override(self, "field", form)

    def to_internal_value(self, data: Any) -> Any:
        if data != self.nothing:
            raise refused(wrong.not_supported(str(self.field_name)))
        return data


class FreezeWindowBody(DocumentBody):
    """A freeze window (domain.md §2). What is left out stays as it is."""

    name = DocumentField(WINDOW["name"], required=False)
    start = DocumentField(WINDOW["start"])
    end = DocumentField(WINDOW["end"])
    timezone = DocumentField(WINDOW["timezone"], required=False)
    # A text that no text is: null alone fits, and generated clients know the type that a later version takes.
    recurrence = NotSupportedYet(None, {"type": ["string", "null"], "minLength": 1, "maxLength": 0})
    exdates = NotSupportedYet([], {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 0})
    reason = DocumentField(WINDOW["reason"])
    products = DocumentField(WINDOW["products"], required=False)
    exceptions = DocumentField(WINDOW["exceptions"], required=False)


class ClearBody(DocumentBody):
    """Why the freeze ends before its time."""

    reason = DocumentField(CLEAR_REASON["properties"]["reason"], required=False)
