"""Lists of promotions: the board, the inbox and all of them, and how many statements each costs."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from environments.actions.update_environment import update_environment
from policies.models import ApprovalPolicy
from stellapromote.accounts.models import User
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text


def test_the_inbox_holds_what_waits_for_this_person(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "approver"), "/approvals")
    assert f"/promotions/{promotion.pk}" not in text(client_of(kestrel, "requester"), "/approvals")
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "requester"), "/approvals?tab=mine")
    assert f"/promotions/{promotion.pk}" in text(client_of(kestrel, "viewer"), "/approvals?tab=open")


def test_the_open_list_is_the_snapshot_of_who_may_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("second", promotion)
    promotion.refresh_from_db()
    names = set(User.objects.filter(pk__in=promotion.open_voters).values_list("username", flat=True))
    for who in kestrel.actors:
        listed = f"/promotions/{promotion.pk}" in text(client_of(kestrel, who), "/approvals")
        assert listed == (who in names), who
    assert names == {"approver", "third"}


@pytest.mark.parametrize("path", ["/approvals?tab=open", "/promotions", "release", "/policies", "approval policy"])
def test_every_page_calls_an_environment_by_its_display_name(kestrel: Kestrel, path: str) -> None:
    waiting = kestrel.waits_for_production()
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"display_name": "Rehearsal"},
    )
    policy = ApprovalPolicy.objects.get(name="two-person")
    pages = {
        "release": f"/releases/{waiting.release_id}",
        "approval policy": reverse("approval_policy", args=[policy.pk]),
    }
    shown = text(client_of(kestrel, "admin"), pages.get(path, path))
    called = re.findall(r"<bdi>(Dev|dev|Rehearsal|staging|Production|production)</bdi>", shown)
    assert called
    assert set(called) <= {"Dev", "Rehearsal", "Production"}
    if "Rehearsal" in called:
        assert '<bdi>Rehearsal</bdi> <span class="muted small mono">staging</span>' in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "statements"),
    [
        ("/", 20),
        ("/approvals", 9),
        ("/promotions", 8),
        ("/releases", 7),
    ],
)
def test_a_list_costs_the_same_however_long_it_is(
    kestrel: Kestrel, path: str, statements: int, django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    client.get(path)
    with django_assert_max_num_queries(statements) as few:  # type: ignore[attr-defined]
        client.get(path)
    for _ in range(3):
        kestrel.waits_for_production()
    with django_assert_max_num_queries(statements) as many:  # type: ignore[attr-defined]
        client.get(path)
    assert len(few) == len(many)


@pytest.mark.parametrize("path", ["/", "/approvals", "/promotions"])
def test_a_list_reads_no_whole_promotions(kestrel: Kestrel, path: str) -> None:
    """What was asked of each is the widest of their columns, and no list shows it."""
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    with CaptureQueriesContext(connection) as statements:
        client.get(path)
    read = [each["sql"] for each in statements if '"promotions_promotion"."number"' in each["sql"]]
    assert read
    assert [sql for sql in read if '"requirements"' in sql] == []


@pytest.mark.parametrize("path", ["/", "/approvals"])
def test_what_waits_is_counted_once_for_page_and_navigation(kestrel: Kestrel, path: str) -> None:
    client = client_of(kestrel, "approver")
    kestrel.waits_for_production()
    with CaptureQueriesContext(connection) as statements:
        shown = text(client, path)
    assert 'id="approvals-waiting">1<' in shown
    assert sum("COUNT(*)" in each["sql"] and "open_voters" in each["sql"] for each in statements) == 1
