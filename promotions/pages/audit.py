"""The object and the changes of an audit event, for the page (ui.md, /audit). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.urls import reverse

from promotions.packets.verifying import Verification
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.audit.models import AuditEvent

#: A longer value is cut on the page; the API has all of it.
LONGEST_VALUE: Final = 2000

# The places where the documents of the actions have the name of their object, and of the thing given to or taken from
# it.
_NAMES: Final = ("name", "username", "displayName", "slug", "reference")
_GIVEN: Final = ("role", "team", "scope")


_DOCUMENTS: Final = {
    "release_decision": "Decision",
    "deployment": "Deployment",
    "rollback": "Rollback",
    "human_decision": "Override by one person",
}


def document_says(result: Verification) -> list[tuple[str, str]]:
    """What a document that was verified says, by labels; without the parts that it does not have."""
    said, kind = result.said, result.packet_type
    parts = [
        ("Document", _DOCUMENTS.get(kind, kind) if kind else ""),
        ("Result", said.result or ""),
        ("Environment", _named(said.environment_name, said.environment_id)),
        ("Promotion", _named(f"#{said.promotion_number}" if said.promotion_number else None, said.promotion_id)),
        ("Tenant", said.tenant_id or ""),
    ]
    return [(label, value) for label, value in parts if value]


def _named(name: str | None, id_: str | None) -> str:
    return f"{name} ({id_})" if name and id_ else name or id_ or ""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an event; None stands for: it was not there."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """`name` is empty where the event holds none, `link` where no page shows the object, or not to this reader."""

    event: AuditEvent
    kind: str
    name: str
    given: str
    link: str
    changes: list[Change]


def audit_row(event: AuditEvent, by: Actor) -> Row:
    """The event as the page shows it to `by`."""
    said = {**event.metadata, **(event.before or {}), **(event.after or {})}
    number = event.metadata.get("number")
    named = f"#{number}" if event.promotion_id and number else _first(said, _NAMES)
    return Row(
        event=event,
        kind="promotion" if event.promotion_id else event.resource.replace("_", " "),
        name=named,
        given=_first(said, _GIVEN),
        link=_link(event, by),
        changes=_changes(event.before or {}, event.after or {}),
    )


def _first(said: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((value for name in names if isinstance(value := said.get(name), str) and value), "")


_PAGES: Final[Mapping[str, Callable[[AuditEvent], str]]] = {
    "environment": lambda event: reverse("environment", args=[event.resource_id]),
    "freeze_window": lambda event: reverse("environment", args=[event.environment_id]) if event.environment_id else "",
    "release": lambda event: reverse("release", args=[event.resource_id]),
    "approval_policy": lambda event: reverse("approval_policy", args=[event.resource_id]),
    "evidence_document": lambda event: reverse("evidence_document", args=[event.resource_id]),
}
_PAGES_OF_ADMINS: Final[Mapping[str, Callable[[AuditEvent], str]]] = {
    "member": lambda event: reverse("settings_member", args=[event.resource_id]),
    "service": lambda event: reverse("settings_service", args=[event.resource_id]),
}


def _link(event: AuditEvent, by: Actor) -> str:
    if event.promotion_id:
        return reverse("promotion", args=[event.promotion_id])
    page = _PAGES.get(event.resource) or (_PAGES_OF_ADMINS.get(event.resource) if by.has(TENANT_ADMIN) else None)
    return page(event) if page is not None and event.resource_id and not event.action.endswith(".deleted") else ""


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The differences, in the order of the documents."""
    return [
        Change(field, _text(before, field), _text(after, field))
        for field in dict.fromkeys([*before, *after])
        if field not in before or field not in after or before[field] != after[field]
    ]


def _text(document: Mapping[str, Any], field: str) -> str | None:
    if field not in document:
        return None
    value = document[field]
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
