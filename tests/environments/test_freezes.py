from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.freezes import concerning, freeze_state, freeze_states, in_force, standing_windows
from environments.models import FreezeWindow
from stellapromote.clock import rfc3339
from tests.environments.world import NOW, make_environment, make_freeze, make_person, make_tenant

OPEN = {
    "frozen": False,
    "reason": None,
    "windowId": None,
    "nextOpen": None,
    "nextClose": None,
    "frozenProducts": [],
}


def hour(number: int) -> datetime:
    return datetime(2026, 11, 23, number, tzinfo=UTC)


def window(
    start: int, end: int, *, cleared: int | None = None, reason: str = "", products: tuple[str, ...] = ()
) -> FreezeWindow:
    return FreezeWindow(
        products=list(products),
        starts_at=hour(start),
        ends_at=hour(end),
        reason=reason or f"{start} to {end}",
        cleared_at=None if cleared is None else hour(cleared),
    )


@pytest.mark.parametrize(
    ("windows", "at", "frozen", "reason", "next_open", "next_close"),
    [
        # No window, and one that is over.
        ([], 8, False, None, None, None),
        ([window(5, 7)], 8, False, None, None, None),
        # Half-open: frozen at the start, free at the end.
        ([window(8, 10)], 8, True, "8 to 10", 10, None),
        ([window(8, 10)], 10, False, None, None, None),
        # One to come.
        ([window(12, 14)], 8, False, None, None, 12),
        # Frozen, and another to come.
        ([window(8, 10), window(12, 14)], 9, True, "8 to 10", 10, 12),
        # Overlapping and touching ones are one freeze; the one that lasts longest gives the reason.
        ([window(8, 10), window(9, 12)], 9, True, "9 to 12", 12, None),
        ([window(8, 10), window(10, 12)], 9, True, "8 to 10", 12, None),
        ([window(8, 16), window(9, 12)], 9, True, "8 to 16", 16, None),
        # A cleared one says nothing, neither now nor later.
        ([window(8, 10, cleared=9)], 9, False, None, None, None),
        ([window(12, 14, cleared=8)], 8, False, None, None, None),
        ([window(8, 16, cleared=8), window(8, 10)], 9, True, "8 to 10", 10, None),
    ],
)
def test_the_state_at_an_instant(windows, at, frozen, reason, next_open, next_close):
    state = freeze_state(windows, hour(at))
    assert (state["frozen"], state["reason"]) == (frozen, reason)
    assert state["nextOpen"] == (rfc3339(hour(next_open)) if next_open else None)
    assert state["nextClose"] == (rfc3339(hour(next_close)) if next_close else None)
    assert (state["windowId"] is not None) is frozen


def test_the_state_does_not_depend_on_the_order_of_the_windows():
    windows = [window(8, 10), window(7, 10), window(9, 10)]
    assert freeze_state(windows, hour(9)) == freeze_state(windows[::-1], hour(9))


@pytest.mark.parametrize(
    ("product", "frozen", "next_open", "next_close", "held"),
    [
        (None, False, None, 12, ["cards", "ledger"]),  # of all products alone
        ("ledger", True, 11, 12, ["ledger"]),
        ("cards", True, 10, 12, ["cards"]),
        ("loans", False, None, 9.5, []),  # its own freeze begins later
    ],
)
def test_a_freeze_of_single_products_holds_no_other(product, frozen, next_open, next_close, held):
    windows = [
        window(8, 10, products=("cards", "ledger")),
        window(9, 11, products=("ledger",)),
        FreezeWindow(starts_at=hour(9) + timedelta(minutes=30), ends_at=hour(10), reason="Loans", products=["loans"]),
        window(12, 14),
    ]
    state = freeze_state(windows, hour(9), product)
    assert (state["frozen"], state["frozenProducts"]) == (frozen, held)
    assert state["nextOpen"] == (rfc3339(hour(next_open)) if next_open else None)
    assert state["nextClose"] == rfc3339(hour(0) + timedelta(hours=next_close))


@pytest.mark.parametrize(
    ("cleared", "expected"),
    [
        (None, (8, 12)),  # never cleared
        (10, (8, 10)),  # ended early
        (8, None),  # cleared as it began
        (5, None),  # called off
    ],
)
def test_a_window_is_in_force_until_it_is_cleared(cleared, expected):
    found = in_force(window(8, 12, cleared=cleared))
    assert found == (expected and {"start": rfc3339(hour(expected[0])), "end": rfc3339(hour(expected[1]))})


@pytest.mark.django_db
class TestStandingWindows:
    @pytest.fixture
    def places(self, greta):
        return [make_environment(greta, name, index) for index, name in enumerate(("dev", "prod"))]

    def test_those_of_the_environment_and_of_the_tenant_concern_it(self, tenant, greta, places):
        dev, prod = places
        own = make_freeze(greta, dev, "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z")
        everywhere = make_freeze(greta, None, "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z")
        make_freeze(greta, prod, "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z")
        assert standing_windows(tenant.pk, [dev.pk], NOW) == [everywhere, own]
        assert len(concerning(standing_windows(tenant.pk, [dev.pk, prod.pk], NOW), dev.pk)) == 2

    def test_cleared_and_past_ones_do_not_stand(self, tenant, greta, clock, places):
        dev, _ = places
        cleared = make_freeze(greta, dev, "2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z")
        clear_freeze_window(by=greta, clock=clock, window_id=cleared.pk, environment_id=dev.pk)
        make_freeze(greta, dev, "2026-11-23T07:00:00Z", "2026-11-23T09:00:00Z")
        assert standing_windows(tenant.pk, [dev.pk], NOW + timedelta(hours=1)) == []

    def test_another_tenants_stop_does_not_stop_this_one(self, tenant, places):
        olga = make_person(make_tenant("other"), "olga", "admin")
        make_freeze(olga, None, "2026-11-23T07:00:00Z", "2026-11-23T09:00:00Z")
        assert freeze_states(tenant.pk, [each.pk for each in places], NOW) == {each.pk: OPEN for each in places}

    def test_the_states_of_all_environments_take_one_statement(self, tenant, greta, places):
        make_freeze(greta, None, "2026-11-23T07:00:00Z", "2026-11-23T09:00:00Z")
        with CaptureQueriesContext(connection) as captured:
            states = freeze_states(tenant.pk, [each.pk for each in places], NOW)
        assert [each["frozen"] for each in states.values()] == [True, True]
        assert len(captured) == 1
