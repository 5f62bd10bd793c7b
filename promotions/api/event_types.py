"""GET /events/types: the events for the outside (domain.md §10)."""

from typing import Final

from rest_framework import serializers

from promotions.api.sequences import SequenceSource, in_place
from promotions.reading.event_types import EVENT_TYPES
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import Resource
from stellapromote.api.views import ApiRequest, ApiView

TYPES: Final = tuple({"name": each.name, "when": each.when, "payload": each.schema} for each in EVENT_TYPES)


class EventTypeResource(Resource):
    """An event that webhooks send."""

    name = serializers.CharField()
    when = serializers.CharField()
    payload = serializers.DictField(help_text="JSON Schema of its fields in `data`.")


class EventTypesView(ApiView):
    """The events that webhooks send."""

    tag = "Webhooks"
    scopes = {"get": MEMBER}
    parameters = {"get": PAGING}
    answers = {"get": Answer(EventTypeResource, paged=True)}

    def get(self, request: ApiRequest) -> ApiResponse:
        """Every event that webhooks send, with its fields."""
        return self.page(SequenceSource(TYPES), present=in_place)
