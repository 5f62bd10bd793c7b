from datetime import UTC, datetime, timedelta

import pytest
from django.http import Http404

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_freeze_window import update_freeze_window
from environments.models import FreezeWindow
from environments.rules import FreezeOver
from policies.models import WeakeningEdit
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from tests.environments.world import make_environment, make_freeze, make_person, make_tenant
from tests.factories import make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def prod(greta):
    return make_environment(greta, "prod", 1)


@pytest.fixture
def window(greta, prod):
    """From 08:00 (now) to 20:00."""
    return make_freeze(greta, prod, "2026-11-23T08:00:00Z", "2026-11-23T20:00:00Z", name="Quarter end")


@pytest.fixture
def update(greta, clock):
    def update(window, *, by=greta, if_match=None, **changes):
        return update_freeze_window(
            by=by,
            clock=clock,
            window_id=window.pk,
            environment_id=window.environment_id,
            changes=changes,
            if_match=if_match,
        )

    return update


def test_what_is_not_given_stays(window, update):
    changed = update(window, reason="Audit")
    assert (changed.reason, changed.name, changed.ends_at) == ("Audit", "Quarter end", window.ends_at)


def test_a_change_raises_the_version_and_is_audited_by_its_difference(window, update):
    update(window, end="2026-11-23T22:00:00Z")
    event = AuditEvent.objects.get(action="freeze_window.updated")
    assert event.before == {"end": "2026-11-23T20:00:00.000Z"}
    assert event.after == {"end": "2026-11-23T22:00:00.000Z"}
    assert FreezeWindow.objects.get().version == 2


def test_what_changes_nothing_leaves_no_trace(window, update):
    update(window, start="2026-11-23T09:00:00+01:00", name="Quarter end", exceptions=[], recurrence=None, exdates=[])
    assert FreezeWindow.objects.get().version == 1
    assert not AuditEvent.objects.filter(action="freeze_window.updated").exists()


def test_a_new_zone_alone_moves_no_instant(window, update):
    changed = update(window, timezone="Europe/Berlin")
    assert (changed.starts_at, changed.timezone) == (window.starts_at, "Europe/Berlin")


def test_a_wall_clock_time_is_read_in_the_zone_that_is_stored(window, update):
    update(window, timezone="Europe/Berlin")
    assert update(window, end="2026-11-23T22:00").ends_at == datetime(2026, 11, 23, 21, tzinfo=UTC)


def test_a_wall_clock_time_is_read_in_the_zone_that_comes_with_it(window, update):
    assert update(window, end="2026-11-23T22:00", timezone="Asia/Tokyo").ends_at == datetime(
        2026, 11, 23, 13, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"end": "2026-11-23T08:00:00Z"}, "end"),
        ({"end": "2026-11-23T07:00:00Z"}, "end"),
        ({"start": "2026-11-23T20:00:00Z"}, "end"),
        ({"start": "2099-01-01T00:00:00Z"}, "end"),
        ({"timezone": "Nowhere"}, "timezone"),
        ({"reason": ""}, "reason"),
        ({"exceptions": ["nobody"]}, "exceptions[0]"),
        ({"recurrence": "FREQ=DAILY"}, "recurrence"),
        ({"cleared_at": "2026-11-23T08:00:00Z"}, "clearedAt"),
        ({"environment": None}, "environment"),
    ],
)
def test_a_value_out_of_bounds_is_refused_and_stores_nothing(window, update, changes, place):
    with pytest.raises(Invalid) as refusal:
        update(window, **changes)
    assert [error.field for error in refusal.value.fields] == [place]
    assert FreezeWindow.objects.get().version == 1


