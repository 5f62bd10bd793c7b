"""Webhooks and their deliveries (contract.md, Products, people)."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.decorators import action

from promotions.actions.webhooks import (
    NewSecret,
    add_webhook,
    change_webhook,
    end_webhook,
    rotate_secret,
    send_again,
    send_test,
)
from promotions.models import Webhook, WebhookDelivery
from promotions.models.webhook import LONGEST_URL
from promotions.reading.event_types import CHOSEN
from promotions.reading.webhooks import delivery_document, webhook_document, webhooks_of
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.declarations import Answer
from stellapromote.api.fields import (
    HttpUrlField,
    SlugField,
    StrictBooleanField,
    StrictChoiceField,
    StrictListField,
)
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import choice
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Body, NoBody, Resource
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.api.bodies import MOST_PRODUCTS
from stellapromote.identity.etags import tag_of

_MOST_ENVIRONMENTS = 50


class _WebhookFields(Body):
    events = StrictListField(
        child=StrictChoiceField(choices=CHOSEN),
        max_length=len(CHOSEN),
        required=False,
        help_text="None: all, those of later versions too.",
    )
    products = StrictListField(
        child=SlugField(),
        max_length=MOST_PRODUCTS,
        required=False,
        help_text="Events about promotions of these alone, and freezes that hold them. None: of all.",
    )
    environments = StrictListField(
        child=SlugField(),
        max_length=_MOST_ENVIRONMENTS,
        required=False,
        help_text="Names: events about promotions into these alone, and about these. None: all.",
    )
    format = StrictChoiceField(
        choices=Webhook.Format.values,
        required=False,
        help_text="`cdevents`: the events that CDEvents has, in its form; the others are not sent.",
    )


class NewWebhook(_WebhookFields):
    url = HttpUrlField(max_length=LONGEST_URL, help_text="https; http where the platform allows this host and port.")


class WebhookChanges(_WebhookFields):
    url = HttpUrlField(max_length=LONGEST_URL, required=False)
    enabled = StrictBooleanField(required=False, help_text="Events of the time while it is disabled are not sent.")


class WebhookResource(Resource):
    """An address that gets events of the tenant."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    products = serializers.ListField(child=serializers.CharField())
    environments = serializers.ListField(child=serializers.CharField())
    format = serializers.ChoiceField(choices=Webhook.Format.values)
    enabled = serializers.BooleanField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_reason = serializers.CharField(allow_null=True)
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before the last rotation signs too."
    )
    created_at = serializers.DateTimeField()
    created_by_name = serializers.CharField()
    updated_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class NewSecretResource(WebhookResource):
    """A webhook with its new secret."""

    secret = serializers.CharField(help_text="Shown this once.")


