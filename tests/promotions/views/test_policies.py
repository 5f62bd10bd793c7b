"""/policies and below (ui.md, Pages)."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_person,
    make_product,
    make_promotion_policy,
    make_ready_tenant,
)
from tests.signed_in import signed_in

TWO_PERSON = [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}]


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def greta(tenant: Tenant) -> User:
    return make_person(tenant, "greta", roles=["admin"])


@pytest.fixture
def vera(tenant: Tenant) -> User:
    """She may look at everything and change nothing."""
    return make_person(tenant, "vera", roles=["viewer"])


@pytest.fixture
def policy(tenant: Tenant, greta: User) -> ApprovalPolicy:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_person(tenant, "mei", roles=["approver"], teams=["security"])
    return make_approval_policy(actor_of(greta, tenant), rules=TWO_PERSON)


def text(response: Any) -> str:
    """What the page says, with blanks as a reader sees them."""
    assert response.status_code == 200, response.content
    return " ".join(response.content.decode().split())


def edit(tenant: Tenant, greta: User, policy: ApprovalPolicy, **changes: Any) -> None:
    update_approval_policy(by=actor_of(greta, tenant), clock=DATABASE_CLOCK, policy_id=policy.id, changes=changes)


def test_the_overview_says_what_guards_what(tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy) -> None:
    by = actor_of(greta, tenant)
    make_environment(by, "dev", 1)
    make_environment(by, "production", 2, approval_policies=["two-person"], required_approvals=2)
    page = signed_in(vera).get("/policies")
    assert [each["name"] for each in page.context["environments"]] == ["dev", "production"]
    said = text(page)
    assert "Nobody has to approve" in said
    assert "2 by anyone eligible" in said
    assert "1 approval by team security" in said
    assert "preconditions, freeze-window, approval" in said


def test_the_overview_costs_the_same_however_many(
    tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy, django_assert_max_num_queries: Any
) -> None:
    by, client = actor_of(greta, tenant), signed_in(vera)
    make_environment(by, "dev", 1, approval_policies=["two-person"])
    client.get("/policies")
    with django_assert_max_num_queries(25) as one:
        client.get("/policies")
    enough = len(one)
    for number in range(3):
        make_environment(by, f"stage-{number}", number + 2, approval_policies=["two-person"])
        make_approval_policy(by, f"policy-{number}")
        make_promotion_policy(by, f"strict-{number}")
    with django_assert_max_num_queries(enough):
        client.get("/policies")


def test_weakening_edits_are_shown(tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy) -> None:
    edit(tenant, greta, policy, rules=TWO_PERSON[:1])
    assert "Rule security is gone: 1 approval fewer." in text(signed_in(vera).get("/policies"))


def test_the_overview_says_which_policies_are_blind(
    tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy
) -> None:
    hidden = "Votes are hidden until voting ends."
    assert hidden not in text(signed_in(vera).get("/policies"))
    edit(tenant, greta, policy, blind=True)
    assert hidden in text(signed_in(vera).get("/policies"))


def test_a_tenant_without_environments_is_told_what_comes_next(vera: User) -> None:
    assert "No environments yet" in text(signed_in(vera).get("/policies"))


def test_only_who_may_edit_is_offered_to(vera: User, greta: User, policy: ApprovalPolicy) -> None:
    for path in ("/policies", f"/policies/approval/{policy.id}", "/policies/promotion/default"):
        assert "/admin/" not in text(signed_in(vera).get(path))
        assert "/admin/" in text(signed_in(greta).get(path))


def seen(name: str) -> str:
    """What the page of the policy posts of its draft."""
    return promotion_policy_tag(PromotionPolicy.objects.get(name=name))


def test_pages_of_another_tenant_s_policies_are_not_there(policy: ApprovalPolicy) -> None:
    other = make_ready_tenant("merlin")
    client = signed_in(make_person(other, "otto", roles=["admin"]))
    make_promotion_policy(actor_of(make_person(other, "olga", roles=["admin"]), other), "own", published=False)
    path = f"/policies/approval/{policy.id}"
    assert client.get(path).status_code == 404
    for act in ("retire", "enable", "disable"):
        assert client.post(f"{path}/{act}").status_code == 404
    assert client.get("/policies/promotion/strict").status_code == 404
    assert client.post("/policies/promotion/strict/publish", {"seen": '"a"'}).status_code == 404
    assert "two-person" not in text(client.get("/policies"))


def refused_on(answer: Any) -> str:
    """What the page says of the refused action."""
    return str(answer.content.decode().partition('class="error-summary"')[2].partition("</div>")[0])


class TestApprovalPolicy:
    def test_it_is_said_in_words(self, vera: User, policy: ApprovalPolicy) -> None:
        said = text(signed_in(vera).get(f"/policies/approval/{policy.id}"))
        assert "1 approval by team release" in said
        assert "The requester never votes." in said
        assert "The person who created the release does not vote." in said

    def test_the_newest_two_versions_are_compared_at_first(
        self, tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy
    ) -> None:
        client, path = signed_in(vera), f"/policies/approval/{policy.id}"
        assert client.get(path).context["comparison"] is None
        edit(tenant, greta, policy, requireSubjectDigest=True)
        edit(tenant, greta, policy, commentRequired=True)
        places = [each.place for each in client.get(path).context["comparison"]["differences"]]
        assert places == ["commentRequired"]
        asked = client.get(f"{path}?from=1&to=3")
        places = [each.place for each in asked.context["comparison"]["differences"]]
        assert places == ["commentRequired", "requireSubjectDigest"]
        assert "They say the same." in text(client.get(f"{path}?from=2&to=2"))
        for wrong in ("?from=7&to=1", "?from=x", "?from=99999999999999999999"):
            assert "There is no such version." in text(client.get(path + wrong))

    def test_it_answers_who_could_approve(
        self, tenant: Tenant, greta: User, vera: User, policy: ApprovalPolicy
    ) -> None:
        production = make_environment(actor_of(greta, tenant), "production", 1, approval_policies=["two-person"])
        client, path = signed_in(vera), f"/policies/approval/{policy.id}"
        page = client.get(f"{path}?environment={production.id}&requester={greta.id}")
        assert [[each.username for each in people] for people in page.context["answer"].sets] == [["mei", "nia"]]
        assert "These people together are enough" in text(page)
        nia = User.objects.get(username="nia")
        said = text(client.get(f"{path}?environment={production.id}&requester={nia.id}"))
        assert "Nobody could approve it" in said
        assert "Nia (nia) requested this promotion." in said

    @pytest.mark.parametrize("query", ["environment=x&requester=y", "requester=", "environment=&requester=7"])
    def test_a_question_that_cannot_be_answered_is_told_beside_its_fields(
        self, vera: User, policy: ApprovalPolicy, query: str
    ) -> None:
        page = signed_in(vera).get(f"/policies/approval/{policy.id}?{query}")
        assert page.context["answer"] is None
        assert "error-summary" in text(page)

    def test_people_and_environments_of_another_tenant_cannot_be_asked_about(
        self, tenant: Tenant, vera: User, policy: ApprovalPolicy
    ) -> None:
        other = make_ready_tenant("merlin")
        otto = make_person(other, "otto", roles=["admin"])
        dev = make_environment(actor_of(otto, other), "dev", 1)
        page = signed_in(vera).get(f"/policies/approval/{policy.id}?environment={dev.id}&requester={otto.id}")
        assert sorted(page.context["form"].errors) == ["environment", "requester"]
        assert "otto" not in text(page)

    def test_it_is_disabled_enabled_and_retired_by_buttons(self, greta: User, policy: ApprovalPolicy) -> None:
        client, path = signed_in(greta), f"/policies/approval/{policy.id}"
        assert client.post(f"{path}/disable").status_code == 302
        assert not ApprovalPolicy.objects.get().enabled
        assert "It is disabled" in text(client.get(path))
        client.post(f"{path}/enable")
        assert ApprovalPolicy.objects.get().enabled
        assert client.post(f"{path}/retire").headers["Location"] == "/policies"
        assert ApprovalPolicy.objects.get().retired_at is not None
        assert "It is retired" in text(client.get(path))

    def test_a_policy_in_use_says_why_it_cannot_be_stopped(
        self, tenant: Tenant, greta: User, policy: ApprovalPolicy
    ) -> None:
        make_environment(actor_of(greta, tenant), "production", 1, approval_policies=["two-person"])
        client, path = signed_in(greta), f"/policies/approval/{policy.id}"
        assert "two-person guards production: take it out of that environment first." in text(client.get(path))
        for act in ("retire", "disable"):
            answer = client.post(f"{path}/{act}")
            assert answer.status_code == 409
            assert "two-person guards production: take it out of that environment first." in refused_on(answer)
            assert "What it asks for" in answer.content.decode()
        assert ApprovalPolicy.objects.get().enabled

    def test_who_may_only_look_is_told_and_refused(self, vera: User, policy: ApprovalPolicy) -> None:
        client, path = signed_in(vera), f"/policies/approval/{policy.id}"
        assert "This needs the right policy:write" in text(client.get(path))
        for act in ("retire", "enable", "disable"):
            answer = client.post(f"{path}/{act}")
            assert answer.status_code == 403
            assert "This needs the right policy:write" in refused_on(answer)

    @pytest.mark.parametrize("act", ["retire", "enable", "disable"])
    def test_nothing_is_changed_by_a_link(self, greta: User, policy: ApprovalPolicy, act: str) -> None:
        assert signed_in(greta).get(f"/policies/approval/{policy.id}/{act}")["Location"].startswith("/policies")
        forged = Client(enforce_csrf_checks=True)
        forged.force_login(greta)
        assert forged.post(f"/policies/approval/{policy.id}/{act}").status_code == 403


class TestPromotionPolicy:
    def test_its_gates_are_said_in_words(self, vera: User) -> None:
        said = text(signed_in(vera).get("/policies/promotion/default"))
        assert "No freeze is active; during one, promotions wait." in said
        assert "the installation" in said

    def test_a_draft_is_shown_by_what_it_would_change(self, tenant: Tenant, greta: User, vera: User) -> None:
        by = actor_of(greta, tenant)
        make_promotion_policy(by, "strict")
        save_draft(by=by, clock=DATABASE_CLOCK, name="strict", changes={"supersedeOlder": True})
        page = signed_in(vera).get("/policies/promotion/strict")
        assert [each.place for each in page.context["draft_differences"]] == ["supersedeOlder"]
        assert "This needs the right policy:publish" in text(page)

    def test_the_draft_is_published_by_a_button(self, tenant: Tenant, greta: User) -> None:
        make_promotion_policy(actor_of(greta, tenant), "strict", published=False)
        client = signed_in(greta)
        assert "Nothing is published yet" in text(client.get("/policies/promotion/strict"))
        answer = client.post("/policies/promotion/strict/publish")
        assert answer.status_code == 400
        assert "There is something to correct" in refused_on(answer)
        assert client.post("/policies/promotion/strict/publish", {"seen": seen("strict")}).status_code == 302
        assert PromotionPolicy.objects.get(name="strict").current is not None
        assert "Version 1 of strict is published" in text(client.get("/policies/promotion/strict"))
        assert client.post("/policies/promotion/strict/publish", {"seen": seen("strict")}).status_code == 409

    def test_nobody_publishes_a_draft_that_the_page_did_not_show(self, tenant: Tenant, greta: User) -> None:
        hugo = make_person(tenant, "hugo", roles=["admin"])
        by = actor_of(greta, tenant)
        make_promotion_policy(by, "loose", published=False)
        client = signed_in(hugo)
        shown = re.search(r'name="seen" value="&quot;(\w+)&quot;"', text(client.get("/policies/promotion/loose")))
        assert shown is not None
        save_draft(by=by, clock=DATABASE_CLOCK, name="loose", changes={"pendingTtl": 3600})
        refused = client.post("/policies/promotion/loose/publish", {"seen": f'"{shown[1]}"'})
        assert refused.status_code == 412
        assert "It changed since you opened it" in refused_on(refused)
        assert f'name="seen" value="{escape(seen("loose"))}"' in refused.content.decode()
        assert PromotionPolicy.objects.get(name="loose").current is None

    def test_who_may_not_publish_is_refused(self, tenant: Tenant, greta: User, vera: User) -> None:
        make_promotion_policy(actor_of(greta, tenant), "strict", published=False)
        assert signed_in(vera).post("/policies/promotion/strict/publish", {"seen": seen("strict")}).status_code == 403

    def test_versions_are_compared(self, tenant: Tenant, greta: User, vera: User) -> None:
        by = actor_of(greta, tenant)
        make_promotion_policy(by, "strict")
        save_draft(by=by, clock=DATABASE_CLOCK, name="strict", changes={"supersedeOlder": True})
        publish_promotion_policy(by=by, clock=DATABASE_CLOCK, name="strict")
        comparison = signed_in(vera).get("/policies/promotion/strict").context["comparison"]
        assert [(each.place, each.before, each.after) for each in comparison["differences"]] == [
            ("supersedeOlder", "no", "yes")
        ]


def test_a_rule_of_owners_says_for_which_products_it_fails_and_who_could_approve(tenant: Tenant, greta: User) -> None:
    nia = make_person(tenant, "nia", roles=["approver"], teams=["payments"])
    tomas = make_person(tenant, "tomas", roles=["operator"])
    make_product(tenant, "ledger", owner_teams=["payments"])
    by = actor_of(greta, tenant)
    policy = make_approval_policy(by, "owned", rules=[{"name": "owners", "teams": ["@owners"]}])
    environment = make_environment(by, "production", 1, approval_policies=["owned"])
    client, path = signed_in(greta), f"/policies/approval/{policy.pk}"
    page = text(client.get(path))
    assert "1 approval by the owners of the product" in page
    assert "<li>Product main has no owner teams.</li>" in page
    asked = f"{path}?environment={environment.pk}&requester={tomas.pk}"
    assert "A rule is for the owners of the product: name the product." in text(client.get(asked))
    assert nia.display_name in text(client.get(f"{asked}&product=ledger")).partition("These people together")[2]
    about = text(client.get(f"/environments/{environment.pk}"))
    assert "Nothing of product main that is requested now can enter" in about
    assert "of product ledger" not in about
