"""The run that deploys a promotion (docs/adr/0241)."""

import pytest

from promotions.actions.start_check import EnvironmentBusy
from promotions.models import Deployment
from promotions.voting.rules import StateForbids
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_another_run_does_not_start_what_a_run_deploys(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    started = kestrel.reports(promotion, "started", run_id="ci-7")
    for other in ("ci-8", ""):
        with pytest.raises(EnvironmentBusy, match="Run ci-7 deploys") as refused:
            kestrel.reports(promotion, "started", run_id=other)
        assert refused.value.details == {
            "promotionId": str(promotion.pk),
            "number": promotion.number,
            "runId": "ci-7",
            "mayPassAt": rfc3339(started.deployment_due_at),
        }
    refusals = AuditEvent.objects.filter(action="promotion.report_refused").order_by("timestamp", "id")
    assert [each.metadata.get("runId") for each in refusals] == ["ci-8", None]
    assert [(each.status, each.run_id) for each in Deployment.objects.filter(promotion=promotion)] == [
        ("started", "ci-7")
    ]


def test_a_named_run_does_not_start_what_a_run_without_name_deploys(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started")
    with pytest.raises(EnvironmentBusy, match="A run without runId deploys"):
        kestrel.reports(promotion, "started", run_id="ci-8")


def test_the_start_of_the_same_run_again_changes_nothing(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    first = kestrel.reports(promotion, "started", run_id="ci-7")
    assert kestrel.reports(promotion, "started", run_id="ci-7").version == first.version


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_another_run_does_not_report_the_end(kestrel: Kestrel, status: str) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", run_id="ci-7")
    with pytest.raises(StateForbids, match="Run ci-7 deploys"):
        kestrel.reports(promotion, status, run_id="ci-8")
    ended = kestrel.reports(promotion, status, run_id="ci-7")
    with pytest.raises(StateForbids, match="Run ci-7 deploys"):
        kestrel.reports(promotion, status, run_id="ci-8")
    assert kestrel.reports(promotion, status, run_id="ci-7").version == ended.version + 1  # of the refusal


def test_a_person_ends_the_deployment_of_a_run(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", run_id="ci-7")
    assert kestrel.reports(promotion, "failed", message="The runner is gone").status == "failed"


def test_another_attempt_is_of_another_run(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", run_id="ci-7")
    kestrel.reports(promotion, "failed", message="No disk", run_id="ci-7")
    assert kestrel.reports(promotion, "started", run_id="ci-8").started_by_run() == "ci-8"
