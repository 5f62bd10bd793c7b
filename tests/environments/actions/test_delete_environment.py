import pytest
from django.http import Http404

from environments.actions.delete_environment import delete_environment
from environments.models import Environment, EnvironmentApprovalPolicy, FreezeWindow
from environments.rules import InUse, NotDirectlyBefore
from policies.models import WeakeningEdit
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Refused
from tests.environments.world import make_approval_policy, make_environment, make_freeze, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(greta):
    return {name: make_environment(greta, name, index) for index, name in enumerate(("dev", "staging", "prod"), 1)}


@pytest.fixture
def delete(greta, clock):
    def delete(environment, *, by=greta, promotions=0, if_match=None):
        delete_environment(by=by, clock=clock, environment_id=environment.pk, promotions=promotions, if_match=if_match)

    return delete


def test_one_that_was_never_used_is_gone_with_its_freezes_and_links(greta, nia, delete):
    make_approval_policy(greta, "release")
    prod = make_environment(greta, "prod", 1, approval_policies=["release"])
    make_freeze(greta, prod, "2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")
    delete(prod)
    assert not Environment.objects.exists()
    assert not EnvironmentApprovalPolicy.objects.exists()
    assert not FreezeWindow.objects.exists()


def test_tenant_wide_freezes_stay(line, greta, delete):
    make_freeze(greta, None, "2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")
    delete(line["dev"])
    assert FreezeWindow.objects.count() == 1


def test_the_audit_event_keeps_what_it_said(line, greta, delete):
    window = make_freeze(greta, line["prod"], "2026-12-24T00:00:00Z", "2026-12-27T00:00:00Z")
    delete(line["prod"])
    event = AuditEvent.objects.get(action="environment.deleted")
    assert (event.before["name"], event.before["freezeWindows"][0]["id"]) == ("prod", str(window.pk))
    assert event.environment_id == line["prod"].pk


def test_one_with_promotion_history_stays(line, delete):
    with pytest.raises(InUse) as refusal:
        delete(line["dev"], promotions=7)
    assert refusal.value.details == {"promotions": 7}
    assert Environment.objects.count() == 3


def test_deleting_a_step_is_a_weakening_of_what_comes_after_it(line, delete):
    delete(line["staging"])
    edit = WeakeningEdit.objects.get()
    assert (edit.environment_id, edit.what) == (
        line["prod"].pk,
        "Environment prod: releases need not pass staging before it any more.",
    )


def test_the_source_of_an_automatic_promotion_stays(greta, delete):
    dev = make_environment(greta, "dev", 1)
    make_environment(greta, "prod", 2, auto_promote_from="dev")
    with pytest.raises(NotDirectlyBefore, match="from dev"):
        delete(dev)


def test_a_stale_condition_is_refused(line, delete):
    with pytest.raises(PreconditionFailed):
        delete(line["dev"], if_match=IfMatch('"2"'))


def test_only_administrators_delete(line, delete, tomas):
    with pytest.raises(Refused):
        delete(line["dev"], by=tomas)


def test_another_tenants_environment_does_not_exist(delete):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    with pytest.raises(Http404):
        delete(foreign)
