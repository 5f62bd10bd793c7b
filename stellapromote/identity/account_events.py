"""Events of accounts. The chain of the system has their rows, because an account may be in several tenants."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.audit.events import Audited
from stellapromote.audit.recording import record


def record_account(
    action: Audited,
    user: User,
    *,
    by: Actor,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """The event of a change of this account, which was read under the lock of its row."""
    record(
        by=replace(by, tenant_id=None, tenant_slug=""),
        at=at,
        action=action,
        resource="user",
        resource_id=user.pk,
        before=before,
        after=after,
        rows=[user],
    )
