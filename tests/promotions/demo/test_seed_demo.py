"""The demo told for real, once, and started again after people did in it what they may do in any tenant."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.models import Environment, FreezeWindow
from promotions.actions.approve import approve
from promotions.actions.archive_environment import archive_environment
from promotions.actions.ballot_box import Seen
from promotions.actions.cancel import cancel
from promotions.demo.cast import SLUG, recall
from promotions.demo.guide import guide
from promotions.models import DecisionRecord, Deployment, EvidencePacket, OutboxEvent, Promotion, Release, Vote
from promotions.states import ACTIVE, VOTING, Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import SYSTEM_CLOCK, FixedClock, rfc3339
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from tests.database import CommittedDatabase
from tests.factories import make_freeze, make_tenant

HAPPENED: dict[Any, tuple[str, ...]] = {
    Release: ("created_at", "finalized_at", "changed_at"),
    Promotion: ("requested_at", "last_evaluated_at", "approved_at", "decided_at", "started_at", "completed_at"),
    Vote: ("at", "ended_at"),
    DecisionRecord: ("evaluated_at",),
    EvidencePacket: ("generated_at",),
    Deployment: ("reported_at",),
    OutboxEvent: ("created_at",),
    AuditEvent: ("timestamp",),
}


@pytest.fixture(scope="module")
def first_start(committed_database: CommittedDatabase, django_db_blocker: Any) -> Iterator[str]:
    """What the first start said; the demo is there for all tests of this module."""
    with django_db_blocker.unblock():
        try:
            yield started()
        finally:
            committed_database.reset()


@pytest.fixture
def demo(first_start: str, django_db_blocker: Any) -> Iterator[Tenant]:
    """The demo as the first start left it; what the test does to it is undone."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Tenant.objects.get(slug=SLUG)
        transaction.set_rollback(True)


def started() -> str:
    said = io.StringIO()
    call_command("seed_demo", stdout=said)
    return said.getvalue()


def greta() -> Actor:
    return recall(Tenant.objects.get(slug=SLUG)).actors["greta"]


def removed(username: str) -> None:
    person = User.objects.get(username=username)
    end_membership(by=greta(), clock=SYSTEM_CLOCK, user_id=person.pk)


def without_role(username: str, role: str) -> None:
    end_role(by=greta(), clock=SYSTEM_CLOCK, user_id=User.objects.get(username=username).pk, role=role)


def waiting() -> list[Promotion]:
    nia = User.objects.get(username="nia")
    return list(Promotion.objects.filter(status__in=sorted(VOTING), open_voters__contains=[nia.pk]).order_by("number"))


def for_production() -> Promotion:
    [promotion] = [each for each in waiting() if each.target_environment.name == "production"]
    return promotion


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


def nothing_waits() -> None:
    for promotion in waiting():
        cancel(promotion.pk, by=greta(), reason="Not now", clock=SYSTEM_CLOCK)


def nia_approves_everything() -> None:
    for promotion in waiting():
        approve(
            promotion.pk,
            by=recall(promotion.tenant).actors["nia"],
            seen=Seen(promotion.subject_digest),
            clock=SYSTEM_CLOCK,
        )


def staging_thaws() -> None:
    for window in FreezeWindow.objects.filter(cleared_at=None):
        clear_freeze_window(
            by=greta(), clock=SYSTEM_CLOCK, window_id=window.pk, environment_id=window.environment_id, reason="Done"
        )


def hours_later(monkeypatch: pytest.MonkeyPatch, hours: int) -> datetime:
    later = SYSTEM_CLOCK.now() + timedelta(hours=hours)
    monkeypatch.setattr("promotions.management.commands.seed_demo.SYSTEM_CLOCK", FixedClock(later))
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
        cancel(promotion.pk, by=greta(), reason="It goes away", clock=SYSTEM_CLOCK)
    archive_environment(by=greta(), clock=SYSTEM_CLOCK, environment_id=environment.pk)


def counts() -> tuple[int, int]:
    return Release.objects.count(), Promotion.objects.count()


