from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from promotions.actions.note_findings import forget_about_tenant, note_about_tenant
from promotions.packets.audit_heads import verify_log
from promotions.verification.mismatch import OF_CHAIN, chain_mismatch
from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.audit.sealer import unsealed_age
from stellapromote.audit.verify import VerifyResult
from stellapromote.database_clock import DATABASE_CLOCK


class Command(ProductCommand):
    """Verifies the audit chain of a tenant, or of every tenant and of the system.

    Exit code 1 when one does not hold, or when there is no tenant. What was recorded and not sealed yet is sealed
    first. A chain holds when its links do, and when it still has the links that evidence packets were signed over and
    that the system's chain names. With a tenant's chain the heads of the system's in its packets are compared. Each
    verification is an event of the chain it went over; a break is noted as a finding, which goes with a verification
    that holds.
    """

    help = "Verify that no audit event was changed, removed, added or reordered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="Only this tenant's chain.")

    def act(self, **options: Any) -> None:
        only = self.tenant(options["tenant"]) if options["tenant"] else None
        waited = unsealed_age(DATABASE_CLOCK.now())
        broken, tenants = [], 0
        for tenant in [only] if only else self._chains():
            name, began = tenant.slug if tenant else "(system)", DATABASE_CLOCK.now()
            result = verify_log(tenant.id if tenant else None, partial(self._progress, name))
            self._note(tenant, result, began)
            tenants += tenant is not None
            self.stdout.write(f"{name}: {_result_sentence(result)}")
            if not result.intact:
                broken.append(name)
        self.stdout.write(f"Oldest event that waited for its seal: {waited.total_seconds():.0f} s")
        self.conclude(only, tenants, "The audit log does not hold", broken)

    @staticmethod
    def _chains() -> Iterator[Tenant | None]:
        yield None
        yield from Tenant.objects.order_by("slug").iterator()

    def _progress(self, name: str, checked: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{name}: {checked} events", ending="")
            self.stderr.flush()

    @staticmethod
    def _note(tenant: Tenant | None, result: VerifyResult, began: datetime) -> None:
        by = command_actor(tenant)
        if result.broken is None:
            forget_about_tenant(OF_CHAIN, not_seen_since=began, by=by, clock=DATABASE_CLOCK)
        else:
            note_about_tenant([chain_mismatch(result.broken)], by=by, clock=DATABASE_CLOCK)
        record(
            by=by,
            at=DATABASE_CLOCK.now(),
            action="audit.verified",
            resource="audit",
            metadata={
                "intact": result.intact,
                "checked": result.checked,
                "head": result.head_hash,
                "brokenSequence": result.broken.sequence if result.broken else None,
                "reason": str(result.broken.reason) if result.broken else None,
            },
        )


def _result_sentence(result: VerifyResult) -> str:
    if result.broken is None:
        return f"intact, {result.checked} events, head {result.head_hash or 'none yet'}"
    broken = result.broken
    return (
        f"BROKEN at sequence {broken.sequence} ({broken.reason}): {broken.message} "
        f"{result.checked} events hold in themselves."
    )
