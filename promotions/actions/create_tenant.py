from dataclasses import replace

from environments.models import Calendar
from policies.actions.seed_default_policy import seed_default_policy
from promotions.actions.products import store_product
from promotions.models import PromotionCounter
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.accounts.models.product import MAIN
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.create_tenant import create_tenant as create_empty_tenant
from stellapromote.transactions import transactional


@transactional
def create_tenant(*, slug: str, name: str, by: Actor, is_demo: bool = False, clock: Clock = DATABASE_CLOCK) -> Tenant:
    """A tenant ready for use: its calendar, its promotion counter, the product `main`, and a published policy named
    `default`.

    Raises Conflict RES_DUPLICATE when the slug is taken and Invalid when it is no slug.
    """
    tenant = create_empty_tenant(slug=slug, name=name, by=by, is_demo=is_demo, clock=clock)
    Calendar.objects.create(tenant=tenant)
    PromotionCounter.objects.create(tenant=tenant)
    inside = replace(by, tenant_id=tenant.pk, tenant_slug=tenant.slug, tenant_is_demo=is_demo)
    store_product(MAIN, by=inside, clock=clock)
    seed_default_policy(tenant=tenant, by=inside, clock=clock)
    return tenant
