"""The events for the outside: when each happens, and the fields that leave the installation (domain.md §10).

Fields of an outbox row that are not listed here are sent nowhere. `python -m promotions.reading.event_types >
docs/events.md` writes the page from the list, and a test compares the two.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stellapromote.audit.events import Told

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_ID: Final[Schema] = {"type": "string", "format": "uuid"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_NUMBER: Final[Schema] = {"type": "integer"}

_PROMOTION: Final[Mapping[str, Schema]] = {
    "promotionId": _ID,
    "number": _NUMBER,
    "product": _TEXT,
    "releaseId": _ID,
    "releaseName": _TEXT,
    "targetEnvironmentId": _ID,
    "targetEnvironmentName": _TEXT,
    "status": _TEXT,
    "approvals": {"type": "object", "properties": {"required": _NUMBER, "given": _NUMBER}},
    "at": _INSTANT,
}
_PERSON: Final[Mapping[str, Schema]] = {
    "actor": {
        "type": "object",
        "properties": {"id": {"type": ["string", "null"], "format": "uuid"}, "username": _TEXT},
    }
}
_DECIDED: Final[Mapping[str, Schema]] = {"decision": _TEXT, "reasonCodes": _TEXTS, "decisionId": _ID}
_VOTE: Final[Mapping[str, Schema]] = {"gate": _TEXT, "voteId": _ID, "confirmationId": _ID, "subjectDigest": _TEXT}
_REPORT: Final[Mapping[str, Schema]] = {"attempt": _NUMBER, "message": _TEXT, "url": _TEXT, "runId": _TEXT}
_SETTING: Final[Mapping[str, Schema]] = {
    "name": _TEXT,
    "changed": _TEXTS,
    "at": _INSTANT,
    "actor": {
        "type": "object",
        "properties": {"id": {"type": ["string", "null"], "format": "uuid"}, "name": _TEXT},
    },
}
_ENVIRONMENT: Final[Mapping[str, Schema]] = {"environmentId": _ID, **_SETTING}
_FREEZE: Final[Mapping[str, Schema]] = {
    "windowId": _ID,
    "environmentId": {"type": ["string", "null"], "format": "uuid"},
    "environmentName": {"type": ["string", "null"]},
    "products": _TEXTS,
    "name": _TEXT,
    "reason": _TEXT,
    "at": _INSTANT,
}


@dataclass(frozen=True, slots=True)
class EventType:
    """``fields``: the fields of the payload by name. ``tells_votes``: of a promotion under a blind approval policy only
    the fields of the promotion are sent, with the number of approvals."""

    name: Told
    when: str
    fields: Mapping[str, Schema] = field(default_factory=dict)
    tells_votes: bool = False

    @property
    def schema(self) -> Schema:
        return {"type": "object", "properties": dict(self.fields)}

    def sent(self, payload: object, *, blind: bool) -> dict[str, Any]:
        """The fields of an outbox row that are sent."""
        if not isinstance(payload, Mapping):
            raise TypeError(f"the payload of {self.name} is no object")
        fields = _PROMOTION if blind and self.tells_votes else self.fields
        return {name: payload[name] for name in fields if name in payload}


def _of_promotion(name: Told, when: str, *parts: Mapping[str, Schema], tells_votes: bool = False) -> EventType:
    fields = {**_PROMOTION, **_PERSON}
    for part in parts:
        fields |= part
    return EventType(name, when, fields, tells_votes)


EVENT_TYPES: Final[tuple[EventType, ...]] = (
    _of_promotion("promotion.requested", "A promotion was requested, and judged for the first time.", _DECIDED),
    _of_promotion(
        "promotion.evaluated",
        "An open promotion was judged again, and its status is pending or awaiting_approval now.",
        _DECIDED,
        tells_votes=True,
    ),
    _of_promotion("promotion.approved", "Every gate passes or warns: the deployment may start.", _DECIDED),
    _of_promotion("promotion.rejected", "A gate failed, or a person rejected it.", _DECIDED),
    _of_promotion(
        "promotion.cancelled",
        "A person cancelled it, it expired, or a newer request took its place.",
        {"statusReason": _TEXT, "reason": _TEXT},
    ),
    _of_promotion("promotion.started", "A deployment was reported as started.", _REPORT),
    _of_promotion("promotion.completed", "A deployment was reported as succeeded.", _REPORT),
    _of_promotion("promotion.failed", "A deployment was reported as failed.", _REPORT),
    _of_promotion("promotion.overdue", "A deployment has had no end for longer than allowed.", {"attempt": _NUMBER}),
    _of_promotion("promotion.rolled_back", "A deployment was reported as rolled back.", _REPORT),
    _of_promotion(
        "promotion.auto_promotion_refused",
        "A deployment succeeded, and the promotion that follows by itself was refused.",
        {"reason": _TEXT, "target": _TEXT},
    ),
    _of_promotion("approval.granted", "A person approved, or confirmed a manual gate.", _VOTE, tells_votes=True),
    _of_promotion("approval.denied", "A person rejected.", {**_VOTE, "reason": _TEXT}, tells_votes=True),
    _of_promotion("approval.withdrawn", "A person took their approval or confirmation back.", _VOTE, tells_votes=True),
    _of_promotion(
        "approval.voided",
        "Approvals or confirmations ended because what was approved, or the right to approve, changed.",
        {"changed": _TEXTS, "reasons": _TEXTS, "voters": _TEXTS},
        tells_votes=True,
    ),
    _of_promotion(
        "gate.overridden",
        "A person overrode a gate of a promotion.",
        {
            "gate": _TEXT,
            "overrideId": _ID,
            "authority": _TEXT,
            "reason": _TEXT,
            "ticket": _TEXT,
            "reasonCodes": _TEXTS,
            "expiresAt": _INSTANT,
        },
        tells_votes=True,
    ),
    _of_promotion(
        "evidence.packet_created",
        "A signed packet was made for a decision or a deployment.",
        {
            "packetId": _ID,
            "type": _TEXT,
            "contentHash": _TEXT,
            "documentDigest": _TEXT,
            "envelopeDigest": _TEXT,
        },
    ),
    EventType("environment.created", "An environment was created.", _ENVIRONMENT),
    EventType("environment.updated", "Settings of an environment changed, or it was taken back.", _ENVIRONMENT),
    EventType("environment.archived", "An environment was archived.", _ENVIRONMENT),
    EventType("environment.freeze_started", "A freeze began.", _FREEZE),
    EventType("environment.freeze_ended", "A freeze ended.", _FREEZE),
    EventType("policy.published", "A version of a promotion policy was published.", _SETTING),
    EventType(
        "webhook.tested",
        "A person asked for a test of this webhook. It gets it whatever events it is for.",
        {"webhookId": _ID, "at": _INSTANT, **_PERSON},
    ),
)
BY_NAME: Final[Mapping[str, EventType]] = {each.name: each for each in EVENT_TYPES}
CHOSEN: Final = tuple(each.name for each in EVENT_TYPES if each.name != "webhook.tested")
"""The events for which a webhook may be."""


def event_types_as_markdown() -> str:
    """docs/events.md."""
    rows = [f"| `{each.name}` | {each.when} | {_named(each)} |" for each in EVENT_TYPES]
    return "\n".join([_PAGE, "| event | when | fields |", "|---|---|---|", *rows, ""])


def _named(each: EventType) -> str:
    own = [f"`{name}`" for name in each.fields if not (_PROMOTION.keys() <= each.fields.keys() and name in _SHARED)]
    shared = ["those of a promotion"] if _PROMOTION.keys() <= each.fields.keys() else []
    return ", ".join([*shared, *own])


_SHARED: Final = _PROMOTION.keys() | _PERSON.keys()
_PAGE: Final = f"""# Events for the outside

`GET /api/v1/events/types` answers this list, with the schema of each payload. Fields of a promotion:
{", ".join(f"`{name}`" for name in (*_PROMOTION, *_PERSON))}. A field that does not apply is left out.

New events and fields come with new versions: ignore those that you do not know.

Under a blind approval policy an event about votes, an override or another judgement of a promotion has only the fields
of a promotion without `actor`: `approvals` has the numbers.

Written by `python -m promotions.reading.event_types > docs/events.md`.
"""

if __name__ == "__main__":
    sys.stdout.write(event_types_as_markdown())
