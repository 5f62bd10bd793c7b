"""The rows, audit events and outbox events of one change of a promotion, written in its transaction."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from promotions.fastpath.rows import Writes
from promotions.models import Promotion
from promotions.models.state import STATE, recorded_state
from stellapromote.accounts.actor import Actor
from stellapromote.audit.events import OfPromotion
from stellapromote.audit.recording import Entry, insertion
from stellapromote.clock import rfc3339
from stellapromote.ids import new_id

# One parameter, written by orjson, for all events: as in the audit log.
_INSERT_EVENTS = """
INSERT INTO promotions_outboxevent (id, tenant_id, promotion_id, name, payload, created_at)
SELECT * FROM json_to_recordset(%s) AS event (id uuid, tenant_id uuid, promotion_id uuid, name text, payload jsonb,
    created_at timestamptz)
"""

RECORDS: Final = "records"
"""Where the metadata of an event has the decision records that were written with it: `[{id, digest}]`."""


@dataclass(slots=True)
class UnitOfWork:
    """Collects rows and events; ``write`` stores all of them with one statement."""

    by: Actor
    at: datetime
    writes: Writes = field(default_factory=Writes)
    _entries: list[Entry] = field(default_factory=list)
    _promotions: dict[UUID, Promotion] = field(default_factory=dict)
    _records: dict[UUID, list[dict[str, str]]] = field(default_factory=dict)
    _events: list[dict[str, Any]] = field(default_factory=list)

    def note(
        self,
        action: OfPromotion,
        promotion: Promotion,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        outside: bool = True,
        **metadata: Any,
    ) -> None:
        """One audit event about the promotion and, unless ``outside`` is false, one outbox event of the same name.

        What people wrote belongs into ``after``, which the chain holds as a salted digest; never into ``metadata``.
        """
        self._promotions[promotion.id] = promotion
        promotion_id, release_id = str(promotion.id), str(promotion.release_id)
        environment_id = str(promotion.target_environment_id)
        self._entries.append(
            Entry(
                by=self.by,
                at=self.at,
                action=action,
                resource="promotion",
                resource_id=promotion.id,
                before=before,
                after=after,
                metadata={"number": promotion.number, **metadata},
                environment_id=promotion.target_environment_id,
                release_id=promotion.release_id,
                promotion_id=promotion.id,
            )
        )
        if outside:
            payload = {
                "promotionId": promotion_id,
                "number": promotion.number,
                "product": promotion.product,
                "releaseId": release_id,
                "releaseName": promotion.release.name,
                "targetEnvironmentId": environment_id,
                "targetEnvironmentName": promotion.target_environment.name,
                "status": str(promotion.status),
                "at": rfc3339(self.at),
                "actor": {
                    "id": None if self.by.user_id is None else str(self.by.user_id),
                    "username": self.by.username,
                },
                **(after or {}),
                **metadata,
            }
            self._events.append(
                {
                    "id": new_id(),
                    "tenant_id": promotion.tenant_id,
                    "promotion_id": promotion_id,
                    "name": action,
                    "payload": payload,
                    "created_at": rfc3339(self.at),
                }
            )

    def note_record(self, promotion: Promotion, record_id: UUID, digest: str) -> None:
        """The digest of a decision record's bytes goes into the promotion's last event: the chain holds it at once, a
        packet only once one is signed."""
        self._records.setdefault(promotion.id, []).append({"id": str(record_id), "digest": digest})

    def has_event_of(self, promotion: Promotion) -> bool:
        """Whether an event says already that this promotion changed."""
        return promotion.id in self._promotions

    def write(self) -> None:
        """Stores everything. The last event of each promotion has its state, so call it when that is final."""
        last = {entry.promotion_id: position for position, entry in enumerate(self._entries)}
        for promotion_id, promotion in self._promotions.items():
            position = last[promotion_id]
            recorded: dict[str, Any] = {STATE: recorded_state(promotion)}
            if promotion_id in self._records:
                recorded[RECORDS] = self._records.pop(promotion_id)
            entry = self._entries[position]
            self._entries[position] = replace(entry, metadata={**(entry.metadata or {}), **recorded})
        if self._records:
            raise AssertionError("a record is noted in an event about its promotion")
        for event in self._events:
            promotion = self._promotions[UUID(event["promotion_id"])]
            event["payload"]["approvals"] = {
                "required": promotion.approvals_required,
                "given": promotion.approvals_given,
            }
        self._promotions.clear()
        if self._entries:
            self.writes.add(*insertion((new_id(), entry) for entry in self._entries))
        if self._events:
            self.writes.add(_INSERT_EVENTS, [orjson.dumps(self._events).decode()])
        self.writes.send()
        self._entries.clear()
        self._events.clear()
