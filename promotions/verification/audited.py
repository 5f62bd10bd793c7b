"""Whether acts of people and releases are those that the audit log tells of: a row that was changed, or that nobody
wrote through the product, is no evidence (domain.md §9)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from promotions.judging.audited_rows import audited_act, audited_release
from promotions.models import Override, Release
from promotions.models.vote import ACT_TEXTS
from promotions.verification.differences import first_difference
from promotions.verification.mismatch import Mismatch, What
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
UNTOLD: Final = "No event of the audit log tells of it: nobody gave it here."
GONE: Final = "The audit log tells of it, and it is gone."
NAMES: Final = {"voteId": "vote", "confirmationId": "confirmation", "overrideId": "override"}
"""Where an event names the row that it tells of, and what that row is."""

_ACTIONS: Final = {"approve": "approval.granted", "reject": "approval.denied"}
_GIVEN: Final = ("approval.granted", "approval.denied", "gate.overridden")


@dataclass(frozen=True, slots=True)
class Told:
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
        """Who did it, when and how they were known, as of the row of an act."""
        return {
            "actorId": str(self.actor_id),
            "actorName": self.actor_name,
            "address": self.address and plain_address(self.address),
            "at": rfc3339(self.at),
            "authMethod": self.metadata.get("authMethod"),
            "tokenId": self.metadata.get("tokenId"),
            "tokenIssuerId": self.metadata.get("tokenIssuerId"),
        }


AllTold = dict[str, list[Told]]


def told_of_promotions(tenant_id: UUID, promotions: list[UUID]) -> list[tuple[UUID, Told]]:
    """The events about each of these promotions in the tenant's chain, oldest first. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_PROMOTIONS, [promotions, tenant_id])
        return [(promotion, _told(columns)) for promotion, *columns in cursor.fetchall()]


def told_of_acts(events: Iterable[Told]) -> dict[tuple[str, str], list[Told]]:
    """What was done and its id, and the events that tell of it."""
    found: dict[tuple[str, str], list[Told]] = {}
    for told in events:
        for name, kind in NAMES.items():
            if told.action in _GIVEN and name in told.metadata:
                found.setdefault((kind, told.metadata[name]), []).append(told)
    return found


def all_told_of_rows(tenant_id: UUID | None, resource: str, rows: Iterable[object], actions: list[str]) -> AllTold:
    """Every one of these events of each row, oldest first, by its id. Without a tenant those of the system's chain. One
    statement."""
    found: AllTold = {}
    with connection.cursor() as cursor:
        cursor.execute(_ALL_OF_ROWS, [resource, [str(row) for row in rows], tenant_id, actions])
        for row, *columns in cursor.fetchall():
            found.setdefault(row, []).append(_told(columns))
    return found


def told_of_kind(tenant_id: UUID, resource: str, actions: Collection[str]) -> list[tuple[str, Told]]:
    """Every one of these events of the tenant about any such row, with its id, oldest first. One statement, which
    reads every event of the tenant."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_KIND, [resource, tenant_id, list(actions)])
        return [(row, _told(columns)) for row, *columns in cursor.fetchall()]


def told_of_releases(tenant_id: UUID, releases: Iterable[UUID]) -> AllTold:
    return all_told_of_rows(tenant_id, "release", releases, ["release.finalized"])


def check_acts(
    acts: Mapping[tuple[str, str], Mapping[str, Any]], told: Mapping[tuple[str, str], list[Told]]
) -> Iterator[Mismatch]:
    """One finding for each vote, confirmation or override at most. ``acts`` are their rows."""
    for key, act in acts.items():
        place = " ".join(key)
        events = told.get(key, [])
        if len(events) != 1:
            message = "Two events of the audit log tell of it." if events else UNTOLD
            yield Mismatch(What.ACT_CHANGED, place, message)
            continue
        difference = _act_differs(act, events[0])
        if difference is not None:
            message = f"{difference} is not what the audit log tells of it."
            yield Mismatch(What.ACT_CHANGED, f"{place}, {difference}", message)
    for key in told:
        if key not in acts:
            yield Mismatch(What.ACT_CHANGED, " ".join(key), GONE)


def check_release(release: Release, told: list[Told]) -> Iterator[Mismatch]:
    """Whether a release that was requested is what its finalizing told: once, because nothing changes it afterwards.

    ``release`` has its components prefetched.
    """
    if len(told) != 1:
        number = "Two events" if told else "No event"
        yield Mismatch(
            What.RELEASE_CHANGED, "release", f"{number} of the audit log tell that this release was finalized."
        )
        return
    difference = differs(audited_release(release, release.components.all()), told[0].after, leave_out=("status",))
    if difference is not None:
        message = f"{difference} is not what the audit log tells of release {release.name}."
        yield Mismatch(What.RELEASE_CHANGED, f"release, {difference}", message)


def override_as_act(row: Override) -> dict[str, Any]:
    """An override with the names that other acts give their columns."""
    return {**row.__dict__, "voter_id": row.actor_id, "at": row.recorded_at, "comment": row.reason}


def differs(row: Mapping[str, Any], told: Mapping[str, Any] | None, *, leave_out: tuple[str, ...] = ()) -> str | None:
    """The first place where the row says something else. What events of earlier versions do not tell is left out."""
    names = [name for name in row if told is not None and name in told and name not in leave_out]
    return first_difference({name: row[name] for name in names}, {name: told[name] for name in names if told})


def who(actor_id: UUID | None, display_name: str, username: str, at: datetime) -> dict[str, Any]:
    """A row's columns as ``Told.by`` has those of its event."""
    name = display_name if actor_id is None else f"{display_name} ({username})"
    return {"actorId": str(actor_id), "actorName": name, "at": rfc3339(at)}


def first_other(row: Mapping[str, Any], told: Mapping[str, Any]) -> str | None:
    """The first place of the row that the event tells otherwise, or does not tell."""
    return first_difference({name: told.get(name) for name in row}, row)


def _act_differs(act: Mapping[str, Any], told: Told) -> str | None:
    by = {
        **who(act["voter_id"], act["display_name"], act["username"], act["at"]),
        "address": act["address"] and plain_address(act["address"]),
        "authMethod": act["auth_method"],
        "tokenId": None if act["token_id"] is None else str(act["token_id"]),
        "tokenIssuerId": None if act["token_issuer_id"] is None else str(act["token_issuer_id"]),
    }
    wanted = _ACTIONS.get(act.get("verdict", ""), told.action)
    if wanted != told.action:
        return "verdict"
    said = {**{name: act[name] for name in ACT_TEXTS if name in act}, "reason": act["comment"]}
    return first_difference(by, told.by) or differs(said, told.after) or differs(audited_act(act), told.metadata)


def _told(columns: list[Any]) -> Told:
    action, actor_id, actor_name, address, at, after, metadata = columns
    return Told(action, actor_id, actor_name, address, at, _json(after), _json(metadata))


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value
