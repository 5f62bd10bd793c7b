import pytest
from django.http import Http404

from environments.actions.archive_environment import archive_environment
from environments.models import Environment
from environments.rules import Archived, NotDirectlyBefore, PromotionsActive
from policies.models import WeakeningEdit
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.errors import Refused
from tests.environments.world import NOW, make_environment, make_person, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(greta):
    return {name: make_environment(greta, name, index) for index, name in enumerate(("dev", "staging", "prod"), 1)}


@pytest.fixture
def archive(greta, clock):
    def archive(environment, *, by=greta, active=0, if_match=None):
        return archive_environment(
            by=by, clock=clock, environment_id=environment.pk, active_promotions=active, if_match=if_match
        )

    return archive


def test_an_archived_environment_leaves_the_order(line, archive):
    archived = archive(line["staging"])
    assert (archived.order_index, archived.archived_at, archived.version) == (None, NOW, 2)
    assert [row.name for row in Environment.objects.live().in_order()] == ["dev", "prod"]


def test_archiving_is_audited(line, archive):
    archive(line["staging"])
    event = AuditEvent.objects.get(action="environment.archived")
    assert event.before == {"orderIndex": 2, "archivedAt": None}
    assert event.after == {"orderIndex": None, "archivedAt": rfc3339(NOW)}


def test_archiving_a_step_is_a_weakening_of_what_comes_after_it(line, archive):
    archive(line["staging"])
    edit = WeakeningEdit.objects.get()
    assert (edit.environment_id, edit.what) == (
        line["prod"].pk,
        "Environment prod: releases need not pass staging before it any more.",
    )


def test_archiving_the_last_one_weakens_nothing(line, archive):
    archive(line["prod"])
    assert not WeakeningEdit.objects.exists()


def test_archiving_is_refused_while_promotions_are_active(line, archive):
    with pytest.raises(PromotionsActive) as refusal:
        archive(line["staging"], active=2)
    assert refusal.value.details == {"activePromotions": 2}
    assert Environment.objects.live().count() == 3


def test_archiving_twice_is_refused(line, archive):
    archive(line["staging"])
    with pytest.raises(Archived):
        archive(line["staging"])


def test_nothing_enters_an_archived_environment_by_itself(greta, archive):
    dev = make_environment(greta, "dev", 1)
    prod = make_environment(greta, "prod", 2, auto_promote_from="dev")
    assert archive(prod).auto_promote_from is None
    assert archive(dev).archived_at == NOW


def test_the_source_of_an_automatic_promotion_cannot_be_archived(greta, archive):
    dev = make_environment(greta, "dev", 1)
    make_environment(greta, "prod", 2, auto_promote_from="dev")
    with pytest.raises(NotDirectlyBefore, match="autoPromoteFrom of prod"):
        archive(dev)


def test_a_stale_condition_is_refused(line, archive):
    with pytest.raises(PreconditionFailed):
        archive(line["dev"], if_match=IfMatch('"2"'))


def test_only_administrators_archive(line, archive, tomas):
    with pytest.raises(Refused):
        archive(line["dev"], by=tomas)


def test_another_tenants_environment_does_not_exist(archive):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    with pytest.raises(Http404):
        archive(foreign)