class DeliveryResource(Resource):
    """An event on its way to a webhook, and what became of it."""

    id = serializers.UUIDField()
    event_id = serializers.UUIDField(help_text="The `webhook-id` of each attempt.")
    event = serializers.CharField()
    event_at = serializers.DateTimeField()
    sequence = serializers.IntegerField()
    promotion_id = serializers.UUIDField(allow_null=True)
    status = serializers.ChoiceField(choices=WebhookDelivery.Status.values)
    attempts = serializers.IntegerField()
    out_of_order = serializers.BooleanField()
    attempted_at = serializers.DateTimeField(allow_null=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    response_status = serializers.IntegerField(allow_null=True)
    response_excerpt = serializers.CharField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    problem = serializers.CharField(allow_null=True)


class WebhookViewSet(ApiViewSet):
    """Addresses that get the events of the tenant, signed (Standard Webhooks 1.0)."""

    tag = "Webhooks"
    scopes = dict.fromkeys(
        ("list", "create", "retrieve", "update", "destroy", "rotate_secret", "test", "deliveries"), TENANT_ADMIN
    )
    bodies = {"create": NewWebhook, "update": WebhookChanges, "rotate_secret": NoBody, "test": NoBody}
    parameters = {
        "list": PAGING,
        "deliveries": (*PAGING, choice("status", WebhookDelivery.Status.values, "Only these.")),
    }
    answers = {
        "list": Answer(WebhookResource, paged=True),
        "create": Answer(NewSecretResource, status=201),
        "retrieve": Answer(WebhookResource, etag=True),
        "update": Answer(WebhookResource, etag=True),
        "destroy": Answer(WebhookResource),
        "rotate_secret": Answer(NewSecretResource),
        "test": Answer(DeliveryResource, status=201),
        "deliveries": Answer(DeliveryResource, paged=True),
    }
    refusals = {"create": ("RES_STATE_CONFLICT",), "test": ("RES_STATE_CONFLICT",)}
    conditional = frozenset({"update", "destroy", "rotate_secret"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Webhooks, newest first."""
        return self.page(webhooks_of(request.actor.tenant), present=webhook_document)

    def create(self, request: ApiRequest) -> ApiResponse:
        """Add a webhook

        The answer alone has the secret, and is never stored: a second call with the same Idempotency-Key adds another.
        """
        return _with_secret(add_webhook(by=request.actor, clock=DATABASE_CLOCK, **self.body), status=201)

    def retrieve(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """One webhook."""
        return _answer(self._webhook())

    def update(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Change a webhook, disable or enable it."""
        changed = change_webhook(
            by=request.actor, clock=DATABASE_CLOCK, webhook_id=pk, changes=self.body, if_match=self.if_match
        )
        return _answer(changed)

    def destroy(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Delete a webhook

        Nothing more is sent to it, what waits included.
        """
        ended = end_webhook(by=request.actor, clock=DATABASE_CLOCK, webhook_id=pk, if_match=self.if_match)
        return ApiResponse(webhook_document(ended))

    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Give a webhook another secret

        For 24 hours the secret before signs too. The answer alone has the new one, and is never stored: a second call
        with the same Idempotency-Key makes another.
        """
        return _with_secret(
            rotate_secret(by=request.actor, clock=DATABASE_CLOCK, webhook_id=pk, if_match=self.if_match)
        )

    @action(detail=True, methods=["post"])
    def test(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Send a test

        The event `webhook.tested`, to this webhook alone.
        """
        delivery = send_test(by=request.actor, clock=DATABASE_CLOCK, webhook_id=pk)
        return ApiResponse(delivery_document(delivery), status=201)

    @action(detail=True, methods=["get"])
    def deliveries(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Deliveries of 30 days, newest event first."""
        found = self._webhook().deliveries.all()
        if "status" in self.query:
            found = found.filter(status=self.query["status"])
        return self.page(found, present=delivery_document, order=("-sequence", "-id"))

    def resource(self) -> dict[str, Any]:
        return webhook_document(self._webhook())

    def _webhook(self) -> Webhook:
        return get_object_or_404(webhooks_of(self.request.actor.tenant), pk=self.kwargs["pk"])


class DeliveryViewSet(ApiViewSet):
    """The deliveries of one webhook."""

    tag = "Webhooks"
    scopes = {"resend": TENANT_ADMIN}
    bodies = {"resend": NoBody}
    answers = {"resend": Answer(DeliveryResource)}
    refusals = {"resend": ("RES_STATE_CONFLICT",)}
    conditional = frozenset()

    @action(detail=True, methods=["post"])
    def resend(self, request: ApiRequest, webhook_id: UUID, pk: UUID) -> ApiResponse:
        """Send a delivery again

        Whatever became of it. It has the same `webhook-id`, and waits for no other event.
        """
        sent = send_again(by=request.actor, clock=DATABASE_CLOCK, webhook_id=webhook_id, delivery_id=pk)
        return ApiResponse(delivery_document(sent))

    def resource(self) -> dict[str, Any]:
        webhook = get_object_or_404(webhooks_of(self.request.actor.tenant), pk=self.kwargs["webhook_id"])
        return delivery_document(get_object_or_404(webhook.deliveries, pk=self.kwargs["pk"]))


def _answer(webhook: Webhook) -> ApiResponse:
    document = webhook_document(webhook)
    return ApiResponse(document, etag=tag_of("webhook", document))


def _with_secret(made: NewSecret, status: int = 200) -> ApiResponse:
    return ApiResponse({**webhook_document(made.webhook), "secret": made.secret}, status=status, secret=True)
