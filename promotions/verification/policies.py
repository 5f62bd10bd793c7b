"""Compares the versions of policies with the audit log: their texts, their authors, and the one in force (domain.md
§6)."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from policies.models import ApprovalPolicy, ApprovalPolicyVersion, PromotionPolicy, PromotionPolicyVersion
from promotions.verification.audited import GONE, AuditedEvent, events_of_kind
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.clock import rfc3339

_MADE: Final = {
    "approval_policy": ("approval_policy.created", "approval_policy.updated"),
    "promotion_policy": ("policy.published",),
}
_UNFIT_VERSIONS: Final = """
SELECT id FROM {table}
WHERE tenant_id = %s AND digest IS DISTINCT FROM 'sha256:' || encode(sha256(canonical), 'hex') ORDER BY id
"""


def check_policies(tenant_id: UUID) -> list[Mismatch]:
    """One finding for each version and policy at most. Eight statements; the events of the tenant are read once for
    each kind."""
    found: list[Mismatch] = []
    approval = ApprovalPolicyVersion.objects.filter(tenant_id=tenant_id).defer("canonical")
    promotion = PromotionPolicyVersion.objects.filter(tenant_id=tenant_id).defer("canonical")
    found += _check(tenant_id, "approval_policy", list(approval.order_by("version")))
    found += _check(tenant_id, "promotion_policy", list(promotion.order_by("version")))
    newest = {row.policy_id: row.pk for rows in (approval, promotion) for row in rows.order_by("version")}
    for policies in (ApprovalPolicy, PromotionPolicy):
        for policy in policies.objects.filter(tenant_id=tenant_id).only("name", "current").order_by("name"):
            if policy.current_id != newest.get(policy.pk):
                message = "The version that counts is not the newest one."
                found.append(Mismatch(MismatchKind.POLICY_CHANGED, f"policy {policy.name}", message))
    return found


def _check(tenant_id: UUID, kind: str, versions: list[Any]) -> Iterator[Mismatch]:
    name = kind.replace("_", " ")
    unfit = _unfit(tenant_id, f"policies_{kind.replace('_', '')}version")
    events: dict[tuple[str, int], list[AuditedEvent]] = {}
    for policy, event in events_of_kind(tenant_id, kind, _MADE[kind]):
        events.setdefault((policy, event.metadata["version"]), []).append(event)
    for row in versions:
        wrong = f"Its text should have the digest {row.digest}." if row.pk in unfit else None
        wrong = wrong or _differs(row, events.get((str(row.policy_id), row.version), []))
        if wrong is not None:
            yield Mismatch(MismatchKind.POLICY_CHANGED, f"{name} version {row.pk}", wrong)
    there = {(str(row.policy_id), row.version) for row in versions}
    for policy, version in sorted(events.keys() - there):
        yield Mismatch(MismatchKind.POLICY_CHANGED, f"{name} {policy}, version {version}", GONE)


def _differs(row: Any, events: list[AuditedEvent]) -> str | None:
    """The first event made the version. A later one changed the policy while that version was in force."""
    if not events:
        return "No event of the audit log tells of it: nobody made it here."
    made = events[0]
    is_approval = isinstance(row, ApprovalPolicyVersion)
    if len(events) > 1 and (not is_approval or any(each.action != "approval_policy.updated" for each in events[1:])):
        return "Two events of the audit log tell of it."
    issuer = row.created_with_token_issuer_id if is_approval else row.published_with_token_issuer_id
    columns = {
        "digest": (row.digest, {each.metadata["digest"] for each in events}),
        "by": (row.created_by_id if is_approval else row.published_by_id, {made.actor_id}),
        "issuer": (issuer and str(issuer), {made.metadata.get("tokenIssuerId")}),
        "at": (rfc3339(row.created_at if is_approval else row.published_at), {rfc3339(made.at)}),
    }
    if "drafters" in made.metadata:
        drafted_by = row.drafted_by_id and str(row.drafted_by_id)
        columns["drafters"] = (tuple(sorted(map(str, row.drafters))), {tuple(made.metadata["drafters"])})
        columns["draftedBy"] = (drafted_by, {made.metadata["draftedBy"]})
    place = next((name for name, (stored, said) in columns.items() if said != {stored}), None)
    return None if place is None else f"{place} is not what the audit log tells of it."


def _unfit(tenant_id: UUID, table: str) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_UNFIT_VERSIONS.format(table=table), [tenant_id])
        return {row for (row,) in cursor.fetchall()}
