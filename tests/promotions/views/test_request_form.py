"""The form that requests a promotion: its targets, what stands in the way, and where it leads."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from environments.models import Environment
from promotions.actions.releases import deprecate_release
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.models import Promotion, Release
from stellapromote.errors import ProductError
from tests.factories import make_environment
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text


def test_a_request_by_form_leads_to_its_page(kestrel: Kestrel) -> None:
    release = kestrel.reaches_staging()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={release.pk}&target={kestrel.production.pk}"
    assert "Waiting for 2 more approvals" in text(client, path)
    answer = client.post(path, {"reason": "Wanted", "change_ref": "CHG-1"})
    promotion = Promotion.objects.get(release=release, target_environment=kestrel.production)
    assert answer["Location"] == f"/promotions/{promotion.pk}"
    assert promotion.change == {"ref": "CHG-1", "url": None, "type": None, "backout": None}


def test_a_target_out_of_order_is_listed_with_the_reason(kestrel: Kestrel) -> None:
    release = kestrel.release()
    shown = text(client_of(kestrel, "requester"), f"/promotions/new?release={release.pk}")
    assert "must be deployed in Staging before it may enter Production" in shown


def test_a_request_that_is_in_the_way_is_a_link(kestrel: Kestrel) -> None:
    waiting = kestrel.waits_for_production()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={waiting.release_id}"
    link = f'<a href="/promotions/{waiting.pk}">Open promotion #{waiting.number}</a>'
    assert link in text(client, path)
    chosen = f"{path}&target={kestrel.production.pk}"
    assert text(client, chosen).count(link) == 2
    refused = client.post(chosen, {"reason": "Again"})
    assert refused.status_code == 409
    assert link in refused.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
    assert "Open promotion" not in text(client, f"/promotions/new?release={kestrel.release().pk}")


def test_the_targets_cost_the_same_however_many_they_are(
    kestrel: Kestrel, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    release = kestrel.reaches_staging()
    client = client_of(kestrel, "requester")
    path = f"/promotions/new?release={release.pk}"
    client.get(path)
    with CaptureQueriesContext(connection) as before:
        client.get(path)
    for place in range(10, 20):
        make_environment(kestrel["admin"], f"more-{place}", place, clock=kestrel.clock)
    with django_assert_num_queries(len(before)):
        client.get(path)


def refused_preview(kestrel: Kestrel, release: Release, target: Environment) -> str:
    try:
        preview_promotion(PromotionRequest(release.pk, target.pk, "?"), by=kestrel["requester"], clock=kestrel.clock)
    except ProductError as refusal:
        return refusal.message
    return ""


def test_what_the_targets_say_is_what_the_request_would_say(kestrel: Kestrel) -> None:
    old, new = kestrel.release(), kestrel.release()
    kestrel.deploys(kestrel.ask(old, kestrel.dev))
    kestrel.deploys(kestrel.ask(new, kestrel.dev))
    kestrel.ask(new, kestrel.staging)
    deprecated = kestrel.release()
    for release in (old, deprecated):
        deprecate_release(release.pk, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    for release in (old, new, deprecated, kestrel.release(finalize=False)):
        shown = text(client_of(kestrel, "requester"), f"/promotions/new?release={release.pk}")
        for target in (kestrel.dev, kestrel.staging, kestrel.production):
            offered = f"?release={release.pk}&amp;target={target.pk}" in shown
            reason = refused_preview(kestrel, release, target)
            assert offered is (reason == "")
            assert escape(reason) in shown


def test_who_asks_for_an_earlier_release_is_told_that_it_goes_back(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "requester")

    def asked(release: Release, target: Environment) -> str:
        return text(client, f"/promotions/new?release={release.pk}&target={target.pk}")

    older, newer = kestrel.release(name="older"), kestrel.release(name="newer")
    first = kestrel.reaches_staging(name="first")
    assert "This goes back" not in asked(kestrel.release(), kestrel.dev)
    assert "This goes back: Dev runs first, which is newer than this release." in asked(older, kestrel.dev)
    kestrel.deploys(kestrel.ask(newer, kestrel.dev))
    assert "This goes back: Dev has run this release before and runs newer now." in asked(first, kestrel.dev)
