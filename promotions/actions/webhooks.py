"""Webhooks: the addresses to which events of the tenant are sent (docs/adr/0244)."""

import secrets
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import Http404

from environments.models import Environment
from policies.outbound import receiver_problem
from promotions.models import OutboxCounter, OutboxEvent, Webhook, WebhookDelivery
from promotions.reading.event_types import CHOSEN
from promotions.reading.webhooks import audited_webhook, webhook_document, webhooks_of
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.etag import IfMatch
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, rfc3339
from stellapromote.database.named_locks import take_lock
from stellapromote.errors import Conflict, FieldError, Invalid
from stellapromote.identity.etags import tag_of
from stellapromote.identity.products import checked_products
from stellapromote.transactions import transactional

MOST_WEBHOOKS: Final = 50
"""Of one tenant: each gets every event that it is for."""
SIGNED_TWICE: Final = timedelta(hours=24)
"""After a rotation the secret before signs for so long too."""
TRIED_FOR: Final = timedelta(days=3)
_SECRET_BYTES: Final = 32
BY_A_PERSON: Final = "Disabled by an administrator."


class TooManyWebhooks(Conflict):
    """Every event goes to all of them."""

    code = "RES_STATE_CONFLICT"


class WebhookDisabled(Conflict):
    """Nothing is sent to it."""

    code = "RES_STATE_CONFLICT"

    def __init__(self) -> None:
        super().__init__("This webhook is disabled: enable it first.")


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A webhook and its new secret, which is shown this once."""

    webhook: Webhook
    secret: str


@transactional
def add_webhook(
    *,
    by: Actor,
    clock: Clock,
    url: str,
    events: Iterable[str] = (),
    products: Iterable[str] = (),
    environments: Iterable[str] = (),
    format: str = Webhook.Format.CLOUDEVENTS,  # noqa: A002 - the name of the field
) -> NewSecret:
    """An address that gets the events from now on; of empty lists all. Raises Refused (403), Invalid (400),
    TooManyWebhooks (409)."""
    by.require(TENANT_ADMIN)
    take_lock(f"stella.webhooks {by.tenant}")
    if webhooks_of(by.tenant).count() >= MOST_WEBHOOKS:
        raise TooManyWebhooks(f"This tenant has {MOST_WEBHOOKS} webhooks already: delete one that is not needed.")
    webhook = Webhook(
        tenant_id=by.tenant,
        url=_checked_url(url),
        events=_checked_events(events),
        products=checked_products(by.tenant, products),
        environments=_checked_environments(by.tenant, environments),
        format=format,
    )
    secret = _new_secret()
    at = clock.now()
    webhook.secret = webhook.sealed(secret)
    webhook.created_at = webhook.changed_at = at
    webhook.created_by, webhook.created_by_name = by.account, by.username
    webhook.save(force_insert=True)
    _record("webhook.created", webhook, by, at, after=audited_webhook(webhook))
    return NewSecret(webhook, secret)


@transactional
def change_webhook(
    *, by: Actor, clock: Clock, webhook_id: UUID, changes: dict[str, Any], if_match: IfMatch | None = None
) -> Webhook:
    """Changes `url`, `events`, `products`, `environments`, `format` or `enabled`. Without a change it leaves no trace.
    Raises Refused (403), Http404, PreconditionFailed (412), Invalid (400)."""
    by.require(TENANT_ADMIN)
    webhook = _locked(by.tenant, webhook_id, if_match)
    before, document = audited_webhook(webhook), webhook_document(webhook)
    at = clock.now()
    if "url" in changes:
        webhook.url = _checked_url(changes["url"])
    if "events" in changes:
        webhook.events = _checked_events(changes["events"])
    if "products" in changes:
        webhook.products = checked_products(by.tenant, changes["products"], besides=webhook.products)
    if "environments" in changes:
        webhook.environments = _checked_environments(by.tenant, changes["environments"], webhook.environments)
    if "format" in changes:
        webhook.format = changes["format"]
    if changes.get("enabled", webhook.disabled_at is None) != (webhook.disabled_at is None):
        webhook.disabled_at, webhook.disabled_reason = (None, "") if changes["enabled"] else (at, BY_A_PERSON)
    if webhook_document(webhook) == document:
        return webhook
    webhook.changed_at = at
    webhook.save()
    _record("webhook.updated", webhook, by, at, before=before, after=audited_webhook(webhook))
    return webhook


@transactional
def rotate_secret(*, by: Actor, clock: Clock, webhook_id: UUID, if_match: IfMatch | None = None) -> NewSecret:
    """Gives the webhook another secret. The one before signs too, for a time. Raises Refused (403), Http404,
    PreconditionFailed (412)."""
    by.require(TENANT_ADMIN)
    webhook = _locked(by.tenant, webhook_id, if_match)
    secret = _new_secret()
    at = clock.now()
    webhook.previous_secret, webhook.previous_until = webhook.secret, at + SIGNED_TWICE
    webhook.secret, webhook.changed_at = webhook.sealed(secret), at
    webhook.save(update_fields=["secret", "previous_secret", "previous_until", "changed_at"])
    _record("webhook.secret_rotated", webhook, by, at)
    return NewSecret(webhook, secret)


@transactional
def end_webhook(*, by: Actor, clock: Clock, webhook_id: UUID, if_match: IfMatch | None = None) -> Webhook:
    """Deletes the webhook with its secrets: nothing more is sent. Its row stays for the log of its deliveries. Raises
    Refused (403), Http404, PreconditionFailed (412)."""
    by.require(TENANT_ADMIN)
    webhook = _locked(by.tenant, webhook_id, if_match)
    at = clock.now()
    before = audited_webhook(webhook)
    webhook.ended_at = webhook.changed_at = at
    webhook.secret = webhook.previous_secret = ""
    webhook.previous_until = None
    webhook.save(update_fields=["ended_at", "changed_at", "secret", "previous_secret", "previous_until"])
    _record("webhook.ended", webhook, by, at, before=before)
    return webhook


@transactional
def disable_gone(*, by: Actor, clock: Clock, webhook_id: UUID) -> None:
    """Disables a webhook whose receiver answered 410, by the system. Nothing where it is disabled or deleted
    already."""
    webhook = webhooks_of(by.tenant).select_for_update().filter(pk=webhook_id, disabled_at=None).first()
    if webhook is None:
        return
    at = clock.now()
    before = audited_webhook(webhook)
    webhook.disabled_at = webhook.changed_at = at
    webhook.disabled_reason = "The receiver answered 410 Gone."
    webhook.save(update_fields=["disabled_at", "disabled_reason", "changed_at"])
    _record("webhook.disabled", webhook, by, at, before=before, after=audited_webhook(webhook))


@transactional
def send_test(*, by: Actor, clock: Clock, webhook_id: UUID) -> WebhookDelivery:
    """Sends the event `webhook.tested` to this webhook alone. Raises Refused (403), Http404, WebhookDisabled (409)."""
    by.require(TENANT_ADMIN)
    webhook = _locked_enabled(by.tenant, webhook_id)
    at = clock.now()
    _record("webhook.tested", webhook, by, at)
    place = OutboxCounter.next_place(by.tenant)
    event = OutboxEvent.objects.create(
        tenant_id=by.tenant,
        name="webhook.tested",
        payload={
            "webhookId": str(webhook.pk),
            "at": rfc3339(at),
            "actor": {"id": str(by.account), "username": by.username},
        },
        created_at=at,
        sequence=place,
    )
    return WebhookDelivery.objects.create(
        tenant_id=by.tenant,
        webhook=webhook,
        event=event,
        event_name=event.name,
        event_at=at,
        sequence=place,
        created_at=at,
        due_at=at,
        ends_at=at + TRIED_FOR,
    )


@transactional
def send_again(*, by: Actor, clock: Clock, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Sends a delivery once more, whatever became of it; it waits for no other. Raises Refused (403), Http404,
    WebhookDisabled (409)."""
    by.require(TENANT_ADMIN)
    webhook = _locked_enabled(by.tenant, webhook_id)
    delivery = webhook.deliveries.select_for_update().filter(pk=delivery_id).first()
    if delivery is None:
        raise Http404("No such delivery.")
    at = clock.now()
    delivery.status = WebhookDelivery.Status.WAITING
    delivery.due_at = delivery.resent_at = at
    delivery.ends_at = at + TRIED_FOR
    delivery.attempts = 0
    delivery.save(update_fields=["status", "due_at", "resent_at", "ends_at", "attempts"])
    _record("webhook.resent", webhook, by, at, deliveryId=str(delivery.pk))
    return delivery


