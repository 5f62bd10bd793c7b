"""What the plan of a file of policy as code costs, where environments and policies are many (issue 15)."""

from copy import deepcopy
from typing import Any

from tests.bench.gates import milliseconds

SLUG = "bench-config"
ENVIRONMENTS, APPROVAL_POLICIES, PROMOTION_POLICIES = 50, 150, 50
APPROVERS = 4
CHANGED = 10


def planning() -> dict[str, float]:
    """Milliseconds of plans: without a difference, with some, and of a tenant that has nothing yet; and the statements
    of the first."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from promotions.actions.config import apply_config, plan_config
    from promotions.actions.create_tenant import create_tenant
    from stellapromote.accounts.command_line import command_actor
    from stellapromote.api.etag import IfMatch
    from stellapromote.database_clock import DATABASE_CLOCK
    from tests.factories import actor_of, make_person

    tenants = {}
    for slug in (SLUG, f"{SLUG}-empty"):
        tenant = create_tenant(slug=slug, name=slug, by=command_actor())
        tenants[slug] = actor_of(make_person(tenant, f"{slug}-admin", roles=["admin"]), tenant)
        for number in range(APPROVERS):
            make_person(tenant, f"{slug}-{number}", roles=["approver"], teams=["release"])
    whole = file()

    def plan(by: Any, config: dict[str, Any]) -> Any:
        return plan_config(by=by, clock=DATABASE_CLOCK, config=deepcopy(config))

    by = tenants[SLUG]
    tag = plan(by, whole).tag
    apply_config(by=by, clock=DATABASE_CLOCK, config=deepcopy(whole), if_match=IfMatch(tag))
    edited = deepcopy(whole)
    for number in range(CHANGED):
        edited["environments"][number]["requiredApprovals"] = 3
        edited["approvalPolicies"][number]["commentRequired"] = True
    with CaptureQueriesContext(connection) as asked:
        if plan(by, whole).results:
            raise SystemExit("The file differs from what was applied.")
    return {
        "same": milliseconds(lambda: plan(by, whole), 10),
        "edited": milliseconds(lambda: plan(by, edited), 3),
        "empty": milliseconds(lambda: plan(tenants[f"{SLUG}-empty"], whole), 3),
        "statements": len(asked),
    }


def file() -> dict[str, Any]:
    """So many environments and policies, each environment with three of its own policies."""
    rule = {"teams": ["release"], "minApprovals": 1}
    return {
        "schema": "stella.config/v1",
        "teams": [{"slug": "release"}],
        "approvalPolicies": [
            {"name": f"approval-{number}", "rules": [{"name": f"rule-{each}", **rule} for each in range(3)]}
            for number in range(APPROVAL_POLICIES)
        ],
        "promotionPolicies": [
            {"name": f"gates-{number}", "gates": [_schedule(number, each) for each in range(3)]}
            for number in range(PROMOTION_POLICIES)
        ],
        "environments": [
            {
                "name": f"place-{number}",
                "displayName": f"Place {number}",
                "orderIndex": number,
                "requiredApprovals": 1,
                "promotionPolicy": f"gates-{number % PROMOTION_POLICIES}",
                "approvalPolicies": [f"approval-{number * 3 + each}" for each in range(3)],
            }
            for number in range(ENVIRONMENTS)
        ],
    }


def _schedule(policy: int, gate: int) -> dict[str, Any]:
    window = {"start": f"2098-01-{policy % 28 + 1:02}T08:00:00Z", "end": f"2098-02-{gate + 1:02}T08:00:00Z"}
    return {"name": f"hours-{gate}", "kind": "schedule", "config": {"windows": [window]}}
