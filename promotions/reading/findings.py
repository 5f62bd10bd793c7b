"""The findings of verifications, for the people who may read them (proof.md, Log)."""

from typing import Final

from promotions.models import EvidenceFinding
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import AUDIT_READ, TENANT_ADMIN

MOST_SHOWN: Final = 20


def findings_shown(by: Actor) -> list[EvidenceFinding]:
    """The newest findings of the tenant that are not gone, for its admins and auditors; nothing for others.

    Where the votes are hidden from ``by``, the finding is not: its place may reveal them. One statement.
    """
    if not (by.has(TENANT_ADMIN) or by.has(AUDIT_READ)):
        return []
    rows = EvidenceFinding.objects.filter(tenant_id=by.tenant, gone_at=None).select_related("promotion")
    return list(
        rows.only("what", "place", "message", "found_at", "promotion__number").order_by("-found_at", "-pk")[:MOST_SHOWN]
    )
