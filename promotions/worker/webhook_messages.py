"""A delivery as it is sent: CloudEvents 1.0 in structured JSON, signed as Standard Webhooks 1.0 asks."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from promotions.models import OutboxEvent, Webhook, WebhookDelivery
from promotions.reading.event_types import BY_NAME
from promotions.worker.cdevents import cdevent
from stellapromote.api.rendering import dumps


def message_body(webhook: Webhook, event: OutboxEvent, delivery: WebhookDelivery, *, origin: str, blind: bool) -> bytes:
    """The body, with the public ``origin`` of this installation. Of a ``blind`` promotion it names no vote. Raises for
    a row that is no event."""
    place = {"id": str(event.pk), "sequence": delivery.sequence, "outOfOrder": delivery.out_of_order}
    data = {**BY_NAME[event.name].sent(event.payload, blind=blind), **place}
    source = f"{origin}/tenants/{webhook.tenant.slug}"
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": source,
        "type": f"stellapromote.{event.name}",
        "subject": data.get("promotionId") or data.get("environmentId") or data.get("name") or str(webhook.pk),
        "time": data["at"],
        "datacontenttype": "application/json",
        "data": data,
    }
    if webhook.format == Webhook.Format.CDEVENTS:
        seen = cdevent(event.name, str(event.pk), data, origin=origin, source=source)
        if seen is not None:
            envelope |= {"type": seen["context"]["type"], "subject": seen["subject"]["id"], "data": seen}
    return dumps(envelope)


def signed_headers(event: OutboxEvent, body: bytes, secrets: Iterable[str], at: datetime) -> dict[str, str]:
    """The headers of one attempt: a signature for each secret."""
    stamp = str(int(at.timestamp()))
    signed = b".".join((str(event.pk).encode(), stamp.encode(), body))
    return {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": str(event.pk),
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = b64decode(secret.removeprefix("whsec_"))
    return b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