@pytest.mark.parametrize(
    ("changes", "weakens"),
    [
        # At 08:00, of 08:00 to 20:00.
        ({"end": "2026-11-23T19:59:59.999Z"}, True),  # ends earlier
        ({"end": "2026-11-23T21:00:00Z"}, False),  # ends later
        ({"start": "2026-11-23T09:00:00Z"}, True),  # free between now and 09:00
        ({"start": "2026-11-23T07:00:00Z"}, False),  # begins earlier
        ({"start": "2026-11-24T08:00:00Z", "end": "2026-11-24T20:00:00Z"}, True),  # moved away
        ({"reason": "Audit"}, False),
        ({"exceptions": ["tomas"]}, True),  # one more may override it
    ],
)
def test_freezing_less_is_kept_as_a_weakening_edit(window, update, tomas, ines, changes, weakens):
    update(window, by=ines, **changes)
    assert WeakeningEdit.objects.exists() is weakens


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], ["cards", "ledger"], "holds no other products than cards and ledger any more."),
        (["cards", "ledger"], ["cards"], "for cards and ledger, set by Greta, does not hold ledger any more."),
        (["cards"], ["ledger"], "for cards, set by Greta, does not hold cards any more."),
        (["cards"], ["cards", "ledger"], None),
        (["cards"], [], None),
    ],
)
def test_holding_fewer_products_is_kept_as_a_weakening_edit(window, update, tenant, ines, before, after, said):
    for slug in ("cards", "ledger"):
        make_product(tenant, slug)
    FreezeWindow.objects.update(products=before)
    assert update(window, by=ines, products=after).products == after
    assert [edit.what[-len(said) :] for edit in WeakeningEdit.objects.all()] == ([said] if said else [])


def test_a_product_that_does_not_exist_is_refused_with_its_place(window, update, tenant):
    make_product(tenant, "cards")
    make_product(make_tenant("other"), "ledger")
    with pytest.raises(Invalid) as refusal:
        update(window, products=["cards", "ledger"])
    assert [error.field for error in refusal.value.fields] == ["products[1]"]
    assert FreezeWindow.objects.get().products == []


def test_freezing_less_by_ones_own_freeze_weakens_nothing(window, update):
    update(window, end="2026-11-23T12:00:00Z")
    assert not WeakeningEdit.objects.exists()


def test_the_weakening_edit_says_what_was_and_is_frozen(window, update, prod, ines):
    update(window, by=ines, end="2026-11-23T12:00:00Z")
    edit = WeakeningEdit.objects.get()
    assert (edit.environment_id, edit.actor_username) == (prod.pk, "ines")
    assert edit.what == (
        "Freeze “Quarter end” of prod, set by Greta, was shortened: it is from 2026-11-23 08:00 UTC "
        "to 2026-11-23 12:00 UTC instead of from 2026-11-23 08:00 UTC to 2026-11-23 20:00 UTC."
    )


def test_what_has_passed_of_a_freeze_can_be_moved_without_weakening_it(window, update, clock):
    clock.advance(timedelta(hours=2))
    update(window, start="2026-11-23T10:00:00Z")
    assert not WeakeningEdit.objects.exists()


def test_a_freeze_that_is_over_does_not_change(window, update, clock):
    clock.advance(timedelta(hours=12))
    with pytest.raises(FreezeOver, match=r"ended at 2026-11-23T20:00:00\.000Z"):
        update(window, end="2026-11-24T00:00:00Z")


def test_a_cleared_freeze_does_not_change(window, update, greta, clock, prod):
    clear_freeze_window(by=greta, clock=clock, window_id=window.pk, environment_id=prod.pk)
    with pytest.raises(FreezeOver, match="cleared by Greta"):
        update(window, reason="Again")


def test_a_stale_condition_is_refused(window, update):
    with pytest.raises(PreconditionFailed):
        update(window, if_match=IfMatch('"9"'), reason="Audit")


def test_only_administrators_change(window, update, tomas):
    with pytest.raises(Refused):
        update(window, by=tomas, reason="Audit")


def test_a_window_belongs_to_its_environment(window, greta, clock):
    with pytest.raises(Http404):
        update_freeze_window(
            by=greta, clock=clock, window_id=window.pk, environment_id=None, changes={"reason": "Audit"}
        )


def test_another_tenants_window_does_not_exist(update):
    foreign = make_freeze(
        make_person(make_tenant("other"), "olga", "admin"), None, "2026-11-23T08:00:00Z", "2026-11-23T20:00:00Z"
    )
    with pytest.raises(Http404):
        update(foreign, reason="Audit")


def test_nobody_adds_themselves_to_the_exceptions_but_may_stay_there(window, update, greta):
    with pytest.raises(Invalid) as refusal:
        update(window, exceptions=["greta"])
    assert [error.code for error in refusal.value.fields] == ["own"]
    FreezeWindow.objects.update(exceptions=["greta"])
    update(window, exceptions=["greta"], name="Year end")
    assert FreezeWindow.objects.get().name == "Year end"
