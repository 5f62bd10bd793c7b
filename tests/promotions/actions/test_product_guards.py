"""Approval policies that guard an environment for some products alone, from the request to the decision (domain.md
§1b)."""

from datetime import timedelta
from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from environments.actions.update_freeze_window import update_freeze_window
from policies.etags import proposal_tag
from policies.models import ApprovalPolicy, Proposal
from policies.weakening_edits import ChangedMeanwhile
from promotions.actions.image_repositories import free_repository, share_repository
from promotions.actions.products import create_product, update_product
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.judging.evaluation_context import stored_requirements
from promotions.judging.products import UnknownProduct
from promotions.judging.requirements import NoGuard
from promotions.models import DecisionRecord, Promotion
from promotions.reading.approver_check import ProductNeeded, check_approver
from promotions.verification.replay import replay
from promotions.worker.round import run_round
from stellapromote.accounts.models import ImageRepository
from stellapromote.api.etag import IfMatch
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.errors import Refused
from tests.factories import actor_of, make_approval_policy, make_freeze, make_person, make_promotion_policy
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.story import rows_found
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """Into dev go releases of main by one of security, those of ledger by one of each team, and no others."""
    kestrel = make_kestrel()
    for slug in ("ledger", "cards"):
        create_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug)
    rules = [{"name": "security", "teams": ["security"]}]
    make_approval_policy(kestrel["admin"], "security-only", clock=kestrel.clock, rules=rules)
    guard(kestrel, {"security-only": ["main"], "two-person": ["ledger"]}, other_products="refuse")
    return kestrel


def guard(kestrel: Kestrel, policies: dict[str, list[str]], **changes: Any) -> Any:
    entries = [{"name": name, "products": products} for name, products in policies.items()]
    kestrel.wait()
    return update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.dev.pk,
        changes={"product_approval_policies": entries, **changes},
    )


def asked(kestrel: Kestrel, product: str) -> Promotion:
    return kestrel.ask(kestrel.release(product=product), kestrel.dev)


def named(promotion: Promotion) -> list[str]:
    return [each["name"] for each in stored_requirements(promotion)["approvalPolicies"]]


def test_a_request_keeps_the_policies_for_its_product(kestrel: Kestrel) -> None:
    main, ledger = asked(kestrel, "main"), asked(kestrel, "ledger")
    assert (named(main), named(ledger)) == (["security-only"], ["two-person"])
    assert kestrel.approves("second", main).status == "approved"
    assert kestrel.approves("second", ledger).status == "awaiting_approval"
    assert kestrel.approves("approver", ledger).status == "approved"
    for promotion in (main, ledger):
        assert replay(DecisionRecord.objects.filter(promotion=promotion).latest("sequence")).equal
    assert rows_found(kestrel.tenant.pk) == []


def test_a_product_that_none_is_for_is_refused_and_stores_nothing(kestrel: Kestrel) -> None:
    release = kestrel.release(product="cards")
    with pytest.raises(NoGuard, match="Releases of product cards do not enter dev") as refusal:
        kestrel.ask(release, kestrel.dev)
    assert refusal.value.details == {"product": "cards", "environment": "dev"}
    wanted = PromotionRequest(release.pk, kestrel.dev.pk, "Wanted")
    with pytest.raises(NoGuard):
        preview_promotion(wanted, by=kestrel["requester"], clock=kestrel.clock)
    assert not Promotion.objects.exists()


def test_or_enters_by_those_for_every_product(kestrel: Kestrel) -> None:
    guard(kestrel, {"two-person": ["ledger"]}, approval_policies=["security-only"], other_products="allow")
    assert named(asked(kestrel, "cards")) == ["security-only"]
    assert named(asked(kestrel, "ledger")) == ["security-only", "two-person"]


def test_an_automatic_request_is_refused_as_well(kestrel: Kestrel) -> None:
    admin, clock = kestrel["admin"], kestrel.clock
    entries = [{"name": "security-only", "products": ["ledger"]}]
    changes = {"auto_promote_from": "dev", "product_approval_policies": entries, "other_products": "refuse"}
    update_environment(by=admin, clock=clock, environment_id=kestrel.staging.pk, changes=changes)
    kestrel.deploys(kestrel.approves("second", asked(kestrel, "main")))
    run_round("worker", clock)
    assert not Promotion.objects.filter(target_environment=kestrel.staging).exists()
    assert AuditEvent.objects.filter(action="promotion.auto_promotion_refused").exists()


def test_an_edit_counts_for_later_requests(kestrel: Kestrel) -> None:
    ledger = asked(kestrel, "ledger")
    guard(kestrel, {"security-only": ["ledger", "main"]})
    assert kestrel.approves("second", ledger).status == "awaiting_approval"
    assert named(asked(kestrel, "ledger")) == ["security-only"]
    assert rows_found(kestrel.tenant.pk) == []