def _locked(tenant_id: UUID, webhook_id: UUID, if_match: IfMatch | None = None) -> Webhook:
    webhook = webhooks_of(tenant_id).select_for_update().filter(pk=webhook_id).first()
    if webhook is None:
        raise Http404("No such webhook.")
    if if_match is not None:
        if_match.check(tag_of("webhook", webhook_document(webhook)))
    return webhook


def _locked_enabled(tenant_id: UUID, webhook_id: UUID) -> Webhook:
    webhook = _locked(tenant_id, webhook_id)
    if webhook.disabled_at is not None:
        raise WebhookDisabled
    return webhook


def _record(
    action: Audited,
    webhook: Webhook,
    by: Actor,
    at: datetime,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    **metadata: Any,
) -> None:
    record(
        by=by,
        at=at,
        action=action,
        resource="webhook",
        resource_id=webhook.pk,
        before=before,
        after=after,
        metadata=metadata or None,
        rows=[webhook],
    )


def _new_secret() -> str:
    """As Standard Webhooks writes them."""
    return "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _checked_url(url: str) -> str:
    problem = receiver_problem(url, settings.OUTBOUND_ALLOW)
    if problem is not None:
        raise Invalid(problem, fields=[FieldError("url", problem, "invalid")])
    return url


def _checked_events(events: Iterable[str]) -> list[str]:
    wanted = set(events)
    unknown = sorted(wanted - set(CHOSEN))
    if unknown:
        message = f"There is no event {unknown[0]}: choose from GET /events/types."
        raise Invalid(message, fields=[FieldError("events", message, "unknown")])
    return sorted(wanted)


def _checked_environments(tenant_id: UUID, names: Iterable[str], besides: Iterable[str] = ()) -> list[str]:
    """The environments, each once and in order; ``besides``: those that may be archived by now."""
    wanted = list(names)
    live = Environment.objects.of(tenant_id).live().filter(name__in=wanted)
    known = {*live.values_list("name", flat=True), *besides}
    errors = [
        FieldError(
            f"environments[{place}]", f"There is no environment {name}, or it is archived: correct the name.", "unknown"
        )
        for place, name in enumerate(wanted)
        if name not in known
    ]
    if errors:
        raise Invalid(errors[0].message, fields=errors)
    return sorted(set(wanted))
