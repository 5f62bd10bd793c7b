"""Webhooks and their deliveries as API and pages show them; no secret is in it."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet

from promotions.models import Webhook, WebhookDelivery
from stellapromote.clock import rfc3339


def webhooks_of(tenant_id: UUID) -> QuerySet[Webhook]:
    """The webhooks of the tenant that are not deleted."""
    return Webhook.objects.live().filter(tenant_id=tenant_id)


def webhook_document(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": str(webhook.pk),
        "url": webhook.url,
        "events": list(webhook.events),
        "products": list(webhook.products),
        "environments": list(webhook.environments),
        "format": webhook.format,
        "enabled": webhook.disabled_at is None,
        "disabledAt": _instant(webhook.disabled_at),
        "disabledReason": webhook.disabled_reason or None,
        "previousSecretUntil": _instant(webhook.previous_until),
        "createdAt": rfc3339(webhook.created_at),
        "createdByName": webhook.created_by_name,
        "updatedAt": rfc3339(webhook.changed_at),
        "endedAt": _instant(webhook.ended_at),
    }


def audited_webhook(webhook: Webhook) -> dict[str, Any]:
    """What the audit log keeps: of the address only the host, since the rest of it may be a secret of the receiver."""
    kept = ("events", "products", "environments", "format", "enabled")
    document = webhook_document(webhook)
    return {"host": urlsplit(webhook.url).hostname, **{name: document[name] for name in kept}}


def delivery_document(delivery: WebhookDelivery) -> dict[str, Any]:
    waiting = delivery.status == WebhookDelivery.Status.WAITING
    return {
        "id": str(delivery.pk),
        "eventId": str(delivery.event_id),
        "event": delivery.event_name,
        "eventAt": rfc3339(delivery.event_at),
        "sequence": delivery.sequence,
        "promotionId": None if delivery.promotion_id is None else str(delivery.promotion_id),
        "status": delivery.status,
        "attempts": delivery.attempts,
        "outOfOrder": delivery.out_of_order,
        "attemptedAt": _instant(delivery.attempted_at),
        "nextAttemptAt": rfc3339(delivery.due_at) if waiting else None,
        "responseStatus": delivery.response_status,
        "responseExcerpt": delivery.response_excerpt or None,
        "durationMs": delivery.duration_ms,
        "problem": delivery.problem or None,
    }


def _instant(at: Any) -> str | None:
    return None if at is None else rfc3339(at)
