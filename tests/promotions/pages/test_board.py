"""The pipeline board: what it counts, and that it is shown anew whenever something on it changed."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from promotions.actions.cancel import cancel
from promotions.actions.products import update_product
from promotions.actions.releases import finalize_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.pages import board as dashboard
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from tests.factories import (
    actor_of,
    make_environment,
    make_freeze,
    make_person,
    make_ready_tenant,
    make_release,
)
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel(now=True)


def test_only_what_is_deployed_counts_as_deployed() -> None:
    kestrel = make_kestrel()
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    broken = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(broken, "started")
    kestrel.reports(broken, "failed", message="Out of memory")
    taken_back = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.deploys(taken_back)
    kestrel.reports(taken_back, "rolled_back", message="Wrong totals")
    kestrel.rejects("approver", kestrel.waits_for_production())
    kestrel.ask(kestrel.release(), kestrel.dev)
    [week] = dashboard.thirty_days(kestrel.tenant.pk, kestrel.clock.now())
    # One into dev, and the two that brought the rejected one to staging; three of six ended badly.
    assert (week.deployed, week.bad_share) == (3, 50)


def test_durations_are_averages_of_the_week() -> None:
    kestrel = make_kestrel()
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.clock.advance(timedelta(minutes=8))
    kestrel.deploys(promotion)
    promotion.refresh_from_db()
    assert promotion.completed_at is not None
    [week] = dashboard.thirty_days(kestrel.tenant.pk, kestrel.clock.now())
    assert week.lead_time == (promotion.completed_at - promotion.requested_at).seconds
    assert week.approval_wait == 0


def test_a_week_is_drawn_against_the_busiest_one(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    kestrel.wait(days=7)
    kestrel.reaches_staging()
    page = client_of(kestrel, "viewer").get("/").content.decode()
    assert re.findall(
        r'<meter min="0" max="(\d+)" value="(\d+)" [^>]*></meter></td>\s*<td[^>]* data-label="Lead', page
    ) == [
        ("2", "1"),
        ("2", "2"),
    ]


def test_an_empty_board_names_the_step_that_comes_next() -> None:
    tenant = make_ready_tenant("merlin")
    admin, operator, viewer = (
        actor_of(make_person(tenant, f"merlin-{role}", roles=[role]), tenant)
        for role in ("admin", "operator", "viewer")
    )

    def step(by: Actor = operator) -> tuple[str, ...]:
        client = Client()
        client.force_login(User.objects.get(pk=by.user_id))
        empty = client.get("/").content.decode().partition('<div class="empty">')[2].partition("</div>")[0]
        assert "Nothing runs yet" in empty
        return tuple(re.findall(r'href="([^"]+)"', empty))

    assert step() == ("/environments",)
    make_environment(admin, "dev", 1)
    assert step() == ("/releases",)
    release = make_release(operator, finalize=False)
    assert step() == ("/releases",)
    finalize_release(release.pk, by=operator)
    assert (step(), step(viewer)) == (("/promotions/new",), ())


def weakened(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"required_approvals": 0},
    )


def renamed(kestrel: Kestrel) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"display_name": "Acceptance"},
    )


def frozen(kestrel: Kestrel) -> None:
    make_freeze(kestrel["admin"], kestrel.dev, "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z", clock=kestrel.clock)


def left_by_the_path(kestrel: Kestrel) -> None:
    update_product(
        by=kestrel["admin"],
        clock=kestrel.clock,
        slug="main",
        changes={"path": [kestrel.dev.name, kestrel.staging.name]},
    )


def cells(page: str, product: str) -> list[str]:
    """The words of each environment in the row of the product."""
    row = page.partition(f'<th scope="row"><bdi>{product}</bdi>')[2].partition("</tr>")[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]


def test_an_environment_that_is_not_on_the_path_of_a_product_is_neither_empty_nor_waiting(kestrel: Kestrel) -> None:
    waits = kestrel.waits_for_production()
    kestrel.deploys(kestrel.ask(kestrel.release(product="ledger"), kestrel.dev))
    left_by_the_path(kestrel)
    page = client_of(kestrel, "viewer").get("/").content.decode()
    assert cells(page, "ledger")[1:] == ["nothing yet", "nothing yet"]
    # what was requested before goes on where the path leads no more (domain.md §1b)
    assert cells(page, "main")[2].startswith(f"not on its path #{waits.number} ")
    cancel(waits.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert cells(client_of(kestrel, "viewer").get("/").content.decode(), "main")[2] == "not on its path"


@pytest.mark.parametrize("change", [weakened, renamed, frozen, left_by_the_path], ids=lambda each: each.__name__)
def test_the_board_is_shown_anew_after_a_change(kestrel: Kestrel, change: Callable[[Kestrel], None]) -> None:
    kestrel.waits_for_production()
    client = client_of(kestrel, "viewer")
    seen = client.get("/")["ETag"]
    assert client.get("/", headers={"If-None-Match": seen}).status_code == 304
    change(kestrel)
    assert client.get("/", headers={"If-None-Match": seen}).status_code == 200


def test_an_old_promotion_that_is_rolled_back_shows_the_board_anew(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "LISTED", 1)
    first, second = kestrel.release(), kestrel.release()
    kestrel.deploys(kestrel.ask(first, kestrel.dev))
    newer = kestrel.ask(second, kestrel.dev)
    kestrel.deploys(newer)
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(first, kestrel.staging)))
    client = client_of(kestrel, "viewer")
    seen = client.get("/")["ETag"]
    kestrel.wait()
    report_deployment(
        newer.pk, Report("rolled_back", message="Wrong totals"), by=kestrel["operator"], clock=kestrel.clock
    )
    again = client.get("/", headers={"If-None-Match": seen})
    assert again.status_code == 200
    assert (
        dashboard.board(kestrel["viewer"], kestrel.clock.now())["columns"][0]["running"]["main"]["name"] == first.name
    )


def test_what_waits_for_me_shows_the_board_anew(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "OLDEST", 1)
    monkeypatch.setattr(dashboard, "LISTED", 1)
    kestrel.waits_for_production()
    newest = kestrel.waits_for_production()
    client = client_of(kestrel, "approver")
    page = client.get("/")
    assert "2 promotions wait for your decision." in page.content.decode()
    cancel(newest.pk, by=kestrel["requester"], reason="Not now", clock=kestrel.clock)
    again = client.get("/", headers={"If-None-Match": page["ETag"]})
    assert "1 promotion waits for your decision." in again.content.decode()


def test_the_board_says_how_many_of_all_it_shows(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        kestrel.waits_for_production()
    shown = client_of(kestrel, "viewer").get("/").content.decode()
    assert "open promotions are shown." not in shown
    monkeypatch.setattr(dashboard, "OLDEST", 2)
    shown = client_of(kestrel, "viewer").get("/").content.decode()
    assert "The 2 oldest of 3 open promotions are shown." in shown
    assert 'href="/promotions?status=pending&amp;status=awaiting_approval&amp;status=approved"' in shown


def test_what_may_start_is_listed_however_many_wait_before_it(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "OLDEST", 1)
    kestrel.waits_for_production()
    approved = kestrel.approved_for_production()
    [ready] = dashboard.board(kestrel["viewer"], kestrel.clock.now())["ready"]
    assert ready.pk == approved.pk
