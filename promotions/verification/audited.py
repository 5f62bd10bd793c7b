"""Compares acts of people and releases with the audit log: a row that was changed, or that was not written through the
product, proves nothing (domain.md §9)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from promotions.judging.audited_rows import audited_act, audited_release
from promotions.judging.release_status import ReleaseStatus
from promotions.models import Override, Release
from promotions.models.vote import ACT_TEXTS
from promotions.verification.differences import first_difference
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.audit.event_digest import plain_address
from stellapromote.clock import rfc3339

_COLUMNS: Final = "action, actor_id, actor_name, host(actor_ip), timestamp, after, metadata"
_OF_PROMOTIONS: Final = f"""
SELECT promotion_id, {_COLUMNS} FROM audit_auditevent
WHERE promotion_id = ANY(%s) AND resource = 'promotion' AND tenant_id = %s ORDER BY promotion_id, timestamp, id
"""  # noqa: S608 - a constant
_ALL_OF_ROWS: Final = f"""
SELECT resource_id, {_COLUMNS} FROM audit_auditevent
WHERE resource = %s AND resource_id = ANY(%s) AND tenant_id IS NOT DISTINCT FROM %s AND action = ANY(%s)
ORDER BY timestamp, id
"""  # noqa: S608 - a constant
_OF_KIND: Final = f"""
SELECT resource_id, {_COLUMNS} FROM audit_auditevent
WHERE resource = %s AND tenant_id = %s AND action = ANY(%s) ORDER BY timestamp, id
"""  # noqa: S608 - a constant
NO_EVENT: Final = "No event of the audit log tells of it: nobody gave it here."
GONE: Final = "The audit log tells of it, and it is gone."
NAMES: Final = {"voteId": "vote", "confirmationId": "confirmation", "overrideId": "override"}
"""The key of the row's id in an event, and the kind of that row."""

_ACTIONS: Final = {"approve": "approval.granted", "reject": "approval.denied"}
_GIVEN: Final = ("approval.granted", "approval.denied", "gate.overridden")


@dataclass(frozen=True, slots=True)
class AuditedEvent:
    """One event. ``after`` is None where personal data was taken out of it."""

    action: str
    actor_id: UUID | None
    actor_name: str
    address: str | None
    at: datetime
    after: dict[str, Any] | None
    metadata: dict[str, Any]

    @property
    def by(self) -> dict[str, Any]:
        """The actor, the instant and the sign-in of the event, under the names that a row of an act gives them."""
        return {
            "actorId": str(self.actor_id),
            "actorName": self.actor_name,
            "address": self.address and plain_address(self.address),
            "at": rfc3339(self.at),
            "authMethod": self.metadata.get("authMethod"),
            "secondFactor": bool(self.metadata.get("secondFactor")),
            "tokenId": self.metadata.get("tokenId"),
            "tokenIssuerId": self.metadata.get("tokenIssuerId"),
        }


EventsByRow = dict[str, list[AuditedEvent]]


def events_of_promotions(tenant_id: UUID, promotions: list[UUID]) -> list[tuple[UUID, AuditedEvent]]:
    """The events about each of these promotions in the tenant's chain, oldest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_PROMOTIONS, [promotions, tenant_id])
        return [(promotion, _event(columns)) for promotion, *columns in cursor.fetchall()]


def events_of_acts(events: Iterable[AuditedEvent]) -> dict[tuple[str, str], list[AuditedEvent]]:
    """The events of votes, confirmations and overrides, by kind and id of the row."""
    found: dict[tuple[str, str], list[AuditedEvent]] = {}
    for event in events:
        for name, kind in NAMES.items():
            if event.action in _GIVEN and name in event.metadata:
                found.setdefault((kind, event.metadata[name]), []).append(event)
    return found


def all_events_of_rows(
    tenant_id: UUID | None, resource: str, rows: Iterable[object], actions: list[str]
) -> EventsByRow:
    """Every one of these events of each row, oldest first, by its id. Without a tenant those of the system's chain. One
    statement."""
    found: EventsByRow = {}
    with connection.cursor() as cursor:
        cursor.execute(_ALL_OF_ROWS, [resource, [str(row) for row in rows], tenant_id, actions])
        for row, *columns in cursor.fetchall():
            found.setdefault(row, []).append(_event(columns))
    return found


def events_of_kind(tenant_id: UUID, resource: str, actions: Collection[str]) -> list[tuple[str, AuditedEvent]]:
    """Every one of these events of the tenant about any such row, with its id, oldest first. One statement, which
    reads every event of the tenant."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_KIND, [resource, tenant_id, list(actions)])
        return [(row, _event(columns)) for row, *columns in cursor.fetchall()]


