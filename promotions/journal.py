"""What one change of a promotion tells the audit log and the outside, written once, in the change's transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from promotions import rows
from promotions.models import OutboxEvent, Promotion
from stellapromote.accounts.actor import Actor
from stellapromote.audit.recording import Entry, record_many
from stellapromote.clock import rfc3339
from stellapromote.ids import new_id


@dataclass(slots=True)
class Journal:
    """Collects events; ``write`` stores them with two statements, however many there are."""

    by: Actor
    at: datetime
    _entries: list[Entry] = field(default_factory=list)
    _events: list[dict[str, Any]] = field(default_factory=list)

    def note(
        self,
        action: str,
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
                "promotionId": str(promotion.id),
                "number": promotion.number,
                "releaseId": str(promotion.release_id),
                "releaseName": promotion.release.name,
                "targetEnvironmentId": str(promotion.target_environment_id),
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
                    "promotion_id": promotion.id,
                    "name": action,
                    "payload": payload,
                    "created_at": self.at,
                }
            )

    def write(self) -> None:
        record_many(self._entries)
        if self._events:
            rows.insert_values(OutboxEvent, self._events)
        self._entries.clear()
        self._events.clear()
