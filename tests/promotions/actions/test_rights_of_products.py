"""Roles and services that are limited to products read everything, and write releases and promotions of these alone
(domain.md §1b, docs/adr/0242)."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from policies.etags import proposal_tag
from policies.models import ApprovalPolicy, Proposal
from promotions.actions.approve import approve
from promotions.actions.cancel import cancel
from promotions.actions.evaluate import evaluate
from promotions.actions.products import archive_product, update_product
from promotions.actions.proposals import confirm_proposal
from promotions.actions.reject import reject
from promotions.actions.releases import ReleaseSpec, create_release, finalize_release, update_release
from promotions.actions.report_deployment import Report, report_deployment
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import DecisionRecord, Promotion, Vote
from promotions.pages.environments import shortfalls
from promotions.reading.approver_check import check_approver
from promotions.verification.replay import replay
from promotions.voting.rules import NotEligible
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant, User
from stellapromote.api.etag import IfMatch
from stellapromote.errors import Refused
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    actor_of_token,
    make_approval_policy,
    make_environment,
    make_person,
    make_service,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """With products ledger and wiki beside main."""
    kestrel = make_kestrel()
    for product in ("ledger", "wiki"):
        kestrel.release(product=product)
    return kestrel


def joins(kestrel: Kestrel, username: str, role: str, *products: str, teams: tuple[str, ...] = ()) -> Actor:
    user = make_person(kestrel.tenant, username, roles=[role], products=products, teams=teams, clock=kestrel.clock)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)
    return kestrel[username]


def gives(kestrel: Kestrel, username: str, role: str, *products: str) -> RoleGrant:
    """On the command line."""
    kestrel.wait()
    by, account = command_actor(kestrel.tenant), kestrel[username].account
    grant = grant_role(by=by, clock=kestrel.clock, user_id=account, role=role, products=products)
    kestrel.actors[username] = actor_of(grant.user, kestrel.tenant)
    return grant


def for_staging(kestrel: Kestrel, product: str) -> Promotion:
    """Needs one approval by anybody."""
    release = kestrel.release(product=product)
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    return kestrel.ask(release, kestrel.staging)


def candidates(promotion: Promotion) -> dict[str, dict[str, Any]]:
    record = DecisionRecord.objects.get(pk=Promotion.objects.get(pk=promotion.pk).decision_id)
    return {each["username"]: each for each in orjson.loads(bytes(record.input))["candidates"]}


def refused(act: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as no:
        act()
    return no.value


class TestOperator:
    def test_it_writes_releases_and_promotions_of_its_products_alone(self, kestrel: Kestrel) -> None:
        olga, clock = joins(kestrel, "olga", "operator", "ledger", "wiki"), kestrel.clock
        theirs, draft = kestrel.release(), kestrel.release(finalize=False)
        promotion = kestrel.ask(theirs, kestrel.dev)
        own = create_release(ReleaseSpec("l-1", product="ledger"), by=olga, clock=clock)
        for act in (
            lambda: create_release(ReleaseSpec("m-1"), by=olga, clock=clock),
            lambda: create_release(ReleaseSpec("n-1", product="new"), by=olga, clock=clock),
            lambda: update_release(draft.pk, {"product": "ledger"}, by=olga, clock=clock),
            lambda: update_release(own.pk, {"product": "main"}, by=olga, clock=clock),
            lambda: finalize_release(draft.pk, by=olga, clock=clock),
            lambda: request_promotion(PromotionRequest(theirs.pk, kestrel.dev.pk, "x"), by=olga, clock=clock),
            lambda: report_deployment(promotion.pk, Report("started"), by=olga, clock=clock),
            lambda: evaluate(promotion.pk, by=olga, clock=clock),
        ):
            no = refused(act)
            assert (no.code, no.details["products"]) == ("PERM_DENIED", ["ledger", "wiki"])
            assert "is limited to ledger, wiki: ask an administrator of the tenant for it for" in no.message
        assert update_release(own.pk, {"product": "wiki"}, by=olga, clock=clock).product == "wiki"
        asked = kestrel.ask(kestrel.release(product="ledger"), kestrel.dev, by="olga")
        for status in ("started", "succeeded"):
            asked = report_deployment(asked.pk, Report(status), by=olga, clock=clock)
        assert asked.status == "deployed"

    def test_it_uploads_no_evidence(self, kestrel: Kestrel) -> None:
        assert "evidence:write" not in joins(kestrel, "olga", "operator", "ledger").scopes

    def test_it_cancels_nothing_of_a_product_that_was_taken_from_it(self, kestrel: Kestrel) -> None:
        joins(kestrel, "olga", "operator", "ledger")
        asked = kestrel.ask(kestrel.release(product="ledger"), kestrel.dev, by="olga")
        gives(kestrel, "olga", "operator", "wiki")
        assert refused(lambda: cancel(asked.pk, by=kestrel["olga"], clock=kestrel.clock)).code == "PERM_DENIED"
        gives(kestrel, "olga", "operator", "ledger")
        assert cancel(asked.pk, by=kestrel["olga"], clock=kestrel.clock).status == "cancelled"

    def test_its_token_is_narrower_still(self, kestrel: Kestrel) -> None:
        joins(kestrel, "olga", "operator", "ledger", "wiki")
        user = User.objects.get(username="olga")
        by = actor_of_token(make_token(kestrel.tenant, user, products=["wiki"], clock=kestrel.clock))
        gives(kestrel, "olga", "operator", "ledger")
        nothing = actor_of_token(make_token(kestrel.tenant, user, clock=kestrel.clock))
        assert by.limits["release:write"] == {"wiki"}
        assert nothing.limits["release:write"] == {"ledger"}

    def test_roles_for_different_products_stand_side_by_side(self, kestrel: Kestrel) -> None:
        joins(kestrel, "olga", "operator", "ledger")
        gives(kestrel, "olga", "approver", "wiki")
        olga = kestrel["olga"]
        assert (olga.limits["release:write"], olga.limits["promotion:approve"]) == ({"ledger"}, {"wiki"})
        assert not olga.has_for("wiki", "promotion:request")
        assert olga.role_names == ["approver", "operator"]


class TestApprover:
    def test_it_approves_its_products_alone(self, kestrel: Kestrel) -> None:
        lena = joins(kestrel, "lena", "approver", "ledger")
        main, ledger = (for_staging(kestrel, product) for product in ("main", "ledger"))
        no = refused(lambda: kestrel.approves("lena", main))
        assert (no.code, no.details) == ("PERM_NOT_ELIGIBLE", {"reasons": ["OTHER_PRODUCT"]})
        assert no.message == (
            "Your role that votes is for other products: ask an administrator of your tenant for it for main."
        )
        assert kestrel.approves("lena", ledger).status == "approved"
        vote = Vote.objects.get(promotion=ledger)
        assert (vote.voter_id, vote.roles) == (lena.account, ["approver"])

    def test_it_rejects_its_products_alone(self, kestrel: Kestrel) -> None:
        lena = joins(kestrel, "lena", "approver", "ledger")
        main, ledger = (for_staging(kestrel, product) for product in ("main", "ledger"))
        no = refused(lambda: kestrel.rejects("lena", main))
        assert (no.code, no.details) == ("PERM_NOT_ELIGIBLE", {"reasons": ["OTHER_PRODUCT"]})
        assert kestrel.rejects("lena", ledger).status == "rejected"
        assert Vote.objects.get(promotion=ledger, voter_id=lena.account).roles == ["approver"]

    def test_a_limit_that_came_after_the_actor_was_found_counts(self, kestrel: Kestrel) -> None:
        """The roles are read again with the facts: an actor of a moment before decides nothing more."""
        joins(kestrel, "lena", "approver")
        promotion, before = for_staging(kestrel, "main"), kestrel["lena"]
        gives(kestrel, "lena", "approver", "ledger")
        for act in (
            lambda: approve(promotion.pk, by=before, clock=kestrel.clock),
            lambda: reject(promotion.pk, by=before, reason="No", clock=kestrel.clock),
        ):
            assert refused(act).code == "PERM_NOT_ELIGIBLE"
        with pytest.raises(NotEligible) as no:
            approve(promotion.pk, by=before, clock=kestrel.clock)
        assert no.value.details == {"reasons": ["OTHER_PRODUCT"]}

    def test_the_candidates_say_so(self, kestrel: Kestrel) -> None:
        joins(kestrel, "lena", "approver", "ledger")
        main, ledger = (for_staging(kestrel, product) for product in ("main", "ledger"))
        assert (candidates(main)["lena"]["exclusion"], candidates(main)["lena"]["roles"]) == ("OTHER_PRODUCT", [])
        assert (candidates(ledger)["lena"]["exclusion"], candidates(ledger)["lena"]["roles"]) == (None, ["approver"])
        assert kestrel["lena"].account not in Promotion.objects.get(pk=main.pk).open_voters
        assert list(Promotion.objects.awaiting_decision_by(kestrel["lena"])) == [ledger]
        for each in (main, ledger):
            assert replay(DecisionRecord.objects.get(pk=each.decision_id)).equal

    def test_other_products_have_too_few_people(self, kestrel: Kestrel) -> None:
        """A limited approver is no second person for a product that is not theirs."""
        vault = make_environment(kestrel["admin"], "vault", 4, required_approvals=2, clock=kestrel.clock)
        joins(kestrel, "lena", "approver", "ledger")
        policy = make_approval_policy(
            kestrel["admin"], "of-second", clock=kestrel.clock, rules=[{"name": "one", "users": ["second"]}]
        )
        question = {
            "policy": policy,
            "environment": vault,
            "requester_id": kestrel["operator"].account,
            "at": kestrel.clock.now(),
        }
        told = {product: check_approver(**question, product=product) for product in ("ledger", "main", None)}
        reasons = [each for each in told["main"].reasons if each["username"] == "lena"]
        assert [each["code"] for each in reasons] == ["OTHER_PRODUCT"]
        assert reasons[0]["message"] == "Lena (lena) has the role for other products."
        sets = {product: {person.username for one in each.sets for person in one} for product, each in told.items()}
        assert "lena" in sets["ledger"]
        assert "lena" not in sets["main"] | sets[None]

    def test_an_environment_says_for_which_products_people_are_missing(self, kestrel: Kestrel) -> None:
        joins(kestrel, "lena", "approver", "ledger")
        joins(kestrel, "mona", "approver", "ledger", "wiki")
        enough = make_environment(kestrel["admin"], "vault", 4, required_approvals=7, clock=kestrel.clock)
        told = [each.title.partition(" that is")[0] for each in shortfalls(enough, kestrel.clock.now())]
        assert told == ["Nothing of product wiki", "Nothing of other products"]
        gives(kestrel, "mona", "approver")
        gives(kestrel, "lena", "approver")
        kestrel.wait()
        assert shortfalls(enough, kestrel.clock.now()) == []

    def test_a_vote_is_void_once_the_role_is_for_another_product(self, kestrel: Kestrel) -> None:
        joins(kestrel, "lena", "approver", "ledger")
        promotion = for_staging(kestrel, "ledger")
        kestrel.approves("lena", promotion)
        gives(kestrel, "lena", "approver", "wiki")
        promotion = evaluate(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
        assert promotion.status == "awaiting_approval"
        assert candidates(promotion)["lena"]["exclusion"] == "OTHER_PRODUCT"
        no = refused(lambda: withdraw_approval(promotion.pk, by=kestrel["lena"], clock=kestrel.clock))
        assert no.details == {"reasons": ["OTHER_PRODUCT"]}

    def test_more_products_count_for_later_requests(self, kestrel: Kestrel) -> None:
        """The products of a grant never change: it is another grant, of a later time."""
        joins(kestrel, "lena", "approver", "ledger")
        before = for_staging(kestrel, "ledger")
        gives(kestrel, "lena", "approver", "ledger", "main")
        assert refused(lambda: kestrel.approves("lena", before)).details == {"reasons": ["ROLE_GRANTED_AFTER_REQUEST"]}
        assert kestrel.approves("lena", for_staging(kestrel, "main")).status == "approved"

    def test_an_archived_product_leaves_the_grant(self, kestrel: Kestrel) -> None:
        joins(kestrel, "lena", "approver", "ledger", "wiki")
        archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="wiki")
        assert kestrel.approves("lena", for_staging(kestrel, "ledger")).status == "approved"

    def test_images_are_moved_by_two_people_while_it_approves_some_products(self, kestrel: Kestrel) -> None:
        """They would move to other approvers."""
        admin, change = kestrel["admin"], {"image_repositories": ["registry.example/of-wiki"]}
        kestrel.wait()
        edited = update_product(by=admin, clock=kestrel.clock, slug="wiki", changes=change)
        joins(kestrel, "lena", "approver", "wiki")
        kestrel.wait()
        change = {"image_repositories": []}
        freed = update_product(by=admin, clock=kestrel.clock, slug="wiki", changes=change)
        assert not isinstance(edited, Proposal)
        assert isinstance(freed, Proposal)
        assert freed.guards == ["production"]

    def test_it_confirms_no_proposal(self, kestrel: Kestrel) -> None:
        """Not even one that a person with the same role for all products confirms."""
        policy = ApprovalPolicy.objects.get(name="two-person")
        kestrel.wait()
        proposed = update_approval_policy(
            by=kestrel["admin"],
            clock=kestrel.clock,
            policy_id=policy.pk,
            changes={"rules": [{"name": "either", "teams": ["release", "security"], "minApprovals": 1}]},
        )
        assert isinstance(proposed, Proposal)
        lena = joins(kestrel, "lena", "approver", "main", "ledger", teams=("release", "security"))

        def confirms(by: Actor) -> Proposal:
            tag = IfMatch(proposal_tag(Proposal.objects.get(pk=proposed.pk)))
            return confirm_proposal(proposed.pk, by=by, clock=kestrel.clock, if_match=tag)

        no = refused(lambda: confirms(lena))
        assert (no.code, no.details) == ("PERM_DENIED", {"products": ["ledger", "main"]})
        assert no.message.startswith("This is about the whole tenant, and your right is limited to ledger, main:")
        grant = gives(kestrel, "lena", "approver")
        assert confirms(kestrel["lena"]).state == "confirmed"
        end_role(by=command_actor(kestrel.tenant), clock=kestrel.clock, user_id=grant.user_id, role="approver")

    def test_policies_are_saved_where_some_product_has_the_people(self, kestrel: Kestrel) -> None:
        joins(kestrel, "lena", "approver", "ledger", teams=("ledgers",))
        kestrel.wait()
        rules = [{"name": "one", "teams": ["ledgers"], "minApprovals": 1}]
        policy = make_approval_policy(kestrel["admin"], "of-ledger", clock=kestrel.clock, rules=rules)
        archive_product(by=kestrel["admin"], clock=kestrel.clock, slug="ledger")
        with pytest.raises(Exception, match="needs 1 person, and nobody is eligible") as no:
            make_approval_policy(kestrel["admin"], "of-nothing", clock=kestrel.clock, rules=rules)
        assert (policy.name, no.value.code) == ("of-ledger", "POL_UNSATISFIABLE")


class TestService:
    def test_it_writes_its_products_alone(self, kestrel: Kestrel) -> None:
        owner = User.objects.get(username="operator")
        service = make_service(kestrel.tenant, owner, products=["ledger"], clock=kestrel.clock)
        # All that a process of an earlier version reads.
        assert service.scopes == ["promotion:read", "release:read"]
        by = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
        clock = kestrel.clock
        no = refused(lambda: create_release(ReleaseSpec("m-1"), by=by, clock=clock))
        assert (no.code, no.details) == ("PERM_DENIED", {"product": "main", "products": ["ledger"]})
        own = kestrel.release(product="ledger")
        promotion = request_promotion(PromotionRequest(own.pk, kestrel.dev.pk, "x"), by=by, clock=clock)
        assert report_deployment(promotion.pk, Report("started"), by=by, clock=clock).status == "deploying"