def test_the_first_start_shows_every_state_and_something_that_waits_for_nia(demo: Tenant, first_start: str) -> None:
    assert set(Promotion.objects.values_list("status", flat=True)) == {each.value for each in Status}
    assert f'open "Approvals" and look at #{for_production().number}' in first_start
    assert "passphrase" in first_start


def test_a_second_start_adds_nothing_while_something_waits(demo: Tenant) -> None:
    before = counts()
    assert f"#{for_production().number}, which waits for you" in started()
    assert counts() == before


def test_a_start_after_everything_was_decided_asks_for_something_new(demo: Tenant) -> None:
    nothing_waits()
    said = started()
    [promotion] = waiting()
    assert f"#{promotion.number}, which waits for you" in said


@pytest.mark.parametrize("hours", [0, 3], ids=["at once", "three hours later"])
@pytest.mark.parametrize("thawed", [True, False], ids=["staging open", "staging as it is"])
def test_a_start_after_everything_was_decided_dates_nothing_later_than_now(
    demo: Tenant, monkeypatch: pytest.MonkeyPatch, *, thawed: bool, hours: int
) -> None:
    nia_approves_everything()
    if thawed:
        staging_thaws()
    releases, _ = counts()
    now = hours_later(monkeypatch, hours)
    assert "waits for Nia before it may enter" in started()
    assert counts()[0] == releases + 1
    assert latest_of_everything() <= now


def test_what_was_refused_or_taken_back_or_is_older_than_what_runs_is_not_asked_for_again(demo: Tenant) -> None:
    nia_approves_everything()
    staging_thaws()
    started()
    asked = for_production().release
    others = Promotion.objects.filter(target_environment__name="production", product=asked.product)
    assert not Promotion.objects.filter(release=asked, status__in=[Status.REJECTED, Status.ROLLED_BACK]).exists()
    assert not others.exclude(release=asked).filter(release__created_at__gte=asked.created_at).exists()


def test_a_later_start_fills_the_last_hour(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    nia_approves_everything()
    now = hours_later(monkeypatch, 3)
    started()
    newest = for_production()
    assert now - timedelta(hours=1) < newest.requested_at < now - timedelta(minutes=10)
    assert newest.release.created_at == now - timedelta(hours=1)


def test_nothing_is_told_from_before_the_end_of_a_freeze(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    nia_approves_everything()
    until = FreezeWindow.objects.get(cleared_at=None).ends_at
    monkeypatch.setattr(
        "promotions.management.commands.seed_demo.SYSTEM_CLOCK", FixedClock(until + timedelta(minutes=5))
    )
    started()
    assert for_production().release.created_at == until


def test_while_staging_is_frozen_nothing_is_deployed_there_and_what_is_new_waits_for_nia(demo: Tenant) -> None:
    nia_approves_everything()
    deployed = into_staging()
    said = started()
    [promotion] = waiting()
    assert f"{promotion.release.name} waits for Nia before it may enter Staging" in said
    assert promotion.blocked_by == ["freeze-window", "approval"]
    assert into_staging() == deployed


def test_while_the_line_is_stopped_and_nothing_waits_nothing_is_told(demo: Tenant) -> None:
    nia_approves_everything()
    now = SYSTEM_CLOCK.now()
    make_freeze(greta(), None, rfc3339(now), rfc3339(now + timedelta(hours=1)), name="Stop")
    before = counts()
    assert "The demo is left as it is: a freeze keeps everything out of Development." in started()
    assert counts() == before


def test_what_expires_in_a_moment_is_not_shown_as_waiting(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    old = for_production()
    at_the_end = FixedClock(old.pending_expires_at - timedelta(minutes=5))
    monkeypatch.setattr("promotions.management.commands.seed_demo.SYSTEM_CLOCK", at_the_end)
    said = started()
    new = waiting()[-1]
    assert new.pk != old.pk
    assert f"#{new.number}, which waits for you" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: removed("mei"), "mei is no member of kestrel-pay any more."),
        (lambda: removed("tomas"), "tomas is no member of kestrel-pay any more."),
        (lambda: archived("production"), "Production is archived: nothing may enter it."),
        (
            lambda: (nothing_waits(), without_role("tomas", "operator")),
            "This needs the right promotion:request, which the role operator has: ",
        ),
        (
            lambda: (nothing_waits(), without_role("mei", "approver")),
            "This needs the right promotion:approve, which the role approver has: ",
        ),
    ],
    ids=["mei removed", "tomas removed", "production archived", "tomas without role", "mei without role"],
)
def test_a_demo_that_cannot_go_on_says_why_in_one_sentence_and_leaves_everything(
    demo: Tenant, change: Callable[[], object], reason: str
) -> None:
    change()
    before = counts()
    said = started()
    assert f"The demo is left as it is: {reason}" in said
    assert "sign in as before, with the passphrase" in said
    assert counts() == before


