"""The demo told for real, once, and started again after people did in it what they may do in any tenant."""

import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from pytest_django.fixtures import Settings

from environments.models import Environment
from promotions.actions.archive_environment import archive_environment
from promotions.actions.cancel import cancel
from promotions.demo.cast import SLUG, recall
from promotions.models import Promotion, Release
from promotions.states import ACTIVE, VOTING, Status
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.clock import SYSTEM_CLOCK, FixedClock
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from tests.database import CommittedDatabase
from tests.factories import make_tenant


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


def nothing_waits() -> None:
    for promotion in waiting():
        cancel(promotion.pk, by=greta(), reason="Not now", clock=SYSTEM_CLOCK)


def archived(name: str) -> None:
    environment = Environment.objects.get(name=name)
    for promotion in Promotion.objects.filter(target_environment=environment, status__in=sorted(ACTIVE)):
        cancel(promotion.pk, by=greta(), reason="It goes away", clock=SYSTEM_CLOCK)
    archive_environment(by=greta(), clock=SYSTEM_CLOCK, environment_id=environment.pk)


def counts() -> tuple[int, int]:
    return Release.objects.count(), Promotion.objects.count()


def test_the_first_start_shows_every_state_and_something_that_waits_for_nia(demo: Tenant, first_start: str) -> None:
    assert set(Promotion.objects.values_list("status", flat=True)) == {each.value for each in Status}
    assert f'open "Approvals", look at #{for_production().number}' in first_start
    assert "passphrase" in first_start


def test_a_second_start_adds_nothing_while_something_waits(demo: Tenant) -> None:
    before = counts()
    assert f"#{for_production().number} and approve it" in started()
    assert counts() == before


def test_a_start_after_everything_was_decided_asks_for_something_new(demo: Tenant) -> None:
    nothing_waits()
    said = started()
    [promotion] = waiting()
    assert f"#{promotion.number} and approve it" in said


def test_what_expires_in_a_moment_is_not_shown_as_waiting(demo: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    old = for_production()
    at_the_end = FixedClock(old.pending_expires_at - timedelta(minutes=5))
    monkeypatch.setattr("promotions.management.commands.seed_demo.SYSTEM_CLOCK", at_the_end)
    said = started()
    new = waiting()[-1]
    assert new.pk != old.pk
    assert f"#{new.number} and approve it" in said


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: removed("mei"), "mei is no member of kestrel-pay any more."),
        (lambda: removed("tomas"), "tomas is no member of kestrel-pay any more."),
        (lambda: archived("production"), "Production is archived: nothing may enter it."),
        (lambda: (nothing_waits(), without_role("tomas", "operator")), "This needs the right promotion:request: "),
        (lambda: (nothing_waits(), without_role("mei", "approver")), "This needs the right promotion:approve: "),
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


def test_the_call_that_the_guide_gives_is_refused_for_the_reason_that_the_page_gives(
    demo: Tenant, first_start: str
) -> None:
    found = re.search(r"(/api/v1/promotions/[0-9a-f-]+/approve).*?Bearer (spt_[^\"]+)", first_start, re.DOTALL)
    assert found is not None
    path, token = found.groups()
    response = Client().post(path, {}, "application/json", headers={"Authorization": f"Bearer {token}"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (403, "PERM_SEPARATION_OF_DUTIES")
    assert "You requested this promotion" in error["message"]
