from datetime import timedelta

import pytest
from django.http import Http404

from environments.actions.archive_environment import archive_environment
from environments.actions.unarchive_environment import unarchive_environment
from environments.models import Environment
from environments.rules import NotArchived, NotDirectlyBefore, OrderIndexTaken
from policies.models import Proposal, WeakeningEdit
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from tests.environments.world import NOW, make_approval_policy, make_environment, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def archived(greta, clock):
    """staging, archived, between dev 1 and prod 3."""
    make_environment(greta, "dev", 1)
    staging = make_environment(greta, "staging", 2)
    make_environment(greta, "prod", 3)
    archive_environment(by=greta, clock=clock, environment_id=staging.pk, active_promotions=0)
    clock.advance(timedelta(hours=1))
    return staging


@pytest.fixture
def unarchive(greta, clock):
    def unarchive(environment, order_index, *, by=greta, if_match=None):
        return unarchive_environment(
            by=by, clock=clock, environment_id=environment.pk, order_index=order_index, if_match=if_match
        )

    return unarchive


def test_it_returns_to_the_place_that_is_named(archived, unarchive):
    back = unarchive(archived, 2)
    assert (back.order_index, back.archived_at, back.version) == (2, None, 3)
    assert back.updated_at == NOW + timedelta(hours=1)
    assert [row.name for row in Environment.objects.live().in_order()] == ["dev", "staging", "prod"]


def test_unarchiving_is_audited(archived, unarchive):
    unarchive(archived, 2)
    assert AuditEvent.objects.get(action="environment.unarchived").after == {"orderIndex": 2, "archivedAt": None}


def test_what_may_be_entered_from_it_is_weakened(archived, unarchive):
    already = list(WeakeningEdit.objects.values_list("pk", flat=True))
    unarchive(archived, 2)
    prod = Environment.objects.get(name="prod")
    assert set(WeakeningEdit.objects.exclude(pk__in=already).values_list("environment_id", "what")) == {
        (archived.pk, "Environment staging: releases may enter it again, after dev."),
        (prod.pk, "Environment prod: releases enter it from staging instead of dev."),
    }


def test_a_taken_place_is_refused(archived, unarchive):
    with pytest.raises(OrderIndexTaken, match="prod"):
        unarchive(archived, 3)


@pytest.mark.parametrize("order_index", [-1, 10_000, None, "2", True])
def test_a_place_that_is_none_is_refused(archived, unarchive, order_index):
    with pytest.raises(Invalid):
        unarchive(archived, order_index)


def test_one_that_is_not_archived_cannot_return(archived, unarchive):
    with pytest.raises(NotArchived):
        unarchive(Environment.objects.get(name="dev"), 7)


def test_it_does_not_come_between_two_that_follow_each_other_automatically(archived, unarchive):
    Environment.objects.filter(name="prod").update(auto_promote_from=Environment.objects.get(name="dev"))
    with pytest.raises(NotDirectlyBefore):
        unarchive(archived, 2)


def test_a_policy_that_was_disabled_meanwhile_keeps_it_archived(greta, nia, clock, unarchive):
    policy = make_approval_policy(greta, "release")
    prod = make_environment(greta, "prod", 3, approval_policies=["release"])
    archive_environment(by=greta, clock=clock, environment_id=prod.pk, active_promotions=0)
    policy.enabled = False
    policy.save()
    with pytest.raises(Invalid, match="release is disabled"):
        unarchive(prod, 3)


def test_a_stale_condition_is_refused(archived, unarchive):
    with pytest.raises(PreconditionFailed):
        unarchive(archived, 2, if_match=IfMatch('"1"'))


def test_only_administrators_unarchive(archived, unarchive, tomas):
    with pytest.raises(Refused):
        unarchive(archived, 2, by=tomas)


def test_another_tenants_environment_does_not_exist(unarchive):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    with pytest.raises(Http404):
        unarchive(foreign, 2)


def test_what_may_be_skipped_before_a_protected_environment_waits_for_a_second_person(greta, clock, unarchive):
    """Releases of long ago that ran in legacy would enter canary, and then prod, without staging."""
    legacy = make_environment(greta, "legacy", 1)
    archive_environment(by=greta, clock=clock, environment_id=legacy.pk, active_promotions=0)
    for place, name in enumerate(("staging", "canary", "prod"), 2):
        make_environment(greta, name, place * 10, protected=name != "canary")
    proposal = unarchive(legacy, 25)
    assert isinstance(proposal, Proposal)
    assert proposal.guards == ["prod"]
    assert proposal.weakens == [
        "Environment canary: releases enter it from legacy instead of staging.",
        "Environment legacy: releases may enter it again, after staging.",
    ]
    assert Environment.objects.get(pk=legacy.pk).archived_at is not None
