"""Rules for the owners of a product, from the request to the decision (domain.md §1b, docs/adr/0232)."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.etags import proposal_tag
from policies.models import ApprovalPolicy, Proposal, WeakeningEdit
from promotions.actions.image_repositories import free_repository, share_repository
from promotions.actions.products import create_product, update_product
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from promotions.actions.releases import ComponentSpec
from promotions.actions.request_promotion import PromotionRequest, preview_promotion
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.judging.electorate import approval_voters
from promotions.judging.evaluation_context import gather_context, stored_requirements
from promotions.judging.requirements import NoOwners, OwnersNotKnown
from promotions.models import DecisionRecord, ProcessHeartbeat, Promotion
from promotions.verification.replay import replay
from promotions.voting.rules import NotEligible, SeparationOfDuties
from stellapromote.accounts.models import ImageRepository, OwnersEdit, Product
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Refused
from tests.factories import actor_of, make_approval_policy, make_environment, make_person
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.story import rows_found

pytestmark = pytest.mark.django_db


@kept
def with_owners() -> Kestrel:
    """Product `ledger` is owned by security; `main` has no owners."""
    kestrel = make_kestrel()
    kestrel.release(product="ledger")
    owned_by(kestrel, "security")
    return kestrel


@pytest.fixture
def kestrel() -> Kestrel:
    return with_owners()


@pytest.fixture
def guarded(kestrel: Kestrel) -> Environment:
    return make_guarded(kestrel)


@continued
def make_guarded(kestrel: Kestrel, *, protected: bool = False, **content: Any) -> Environment:
    """The first environment, with one approval by the owners."""
    rules = [{"name": "owners", "teams": ["@owners"]}]
    make_approval_policy(kestrel["admin"], "owned", clock=kestrel.clock, **{"rules": rules, **content})
    options = {"approval_policies": ["owned"], "protected": protected}
    return make_environment(kestrel["admin"], "guarded", 0, clock=kestrel.clock, **options)


def owned_by(kestrel: Kestrel, *teams: str, product: str = "ledger", by: str = "admin") -> Any:
    kestrel.wait()
    return update_product(by=kestrel[by], clock=kestrel.clock, slug=product, changes={"owner_teams": list(teams)})


def voters(kestrel: Kestrel, promotion: Promotion) -> set[str]:
    by_id = {actor.user_id: name for name, actor in kestrel.actors.items()}
    return {by_id[each] for each in Promotion.objects.get(pk=promotion.pk).open_voters}


def older_process(kestrel: Kestrel) -> None:
    """It reports a moment before the next step, which is in a minute."""
    at = kestrel.clock.now() + timedelta(seconds=30)
    ProcessHeartbeat.objects.create(name="old", role="web", at=at, kind_versions={"approval": 2}, knows=[])


def last_input(promotion: Promotion) -> Any:
    return orjson.loads(bytes(DecisionRecord.objects.filter(promotion=promotion).latest("sequence").input))


def test_the_owners_of_the_product_approve(kestrel: Kestrel, guarded: Environment) -> None:
    promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
    assert voters(kestrel, promotion) == {"second", "third"}
    with pytest.raises(NotEligible, match="The open places are for the team security"):
        kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "approved"
    assert replay(DecisionRecord.objects.filter(promotion=promotion).latest("sequence")).equal
    assert rows_found(kestrel.tenant.pk) == []


def test_those_at_the_request_decide_whatever_is_edited_later(kestrel: Kestrel, guarded: Environment) -> None:
    promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
    owned_by(kestrel, "release")
    assert stored_requirements(promotion)["product"]["ownerTeams"] == ["security"]
    with pytest.raises(NotEligible):
        kestrel.approves("approver", promotion)
    assert kestrel.approves("second", promotion).status == "approved"


def test_the_requester_is_never_asked_as_an_owner(kestrel: Kestrel, guarded: Environment) -> None:
    owned_by(kestrel, "release", "security")
    promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
    assert voters(kestrel, promotion) == {"approver", "second", "third"}


def test_who_is_asked_is_whom_the_judge_counts(kestrel: Kestrel, guarded: Environment) -> None:
    for teams in (["security"], ["release"], ["release", "security"]):
        owned_by(kestrel, *teams)
        promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
        context = gather_context(promotion, kestrel.clock.now())
        asked = approval_voters(context.facts.gate_input, context.documents)
        assert {str(each) for each in promotion.open_voters} == asked
        [gate] = [each for each in context.evaluate().gates if each.type == "approval"]
        assert {each for rule in gate.details["requirements"][0]["rules"] for each in rule["eligible"]} == asked


def test_only_a_snapshot_that_needs_the_product_has_it(kestrel: Kestrel) -> None:
    assert "product" not in stored_requirements(kestrel.ask(kestrel.release(product="ledger"), kestrel.dev))
    asked = kestrel.ask(kestrel.release(product="ledger"), make_guarded(kestrel))
    product = stored_requirements(asked)["product"]
    assert (product["slug"], product["ownerTeams"]) == ("ledger", ["security"])
    assert last_input(asked)["requirements"]["product"] == product


def test_a_product_without_owners_is_not_requested(kestrel: Kestrel, guarded: Environment) -> None:
    wanted = kestrel.release()
    with pytest.raises(NoOwners, match="Product main has no owner teams, and approval policy owned asks") as refusal:
        kestrel.ask(wanted, guarded)
    assert refusal.value.code == "POL_UNSATISFIABLE"
    assert refusal.value.details == {"product": "main", "policies": ["owned"]}
    with pytest.raises(NoOwners):
        preview_promotion(PromotionRequest(wanted.pk, guarded.pk, "Why"), by=kestrel["requester"], clock=kestrel.clock)
    assert not Promotion.objects.exists()


def test_nothing_is_requested_while_a_process_does_not_know_owners(kestrel: Kestrel, guarded: Environment) -> None:
    wanted = kestrel.release(product="ledger")
    older_process(kestrel)
    with pytest.raises(OwnersNotKnown) as refusal:
        kestrel.ask(wanted, guarded)
    assert refusal.value.code == "SYS_UNAVAILABLE"
    kestrel.wait(minutes=2)
    assert kestrel.ask(wanted, guarded).status == "awaiting_approval"


def test_a_process_that_knows_no_owners_does_not_end_what_waits(kestrel: Kestrel, guarded: Environment) -> None:
    """One of an earlier version was started again."""
    promotion = kestrel.ask(kestrel.release(product="ledger"), guarded)
    older_process(kestrel)
    assert kestrel.approves("second", promotion).status == "approved"
    assert last_input(promotion)["kinds"]["approval"] == 3


def test_who_edited_the_owners_counts_as_an_editor(kestrel: Kestrel) -> None:
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    guarded = make_guarded(kestrel, separationOfDuties=duties)
    lead = make_person(kestrel.tenant, "lead", roles=["admin", "approver"], teams=["security"], clock=kestrel.clock)
    kestrel.actors["lead"] = actor_of(lead, kestrel.tenant)
    before = kestrel.ask(kestrel.release(product="ledger"), guarded)
    assert "lead" in voters(kestrel, before)
    owned_by(kestrel, "release", "security", by="lead")
    wanted = kestrel.release(product="ledger")
    promotion = kestrel.ask(wanted, guarded)
    reasons = {each["username"]: each["reasons"] for each in stored_requirements(promotion)["excludedPersons"]}
    assert reasons["lead"] == ["POLICY_EDITOR"]
    assert "lead" not in voters(kestrel, promotion)
    update_product(by=kestrel["lead"], clock=kestrel.clock, slug="ledger", changes={"description": "Books"})
    assert OwnersEdit.objects.filter(by=lead).count() == 1


def test_the_editor_of_another_product_is_no_editor_here(kestrel: Kestrel) -> None:
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    guarded = make_guarded(kestrel, separationOfDuties=duties)
    lead = make_person(kestrel.tenant, "lead", roles=["admin", "approver"], teams=["security"], clock=kestrel.clock)
    kestrel.actors["lead"] = actor_of(lead, kestrel.tenant)
    owned_by(kestrel, "security", product="main", by="lead")
    assert "lead" in voters(kestrel, kestrel.ask(kestrel.release(product="ledger"), guarded))


@pytest.fixture
def protected(kestrel: Kestrel) -> Environment:
    """`ines` is another administrator, made by the platform owner too."""
    ines = make_person(kestrel.tenant, "ines", roles=["admin"], clock=kestrel.clock)
    kestrel.actors["ines"] = actor_of(ines, kestrel.tenant)
    return make_guarded(kestrel, protected=True)


def owners(slug: str = "ledger") -> list[str]:
    return Product.objects.get(slug=slug).owner_teams


def confirms(kestrel: Kestrel, who: str, proposal: Proposal) -> Proposal:
    kestrel.wait()
    seen = IfMatch(proposal_tag(Proposal.objects.get(pk=proposal.pk)))
    return confirm_proposal(proposal.pk, by=kestrel[who], if_match=seen, clock=kestrel.clock)


MORE = ["Approval policy owned: team release may also approve as owner of product ledger."]


@pytest.mark.parametrize("teams", [["release", "security"], ["release"]])
def test_another_owner_team_waits_for_a_second_person(
    kestrel: Kestrel, protected: Environment, teams: list[str]
) -> None:
    proposal = owned_by(kestrel, *teams)
    assert (proposal.kind, proposal.weakens, proposal.guards) == ("product.update", MORE, ["guarded"])
    assert (proposal.before, proposal.after) == ({"ownerTeams": ["security"]}, {"ownerTeams": teams})
    assert owners() == ["security"]
    assert list(OwnersEdit.objects.values_list("owner_teams", flat=True)) == [["security"]]
    with pytest.raises(SeparationOfDuties):
        confirms(kestrel, "admin", proposal)
    confirms(kestrel, "ines", proposal)
    assert owners() == teams
    [edit] = WeakeningEdit.objects.all()
    assert (edit.what, edit.policy_name, edit.actor_username) == (MORE[0], "owned", "admin")
    assert edit.confirmed_by_username == "ines"
    event = AuditEvent.objects.filter(action="product.updated").latest("timestamp")
    assert event.after == {"ownerTeams": teams, "weakening": MORE}
    assert rows_found(kestrel.tenant.pk) == []


def test_an_owner_team_less_is_in_force_at_once(kestrel: Kestrel, protected: Environment) -> None:
    confirms(kestrel, "ines", owned_by(kestrel, "release", "security"))
    assert owned_by(kestrel, "release").owner_teams == ["release"]
    assert owned_by(kestrel).owner_teams == []
    assert isinstance(owned_by(kestrel, "release"), Proposal)


def test_a_product_with_owners_is_made_by_two(kestrel: Kestrel, protected: Environment) -> None:
    def makes(slug: str, **fields: Any) -> Any:
        kestrel.wait()
        return create_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, **fields)

    assert makes("free").owner_teams == []
    proposal = makes("billing", owner_teams=["release"])
    assert not Product.objects.filter(slug="billing").exists()
    confirms(kestrel, "ines", proposal)
    assert owners("billing") == ["release"]


def test_an_environment_that_is_not_protected_lets_one_person_edit(kestrel: Kestrel, guarded: Environment) -> None:
    assert owned_by(kestrel, "release", "security").owner_teams == ["release", "security"]
    assert list(WeakeningEdit.objects.values_list("what", "confirmed_by_username")) == [(MORE[0], "")]


def test_without_a_policy_for_owners_nothing_is_loosened(kestrel: Kestrel) -> None:
    assert owned_by(kestrel, "release", "security").owner_teams == ["release", "security"]
    assert not WeakeningEdit.objects.exists()


def test_a_proposal_that_asks_for_owners_counts_before_it_is_confirmed(kestrel: Kestrel) -> None:
    """Otherwise its author would choose the owners between the two, alone."""
    policy = ApprovalPolicy.objects.get(name="two-person")
    rules = [{"name": "owners", "teams": ["@owners"]}]
    changes = {"rules": rules}
    first = update_approval_policy(by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes=changes)
    assert isinstance(first, Proposal)
    proposal = owned_by(kestrel, "release", "security")
    assert isinstance(proposal, Proposal)
    assert proposal.guards == ["production"]
    withdraw_proposal(first.pk, by=kestrel["admin"], clock=kestrel.clock)
    assert owned_by(kestrel, "release", "security").owner_teams == ["release", "security"]


def test_an_environment_that_would_name_such_a_policy_counts_too(kestrel: Kestrel) -> None:
    rules = [{"name": "owners", "teams": ["@owners"]}]
    make_approval_policy(kestrel["admin"], "owned", clock=kestrel.clock, rules=rules)
    changes = {"approval_policies": ["owned"]}
    production = kestrel.production.pk
    first = update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=production, changes=changes)
    assert isinstance(first, Proposal)
    proposal = owned_by(kestrel, "release", "security")
    assert isinstance(proposal, Proposal)
    assert proposal.guards == ["production"]


def test_an_owner_in_force_may_confirm(kestrel: Kestrel, protected: Environment) -> None:
    proposal = owned_by(kestrel, "release", "security")
    with pytest.raises(Refused, match="You could not approve a promotion into guarded"):
        confirms(kestrel, "approver", proposal)
    confirms(kestrel, "second", proposal)
    assert owners() == ["release", "security"]


def test_who_confirmed_the_owners_counts_as_an_editor_of_releases_before(kestrel: Kestrel) -> None:
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    guarded = make_guarded(kestrel, protected=True, separationOfDuties=duties)
    before = kestrel.release(product="ledger")
    confirms(kestrel, "second", owned_by(kestrel, "release", "security"))
    assert "second" not in voters(kestrel, kestrel.ask(before, guarded))
    assert "second" in voters(kestrel, kestrel.ask(kestrel.release(product="ledger"), guarded))


def test_what_changed_meanwhile_is_not_confirmed(kestrel: Kestrel, protected: Environment) -> None:
    proposal = owned_by(kestrel, "release", "security")
    owned_by(kestrel)
    with pytest.raises(PreconditionFailed):
        confirms(kestrel, "ines", proposal)
    assert owners() == []


def test_a_rule_of_a_team_that_becomes_one_of_owners_is_loosened(kestrel: Kestrel) -> None:
    policy = ApprovalPolicy.objects.get(name="two-person")
    rules = [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["@owners"]}]
    proposal = update_approval_policy(
        by=kestrel["admin"], clock=kestrel.clock, policy_id=policy.pk, changes={"rules": rules}
    )
    assert isinstance(proposal, Proposal)
    assert proposal.weakens == ["Rule security may also be filled by the owners of the product."]


def moves(kestrel: Kestrel, slug: str, *names: str) -> Any:
    kestrel.wait()
    changes = {"image_repositories": names}
    return update_product(by=kestrel["admin"], clock=kestrel.clock, slug=slug, changes=changes)


def repositories() -> dict[str, str | None]:
    return dict(ImageRepository.objects.values_list("name", "product__slug"))


def test_images_move_between_owners_by_two(kestrel: Kestrel, protected: Environment) -> None:
    """Otherwise one administrator has them released as a product of other owners."""
    proposal = moves(kestrel, "ledger")
    what = "images of registry.example/ledger may be released as another product than ledger."
    assert proposal.weakens == [f"Approval policy owned: {what}"]
    assert repositories() == {"registry.example/ledger": "ledger"}
    confirms(kestrel, "ines", proposal)
    proposal = moves(kestrel, "main", "registry.example/ledger")
    assert proposal.weakens == [
        "Approval policy owned: images of registry.example/ledger may be released as product main."
    ]
    assert repositories() == {}
    confirms(kestrel, "ines", proposal)
    assert repositories() == {"registry.example/ledger": "main"}
    assert rows_found(kestrel.tenant.pk) == []


def test_images_are_shared_and_freed_by_two(kestrel: Kestrel, protected: Environment) -> None:
    by, clock = kestrel["admin"], kestrel.clock
    proposal = share_repository(by=by, clock=clock, name="nginx")
    assert isinstance(proposal, Proposal)
    assert proposal.weakens == [
        "Approval policy owned: images of docker.io/library/nginx may be released as any product."
    ]
    assert "docker.io/library/nginx" not in repositories()
    confirms(kestrel, "ines", proposal)
    shared = ImageRepository.objects.get(is_shared=True)
    proposal = free_repository(by=by, clock=clock, repository_id=shared.pk)
    assert isinstance(proposal, Proposal)
    assert ImageRepository.objects.filter(pk=shared.pk).exists()
    confirms(kestrel, "ines", proposal)
    assert not ImageRepository.objects.filter(pk=shared.pk).exists()
    assert rows_found(kestrel.tenant.pk) == []


def test_a_long_name_is_shared_by_two_as_well(kestrel: Kestrel, protected: Environment) -> None:
    name = f"registry.example/{'a' * 230}"
    confirms(kestrel, "ines", share_repository(by=kestrel["admin"], clock=kestrel.clock, name=name))
    assert ImageRepository.objects.get(is_shared=True).name == name


def test_images_move_at_once_where_no_policy_asks_for_owners(kestrel: Kestrel) -> None:
    moves(kestrel, "ledger")
    moves(kestrel, "main", "registry.example/ledger")
    assert repositories() == {"registry.example/ledger": "main"}
    assert not WeakeningEdit.objects.exists()


def test_a_release_goes_on_binding_what_no_product_has(kestrel: Kestrel, protected: Environment) -> None:
    kestrel.release(product="ledger", components=[ComponentSpec("new", "registry.example/new", f"sha256:{'a' * 64}")])
    assert repositories()["registry.example/new"] == "ledger"


def test_many_repositories_are_told_by_their_number(kestrel: Kestrel, protected: Environment) -> None:
    proposal = moves(kestrel, "main", *(f"registry.example/r{number}" for number in range(9)))
    names = ", ".join(f"registry.example/r{number}" for number in range(5))
    assert proposal.weakens == [
        f"Approval policy owned: images of {names} and 4 others may be released as product main."
    ]
