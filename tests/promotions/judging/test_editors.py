"""excludePolicyEditor: everybody who edited what guards the target since the release was created (domain.md §5)."""

from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag, proposal_tag
from policies.models import ApprovalPolicy, PromotionPolicy, Proposal
from promotions.actions.proposals import confirm_proposal
from promotions.actions.request_promotion import PromotionRequest, request_promotion
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.judging.evaluation_context import stored_requirements
from promotions.models import Promotion, Release
from stellapromote.accounts.models import User
from stellapromote.api.etag import IfMatch
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    actor_of_token,
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_service,
    make_token,
)
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    """`rex` and `dan` administer and approve, since the policy `drafted` was published."""
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "drafted", clock=kestrel.clock)
    for name in ("rex", "dan"):
        joins(kestrel, name, "admin", "approver")
    return kestrel


def joins(kestrel: Kestrel, username: str, *roles: str) -> None:
    user = make_person(kestrel.tenant, username, roles=roles, teams=["release"], clock=kestrel.clock)
    kestrel.actors[username] = actor_of(user, kestrel.tenant)


@pytest.fixture
def guarded(kestrel: Kestrel) -> Environment:
    """The first environment, guarded by policies that admin wrote."""
    make_approval_policy(
        kestrel["admin"],
        "no-editors",
        clock=kestrel.clock,
        separationOfDuties={"excludeReleaseCreator": False, "excludePolicyEditor": True},
    )
    return make_environment(
        kestrel["admin"],
        "guarded",
        0,
        clock=kestrel.clock,
        promotion_policy="drafted",
        approval_policies=["no-editors"],
    )


def edits_policy(kestrel: Kestrel, who: str, **changes: Any) -> None:
    kestrel.wait()
    policy = ApprovalPolicy.objects.get(name="no-editors")
    update_approval_policy(by=kestrel[who], clock=kestrel.clock, policy_id=policy.pk, changes=changes)


def edits_settings(kestrel: Kestrel, who: str, target: Environment, **changes: Any) -> None:
    kestrel.wait()
    done = update_environment(by=kestrel[who], clock=kestrel.clock, environment_id=target.pk, changes=changes)
    confirmed(done, kestrel.clock)


def asked(kestrel: Kestrel, release: Release, target: Environment) -> Promotion:
    kestrel.wait()
    promotion_request = PromotionRequest(release.pk, target.pk, "Wanted")
    return request_promotion(promotion_request, by=kestrel["requester"], clock=kestrel.clock)


def excluded(promotion: Promotion) -> set[str]:
    persons = stored_requirements(promotion)["excludedPersons"]
    return {each["username"] for each in persons if "POLICY_EDITOR" in each["reasons"]}


def test_a_typo_that_somebody_else_mended_undoes_no_exclusion(kestrel: Kestrel, guarded: Environment) -> None:
    release = kestrel.release()
    edits_policy(kestrel, "rex", description="Now with rex")
    edits_policy(kestrel, "dan", description="Now with Rex")
    assert excluded(asked(kestrel, release, guarded)) == {"admin", "rex", "dan"}


def test_what_was_replaced_before_the_release_was_created_counts_no_more(
    kestrel: Kestrel, guarded: Environment
) -> None:
    edits_policy(kestrel, "rex", description="Now with rex")
    edits_policy(kestrel, "dan", description="Now with Rex")
    found = excluded(asked(kestrel, kestrel.release(), guarded))
    assert "dan" in found
    assert "rex" not in found


def test_so_it_is_with_promotion_policies_and_who_drafted_them(kestrel: Kestrel, guarded: Environment) -> None:
    release = kestrel.release()
    kestrel.wait()
    save_draft(by=kestrel["rex"], clock=kestrel.clock, name="drafted", changes={"supersedeOlder": True})
    publishes(kestrel, "dan")
    kestrel.wait()
    save_draft(by=kestrel["admin"], clock=kestrel.clock, name="drafted", changes={"supersedeOlder": False})
    joins(kestrel, "eve", "admin")
    publishes(kestrel, "eve")
    assert excluded(asked(kestrel, release, guarded)) == {"admin", "rex", "dan", "eve"}
    assert excluded(asked(kestrel, kestrel.release(), guarded)) == {"admin", "eve"}


