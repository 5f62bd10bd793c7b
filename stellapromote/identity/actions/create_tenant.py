from dataclasses import replace

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict
from stellapromote.identity import rules
from stellapromote.recorded_rows import ROWS, ROWS_FROM, recorded_marks
from stellapromote.transactions import transactional


class TenantExists(Conflict):
    code = "RES_DUPLICATE"

    def __init__(self, slug: str) -> None:
        super().__init__(f"There is a tenant {slug} already.", details={"slug": slug})


@transactional
def create_tenant(*, by: Actor, clock: Clock, slug: str, name: str = "", is_demo: bool = False) -> Tenant:
    """An empty tenant. Its policies are seeded by the command that calls this (promotions, add_tenant).

    Raises OnlyOnTheServer (403), Invalid (400), TenantExists (409).
    """
    rules.check_on_the_server(by, "Tenants are created")
    rules.checked_slug("slug", slug)
    name = rules.checked_line("name", name or slug, longest=rules.LONGEST_NAME)
    at = clock.now()
    tenant, is_new = Tenant.objects.get_or_create(
        slug=slug, defaults={"name": name, "is_demo": is_demo, "created_at": at}
    )
    if not is_new:
        raise TenantExists(slug)
    record(
        by=replace(by, tenant_id=tenant.id, tenant_slug=slug),
        at=at,
        action="tenant.created",
        resource="tenant",
        resource_id=tenant.id,
        after={"slug": slug, "name": name, "isDemo": is_demo},
        metadata={ROWS: {}, ROWS_FROM: recorded_marks(tenant.pk)},
    )
    return tenant
