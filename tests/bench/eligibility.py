"""What it takes to find who may approve a request, where many people, rules and products are asked (issue 14)."""

from typing import Any

from tests.bench.gates import milliseconds

SLUG = "bench-crowd"
PEOPLE, TEAMS, POLICIES, RULES, PRODUCTS = 500, 25, 5, 4, 30


def eligibility() -> dict[str, float]:
    """Milliseconds of a preview of a request, and of what of it is about people: their facts, read and judged."""
    from django.db import transaction

    from promotions.actions.request_promotion import PromotionRequest, preview_promotion
    from promotions.judging.evaluation_context import gather_context
    from stellapromote.database_clock import DATABASE_CLOCK

    release, target, by = crowd()
    wanted = PromotionRequest(release.pk, target.pk, "Because")

    def preview() -> Any:
        with transaction.atomic():
            return preview_promotion(wanted, by=by)

    promotion = preview().promotion
    candidates = gather_context(promotion, DATABASE_CLOCK.now()).facts.gate_input["candidates"]
    if len(candidates) != PEOPLE:
        raise SystemExit(f"The request has {candidates['count']} candidates.")

    def judge() -> Any:
        return gather_context(promotion, DATABASE_CLOCK.now()).evaluate()

    return {"judged": milliseconds(judge, 50), "preview": milliseconds(preview, 50)}


def crowd() -> tuple[Any, Any, Any]:
    """A release, an environment and a requester of a tenant with so many people, rules and products."""
    from django.db import connections

    from environments.models import Environment
    from promotions.actions.create_tenant import create_tenant
    from promotions.actions.products import create_product
    from promotions.models import Release
    from stellapromote.accounts.command_line import command_actor
    from stellapromote.database_clock import DATABASE_CLOCK
    from tests.factories import actor_of, make_approval_policy, make_environment, make_person
    from tests.promotions.deployments import release

    tenant = create_tenant(slug=SLUG, name="Crowd", by=command_actor())
    admin = actor_of(make_person(tenant, "crowd-admin", roles=["admin"]), tenant)
    operator = actor_of(make_person(tenant, "crowd-operator", roles=["operator"]), tenant)
    for number in range(PEOPLE):
        teams = [f"team-{number % TEAMS}", f"team-{(number * 7 + 3) % TEAMS}"]
        make_person(tenant, f"crowd-{number}", roles=["approver"], teams=teams)
    for number in range(PRODUCTS):
        owners = [f"team-{number % TEAMS}", f"team-{(number + 1) % TEAMS}"]
        create_product(by=admin, clock=DATABASE_CLOCK, slug=f"product-{number}", owner_teams=owners)
    for policy in range(POLICIES):
        rules = [
            {"name": f"rule-{rule}", "teams": [f"team-{policy * RULES + rule}", "@owners"], "minApprovals": 2}
            for rule in range(RULES)
        ]
        make_approval_policy(admin, f"policy-{policy}", rules=rules)
    entries = [
        {"name": f"policy-{policy}", "products": [f"product-{each}" for each in range(PRODUCTS)]}
        for policy in range(POLICIES)
    ]
    make_environment(admin, "guarded", 1, product_approval_policies=entries, other_products="refuse")
    release(operator, "crowded", "product-3")
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does within a minute
    return Release.objects.get(tenant=tenant), Environment.objects.get(tenant=tenant), operator
