"""The answers of the calls of "Environments", for the documentation; presenters make the dicts (contract.md)."""

from rest_framework import serializers

from environments.settings_schema import SETTINGS
from policies.api.document_body import DocumentField
from stellapromote.api.serializers import Resource


class EnvironmentResource(Resource):
    """An environment and what guards it (domain.md §1)."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    order_index = serializers.IntegerField(allow_null=True, help_text="Its place in the order; null while archived.")
    is_production = serializers.BooleanField()
    protected = serializers.BooleanField(help_text="Loosening a guard of it takes two people.")
    config = DocumentField(SETTINGS["config"])
    required_approvals = serializers.IntegerField()
    require_separation_of_duties = serializers.BooleanField()
    promotion_policy = serializers.CharField()
    approval_policies = serializers.ListField(
        child=serializers.CharField(), help_text="Those that hold for releases of every product."
    )
    product_approval_policies = DocumentField(SETTINGS["productApprovalPolicies"])
    other_products = DocumentField(SETTINGS["otherProducts"])
    auto_promote_from = serializers.CharField(allow_null=True)
    auto_promote_hold = serializers.BooleanField()
    exclusive = DocumentField(SETTINGS["exclusive"])
    require_manifest_report = serializers.BooleanField()
    required_on_every_path = DocumentField(SETTINGS["requiredOnEveryPath"], allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class FreezeResource(Resource):
    """Whether anything may enter now."""

    frozen = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    window_id = serializers.UUIDField(allow_null=True)
    next_open = serializers.DateTimeField(allow_null=True, help_text="When the freeze ends; null while there is none.")
    next_close = serializers.DateTimeField(allow_null=True, help_text="When the next freeze begins, if one is planned.")
    frozen_products = serializers.ListField(
        child=serializers.CharField(),
        help_text="Held by freezes of single products, of which the fields above say nothing.",
    )


class OccurrenceResource(Resource):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class FreezeWindowResource(Resource):
    """A time in which nothing may enter one environment, or any of the tenant (domain.md §2)."""

    id = serializers.UUIDField()
    environment_id = serializers.UUIDField(allow_null=True, help_text="null: the whole tenant.")
    products = serializers.ListField(child=serializers.CharField(), help_text="None: all products.")
    name = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="The first instant that is free again.")
    timezone = serializers.CharField(help_text="The zone in which it was written.")
    recurrence = serializers.CharField(allow_null=True)
    exdates = serializers.ListField(child=serializers.DateTimeField())
    reason = serializers.CharField()
    exceptions = serializers.ListField(child=serializers.CharField())
    created_by = serializers.UUIDField(allow_null=True)
    created_by_name = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    cleared_at = serializers.DateTimeField(allow_null=True)
    cleared_by = serializers.UUIDField(allow_null=True)
    cleared_by_name = serializers.CharField(allow_null=True)
    clear_reason = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()


class ListedFreezeWindowResource(FreezeWindowResource):
    occurrences = OccurrenceResource(
        many=True, required=False, help_text="With from or to: when it was or will be in force; clearing cuts it off."
    )