def test_no_release_makes_a_product_while_a_guard_names_products(kestrel: Kestrel) -> None:
    with pytest.raises(UnknownProduct, match="There is no product loans"):
        kestrel.release(product="loans")


class TestImages:
    """They decide which guard holds: moving them takes two people, once a protected environment names products."""

    @pytest.fixture(autouse=True)
    def protected(self, kestrel: Kestrel) -> None:
        kestrel.release(product="ledger")
        kestrel.wait()
        changes = {"protected": True}
        update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)

    def change(self, kestrel: Kestrel, slug: str, *repositories: str) -> Any:
        kestrel.wait()
        changes = {"image_repositories": [*repositories]}
        return update_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, changes=changes)

    def test_they_are_taken_from_a_product_by_two(self, kestrel: Kestrel) -> None:
        freed = self.change(kestrel, "ledger")
        assert isinstance(freed, Proposal)
        assert freed.guards == ["dev"]
        assert freed.weakens == [
            "Environment dev: images of registry.example/ledger may be released as another product than ledger."
        ]
        assert ImageRepository.objects.filter(product__slug="ledger").exists()
        confirmed(freed, kestrel.clock)
        assert not ImageRepository.objects.filter(product__slug="ledger").exists()

    def test_they_are_claimed_by_two(self, kestrel: Kestrel) -> None:
        assert isinstance(self.change(kestrel, "main", "registry.example/new"), Proposal)

    def test_they_are_shared_and_freed_by_two(self, kestrel: Kestrel) -> None:
        admin, clock = kestrel["admin"], kestrel.clock
        shared = share_repository(by=admin, clock=clock, name="registry.example/base")
        assert isinstance(shared, Proposal)
        kestrel.wait()
        confirmed(shared, clock)
        row = ImageRepository.objects.get(is_shared=True)
        assert isinstance(free_repository(by=admin, clock=clock, repository_id=row.pk), Proposal)

    def test_somebody_whom_one_product_asks_does_not_confirm_for_the_others(self, kestrel: Kestrel) -> None:
        freed = self.change(kestrel, "ledger")
        read = IfMatch(proposal_tag(freed))
        kestrel.wait()
        with pytest.raises(Refused, match="You could not approve a promotion into dev"):
            confirm_proposal(freed.pk, by=kestrel["approver"], if_match=read, clock=kestrel.clock)
        confirm_proposal(freed.pk, by=kestrel["second"], if_match=read, clock=kestrel.clock)
        assert not ImageRepository.objects.filter(product__slug="ledger").exists()

    def test_owner_teams_are_chosen_at_once_where_no_policy_asks_for_owners(self, kestrel: Kestrel) -> None:
        changes = {"owner_teams": ["security"]}
        kestrel.wait()
        edited = update_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", changes=changes)
        assert not isinstance(edited, Proposal)


class TestPoliciesForSomeProducts:
    """A policy that an environment names for some products alone guards it as one for all of them does."""

    @pytest.fixture(autouse=True)
    def protected(self, kestrel: Kestrel) -> None:
        rules = [{"name": "anybody", "teams": ["release", "security"]}]
        make_approval_policy(kestrel["admin"], "swap", clock=kestrel.clock, rules=rules)
        kestrel.wait()
        changes = {"protected": True}
        update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)

    def widened(self, kestrel: Kestrel, name: str) -> Any:
        """With one more person in its rule."""
        kestrel.wait()
        rules = [{"name": "anybody", "teams": ["release", "security"], "users": ["builder"]}]
        policy = ApprovalPolicy.objects.get(name=name)
        return update_approval_policy(
            by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes={"rules": rules}
        )

    def test_it_is_loosened_by_two(self, kestrel: Kestrel) -> None:
        found = self.widened(kestrel, "security-only")
        assert isinstance(found, Proposal)
        assert found.guards == ["dev"]

    def test_what_a_proposal_names_for_a_product_stays_as_the_second_person_read_it(self, kestrel: Kestrel) -> None:
        proposed = guard(kestrel, {"security-only": ["main"], "swap": ["ledger"]})
        assert isinstance(proposed, Proposal)
        assert not isinstance(self.widened(kestrel, "swap"), Proposal)
        read = IfMatch(proposal_tag(proposed))
        kestrel.wait()
        with pytest.raises(ChangedMeanwhile):
            confirm_proposal(proposed.pk, by=kestrel["second"], if_match=read, clock=kestrel.clock)


