"""What is asked of freezes says the same as a QuerySet, of a row, and in SQL that is written by hand."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from environments.freezes import freeze_states, in_force
from environments.models import Environment, FreezeWindow
from environments.models.freeze_window import concerning_sql, standing_at_sql
from environments.month import month
from policies.windows import freeze_state
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.clock import rfc3339
from tests.environments.drawn import PRODUCTS, draw_freezes
from tests.environments.world import NOW, make_environment

pytestmark = pytest.mark.django_db

STEPS = [NOW + timedelta(minutes=30 * number) for number in range(-8, 9)]


@pytest.fixture
def places(greta: Actor) -> list[Environment]:
    return [make_environment(greta, name, index) for index, name in enumerate(("dev", "prod"))]


@pytest.fixture(params=range(3))
def drawn(request: Any, tenant: Tenant, places: list[Environment]) -> list[FreezeWindow]:
    return draw_freezes(tenant, places, NOW, request.param)


def names(windows: Any) -> set[str]:
    return {each.name for each in windows}


def by_sql(condition: str, values: list[Any]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT f.name FROM environments_freezewindow f WHERE {condition}", values)
        return {name for (name,) in cursor.fetchall()}


def those(windows: list[FreezeWindow], rule: Callable[[FreezeWindow], bool]) -> set[str]:
    """Of these, by the rule in Python; never all or none of them, so that it is a rule."""
    found = {each.name for each in windows if rule(each)}
    assert 0 < len(found) < len(windows)
    return found


def test_which_stand_at_an_instant(drawn: list[FreezeWindow]) -> None:
    for at in STEPS[4:-4]:
        expected = those(drawn, lambda each, at=at: each.cleared_at is None and at < each.ends_at)  # type: ignore[misc]
        assert names(FreezeWindow.objects.standing_at(at)) == expected
        assert names(each for each in drawn if each.stands_at(at)) == expected
        assert by_sql(standing_at_sql("%s"), [at]) == expected


def test_which_concern_an_environment(drawn: list[FreezeWindow], places: list[Environment]) -> None:
    for place in places:
        expected = those(drawn, lambda each, pk=place.pk: each.environment_id in (None, pk))  # type: ignore[misc]
        assert names(FreezeWindow.objects.concerning([place.pk])) == expected
        assert names(each for each in drawn if each.concerns(place.pk)) == expected
        for product in (*PRODUCTS, "other"):
            held = those(drawn, lambda each, slug=product: not each.products or slug in each.products)  # type: ignore[misc]
            assert names(each for each in drawn if each.holds(product)) == held
            assert by_sql(concerning_sql("%s", "%s"), [place.pk, product]) == expected & held
    assert names(each for each in drawn if each.holds(None)) == those(drawn, lambda each: not each.products)
    assert names(FreezeWindow.objects.concerning([each.pk for each in places])) == names(drawn)


def holds(window: FreezeWindow, at: datetime) -> bool:
    """Whether it held its environment back at the instant, by what domain.md §2 says and by when it was made."""
    made, cleared = window.created_at <= at, window.cleared_at is not None and window.cleared_at <= at
    return window.starts_at <= at < window.ends_at and made and not cleared


def test_an_edge_is_an_instant_at_which_it_begins_or_ceases_to_hold(drawn: list[FreezeWindow]) -> None:
    moment = timedelta(milliseconds=1)
    for since, until in pairwise(STEPS):
        expected = {each.name for each in drawn if holds(each, until) != holds(each, until - moment)}
        assert names(FreezeWindow.objects.with_an_edge(since, until)) == expected
    found = list(FreezeWindow.objects.with_an_edge(STEPS[0], STEPS[-1]))
    assert [each.began_at for each in found] == sorted(each.began_at for each in found)
    assert names(found) == those(drawn, lambda each: each.began_at < each.over_at)


def test_the_month_shows_the_days_on_which_one_is_in_force(drawn: list[FreezeWindow]) -> None:
    shown = {
        (day.date, each.name)
        for week in month(NOW.date().replace(day=1), drawn, NOW.date()).weeks
        for day in week
        for each in day.windows
    }
    spans = {each.name: in_force(each) for each in drawn}
    assert {name for _, name in shown} == {name for name, span in spans.items() if span is not None}
    for day, name in shown:
        span = spans[name]
        assert span is not None
        assert span["start"] < f"{day}T24"
        assert span["end"] > f"{day}T00:00:00.000Z"


def test_an_environment_is_frozen_by_those_that_stand_and_concern_it(
    tenant: Tenant, drawn: list[FreezeWindow], places: list[Environment]
) -> None:
    for at in STEPS:
        states = freeze_states(tenant.pk, [each.pk for each in places], at)
        for place in places:
            standing = FreezeWindow.objects.concerning([place.pk]).standing_at(at).oldest_first()
            windows = standing.filter(products=[])
            spans = [{"start": rfc3339(each.starts_at), "end": rfc3339(each.ends_at)} for each in windows]
            expected = freeze_state(spans, rfc3339(at))
            found = states[place.pk]
            assert (found["frozen"], found["nextOpen"], found["nextClose"]) == (
                expected.frozen,
                expected.next_open,
                expected.next_close,
            )
            running = [each for each in windows if each.starts_at <= at]
            assert found["frozen"] is bool(running)
            assert found["frozenProducts"] == sorted(
                {name for each in standing if each.starts_at <= at for name in each.products}
            )
