"""A deployment that does not report its end in time is marked, once, and stays until somebody reports."""

from datetime import timedelta

import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.mark_overdue import mark_overdue
from promotions.models import Promotion
from promotions.worker.round import run_round
from stellapromote.accounts.actor import system_actor
from stellapromote.audit.models import AuditEvent
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """Deployments into dev take ten minutes at most."""
    kestrel = make_kestrel()
    changes = {"config": {"deploymentTimeout": 600}}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
    return kestrel


@pytest.fixture
def deploying(kestrel: Kestrel) -> Promotion:
    return kestrel.reports(kestrel.ask(kestrel.release(), kestrel.dev), "started")


def works(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    """After a round of the worker."""
    run_round("test", kestrel.clock)
    return Promotion.objects.get(pk=promotion.pk)


def test_it_is_marked_when_its_time_is_over(kestrel: Kestrel, deploying: Promotion) -> None:
    assert deploying.started_at is not None
    assert deploying.deployment_due_at == deploying.started_at + timedelta(minutes=10)
    kestrel.wait(minutes=9)
    assert works(kestrel, deploying).overdue_at is None
    kestrel.wait()
    marked = works(kestrel, deploying)
    assert (marked.status, marked.overdue_at) == ("deploying", kestrel.clock.now())
    assert marked.version == deploying.version + 1
    assert AuditEvent.objects.get(action="promotion.overdue").promotion_id == deploying.pk


def test_it_is_marked_once(kestrel: Kestrel, deploying: Promotion) -> None:
    kestrel.wait(minutes=10)
    first = works(kestrel, deploying)
    kestrel.wait()
    assert works(kestrel, deploying).overdue_at == first.overdue_at
    by = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    assert mark_overdue(deploying.pk, by=by, clock=kestrel.clock).overdue_at == first.overdue_at
    assert AuditEvent.objects.filter(action="promotion.overdue").count() == 1


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_whoever_deploys_still_reports_its_end(kestrel: Kestrel, deploying: Promotion, end: str) -> None:
    kestrel.wait(minutes=10)
    works(kestrel, deploying)
    ended = kestrel.reports(deploying, end, message="It hung")
    assert ended.status == {"succeeded": "deployed", "failed": "failed"}[end]


def test_one_that_ended_in_time_is_not_marked(kestrel: Kestrel, deploying: Promotion) -> None:
    kestrel.reports(deploying, "succeeded")
    kestrel.wait(minutes=20)
    assert works(kestrel, deploying).overdue_at is None
    by = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    assert mark_overdue(deploying.pk, by=by, clock=kestrel.clock).overdue_at is None
