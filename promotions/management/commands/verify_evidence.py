from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from promotions.actions.note_findings import forget_about_tenant, note_about_promotion, note_about_tenant
from promotions.actions.record_rows import record_rows
from promotions.verification.chain import check_chain
from promotions.verification.documents import KINDS, SYSTEM_KINDS, VerifiedDigests, check_documents
from promotions.verification.installation import OF_INSTALLATION, check_installation
from promotions.verification.mismatch import OF_CHAIN, OF_DOCUMENTS, Mismatch, run_check, unverified_mismatch
from promotions.verification.numbers import check_numbers
from promotions.verification.policies import check_policies
from promotions.verification.tenants import check_tenant
from promotions.verification.walk import all_promotions
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.database_clock import DATABASE_CLOCK


class Command(ProductCommand):
    """Verifies everything stored: packets, records and inputs, votes, overrides, releases, policies, documents, keys,
    and the audit chains.

    One line for each finding names the object, the place and the expected value; exit code 1 when there is one, or
    when there is no tenant. A promotion with a finding is neither decided nor started until a later verification finds
    it in order.
    """

    help = "Compare every stored row with its signatures and the audit log, and verify the audit log."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--tenant", metavar="SLUG", help="Only what this tenant has stored, and what belongs to no tenant."
        )

    def act(self, **options: Any) -> None:
        tenants = [self.tenant(options["tenant"])] if options["tenant"] else list(Tenant.objects.order_by("slug"))
        wrong = ["the installation"] if self._installation() else []
        for tenant in tenants:
            by, began, verified = command_actor(tenant), DATABASE_CLOCK.now(), VerifiedDigests()
            record_rows(by=by, clock=DATABASE_CLOCK)
            promotions, findings = self._promotions(tenant, by, verified)
            findings += self._documents(tenant, by, verified) + self._chain(tenant.slug, by)
            forget_about_tenant(OF_DOCUMENTS, not_seen_since=began, by=by, clock=DATABASE_CLOCK)
            self._note(by, promotions, findings)
            self.stdout.write(f"{tenant.slug}: {promotions} promotions, {findings} findings")
            if findings:
                wrong.append(tenant.slug)
        self.conclude(options["tenant"], len(tenants), "Stored rows differ from the signed ones", wrong)

    def _installation(self) -> bool:
        """The rows of no tenant: verified with every tenant."""
        by, began = command_actor(), DATABASE_CLOCK.now()
        record_rows(by=by, clock=DATABASE_CLOCK)
        found = check_installation() + self._kinds(None, SYSTEM_KINDS, VerifiedDigests())
        note_about_tenant(found, by=by, clock=DATABASE_CLOCK)
        forget_about_tenant(OF_INSTALLATION, not_seen_since=began, by=by, clock=DATABASE_CLOCK)
        self._print_findings("installation", found)
        return self._chain("installation", by) > 0 or bool(found)

    def _chain(self, where: str, by: Actor) -> int:
        began = DATABASE_CLOCK.now()
        found = run_check("audit chain", partial(check_chain, by.tenant_id))
        note_about_tenant(found, by=by, clock=DATABASE_CLOCK)
        if not found:
            forget_about_tenant(OF_CHAIN, not_seen_since=began, by=by, clock=DATABASE_CLOCK)
        self._print_findings(where, found)
        return len(found)

    def _promotions(self, tenant: Tenant, by: Actor, verified: VerifiedDigests) -> tuple[int, int]:
        promotions = findings = 0
        for batch in all_promotions(tenant.pk, verified):
            for promotion, found in batch:
                self._print_findings(f"{tenant.slug} #{promotion.number}", found)
                try:
                    note_about_promotion(promotion, found, by=by, clock=DATABASE_CLOCK)
                except Exception as error:  # it cannot be judged again: the others are verified all the same
                    found = [*found, unverified_mismatch("promotion", error)]
                findings += len(found)
            promotions += len(batch)
            self._progress(tenant, promotions)
        return promotions, findings

    def _documents(self, tenant: Tenant, by: Actor, verified: VerifiedDigests) -> int:
        found = run_check("tenant", partial(check_tenant, tenant.pk))
        found += run_check("numbers", partial(check_numbers, tenant.pk))
        found += run_check("policies", partial(check_policies, tenant.pk))
        found += self._kinds(tenant.pk, KINDS, verified)
        note_about_tenant(found, by=by, clock=DATABASE_CLOCK)
        self._print_findings(tenant.slug, found)
        return len(found)

    @staticmethod
    def _kinds(tenant_id: UUID | None, kinds: tuple[str, ...], verified: VerifiedDigests) -> list[Mismatch]:
        found = []
        for kind in kinds:
            after: UUID | None = UUID(int=0)
            while after is not None:
                after, more = check_documents(tenant_id, kind, after, verified)
                found += more
        return found

    def _print_findings(self, where: str, found: list[Mismatch]) -> None:
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
            at=DATABASE_CLOCK.now(),
            action="evidence.verified",
            resource="evidence",
            metadata={"promotions": promotions, "findings": findings},
        )
