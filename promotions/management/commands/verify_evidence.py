from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from promotions.actions.note_findings import forget_about_tenant, note_about_promotion, note_about_tenant
from promotions.stored_evidence.documents import KINDS, Fitting, check_documents, check_policies
from promotions.stored_evidence.mismatch import OF_DOCUMENTS, Mismatch
from promotions.stored_evidence.numbers import check_numbers
from promotions.stored_evidence.walk import all_promotions
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.clock import SYSTEM_CLOCK


class Command(ProductCommand):
    """Verifies everything stored: packets, envelopes, records, inputs, votes, overrides, releases, policies, documents.

    One line for each finding says what does not fit, where, and what was expected; exit code 1 when there is one.
    A promotion with a finding is neither decided nor started until a later verification finds it in order.
    """

    help = "Verify that everything stored is what was signed and recorded."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="Only what this tenant has stored.")

    def act(self, **options: Any) -> None:
        tenants = [self.tenant(options["tenant"])] if options["tenant"] else list(Tenant.objects.order_by("slug"))
        wrong = []
        for tenant in tenants:
            by, began, fitting = command_actor(tenant), SYSTEM_CLOCK.now(), Fitting()
            promotions, findings = self._promotions(tenant, by, fitting)
            findings += self._documents(tenant, by, fitting)
            forget_about_tenant(OF_DOCUMENTS, not_seen_since=began, by=by, clock=SYSTEM_CLOCK)
            self._note(by, promotions, findings)
            self.stdout.write(f"{tenant.slug}: {promotions} promotions, {findings} findings")
            if findings:
                wrong.append(tenant.slug)
        if wrong:
            raise CommandError(f"What is stored is not what was signed: {', '.join(wrong)}.")

    def _promotions(self, tenant: Tenant, by: Actor, fitting: Fitting) -> tuple[int, int]:
        promotions = findings = 0
        for batch in all_promotions(tenant.pk, fitting):
            for promotion, found in batch:
                note_about_promotion(promotion, found, by=by, clock=SYSTEM_CLOCK)
                self._tell(f"{tenant.slug} #{promotion.number}", found)
                findings += len(found)
            promotions += len(batch)
            self._progress(tenant, promotions)
        return promotions, findings

    def _documents(self, tenant: Tenant, by: Actor, fitting: Fitting) -> int:
        found = check_numbers(tenant.pk) + check_policies(tenant.pk)
        for kind in KINDS:
            after: UUID | None = UUID(int=0)
            while after is not None:
                after, more = check_documents(tenant.pk, kind, after, fitting)
                found += more
        note_about_tenant(found, by=by, clock=SYSTEM_CLOCK)
        self._tell(tenant.slug, found)
        return len(found)

    def _tell(self, where: str, found: list[Mismatch]) -> None:
        for each in found:
            self.stdout.write(f"{where} {each.what} {each.place}: {each.message}")

    def _progress(self, tenant: Tenant, promotions: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{tenant.slug}: {promotions} promotions", ending="")
            self.stderr.flush()

    @staticmethod
    def _note(by: Actor, promotions: int, findings: int) -> None:
        record(
            by=by,
            at=SYSTEM_CLOCK.now(),
            action="evidence.verified",
            resource="evidence",
            metadata={"promotions": promotions, "findings": findings},
        )
