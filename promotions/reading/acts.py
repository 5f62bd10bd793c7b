"""Votes and confirmations as the API sends them, each field declared once with its value and its documentation
(contract.md, Promotions)."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from rest_framework import serializers

from promotions.models import Confirmation, Vote
from stellapromote.api.serializers import Resource, camel, resource
from stellapromote.clock import rfc3339

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A field of the document of an act. Without ``value`` it is the column of its name; ``only``: of these acts."""

    name: str
    field: serializers.Field[Any, Any, Any, Any]
    value: Callable[[Any], Any] | None = None
    only: type = object


PARTS: Final = (
    Part("id", serializers.UUIDField(), lambda act: str(act.pk)),
    Part(
        "verdict",
        serializers.ChoiceField(["approve", "reject", "confirm"]),
        lambda act: act.verdict if isinstance(act, Vote) else "confirm",
    ),
    Part(
        "gate", serializers.CharField(required=False, help_text="The manual gate of a confirmation."), only=Confirmation
    ),
    Part("voter_id", serializers.UUIDField(), lambda act: str(act.voter_id)),
    Part("username", serializers.CharField()),
    Part("display_name", serializers.CharField()),
    Part("roles", serializers.ListField(child=serializers.CharField())),
    Part("teams", serializers.ListField(child=serializers.CharField())),
    Part("auth_method", serializers.CharField()),
    Part(
        "second_factor",
        serializers.BooleanField(help_text="The person signed in with a second factor, or made the token so."),
    ),
    Part("comment", serializers.CharField(allow_null=True), lambda act: act.comment or None),
    Part("subject_digest", serializers.CharField()),
    Part("subject_binding", serializers.ChoiceField(["explicit", "implicit"])),
    Part("at", serializers.DateTimeField(), lambda act: rfc3339(act.at)),
    Part(
        "status",
        serializers.ChoiceField(["live", "withdrawn", "replaced", "void"]),
        lambda act: act.ended_as or "live",
    ),
    Part(
        "ended_at",
        serializers.DateTimeField(allow_null=True),
        lambda act: None if act.ended_at is None else rfc3339(act.ended_at),
    ),
    Part("ended_reason", serializers.CharField(allow_null=True), lambda act: act.ended_reason or None),
)

ActResource: Final = resource(
    "ActResource", {part.name: part.field for part in PARTS}, "A vote, or a confirmation of a manual gate."
)
_VALUES: Final = [(camel(part.name), part.value or attrgetter(part.name), part.only) for part in PARTS]


# As a decision record has it: policies.facts.Vote.
class CountedVote(Resource):
    id = serializers.UUIDField()
    voter_id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    verdict = serializers.ChoiceField(["approve", "reject"])
    teams = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(allow_null=True, allow_blank=True)
    subject_digest = serializers.CharField()
    at = serializers.DateTimeField()


def act_document(act: Vote | Confirmation) -> Document:
    """A vote or confirmation for all readers: never with the network address it came from."""
    return {name: value(act) for name, value, only in _VALUES if isinstance(act, only)}
