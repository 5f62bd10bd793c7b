"""The page that tries a policy before it counts: without script, for who edits policies (ui.md, /policies)."""

import pytest
from django.urls import reverse

from environments.actions.update_environment import update_environment
from policies.actions.save_draft import save_draft
from policies.models import PromotionPolicy
from promotions.models import DecisionRecord, Promotion
from promotions.reading.simulation import SimulationsBusy
from tests.factories import make_promotion_policy
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

pytestmark = pytest.mark.django_db

PAGE = "/policies/promotion/strict/simulate"
SHUT = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
}


@pytest.fixture
def kestrel() -> Kestrel:
    kestrel = make_kestrel(now=True)
    admin, clock = kestrel["admin"], kestrel.clock
    make_promotion_policy(admin, "strict", clock=clock)
    update_environment(
        by=admin, clock=clock, environment_id=kestrel.production.pk, changes={"promotionPolicy": "strict"}
    )
    save_draft(by=admin, clock=clock, name="strict", changes={"gates": [SHUT]})
    return kestrel


@pytest.fixture
def approved(kestrel: Kestrel) -> Promotion:
    return kestrel.approved_for_production()


def test_the_draft_on_one_promotion_shows_what_differs_and_every_gate(kestrel: Kestrel, approved: Promotion) -> None:
    answer = client_of(kestrel, "admin").get(PAGE, {"on": "one", "number": approved.number, "version": ""})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "The draft says" in page
    assert "1 of 1 decisions would be another" in page
    assert "OUTSIDE_SCHEDULE" in page
    assert [gate["name"] for gate in answer.context["gates"]] == [
        "preconditions",
        "freeze-window",
        "hours",
        "approval",
    ]


def test_a_version_on_the_last_promotions(kestrel: Kestrel, approved: Promotion) -> None:
    answer = client_of(kestrel, "admin").get(PAGE, {"on": "last", "last": 20, "version": "1"})
    assert "Version 1 says" in answer.content.decode()
    assert answer.context["differing"] == 0
    assert [trial.promotion.pk for trial in answer.context["trials"]] == [approved.pk]


def test_a_policy_that_guards_nothing_says_so_and_is_tried_into_one_environment(
    kestrel: Kestrel, approved: Promotion
) -> None:
    make_promotion_policy(kestrel["admin"], "spare", clock=kestrel.clock)
    client, page = client_of(kestrel, "admin"), "/policies/promotion/spare/simulate"
    assert "every environment: it guards none" in client.get(page).content.decode()
    assert "every environment that it guards" in client.get(PAGE).content.decode()
    everywhere = client.get(page, {"on": "last", "last": 50}).context["trials"]
    assert len({trial.promotion.target_environment_id for trial in everywhere}) > 1
    chosen = client.get(page, {"on": "last", "last": 50, "environment": kestrel.production.pk}).context["trials"]
    assert [trial.promotion.pk for trial in chosen] == [approved.pk]


def test_a_policy_whose_environments_have_no_promotions_is_tried_on_none(kestrel: Kestrel) -> None:
    kestrel.ask(kestrel.release(), kestrel.dev)
    answer = client_of(kestrel, "admin").get(PAGE, {"on": "last", "last": 50})
    assert answer.context["trials"] == []
    assert "There is no decision to try it on." in answer.content.decode()


def test_it_stores_nothing(kestrel: Kestrel, approved: Promotion) -> None:
    before = DecisionRecord.objects.count()
    client_of(kestrel, "admin").get(PAGE, {"on": "last", "last": 20})
    assert DecisionRecord.objects.count() == before


@pytest.mark.parametrize(
    "asked",
    [{"on": "one"}, {"on": "last"}, {"on": "last", "last": 201}, {"on": "x"}, {"on": "one", "number": 1, "version": 9}],
)
def test_what_is_missing_is_told_on_the_page(kestrel: Kestrel, asked: dict[str, object]) -> None:
    answer = client_of(kestrel, "admin").get(PAGE, asked)
    assert answer.status_code == 400
    assert answer.context["form"].errors


def test_a_trial_that_has_to_wait_says_for_how_long(kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise SimulationsBusy("Another policy is being tried: send this again in a few seconds.")

    monkeypatch.setattr("promotions.views.simulation.try_on_last", busy)
    answer = client_of(kestrel, "admin").get(PAGE, {"on": "last", "last": 7})
    page = answer.content.decode()
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "send this again" in page.partition('class="error-summary"')[2].partition("</div>")[0]
    assert 'value="7"' in page


def test_a_draft_that_cannot_be_used_any_more_says_where(kestrel: Kestrel) -> None:
    PromotionPolicy.objects.filter(name="strict").update(draft={"gates": [{"kind": "manual"}]})
    answer = client_of(kestrel, "admin").get(PAGE, {"on": "last", "last": 7})
    assert answer.status_code == 400
    assert "gates[0].config.confirmers: This is missing: add it." in answer.content.decode()


def test_a_promotion_that_is_not_there_is_not_found(kestrel: Kestrel) -> None:
    assert client_of(kestrel, "admin").get(PAGE, {"on": "one", "number": 999}).status_code == 404


def test_who_edits_no_policies_has_no_such_page(kestrel: Kestrel) -> None:
    assert client_of(kestrel, "viewer").get(PAGE).status_code == 403


def test_the_policy_and_its_admin_page_lead_there(kestrel: Kestrel) -> None:
    client, policy = client_of(kestrel, "admin"), PromotionPolicy.objects.get(name="strict")
    assert PAGE in client.get("/policies/promotion/strict").content.decode()
    change = reverse("admin:policies_promotionpolicy_change", args=[policy.pk])
    assert PAGE in client.get(change).content.decode()