def events_of_releases(tenant_id: UUID, releases: Iterable[UUID]) -> EventsByRow:
    return all_events_of_rows(tenant_id, "release", releases, ["release.finalized"])


def check_acts(
    acts: Mapping[tuple[str, str], Mapping[str, Any]], events: Mapping[tuple[str, str], list[AuditedEvent]]
) -> Iterator[Mismatch]:
    """One finding for each vote, confirmation or override at most. ``acts`` are their rows."""
    for key, act in acts.items():
        place = " ".join(key)
        of_act = events.get(key, [])
        if len(of_act) != 1:
            message = "Two events of the audit log tell of it." if of_act else NO_EVENT
            yield Mismatch(MismatchKind.ACT_CHANGED, place, message)
            continue
        difference = _act_differs(act, of_act[0])
        if difference is not None:
            message = f"{difference} is not what the audit log tells of it."
            yield Mismatch(MismatchKind.ACT_CHANGED, f"{place}, {difference}", message)
    for key in events:
        if key not in acts:
            yield Mismatch(MismatchKind.ACT_CHANGED, " ".join(key), GONE)


def check_release(release: Release, events: list[AuditedEvent]) -> Iterator[Mismatch]:
    """Compares a requested release with its one event of finalizing: nothing changes it afterwards.

    ``release`` has its components prefetched.
    """
    if len(events) != 1:
        number = "Two events" if events else "No event"
        yield Mismatch(
            MismatchKind.RELEASE_CHANGED, "release", f"{number} of the audit log tell that this release was finalized."
        )
        return
    difference = differs(audited_release(release, release.components.all()), events[0].after, leave_out=("status",))
    if difference is not None:
        message = f"{difference} is not what the audit log tells of release {release.name}."
        yield Mismatch(MismatchKind.RELEASE_CHANGED, f"release, {difference}", message)


def check_release_status(status: ReleaseStatus | None) -> Iterator[Mismatch]:
    """Compares the status of a release with the audit log: a deprecated one is promoted no more."""
    difference = "The tenant has no such release." if status is None else status.difference
    if difference is not None:
        yield Mismatch(MismatchKind.RELEASE_CHANGED, "release, status", difference)


def override_as_act(row: Override) -> dict[str, Any]:
    """An override with the names that other acts give their columns."""
    return {**row.__dict__, "voter_id": row.actor_id, "at": row.recorded_at, "comment": row.reason}


def differs(row: Mapping[str, Any], after: Mapping[str, Any] | None, *, leave_out: tuple[str, ...] = ()) -> str | None:
    """The first place where the row differs from the event. Values that events of earlier versions do not have are left
    out."""
    names = [name for name in row if after is not None and name in after and name not in leave_out]
    return first_difference({name: row[name] for name in names}, {name: after[name] for name in names if after})


def actor_of(actor_id: UUID | None, display_name: str, username: str, at: datetime) -> dict[str, Any]:
    """A row's columns as ``AuditedEvent.by`` has those of its event."""
    name = display_name if actor_id is None else f"{display_name} ({username})"
    return {"actorId": str(actor_id), "actorName": name, "at": rfc3339(at)}


def first_other(row: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
    """The first place of the row that differs from the event, or is missing in it."""
    return first_difference({name: event.get(name) for name in row}, row)


def _act_differs(act: Mapping[str, Any], event: AuditedEvent) -> str | None:
    by = {
        **actor_of(act["voter_id"], act["display_name"], act["username"], act["at"]),
        "address": act["address"] and plain_address(act["address"]),
        "authMethod": act["auth_method"],
        "secondFactor": act.get("second_factor", event.by["secondFactor"]),  # overrides have no such column
        "tokenId": None if act["token_id"] is None else str(act["token_id"]),
        "tokenIssuerId": None if act["token_issuer_id"] is None else str(act["token_issuer_id"]),
    }
    expected = _ACTIONS.get(act.get("verdict", ""), event.action)
    if expected != event.action:
        return "verdict"
    texts = {**{name: act[name] for name in ACT_TEXTS if name in act}, "reason": act["comment"]}
    return first_difference(by, event.by) or differs(texts, event.after) or differs(audited_act(act), event.metadata)


def _event(columns: list[Any]) -> AuditedEvent:
    action, actor_id, actor_name, address, at, after, metadata = columns
    return AuditedEvent(action, actor_id, actor_name, address, at, _json(after), _json(metadata))


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value
