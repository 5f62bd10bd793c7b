"""The version of a promotion, its ETag for API and page, is another one whenever what they show is."""

import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from promotions.actions.evaluate import reevaluate
from promotions.models import Promotion
from promotions.packets import signing_key
from promotions.reading.queries import detail_of, promotion_of
from promotions.voting.rules import SubjectChanged
from promotions.voting.session import SeenSubject
from stellapromote.accounts.actor import system_actor
from stellapromote.accounts.models import User
from stellapromote.errors import ProductError
from stellapromote.identity.actions.end_role import end_role
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def version_of(promotion: Promotion) -> int:
    return Promotion.objects.get(pk=promotion.pk).version


def judged_again(kestrel: Kestrel, promotion: Promotion) -> int:
    kestrel.wait()
    system = system_actor(kestrel.tenant.pk, kestrel.tenant.slug)
    return reevaluate(promotion.pk, by=system, clock=kestrel.clock).version


def test_it_stays_when_a_look_finds_nothing_new(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    before = detail_of(promotion_of(kestrel.tenant.pk, promotion.pk), kestrel["viewer"], blind=False)
    assert judged_again(kestrel, promotion) == promotion.version
    assert detail_of(promotion_of(kestrel.tenant.pk, promotion.pk), kestrel["viewer"], blind=False) == before


def test_it_stays_when_a_vote_is_refused_that_nobody_has_to_see(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    for _ in range(2):
        with pytest.raises(SubjectChanged) as refusal:
            kestrel.approves("approver", promotion, seen=SeenSubject("sha256:" + "0" * 64))
        assert not refusal.value.changed_state
    assert version_of(promotion) == promotion.version


def test_it_changes_with_who_may_vote(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    third = kestrel["third"].user_id
    assert third is not None
    end_role(by=kestrel["admin"], clock=kestrel.clock, user_id=third, role="approver")
    assert judged_again(kestrel, promotion) > promotion.version


def test_it_changes_with_the_next_change(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    make_freeze(
        kestrel["admin"],
        kestrel.production,
        "2026-11-05T00:00:00Z",
        "2026-11-06T00:00:00Z",
        clock=kestrel.clock,
    )
    assert judged_again(kestrel, promotion) > promotion.version


def test_it_changes_with_a_report_that_wakes_it(kestrel: Kestrel) -> None:
    running = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(running, "started")
    waiting = kestrel.ask(kestrel.release(), kestrel.dev)
    kestrel.reports(running, "succeeded")
    assert version_of(waiting) > waiting.version


def test_it_changes_with_a_refused_report_in_the_timeline(kestrel: Kestrel) -> None:
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    with pytest.raises(ProductError, match="contradicts"):
        kestrel.reports(promotion, "succeeded")
    assert version_of(promotion) > promotion.version


def test_it_changes_with_a_reject_that_cannot_be_signed_yet(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = kestrel.waits_for_production()
    monkeypatch.setattr("promotions.judging.evaluation_context.current_key", lambda: None)
    assert kestrel.rejects("approver", promotion).version > promotion.version


def test_it_stays_while_a_reject_waits_for_a_key(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    promotion = kestrel.waits_for_production()
    monkeypatch.setattr("promotions.judging.evaluation_context.current_key", lambda: None)
    rejected = kestrel.rejects("approver", promotion)
    first = judged_again(kestrel, rejected)
    assert judged_again(kestrel, rejected) == first
    monkeypatch.undo()
    signing_key.load.cache_clear()
    judged_again(kestrel, rejected)
    assert Promotion.objects.get(pk=promotion.pk).status == "rejected"


def test_the_page_is_sent_again_when_an_environment_is_renamed() -> None:
    kestrel = make_kestrel(now=True)
    promotion = kestrel.waits_for_production()
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["approver"].account))
    etag = client.get(f"/promotions/{promotion.pk}").headers["ETag"]
    again = client.get(f"/promotions/{promotion.pk}", headers={"If-None-Match": etag})
    assert again.status_code == 304
    changes = {"display_name": "Live"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    assert client.get(f"/promotions/{promotion.pk}", headers={"If-None-Match": etag}).status_code == 200
