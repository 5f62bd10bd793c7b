"""Environments and freeze windows as the API shows them; the audit log keeps the same words."""

from typing import Any

from environments.freezes import Span, in_force
from environments.models import Environment, FreezeWindow
from stellapromote.clock import rfc3339


def environment_document(environment: Environment) -> dict[str, Any]:
    """The full object (contract.md, Environments). No query when the environment was loaded `with_settings`."""
    return {
        "id": str(environment.pk),
        "name": environment.name,
        "displayName": environment.display_name,
        "orderIndex": environment.order_index,
        "isProduction": environment.is_production,
        "protected": environment.protected,
        "config": environment.config,
        "requiredApprovals": environment.required_approvals,
        "requireSeparationOfDuties": environment.require_separation_of_duties,
        "promotionPolicy": environment.promotion_policy.name,
        "approvalPolicies": [policy.name for policy, products in environment.entries if not products],
        "productApprovalPolicies": [
            {"name": policy.name, "products": sorted(products)} for policy, products in environment.entries if products
        ],
        "otherProducts": environment.other_products,
        "autoPromoteFrom": environment.auto_promote_from.name if environment.auto_promote_from else None,
        "autoPromoteHold": environment.auto_promote_hold,
        "exclusive": environment.exclusive,
        "requireManifestReport": environment.require_manifest_report,
        "requiredOnEveryPath": environment.required_on_every_path,
        "archivedAt": rfc3339(environment.archived_at) if environment.archived_at else None,
        "createdAt": rfc3339(environment.created_at),
        "updatedAt": rfc3339(environment.updated_at),
        "version": environment.version,
    }


def freeze_window_document(window: FreezeWindow) -> dict[str, Any]:
    """The full object (domain.md §2). `recurrence` and `exdates` say that there is none."""
    return {
        "id": str(window.pk),
        "environmentId": str(window.environment_id) if window.environment_id else None,
        "products": sorted(window.products),
        "name": window.name,
        "start": rfc3339(window.starts_at),
        "end": rfc3339(window.ends_at),
        "timezone": window.timezone,
        "recurrence": None,
        "exdates": [],
        "reason": window.reason,
        "exceptions": sorted(window.exceptions),
        "createdBy": str(window.created_by_id) if window.created_by_id else None,
        "createdByName": window.created_by_name,
        "createdAt": rfc3339(window.created_at),
        "updatedAt": rfc3339(window.changed_at),
        "clearedAt": rfc3339(window.cleared_at) if window.cleared_at else None,
        "clearedBy": str(window.cleared_by_id) if window.cleared_by_id else None,
        "clearedByName": window.cleared_by_name or None,
        "clearReason": window.clear_reason or None,
        "version": window.version,
    }


def occurrences(window: FreezeWindow) -> list[Span]:
    """When the window was or will be in force; what was cleared early ends there."""
    found = in_force(window)
    return [found] if found else []


def differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of two documents that differ, without the marks that every edit leaves."""
    names = [name for name in after if name not in ("updatedAt", "version") and before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}