def test_a_tenant_of_the_same_name_that_is_no_demo_is_left_alone(demo: Tenant) -> None:
    Tenant.objects.filter(pk=demo.pk).update(is_demo=False)
    said = started()
    assert "is not a demo: nothing is added to it." in said
    assert "passphrase" not in said


def test_other_tenants_beside_a_demo_on_somebody_s_own_database_do_not_keep_it_from_starting(
    demo: Tenant, settings: Settings
) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, True
    make_tenant("acme")
    assert "There are other tenants in this database" in started()


def test_a_demo_that_is_not_there_yet_is_not_mixed_with_other_tenants(demo: Tenant, settings: Settings) -> None:
    settings.EMBEDDED_POSTGRES, settings.DEMO = None, True
    Tenant.objects.filter(pk=demo.pk).update(slug="renamed")
    with pytest.raises(CommandError, match="There are other tenants in this database"):
        started()


def test_the_guide_s_refusals_are_there_when_its_order_comes_to_them(demo: Tenant, first_start: str) -> None:
    steps = re.split(r"\n  (?=[1-6]\. )", first_start)[1:]
    assert [re.findall(r"\b(nia|tomas|ravi|greta|idris|acme)\b", step)[:1] for step in steps] == [
        ["nia"],
        ["tomas"],
        ["nia"],
        ["idris"],
        ["greta"],
        ["acme"],
    ]
    promotion = for_production()
    for username, reason in (
        ("tomas", "You requested this promotion"),
        ("ravi", "Somebody else must decide on this promotion: Ravi Menon created the release"),
        ("greta", "This needs the right promotion:approve"),
    ):
        assert username in steps[1]
        shown = signed_in(username).get(f"/promotions/{promotion.pk}").content.decode()
        assert re.search(r'aria-disabled="true" aria-describedby="reason-approve-reject">[^<]*Approve</button>', shown)
        assert re.search(rf'id="reason-approve-reject">{reason}', shown)
    found = re.search(r"(/api/v1/promotions/[0-9a-f-]+/approve).*?Bearer (spt_[^\"]+)", steps[1], re.DOTALL)
    assert found is not None
    path, token = found.groups()
    response = Client().post(path, {}, "application/json", headers={"Authorization": f"Bearer {token}"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert "You requested this promotion" in error["message"]
    assert f"approve #{promotion.number}: the decision is signed at once." in steps[2]


def test_the_guide_says_what_else_a_release_waits_for_and_refuses_nobody_whom_the_page_does_not(demo: Tenant) -> None:
    nia_approves_everything()
    said = started()
    assert "your vote counts, and freeze-window still has to pass." in said
    assert "The page has other reasons for greta" in said
    assert "Approve</button>" in signed_in("ravi").get(f"/promotions/{waiting()[0].pk}").content.decode()


def test_the_guide_s_commands_find_an_installation_that_is_elsewhere() -> None:
    waiting = Promotion(
        number=1,
        release=Release(name="1.0", created_by_id=UUID(int=1)),
        target_environment=Environment(display_name="Production"),
    )
    elsewhere = guide("http://127.0.0.1", "pass", "token", waiting, state="/srv/my data")
    assert elsewhere.count("STELLAPROMOTE_DATA='/srv/my data' .venv/bin/python manage.py ") == 3
    assert "STELLAPROMOTE_DATA" not in guide("http://127.0.0.1", "pass", "token", waiting)
