"""`make bench-data`: a tenant with a million promotions. `make bench-data ARGS="--promotions 100000"` for fewer."""

import argparse
import time
from typing import Any

from tests.bench.setting import STATE, set_up_django

SLUG = "bench"
PASSWORD = "measure everything twice"

# Copies one deployed promotion of each of a thousand releases; nothing of it is active, so no unique index objects.
_FILL = """
INSERT INTO promotions_promotion ({columns})
SELECT {values}
FROM promotions_promotion p, generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN LATERAL (SELECT id, product
              FROM unnest(%(releases)s::uuid[], %(products)s::text[]) WITH ORDINALITY r (id, product, i)
              WHERE r.i = 1 + n %% %(count)s) release ON true
WHERE p.id = %(model)s
"""
_CHANGED = {
    "id": "gen_random_uuid()",
    "number": "n",
    "release_id": "release.id",
    "product": "release.product",
    "requested_at": "p.requested_at - (%(wanted)s - n) * interval '1 second'",
    "completed_at": "p.completed_at - (%(wanted)s - n) * interval '1 second'",
    "decided_at": "p.decided_at - (%(wanted)s - n) * interval '1 second'",
    "status": "(ARRAY['deployed','deployed','deployed','deployed','deployed','deployed','deployed','rejected',"
    "'cancelled','failed'])[1 + n %% 10]",
}


def main() -> None:
    """Fills once; says so when the database is filled already."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--promotions", type=int, default=1_000_000)
    wanted = parser.parse_args().promotions
    set_up_django()
    from django.conf import settings
    from django.core.management import call_command

    with settings.EMBEDDED_POSTGRES.in_use():
        call_command("migrate", interactive=False, verbosity=0)
        call_command("register_signing_key", verbosity=0)
        fill(wanted)


def fill(wanted: int) -> None:
    from django.db import connections

    from promotions.models import PromotionCounter
    from stellapromote.accounts.models import Tenant

    tenant = Tenant.objects.filter(slug=SLUG).first()
    if tenant is not None:
        have = PromotionCounter.objects.get(tenant=tenant).last_number
        print(f"{STATE} has {have:,} promotions. Remove it to begin anew.")
        return
    world = build()
    began = time.monotonic()
    columns = [field.column for field in type(world["model"])._meta.concrete_fields]
    values = [_CHANGED.get(column, f"p.{column}") for column in columns]
    statement = _FILL.format(columns=", ".join(columns), values=", ".join(values))
    first = world["model"].number + 1
    with connections["owner"].cursor() as cursor:
        while first <= wanted:
            last = min(first + 99_999, wanted)
            cursor.execute(
                statement,
                {
                    "first": first,
                    "last": last,
                    "wanted": wanted,
                    "releases": [release.pk for release in world["releases"]],
                    "products": [release.product for release in world["releases"]],
                    "count": len(world["releases"]),
                    "model": world["model"].pk,
                },
            )
            print(f"  {last:,} promotions, {time.monotonic() - began:.0f} s", flush=True)
            first = last + 1
        cursor.execute(
            "UPDATE promotions_promotioncounter SET last_number = %s, last_requested_at = now() WHERE tenant_id = %s",
            [wanted, world["tenant"].pk],
        )
        cursor.execute("VACUUM ANALYZE")


def build() -> dict[str, Any]:
    """One tenant, eight people, three environments and a promotion that went all the way, through the actions."""
    from promotions.actions.create_tenant import create_tenant
    from stellapromote.accounts.command_line import command_actor
    from tests.factories import actor_of, make_environment, make_person
    from tests.promotions.deployments import deploy, release

    tenant = create_tenant(slug=SLUG, name="Bench", by=command_actor())
    admin = actor_of(make_person(tenant, "bench-admin", roles=["admin"]), tenant)
    operator = actor_of(make_person(tenant, "bench-operator", roles=["operator"]), tenant)
    for number in range(8):
        make_person(tenant, f"bench-approver-{number}", roles=["approver"], teams=["release"], password=PASSWORD)
    dev = make_environment(admin, "dev", 1)
    make_environment(admin, "staging", 2, required_approvals=2)
    make_environment(admin, "production", 3, required_approvals=2)
    releases = [release(operator, f"bench-{number}", _product(number)) for number in range(1000)]
    return {"tenant": tenant, "model": deploy(operator, releases[0], dev), "releases": releases}


def _product(number: int) -> str:
    """Of a release: one release of `rare`, a third of all of `common`."""
    if number == 1:
        return "rare"
    return "common" if number % 3 == 0 else "main"


if __name__ == "__main__":
    main()