class TestImageRepositoriesUnderOtherGuards:
    """So do freezes of products, gates that judge products, and what an open proposal would have guarded by product."""

    @pytest.fixture(autouse=True)
    def protected(self, kestrel: Kestrel) -> None:
        kestrel.release(product="ledger")
        confirmed(guard(kestrel, {}, approval_policies=["two-person"], protected=True), kestrel.clock)

    def freed(self, kestrel: Kestrel) -> Any:
        kestrel.wait()
        changes: dict[str, Any] = {"image_repositories": []}
        return update_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger", changes=changes)

    def test_without_any_one_person_takes_them_from_a_product(self, kestrel: Kestrel) -> None:
        assert not isinstance(self.freed(kestrel), Proposal)

    @pytest.mark.parametrize(("where", "concerned"), [("dev", True), ("tenant", True), ("staging", False)])
    def test_a_freeze_of_products_takes_two(self, kestrel: Kestrel, where: str, concerned: bool) -> None:
        environment = {"dev": kestrel.dev, "tenant": None, "staging": kestrel.staging}[where]
        now = kestrel.clock.now()
        window = (rfc3339(now + timedelta(days=1)), rfc3339(now + timedelta(days=2)))
        make_freeze(kestrel["admin"], environment, *window, clock=kestrel.clock, products=["ledger"])
        found = self.freed(kestrel)
        assert isinstance(found, Proposal) is concerned
        if concerned:
            assert "dev" in found.guards

    def test_not_one_that_is_over(self, kestrel: Kestrel) -> None:
        now = kestrel.clock.now()
        window = (rfc3339(now), rfc3339(now + timedelta(seconds=5)))
        make_freeze(kestrel["admin"], kestrel.dev, *window, clock=kestrel.clock, products=["ledger"])
        kestrel.wait(minutes=1)
        assert not isinstance(self.freed(kestrel), Proposal)

    @pytest.mark.parametrize(
        ("kind", "config", "concerned"),
        [
            ("policy", {"text": "promotion.product != 'ledger'"}, True),
            ("security", {"rules": {"cve-delta": {"allowFirstRelease": True}}, "trustedUploaders": ["mei"]}, True),
            ("security", {"rules": {"release-aggregate-cve": {}}, "trustedUploaders": ["mei"]}, False),
        ],
    )
    def test_a_gate_that_judges_products_takes_two(
        self, kestrel: Kestrel, kind: str, config: dict[str, Any], concerned: bool
    ) -> None:
        make_person(kestrel.tenant, "mei", roles=["operator"], clock=kestrel.clock)
        gates = [{"name": "by-product", "kind": kind, "config": config}]
        make_promotion_policy(kestrel["admin"], "apart", clock=kestrel.clock, gates=gates)
        kestrel.wait()
        changes = {"promotion_policy": "apart"}
        update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.dev.pk, changes=changes)
        assert isinstance(self.freed(kestrel), Proposal) is concerned

    def test_an_open_proposal_that_guards_products_takes_two(self, kestrel: Kestrel) -> None:
        proposed = guard(kestrel, {"two-person": ["ledger"]}, approval_policies=[], other_products="allow")
        assert isinstance(proposed, Proposal)
        assert isinstance(self.freed(kestrel), Proposal)
        withdraw_proposal(proposed.pk, by=kestrel["admin"], clock=kestrel.clock)
        assert not isinstance(self.freed(kestrel), Proposal)

    def test_one_that_leaves_a_freeze_to_products_takes_two(self, kestrel: Kestrel) -> None:
        now = kestrel.clock.now()
        window = (rfc3339(now + timedelta(days=1)), rfc3339(now + timedelta(days=2)))
        greta = make_person(kestrel.tenant, "greta", roles=["admin"], clock=kestrel.clock)
        freeze = make_freeze(actor_of(greta, kestrel.tenant), kestrel.dev, *window, clock=kestrel.clock)
        proposed = update_freeze_window(
            by=kestrel["admin"],
            clock=kestrel.clock,
            window_id=freeze.pk,
            environment_id=kestrel.dev.pk,
            changes={"products": ["ledger"]},
        )
        assert isinstance(proposed, Proposal)
        assert isinstance(self.freed(kestrel), Proposal)


def test_who_could_approve_is_asked_with_the_product(kestrel: Kestrel) -> None:
    policy = ApprovalPolicy.objects.get(name="security-only")
    kestrel.dev.refresh_from_db()
    question = {
        "policy": policy,
        "environment": kestrel.dev,
        "requester_id": kestrel["requester"].account,
        "at": kestrel.clock.now(),
    }
    with pytest.raises(ProductNeeded):
        check_approver(**question)
    refused = check_approver(**question, product="cards")
    assert (refused.satisfiable, [each["code"] for each in refused.reasons]) == (False, ["POL_NO_GUARD"])
    sets = {
        product: {tuple(each.username for each in one) for one in check_approver(**question, product=product).sets}
        for product in ("main", "ledger")
    }
    assert ("second",) in sets["main"]
    assert all(len(each) == 1 for each in sets["main"])
    assert ("second",) not in sets["ledger"]
