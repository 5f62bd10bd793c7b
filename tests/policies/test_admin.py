"""Policies in the Django admin: the same actions, refusals beside the fields (ui.md, /admin)."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.test import Client

from policies.actions.save_draft import save_draft
from policies.etags import approval_policy_tag, promotion_policy_tag
from policies.models import ApprovalPolicy, ApprovalPolicyVersion, PromotionPolicy, WeakeningEdit
from promotions.actions.retire_approval_policy import retire_approval_policy
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.accounts.models import Product, Tenant, User
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, Invalid, ProductError
from tests.factories import actor_of, make_approval_policy, make_person, make_promotion_policy, make_ready_tenant
from tests.signed_in import signed_in

APPROVAL = "/admin/policies/approvalpolicy/"
PROMOTION = "/admin/policies/promotionpolicy/"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
GIVEN = {
    "name": "two-person",
    "description": "One of each.",
    "rules": "release: 1 by team release\r\nsecurity: 1 by team security or nia",
    "exclude_release_creator": "on",
    "comment_required": "on",
}


@pytest.fixture
def tenant(db: None) -> Tenant:
    tenant = make_ready_tenant("kestrel-pay")
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_person(tenant, "mei", roles=["approver"], teams=["security"])
    return tenant


@pytest.fixture
def greta(tenant: Tenant) -> User:
    return make_person(tenant, "greta", roles=["admin"])


@pytest.fixture
def client(greta: User) -> Client:
    return signed_in(greta)


@pytest.fixture
def policy(tenant: Tenant, greta: User) -> ApprovalPolicy:
    rules = [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"], "users": ["nia"]}]
    return make_approval_policy(actor_of(greta, tenant), rules=rules, description="One of each.", commentRequired=True)


def seen(policy: ApprovalPolicy | PromotionPolicy) -> str:
    """What the form holds in its hidden field."""
    policy = type(policy).objects.get(pk=policy.pk)
    return approval_policy_tag(policy, ()) if isinstance(policy, ApprovalPolicy) else promotion_policy_tag(policy)


def inline(prefix: str = "versions", initial: int = 0) -> dict[str, Any]:
    return {f"{prefix}-TOTAL_FORMS": initial, f"{prefix}-INITIAL_FORMS": initial}


def errors(page: Any) -> dict[str, list[str]]:
    """What stands beside each field; `__all__` is above them."""
    assert page.status_code == 200, page.headers.get("Location")
    found: dict[str, list[str]] = dict(page.context["adminform"].form.errors)
    return found


def says(policy: ApprovalPolicy) -> dict[str, Any]:
    version = ApprovalPolicyVersion.objects.filter(policy=policy).latest("version")
    content: dict[str, Any] = orjson.loads(version.canonical)
    return content


class TestApprovalPolicies:
    def test_adding_one_is_its_action(self, client: Client, greta: User) -> None:
        assert client.post(f"{APPROVAL}add/", GIVEN).status_code == 302
        policy = ApprovalPolicy.objects.get()
        document = says(policy)
        assert (policy.name, document["description"], document["commentRequired"]) == (
            "two-person",
            "One of each.",
            True,
        )
        assert document["rules"][1] == {"name": "security", "teams": ["security"], "users": ["nia"], "minApprovals": 1}
        assert document["separationOfDuties"]["excludeReleaseCreator"] is True
        assert AuditEvent.objects.get(action="approval_policy.created").actor_id == greta.id

    def test_the_form_shows_what_the_policy_says(self, client: Client, policy: ApprovalPolicy) -> None:
        page = client.get(f"{APPROVAL}{policy.id}/change/")
        initial = page.context["adminform"].form.initial
        assert initial["rules"] == "release: 1 by team release\nsecurity: 1 by team security or nia"
        assert (initial["comment_required"], initial["require_subject_digest"]) == (True, False)
        assert "stella.approval-policy/v1" in page.content.decode()

    def test_votes_are_made_blind_by_the_form(self, client: Client, policy: ApprovalPolicy) -> None:
        changed = {**GIVEN, "blind": "on", "seen": seen(policy), **inline()}
        assert client.post(f"{APPROVAL}{policy.id}/change/", changed).status_code == 302
        assert says(policy)["blind"] is True
        page = client.get(f"{APPROVAL}{policy.id}/change/")
        assert page.context["adminform"].form.initial["blind"] is True

    def test_saving_what_is_shown_is_no_new_version(self, client: Client, policy: ApprovalPolicy) -> None:
        given = {**GIVEN, "seen": seen(policy), **inline()}
        assert client.post(f"{APPROVAL}{policy.id}/change/", given).status_code == 302
        assert ApprovalPolicyVersion.objects.count() == 1

    def test_changing_one_is_its_action(self, client: Client, policy: ApprovalPolicy) -> None:
        changed = {**GIVEN, "rules": "release: 1 by team release", "seen": seen(policy), **inline()}
        assert client.post(f"{APPROVAL}{policy.id}/change/", changed).status_code == 302
        assert [rule["name"] for rule in says(policy)["rules"]] == ["release"]
        assert WeakeningEdit.objects.get().what == "Rule security is gone: 1 approval fewer."

    def test_an_edit_that_is_shown_again_is_not_stored(self, client: Client, policy: ApprovalPolicy) -> None:
        events = AuditEvent.objects.count()
        changed = {
            **GIVEN,
            "rules": "release: 1 by team release",
            "seen": seen(policy),
        }  # no word of the versions below
        page = client.post(f"{APPROVAL}{policy.id}/change/", changed)
        assert page.status_code == 200
        assert "Please correct" in page.content.decode()
        assert [rule["name"] for rule in says(policy)["rules"]] == ["release", "security"]
        assert not WeakeningEdit.objects.exists()
        assert AuditEvent.objects.count() == events

    def test_the_name_stays_whatever_is_posted(self, client: Client, policy: ApprovalPolicy) -> None:
        changed = {**GIVEN, "name": "other", "description": "Changed.", "seen": seen(policy), **inline()}
        assert client.post(f"{APPROVAL}{policy.id}/change/", changed).status_code == 302
        assert (ApprovalPolicy.objects.get().name, says(policy)["description"]) == ("two-person", "Changed.")

    @pytest.mark.parametrize(
        ("changes", "field", "told"),
        [
            ({"name": "Two"}, "name", "lower-case letters"),
            ({"name": ""}, "name", "required"),
            ({"name": "anyone"}, "name", "anyone is the name of approvals by anyone: choose another."),
            ({"rules": ""}, "rules", "required"),
            ({"rules": "security"}, "rules", "Line 1 is no rule."),
            (
                {"rules": "a: 0 by nia"},
                "rules",
                "Rule 1, how many approvals: This must be a whole number from 1 to 20.",
            ),
            (
                {"rules": "a: 1 by nia\na: 1 by mei"},
                "rules",
                "Rule 2, its name: a is there twice: choose another name.",
            ),
            ({"rules": "a: 1 by team nobody"}, "rules", "Rule 1: There is no team nobody."),
            ({"rules": "a: 1 by stranger"}, "rules", "Rule 1: There is no member stranger."),
            ({"rules": "a: 2 by team release"}, "rules", "Rule a of two-person needs 2 people, and 1 is eligible."),
            ({"rules": "a: 1 by greta"}, "rules", "nobody is eligible"),
            ({"description": "x" * 2001}, "description", "2000"),
            ({"description": "\u202e"}, "description", "direction-changing"),
            ({"rules": "a: 1 by nia\x00"}, "rules", "Null characters"),
        ],
    )
    def test_a_refusal_stands_beside_its_field(
        self, client: Client, changes: dict[str, str], field: str, told: str
    ) -> None:
        found = errors(client.post(f"{APPROVAL}add/", {**GIVEN, **changes}))
        assert list(found) == [field]
        assert told in " ".join(found[field])
        assert not ApprovalPolicy.objects.exists()

    def test_a_taken_name_is_told_beside_the_name(self, client: Client, policy: ApprovalPolicy) -> None:
        assert list(errors(client.post(f"{APPROVAL}add/", GIVEN))) == ["name"]

    def test_the_name_of_a_retired_policy_is_told_beside_the_name(
        self, client: Client, tenant: Tenant, greta: User, policy: ApprovalPolicy
    ) -> None:
        retire_approval_policy(by=actor_of(greta, tenant), clock=DATABASE_CLOCK, policy_id=policy.id)
        found = errors(client.post(f"{APPROVAL}add/", GIVEN))
        assert list(found) == ["name"]
        assert "its name is never used again" in found["name"][0]

    @pytest.mark.parametrize(
        ("refusal", "field"),
        [(Invalid("Nothing of this can be used."), "rules"), (Conflict("Somebody moved it."), "__all__")],
    )
    def test_what_is_refused_as_a_whole_is_never_shown_as_saved(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, refusal: ProductError, field: str
    ) -> None:
        def refuse(**_: object) -> None:
            raise refusal

        monkeypatch.setattr("policies.forms.create_approval_policy", refuse)
        assert errors(client.post(f"{APPROVAL}add/", GIVEN)) == {field: [refusal.message]}

    def test_an_edit_of_somebody_else_in_between_is_told_and_kept(
        self, client: Client, tenant: Tenant, greta: User, policy: ApprovalPolicy
    ) -> None:
        before = seen(policy)
        update_approval_policy(
            by=actor_of(greta, tenant),
            clock=DATABASE_CLOCK,
            policy_id=policy.id,
            changes={"description": "By another."},
        )
        changed = {**GIVEN, "description": "By me.", "seen": before, **inline()}
        page = client.post(f"{APPROVAL}{policy.id}/change/", changed)
        assert "changed since you opened it" in errors(page)["__all__"][0]
        assert "By me." in page.content.decode()
        assert says(policy)["description"] == "By another."

    def test_a_retired_policy_is_only_looked_at(
        self, client: Client, tenant: Tenant, greta: User, policy: ApprovalPolicy
    ) -> None:
        retire_approval_policy(by=actor_of(greta, tenant), clock=DATABASE_CLOCK, policy_id=policy.id)
        page = client.get(f"{APPROVAL}{policy.id}/change/")
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        given = {**GIVEN, "seen": seen(policy), **inline()}
        assert client.post(f"{APPROVAL}{policy.id}/change/", given).status_code == 403

    def test_the_list_says_which_version_is_in_force(self, client: Client, policy: ApprovalPolicy) -> None:
        assert "two-person" in client.get(APPROVAL).content.decode()

    def test_nothing_is_deleted(self, client: Client, policy: ApprovalPolicy) -> None:
        assert client.post(f"{APPROVAL}{policy.id}/delete/", {"post": "yes"}).status_code == 403
        assert ApprovalPolicy.objects.get().retired_at is None

    def test_versions_are_not_changed_through_the_inline(self, client: Client, policy: ApprovalPolicy) -> None:
        version = ApprovalPolicyVersion.objects.get()
        forged = {
            **GIVEN,
            "seen": seen(policy),
            **inline(initial=1),
            "versions-0-id": str(version.id),
            "versions-0-policy": str(policy.id),
            "versions-0-digest": "sha256:forged",
            "versions-0-DELETE": "on",
        }
        client.post(f"{APPROVAL}{policy.id}/change/", forged)
        assert ApprovalPolicyVersion.objects.get().digest == version.digest


class TestPromotionPolicies:
    def test_adding_one_is_a_draft(self, client: Client) -> None:
        given = {"name": "strict", "document": '{"approvalTtl": 60}'}
        assert client.post(f"{PROMOTION}add/", given).status_code == 302
        policy = PromotionPolicy.objects.get(name="strict")
        assert (policy.current, policy.draft["approvalTtl"]) == (None, 60)

    def test_a_new_one_begins_with_the_defaults(self, client: Client) -> None:
        initial = json.loads(client.get(f"{PROMOTION}add/").context["adminform"].form.initial["document"])
        assert [gate["kind"] for gate in initial["gates"]] == ["preconditions", "freeze-window", "approval"]

    def test_saving_changes_the_draft_only(self, client: Client, tenant: Tenant, greta: User) -> None:
        policy = make_promotion_policy(actor_of(greta, tenant), "strict", approvalTtl=60)
        given = {"document": '{"supersedeOlder": true}', "seen": seen(policy), **inline()}
        assert client.post(f"{PROMOTION}{policy.id}/change/", given).status_code == 302
        stored = PromotionPolicy.objects.get(pk=policy.pk)
        assert stored.current_id == policy.current_id
        assert stored.draft["supersedeOlder"] is True
        assert stored.draft["approvalTtl"] == 3 * 86400  # taken out of the text: back to the default

    def test_saving_and_publishing_is_one_button(self, client: Client, tenant: Tenant, greta: User) -> None:
        policy = make_promotion_policy(actor_of(greta, tenant), "strict")
        page = client.get(f"{PROMOTION}{policy.id}/change/")
        assert 'name="_publish"' in page.content.decode()
        given = {"document": '{"supersedeOlder": true}', "seen": seen(policy), "_publish": "1", **inline()}
        assert client.post(f"{PROMOTION}{policy.id}/change/", given).status_code == 302
        stored = PromotionPolicy.objects.select_related("current").get(pk=policy.pk)
        assert stored.current is not None
        assert (stored.draft, stored.current.version) == (None, 2)
        assert AuditEvent.objects.filter(action="policy.published", metadata__name="strict").count() == 2

    def test_what_cannot_be_published_is_told_and_not_even_saved(
        self, client: Client, tenant: Tenant, greta: User
    ) -> None:
        policy = make_promotion_policy(actor_of(greta, tenant), "strict")
        gate = {"name": "a", "kind": "manual", "config": {"confirmers": {"teams": ["nobody"]}, "text": "Checked"}}
        given = {"document": json.dumps({"gates": [gate]}), "seen": seen(policy), "_publish": "1", **inline()}
        found = errors(client.post(f"{PROMOTION}{policy.id}/change/", given))
        assert "gates[2].config.confirmers.teams[0]: There is no team nobody." in found["document"][0]
        assert PromotionPolicy.objects.get(pk=policy.pk).draft is None

    @pytest.mark.parametrize(
        ("document", "told"),
        [
            ("{", "line 1, column 2"),
            ("{", "The document is not JSON"),
            ("[]", "must be a JSON object"),
            ('{"a": 1, "a": 2}', "stands twice"),
            ('{"approvalTtl": NaN}', "NaN"),
            ('{"approvalTtl": 99999999999999999999}', "approvalTtl: This is out of range: give a number from"),
            ("[" * 100_000, "nested deeper"),
            ('{"quorum": 1}', "quorum: There is no such field: remove it, or correct its name."),
            ('{"gates": [{"kind": "security"}]}', "gates[0].config.rules: This is missing: add it."),
            ('{"gates": [{"kind": "manual"}]}', "gates[0].config.confirmers: This is missing: add it."),
        ],
    )
    def test_what_is_wrong_is_told_by_place(self, client: Client, document: str, told: str) -> None:
        found = errors(client.post(f"{PROMOTION}add/", {"name": "strict", "document": document}))
        assert list(found) == ["document"]
        assert told in " ".join(found["document"])
        assert not PromotionPolicy.objects.filter(name="strict").exists()

    def test_an_edit_of_somebody_else_in_between_is_told(self, client: Client, tenant: Tenant, greta: User) -> None:
        policy = make_promotion_policy(actor_of(greta, tenant), "strict")
        before = seen(policy)
        save_draft(by=actor_of(greta, tenant), clock=DATABASE_CLOCK, name="strict", changes={"approvalTtl": 60})
        given = {"document": '{"supersedeOlder": true}', "seen": before, **inline()}
        found = errors(client.post(f"{PROMOTION}{policy.id}/change/", given))
        assert "changed since you opened it" in found["__all__"][0]


@pytest.mark.parametrize("roles", [[], ["viewer"], ["approver", "operator", "auditor"]])
def test_who_is_no_administrator_does_not_get_in(tenant: Tenant, policy: ApprovalPolicy, roles: list[str]) -> None:
    client = Client()
    client.force_login(make_person(tenant, "vera", roles=roles))
    for path in ("/admin/", APPROVAL, f"{APPROVAL}add/", f"{APPROVAL}{policy.id}/change/", PROMOTION):
        page = client.get(path, follow=True)
        assert page.status_code == 403
        assert "You may not do this" in page.content.decode()
        assert "This needs the right tenant:admin" in page.content.decode()
        client.post(path, {**GIVEN, "name": "other"})
    assert ApprovalPolicy.objects.count() == 1


def test_the_sign_in_page_is_always_that_of_the_product(client: Client, policy: ApprovalPolicy) -> None:
    stranger = Client()
    for path in ("/admin/", "/admin/login/", f"{APPROVAL}{policy.id}/change/"):
        page = stranger.get(path, follow=True)
        assert page.redirect_chain[-1][0].startswith("/accounts/login?next=/admin/"), path
    assert client.get("/admin/login/", follow=True).redirect_chain == [("/admin/", 302)]


def test_policies_of_another_tenant_are_not_there(policy: ApprovalPolicy) -> None:
    other = make_ready_tenant("merlin")
    client = Client()
    client.force_login(make_person(other, "otto", roles=["admin"]))
    assert client.get(f"{APPROVAL}{policy.id}/change/").status_code == 302
    assert (
        client.post(f"{APPROVAL}{policy.id}/change/", {**GIVEN, "require_subject_digest": "on", **inline()}).status_code
        == 302
    )
    assert "two-person" not in client.get(APPROVAL).content.decode()
    assert ApprovalPolicyVersion.objects.count() == 1


def test_a_rule_of_owners_is_saved_with_the_products_for_which_it_fails(client: Client, tenant: Tenant) -> None:
    given = {**GIVEN, "rules": "owners: 1 by @owners", **inline()}
    assert "@owners fails for every product" in errors(client.post(f"{APPROVAL}add/", given))["rules"][0]
    Product.objects.create(
        tenant=tenant, slug="ledger", display_name="Ledger", owner_teams=["release"], created_at=NOW, updated_at=NOW
    )
    page = client.post(f"{APPROVAL}add/", given, follow=True).content.decode()
    assert "It fails for 1 product. Product main has no owner teams." in page
    assert says(ApprovalPolicy.objects.get())["rules"][0]["teams"] == ["@owners"]
