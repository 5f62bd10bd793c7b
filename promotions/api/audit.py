"""The audit log of the tenant and the verification of its chain (domain.md §9; contract.md)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Q, QuerySet, Subquery
from rest_framework import serializers
from rest_framework.decorators import action

from promotions.api.promotion_resources import JsonField, NullableJsonField
from promotions.packets.audit_heads import verify_log
from promotions.voting.blindness import audit_events_shown
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import AUDIT_READ
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import choice, integer, line, timestamp, uuid
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource, camel
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.audit.chain import Break
from stellapromote.audit.models import AuditEvent
from stellapromote.audit.verify import VerifyResult
from stellapromote.errors import FieldError, Invalid

_EXACT = (
    "action",
    "resource",
    "resource_id",
    "actor_type",
    "actor_id",
    "promotion_id",
    "release_id",
    "environment_id",
    "request_id",
)
_COLUMNS = (
    "id",
    "timestamp",
    "tenant_id",
    "actor_type",
    "actor_id",
    "actor_name",
    "actor_ip",
    "action",
    "resource",
    "resource_id",
    "environment_id",
    "release_id",
    "promotion_id",
    "before",
    "after",
    "metadata",
    "request_id",
)
_LONGEST_SEQUENCE = 2**53 - 1


class AuditEventResource(Resource):
    """`sequence` and the hashes are null until the event is sealed into the chain, within about a second."""

    id = serializers.UUIDField()
    timestamp = serializers.DateTimeField()
    tenant_id = serializers.UUIDField()
    actor_type = serializers.ChoiceField(["user", "service", "system"])
    actor_id = serializers.UUIDField(allow_null=True)
    actor_name = serializers.CharField()
    actor_ip = serializers.CharField(allow_null=True)
    action = serializers.CharField()
    resource = serializers.CharField()
    resource_id = serializers.CharField(allow_null=True)
    environment_id = serializers.UUIDField(allow_null=True)
    release_id = serializers.UUIDField(allow_null=True)
    promotion_id = serializers.UUIDField(allow_null=True)
    before = NullableJsonField()
    after = NullableJsonField()
    metadata = JsonField()
    request_id = serializers.CharField(allow_null=True)
    sequence = serializers.IntegerField(allow_null=True)
    previous_event_hash = serializers.CharField(allow_null=True)
    event_hash = serializers.CharField(allow_null=True)


class HeadResource(Resource):
    sequence = serializers.IntegerField()
    event_hash = serializers.CharField(allow_null=True)


class BrokenResource(Resource):
    sequence = serializers.IntegerField(help_text="0: the number is not known.")
    reason = serializers.ChoiceField([reason.value for reason in Break])
    message = serializers.CharField()


class ChainResource(Resource):
    intact = serializers.BooleanField()
    checked = serializers.IntegerField(help_text="Links that hold, from the first one on.")
    head = HeadResource(help_text="The last link that holds.")
    broken = BrokenResource(allow_null=True, help_text="The first place that does not hold.")


class AuditEventViewSet(ApiViewSet):
    """Who did what, when."""

    tag = "Audit"
    scopes = {"list": AUDIT_READ, "verify": AUDIT_READ}
    parameters = {
        "list": (
            *PAGING,
            line("action", "promotion.approved", max_length=80),
            line("resource", max_length=40),
            line("resource_id"),
            choice("actor_type", ("user", "service", "system")),
            uuid("actor_id"),
            uuid("promotion_id"),
            uuid("release_id"),
            uuid("environment_id"),
            line("request_id", max_length=128),
            timestamp("from", "At or after."),
            timestamp("to", "Before."),
            integer(
                "after_sequence",
                "Only sealed events behind this number of the chain, oldest first: how to see every one of them.",
                at_least=0,
                at_most=_LONGEST_SEQUENCE,
            ),
        )
    }
    answers = {"list": Answer(AuditEventResource, paged=True), "verify": Answer(ChainResource)}

    def list(self, request: ApiRequest) -> ApiResponse:
        """Audit events, newest first

        Who must miss none follows `afterSequence`: the order of time is not the order in which events commit. A service
        account is not shown the events of a blind vote while somebody who stands behind it may not see the votes; with
        `afterSequence` the list ends before the first of these, and goes on when voting ends.
        """
        by_sequence = "after_sequence" in self.query
        order = ("sequence",) if by_sequence else ("-timestamp", "-id")
        return self.page(_filtered(request.actor, self.query), present=_document, order=order)

    @action(detail=False)
    def verify(self, request: ApiRequest) -> ApiResponse:
        """Verify the chain of the tenant

        Seals what is recorded first, then walks every link and event up to the first break, and compares the chain with
        the head that each evidence packet was signed over, and with the links that the system's chain names (`HEAD_…`).
        `SYSTEM_HEAD_MISSING`: the chain of the system lacks the link that a packet was signed over; its number is not
        told.
        """
        return ApiResponse(_chain(verify_log(request.actor.tenant)))

    def resource(self) -> dict[str, Any]:
        return {}


def _filtered(by: Actor, query: Mapping[str, Any]) -> QuerySet[AuditEvent, dict[str, Any]]:
    tenant_id = by.tenant
    if "from" in query and "to" in query and query["from"] >= query["to"]:
        message = "from must be before to."
        raise Invalid(message, fields=[FieldError("from", message, "invalid")])
    found = AuditEvent.objects.filter(tenant_id=tenant_id, **{name: query[name] for name in _EXACT if name in query})
    if "from" in query:
        found = found.filter(timestamp__gte=query["from"])
    if "to" in query:
        found = found.filter(timestamp__lt=query["to"])
    if "after_sequence" in query:
        found = found.filter(link__tenant_id=tenant_id, link__sequence__gt=query["after_sequence"])
    if (shown := audit_events_shown(by)) is not None:
        found = found.filter(shown)
        if "after_sequence" in query:
            found = found.filter(_before_hidden(shown, tenant_id))
    rows: QuerySet[AuditEvent, dict[str, Any]] = found.annotate(
        sequence=F("link__sequence"),
        previous_event_hash=F("link__previous_event_hash"),
        event_hash=F("link__event_hash"),
    ).values(*_COLUMNS, "sequence", "previous_event_hash", "event_hash")
    return rows


def _before_hidden(shown: Q, tenant_id: UUID) -> Q:
    """A reader who follows the numbers never asks again for one that was left out: there the list ends."""
    hidden = AuditEvent.objects.filter(~shown, tenant_id=tenant_id, link__isnull=False)
    first = hidden.order_by("link__sequence").values("link__sequence")[:1]
    return Q(link__sequence__lt=Subquery(first)) | ~Q(Exists(hidden))


def _document(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **{camel(name): row[name] for name in _COLUMNS},
        "resourceId": row["resource_id"] or None,
        "requestId": row["request_id"] or None,
        "sequence": row["sequence"],
        "previousEventHash": _hash(row["previous_event_hash"]),
        "eventHash": _hash(row["event_hash"]),
    }


def _hash(value: bytes | memoryview | None) -> str | None:
    return None if value is None else f"sha256:{bytes(value).hex()}"


def _chain(result: VerifyResult) -> dict[str, Any]:
    broken = result.broken
    return {
        "intact": result.intact,
        "checked": result.checked,
        "head": {"sequence": result.head.sequence, "eventHash": result.head_hash},
        "broken": None
        if broken is None
        else {"sequence": broken.sequence, "reason": str(broken.reason), "message": broken.message},
    }
