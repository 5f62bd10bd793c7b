from datetime import timedelta

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
from tests.environments.world import NOW, make_environment, make_freeze, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def window(greta):
    """Stops the line from 08:00 (now) to 20:00."""
    return make_freeze(greta, None, "2026-11-23T08:00:00Z", "2026-11-23T20:00:00Z", name="Stop the line")


@pytest.fixture
def clear(greta, clock):
    def clear(window, reason="The incident is over", *, by=greta, if_match=None):
        return clear_freeze_window(
            by=by,
            clock=clock,
            window_id=window.pk,
            environment_id=window.environment_id,
            reason=reason,
            if_match=if_match,
        )

    return clear


def test_a_cleared_freeze_says_who_and_why_and_stays_in_history(window, clear, greta):
    clear(window)
    kept = FreezeWindow.objects.get()
    assert (kept.cleared_at, kept.cleared_by_id, kept.cleared_by_name, kept.clear_reason, kept.version) == (
        NOW,
        greta.user_id,
        "Greta",
        "The incident is over",
        2,
    )


def test_clearing_is_audited(window, clear):
    clear(window)
    event = AuditEvent.objects.get(action="freeze_window.cleared")
    assert event.before["clearedAt"] is None
    assert event.after["clearReason"] == "The incident is over"


def test_clearing_ones_own_freeze_weakens_nothing(window, clear):
    clear(window)
    assert not WeakeningEdit.objects.exists()


def test_it_is_not_ones_own_once_somebody_else_had_a_hand_in_it(window, clear, greta, ines, clock):
    longer = {"end": "2026-11-23T22:00:00Z"}
    update_freeze_window(by=ines, clock=clock, window_id=window.pk, environment_id=None, changes=longer)
    clear(window)
    assert WeakeningEdit.objects.count() == 1


def test_clearing_is_a_weakening_edit_of_the_whole_tenant(window, clear, ines):
    clear(window, by=ines)
    edit = WeakeningEdit.objects.get()
    assert (edit.environment_id, edit.policy_name) == (None, "")
    assert edit.what == (
        "Freeze “Stop the line” of all environments, set by Greta, was lifted before its end, 2026-11-23 20:00 UTC. "
        "Reason: The incident is over"
    )


def test_clearing_an_environments_freeze_is_a_weakening_edit_of_that_environment(greta, clear, ines):
    prod = make_environment(greta, "prod", 1)
    clear(make_freeze(greta, prod, "2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z"), "", by=ines)
    edit = WeakeningEdit.objects.get()
    assert (edit.environment_id, edit.what) == (
        prod.pk,
        "Freeze “Quarter end” of prod, set by Greta, was lifted before its end, 2026-12-27 00:00 UTC.",
    )


def test_clearing_twice_changes_nothing_more(window, clear, clock, ines):
    clear(window, by=ines)
    clock.advance(timedelta(minutes=1))
    assert clear(window, "Somebody else's reason").clear_reason == "The incident is over"
    assert WeakeningEdit.objects.count() == 1


def test_a_freeze_that_ended_by_itself_is_not_cleared(window, clear, clock):
    clock.advance(timedelta(hours=12))
    with pytest.raises(FreezeOver):
        clear(window)


@pytest.mark.parametrize("reason", ["r" * 501, "a\x00b", "a\nb", 1, None])
def test_a_reason_that_cannot_be_stored_is_refused(window, clear, reason):
    with pytest.raises(Invalid):
        clear(window, reason)


def test_a_stale_condition_is_refused(window, clear):
    with pytest.raises(PreconditionFailed):
        clear(window, if_match=IfMatch('"7"'))


def test_only_administrators_clear(window, clear, tomas):
    with pytest.raises(Refused):
        clear(window, by=tomas)


def test_another_tenants_window_does_not_exist(clear):
    olga = make_person(make_tenant("other"), "olga", "admin")
    with pytest.raises(Http404):
        clear(make_freeze(olga, None, "2026-11-23T08:00:00Z", "2026-11-23T20:00:00Z"))
