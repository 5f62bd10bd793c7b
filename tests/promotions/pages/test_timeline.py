"""The timeline names whoever acted, and nobody for what the gates concluded (docs/adr/0145)."""

import pytest

from promotions.actions.cancel import cancel
from promotions.actions.evaluate import reevaluate
from promotions.models import Promotion
from promotions.pages.timeline import TimelineEntry, timeline_entries
from promotions.reading import queries
from tests.promotions.kestrel import Kestrel, make_kestrel


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


def lines(kestrel: Kestrel, promotion: Promotion) -> list[TimelineEntry]:
    return timeline_entries(queries.timeline_of(promotion, kestrel["auditor"], blind=False))


def told(kestrel: Kestrel, promotion: Promotion) -> list[tuple[str, str]]:
    return [(line.words, line.by) for line in lines(kestrel, promotion)]


def test_what_nobody_has_to_approve_is_not_approved_by_who_requested_it(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    assert told(kestrel, promotion) == [
        ("Requested", "Requester (requester)"),
        ("Approved", ""),
        ("Evidence signed", ""),
    ]
    assert lines(kestrel, promotion)[1].text == "No gate blocks it, and it needs no approval."


def test_a_report_shows_its_run(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(promotion, "started", run_id="ci-7")
    kestrel.reports(promotion, "succeeded")
    shown = [(line.words, line.run) for line in lines(kestrel, promotion) if line.words.startswith("Deploy")]
    assert shown == [("Deployment started", "ci-7"), ("Deployed", "")]


def test_who_voted_gave_an_approval_and_the_gates_approved(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    assert told(kestrel, promotion)[1:4] == [
        ("Approval given", "Approver (approver)"),
        ("Approval given", "Second (second)"),
        ("Approved", ""),
    ]
    assert lines(kestrel, promotion)[3].text == "No gate blocks it."


def test_a_reject_is_a_persons_and_so_is_its_reason(kestrel: Kestrel) -> None:
    promotion = kestrel.rejects("second", kestrel.waits_for_production(), "It logs card numbers.")
    assert told(kestrel, promotion)[1:3] == [("Vote to reject", "Second (second)"), ("Rejected", "")]
    assert lines(kestrel, promotion)[1].text == "It logs card numbers."


def test_who_cancels_is_named_and_nobody_for_an_expiry(kestrel: Kestrel) -> None:
    cancelled = kestrel.waits_for_production()
    cancel(cancelled.pk, by=kestrel["requester"], reason="Another one.", clock=kestrel.clock)
    assert told(kestrel, cancelled)[-1] == ("Cancelled", "Requester (requester)")

    expired = kestrel.waits_for_production()
    kestrel.wait(days=15)
    reevaluate(expired.pk, by=kestrel["requester"], clock=kestrel.clock)
    assert told(kestrel, expired)[-1] == ("Cancelled", "")


def test_reports_are_by_whoever_reported(kestrel: Kestrel) -> None:
    promotion = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    assert ("Deployment started", "Operator (operator)") in told(kestrel, promotion)
    assert ("Deployed", "Operator (operator)") in told(kestrel, promotion)
