"""What people do in the demo, and where to look at what became of it."""

import io
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.test import Client

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.models import Environment, FreezeWindow
from promotions.actions.approve import approve
from promotions.actions.archive_environment import archive_environment
from promotions.actions.cancel import cancel
from promotions.demo.cast import SLUG, recall
from promotions.models import (
    DecisionRecord,
    Deployment,
    EvidenceBundle,
    EvidenceDocument,
    EvidencePacket,
    OutboxEvent,
    Promotion,
    Release,
    Vote,
)
from promotions.states import ACTIVE
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from tests.proposals import confirmed

HAPPENED: dict[Any, tuple[str, ...]] = {
    Release: ("created_at", "finalized_at", "changed_at"),
    Promotion: ("requested_at", "last_evaluated_at", "approved_at", "decided_at", "started_at", "completed_at"),
    Vote: ("at", "ended_at"),
    DecisionRecord: ("evaluated_at",),
    EvidencePacket: ("generated_at",),
    Deployment: ("reported_at",),
    EvidenceDocument: ("generated_at", "first_uploaded_at", "uploaded_at"),
    EvidenceBundle: ("taken_at",),
    OutboxEvent: ("created_at",),
    AuditEvent: ("timestamp",),
}


def started() -> str:
    said = io.StringIO()
    call_command("seed_demo", stdout=said)
    return said.getvalue()


def greta() -> Actor:
    return recall(Tenant.objects.get(slug=SLUG)).actors["greta"]


def removed(username: str) -> None:
    person = User.objects.get(username=username)
    end_membership(by=greta(), clock=DATABASE_CLOCK, user_id=person.pk)


def without_role(username: str, role: str) -> None:
    end_role(by=greta(), clock=DATABASE_CLOCK, user_id=User.objects.get(username=username).pk, role=role)


def waiting() -> list[Promotion]:
    nia = User.objects.get(username="nia")
    return list(Promotion.objects.waiting_for(nia.pk).order_by("number"))


def for_production() -> Promotion:
    [promotion] = [each for each in waiting() if each.target_environment.name == "production"]
    return promotion


def by_its_ci_alone() -> Promotion:
    return Promotion.objects.get(release__name="ledger-1.0", target_environment__name="production")


def cve_gate(promotion: Promotion) -> dict[str, Any]:
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    [gate] = [each for each in orjson.loads(bytes(record.document))["gates"] if each["name"] == "cve"]
    return dict(gate)


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


def nothing_waits() -> None:
    for promotion in waiting():
        cancel(promotion.pk, by=greta(), reason="Not now", clock=DATABASE_CLOCK)


def nia_approves_everything() -> None:
    for promotion in waiting():
        approve(
            promotion.pk,
            by=recall(promotion.tenant).actors["nia"],
            seen=SeenSubject(promotion.subject_digest),
            clock=DATABASE_CLOCK,
        )


def staging_thaws() -> None:
    for window in FreezeWindow.objects.filter(cleared_at=None):
        clear_freeze_window(
            by=greta(), clock=DATABASE_CLOCK, window_id=window.pk, environment_id=window.environment_id, reason="Done"
        )


def hours_later(monkeypatch: pytest.MonkeyPatch, hours: int) -> datetime:
    later = DATABASE_CLOCK.now() + timedelta(hours=hours)
    monkeypatch.setattr("promotions.management.commands.seed_demo.DATABASE_CLOCK", FixedClock(later))
    return later


def latest_of_everything() -> datetime:
    """The latest instant at which anything of the demo is said to have happened."""
    return max(
        instant
        for model, names in HAPPENED.items()
        for row in model.objects.values_list(*names)
        for instant in row
        if instant is not None
    )


def into_staging() -> int:
    return Deployment.objects.filter(promotion__target_environment__name="staging").count()


def archived(name: str) -> None:
    environment = Environment.objects.get(name=name)
    for promotion in Promotion.objects.filter(target_environment=environment, status__in=sorted(ACTIVE)):
        cancel(promotion.pk, by=greta(), reason="It goes away", clock=DATABASE_CLOCK)
    confirmed(archive_environment(by=greta(), clock=DATABASE_CLOCK, environment_id=environment.pk))


def counts() -> tuple[int, int]:
    return Release.objects.count(), Promotion.objects.count()
