"""The promotion page after something changed: what is signed, who still may, and how far it is."""

import json
import re
from datetime import timedelta

import pytest
from django.utils.html import strip_tags

from promotions.actions.cancel import cancel
from promotions.actions.evaluate import evaluate
from promotions.models import DecisionRecord, Promotion
from stellapromote.signing.canonical_json import digest_bytes
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen(kestrel: Kestrel) -> Promotion:
    """Approved by both, then frozen: the record in force is a pending one that nobody signed."""
    promotion = kestrel.approved_for_production()
    now = kestrel.clock.now()
    make_freeze(
        kestrel["admin"],
        kestrel.production,
        (now - timedelta(hours=1)).isoformat(),
        (now + timedelta(days=1)).isoformat(),
        clock=kestrel.clock,
    )
    kestrel.wait()
    return evaluate(promotion.pk, by=kestrel["requester"], clock=kestrel.clock)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", strip_tags(html))


def test_the_signature_says_which_record_it_belongs_to(kestrel: Kestrel, frozen: Promotion) -> None:
    shown = words(text(client_of(kestrel, "auditor"), f"/promotions/{frozen.pk}"))
    assert re.search(r"Record number 4,.{0,40}not signed", shown)
    assert "signs record 3: Allow an earlier one than the record above" in shown


def test_verifying_names_the_record_that_was_verified(kestrel: Kestrel, frozen: Promotion) -> None:
    answer = client_of(kestrel, "auditor").post(f"/promotions/{frozen.pk}/verify")
    assert "The signature of record 3" in words(answer.text)


def test_a_signed_record_in_force_is_not_called_earlier(kestrel: Kestrel) -> None:
    shown = words(text(client_of(kestrel, "auditor"), f"/promotions/{kestrel.approved_for_production().pk}"))
    assert "signs record 3: Allow" in shown
    assert "not signed" not in shown
    assert "an earlier one" not in shown


def test_approvals_that_are_complete_are_not_still_to_come(kestrel: Kestrel, frozen: Promotion) -> None:
    track = text(client_of(kestrel, "auditor"), f"/promotions/{frozen.pk}").partition('class="track"')[2]
    assert "Approvals done" in words(track.partition("</ol>")[0])


def test_when_it_failed_stands_in_the_track(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="Disk full")
    track = text(client_of(kestrel, "auditor"), f"/promotions/{promotion.pk}").partition('class="track"')[2]
    assert re.search(r"Failed .*ago", words(track.partition("</ol>")[0]))


def test_when_it_was_cancelled_stands_in_the_track_and_not_when_it_was_approved(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.wait(days=1)
    cancel(promotion.pk, by=kestrel["requester"], reason="Not now", clock=kestrel.clock)
    promotion.refresh_from_db()
    track = text(client_of(kestrel, "auditor"), f"/promotions/{promotion.pk}").partition('class="track"')[2]
    end = track.partition("</ol>")[0].rpartition("<li")[2]
    assert "Cancelled" in end
    assert f'datetime="{promotion.completed_at.isoformat()}"' in end


@pytest.mark.parametrize("end", ["rejected", "cancelled"])
def test_nobody_can_still_approve_what_has_ended(kestrel: Kestrel, end: str) -> None:
    promotion = kestrel.waits_for_production()
    path = f"/promotions/{promotion.pk}"
    assert "can still approve" in text(client_of(kestrel, "auditor"), path)
    if end == "rejected":
        kestrel.rejects("approver", promotion)
    else:
        cancel(promotion.pk, by=kestrel["requester"], reason="Not now", clock=kestrel.clock)
    assert "can still approve" not in text(client_of(kestrel, "auditor"), path)


def test_the_signature_of_a_deployment_is_not_called_one_of_the_decision(kestrel: Kestrel) -> None:
    promotion = kestrel.deploys(kestrel.approved_for_production())
    shown = words(text(client_of(kestrel, "auditor"), f"/promotions/{promotion.pk}"))
    assert shown.count("signs record 3: Allow") == 1
    assert "after record 3: Allow" in shown
    verified = words(client_of(kestrel, "auditor").post(f"/promotions/{promotion.pk}/verify").text)
    assert "The signature of record 3" in verified
    assert "The signature of the deployment" in verified


def test_the_input_of_each_record_is_a_file_with_its_digest(kestrel: Kestrel, frozen: Promotion) -> None:
    viewer = client_of(kestrel, "viewer")
    shown = text(viewer, f"/promotions/{frozen.pk}")
    for sequence in (3, 4):
        address = f"/promotions/{frozen.pk}/decisions/{sequence}/input"
        assert f'href="{address}"' in shown
        answer = viewer.get(address)
        name = f"promotion-{frozen.number}-record-{sequence}-input.json"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        record = DecisionRecord.objects.get(promotion=frozen, sequence=sequence)
        assert digest_bytes(answer.content) == json.loads(bytes(record.document))["inputDigest"]
    assert viewer.get(f"/promotions/{frozen.pk}/decisions/9/input").status_code == 404