def publishes(kestrel: Kestrel, who: str) -> None:
    kestrel.wait()
    seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="drafted")))
    publish_promotion_policy(by=kestrel[who], clock=kestrel.clock, name="drafted", if_match=seen)


def test_settings_of_the_environment_count_like_a_policy(kestrel: Kestrel, guarded: Environment) -> None:
    release = kestrel.release()
    edits_settings(kestrel, "rex", guarded, required_approvals=1)
    edits_settings(kestrel, "dan", guarded, display_name="Well guarded")
    assert excluded(asked(kestrel, release, guarded)) == {"admin", "rex", "dan"}
    assert excluded(asked(kestrel, kestrel.release(), guarded)) == {"admin", "dan"}


def test_who_confirmed_an_edit_counts_for_releases_created_before_that(kestrel: Kestrel, guarded: Environment) -> None:
    edits_settings(kestrel, "admin", guarded, protected=True, required_approvals=2)
    before = kestrel.release()
    kestrel.wait()
    proposal = update_environment(
        by=kestrel["rex"], clock=kestrel.clock, environment_id=guarded.pk, changes={"required_approvals": 1}
    )
    assert isinstance(proposal, Proposal)
    kestrel.wait()
    read = IfMatch(proposal_tag(proposal))
    confirm_proposal(proposal.pk, by=kestrel["dan"], if_match=read, clock=kestrel.clock)
    assert excluded(asked(kestrel, before, guarded)) == {"admin", "rex", "dan"}
    assert excluded(asked(kestrel, kestrel.release(), guarded)) == {"admin", "rex"}


def test_so_does_a_change_of_the_order_that_comes_before_it(kestrel: Kestrel, guarded: Environment) -> None:
    release = kestrel.release()
    kestrel.deploys(asked_and_approved(kestrel, release, guarded))
    target = make_environment(kestrel["admin"], "then", 9, clock=kestrel.clock, approval_policies=["no-editors"])
    for each in (kestrel.dev, kestrel.staging, kestrel.production):
        edits_settings(kestrel, "rex", each, order_index=20 + each.order_index)
    assert excluded(asked(kestrel, release, target)) == {"admin", "rex"}


def asked_and_approved(kestrel: Kestrel, release: Release, target: Environment) -> Promotion:
    promotion = asked(kestrel, release, target)
    return kestrel.approves("approver", promotion)


def test_a_machine_that_edited_stands_for_its_owner_and_the_issuer_of_its_token(
    kestrel: Kestrel, guarded: Environment
) -> None:
    joins(kestrel, "owner", "approver")
    owner = User.objects.get(username="owner")
    service = make_service(kestrel.tenant, owner, scopes=["environment:write"], clock=kestrel.clock)
    text = make_token(kestrel.tenant, service.user, by=kestrel["rex"], clock=kestrel.clock)
    kestrel.actors["machine"] = actor_of_token(text)
    release = kestrel.release()
    edits_settings(kestrel, "machine", guarded, required_approvals=1)
    found = excluded(asked(kestrel, release, guarded))
    assert found == {"admin", "owner", "rex", service.user.username}


def test_an_edit_makes_no_older_grant_void(kestrel: Kestrel, guarded: Environment) -> None:
    for name in ("before", "after"):
        joins(kestrel, name)
    release = kestrel.release()
    grants_approver(kestrel, "rex", "before")
    edits_settings(kestrel, "rex", guarded, display_name="Well guarded")
    grants_approver(kestrel, "rex", "after")
    promotion = asked(kestrel, release, guarded)
    assert "rex" in excluded(promotion)
    assert kestrel["before"].account in promotion.open_voters
    assert kestrel["after"].account not in promotion.open_voters
    edited_at = stored_requirements(promotion)["settingsEditedAt"]
    assert set(edited_at) == {str(kestrel[name].account) for name in ("rex", "admin")}


def grants_approver(kestrel: Kestrel, by: str, username: str) -> None:
    kestrel.wait()
    grant_role(by=kestrel[by], clock=kestrel.clock, user_id=kestrel[username].account, role="approver")
