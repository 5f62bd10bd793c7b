import os
from typing import Any

from django.core.management.base import CommandError, CommandParser

from promotions.verification.replay_all import Tally, replay_all
from stellapromote.accounts.command_line import ProductCommand, command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.recording import record
from stellapromote.database_clock import DATABASE_CLOCK


class Command(ProductCommand):
    """Judges every stored decision again from its record.

    Exit code 1 when one comes out differently, or when there is no tenant. Records that this version cannot judge are
    listed and counted apart. Each run is an audit event of the tenant.
    """

    help = "Replay every stored decision and compare it with its record."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="Only this tenant's decisions.")
        parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="Default: one for each core.")

    def act(self, **options: Any) -> None:
        if not 1 <= options["processes"] <= 64:
            raise CommandError("--processes: This must be from 1 to 64.")
        tenants = [self.tenant(options["tenant"])] if options["tenant"] else list(Tenant.objects.order_by("slug"))
        different = []
        for tenant in tenants:
            tally = Tally()
            for tally in replay_all(tenant.pk, options["processes"]):
                self._progress(tenant, tally)
            self._note(tenant, tally)
            self.stdout.write(
                f"{tenant.slug}: {tally.total} decisions, {tally.equal} equal, {tally.different} different, "
                f"{tally.not_replayable} not replayable"
            )
            for line in tally.named:
                self.stdout.write(f"  {line}")
            if tally.different:
                different.append(tenant.slug)
        self.conclude(options["tenant"], len(tenants), "Decisions do not replay as they were recorded", different)

    def _progress(self, tenant: Tenant, tally: Tally) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{tenant.slug}: {tally.total} decisions", ending="")
            self.stderr.flush()

    @staticmethod
    def _note(tenant: Tenant, tally: Tally) -> None:
        record(
            by=command_actor(tenant),
            at=DATABASE_CLOCK.now(),
            action="decision.replayed",
            resource="decision",
            metadata={
                "equal": tally.equal,
                "different": tally.different,
                "notReplayable": tally.not_replayable,
                "named": tally.named,
            },
        )
