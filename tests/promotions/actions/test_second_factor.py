"""Where a tenant requires a second factor, a person decides and confirms with one alone."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.actions.update_environment import update_environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag, proposal_tag
from policies.models import Proposal
from promotions.actions.change_sign_in_settings import change_sign_in_settings
from promotions.actions.proposals import confirm_proposal
from promotions.actions.review_override import review_override
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.models import Override, Vote
from stellapromote.accounts.actor import Actor, SecondFactorRequired
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import RoleGrant, SignInSettings
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339
from stellapromote.errors import Invalid, Refused
from stellapromote.identity.actions.confirm_grant import confirm_grant
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import actor_of, make_person, make_promotion_policy
from tests.promotions.actions.overriding import may_override, overrides, with_hours
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


def requires(kestrel: Kestrel, *, grace_days: int | None = 0, required: bool | None = True) -> Any:
    kestrel.wait()
    return change_sign_in_settings(
        by=kestrel["admin"], clock=kestrel.clock, require_second_factor=required, grace_days=grace_days
    )


def signs_in_with_it(kestrel: Kestrel, who: str) -> Actor:
    kestrel.actors[who] = replace(kestrel[who], second_factor=True)
    return kestrel[who]


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_a_vote_without_it_is_refused_by_the_facts_under_the_lock(kestrel: Kestrel) -> None:
    """The actors were found before it was required."""
    promotion = kestrel.waits_for_production()
    requires(kestrel)
    for vote in (kestrel.approves, kestrel.rejects):
        with pytest.raises(SecondFactorRequired):
            vote("approver", promotion)
    assert not Vote.objects.filter(promotion=promotion).exists()
    signs_in_with_it(kestrel, "approver")
    kestrel.approves("approver", promotion)
    assert Vote.objects.get(promotion=promotion).second_factor


def test_a_vote_costs_no_further_statement(kestrel: Kestrel) -> None:
    first, second = kestrel.waits_for_production(), kestrel.waits_for_production(product="other")
    with CaptureQueriesContext(
        connection,
    ) as before:
        kestrel.approves("approver", first)
    requires(kestrel)
    signs_in_with_it(kestrel, "approver")
    with CaptureQueriesContext(connection) as after:
        kestrel.approves("approver", second)
    assert len(after) == len(before)
    with CaptureQueriesContext(connection) as refused, pytest.raises(SecondFactorRequired):
        kestrel.approves("second", second)
    assert len(refused) <= len(before)


def test_a_vote_keeps_whether_there_was_one_and_a_changed_row_is_found(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    signs_in_with_it(kestrel, "approver")
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    votes = Vote.objects.filter(promotion=promotion)
    assert {each.username: each.second_factor for each in votes} == {"approver": True, "second": False}
    events = AuditEvent.objects.filter(action="approval.granted", promotion_id=promotion.pk).order_by("id")
    assert [each.metadata.get("secondFactor") for each in events] == [True, None]


def test_during_the_days_of_grace_votes_count_without_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    begins = requires(kestrel, grace_days=2).second_factor_from
    assert begins == kestrel.clock.now() + timedelta(days=2)
    kestrel.wait(days=1)
    kestrel.approves("approver", promotion)
    kestrel.wait(days=1)
    with pytest.raises(SecondFactorRequired):
        kestrel.approves("second", promotion)


def test_an_approval_is_taken_back_without_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    requires(kestrel)
    kestrel.wait()
    withdraw_approval(promotion.pk, by=kestrel["approver"], clock=kestrel.clock)
    assert Vote.objects.get(promotion=promotion).ended_as == "withdrawn"


def test_the_reasons_of_the_promotion_come_first(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    requires(kestrel)
    for who, code in (("requester", "PERM_SEPARATION_OF_DUTIES"), ("viewer", "PERM_DENIED")):
        with pytest.raises(Refused) as refused:
            kestrel.approves(who, promotion)
        assert refused.value.code == code


def test_an_override_and_its_review_are_refused_without_it() -> None:
    kestrel = with_hours()
    may_override(kestrel, "third")
    promotion = kestrel.waits_for_production()
    requires(kestrel)
    with pytest.raises(SecondFactorRequired):
        overrides(kestrel, "third", promotion)
    assert not Override.objects.exists()
    signs_in_with_it(kestrel, "third")
    override = overrides(kestrel, "third", promotion)
    kestrel.wait()
    by = kestrel["second"]
    with pytest.raises(SecondFactorRequired):
        review_override(promotion.pk, override.pk, by=by, verdict="justified", clock=kestrel.clock)
    by = signs_in_with_it(kestrel, "second")
    review_override(promotion.pk, override.pk, by=by, verdict="justified", clock=kestrel.clock)


def test_a_grant_is_confirmed_with_it_alone(kestrel: Kestrel) -> None:
    kestrel.wait()
    viewer = kestrel["viewer"].account
    grant = grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=viewer, role="auditor")
    requires(kestrel)
    with pytest.raises(SecondFactorRequired):
        confirm_grant(by=kestrel["approver"], clock=kestrel.clock, user_id=viewer, grant_id=grant.pk)
    assert RoleGrant.objects.get(pk=grant.pk).confirmed_at is None
    by = signs_in_with_it(kestrel, "approver")
    confirm_grant(by=by, clock=kestrel.clock, user_id=viewer, grant_id=grant.pk)
    assert RoleGrant.objects.get(pk=grant.pk).confirmed_by_id == by.user_id


def test_to_require_it_no_longer_takes_a_second_person_with_one(kestrel: Kestrel) -> None:
    requires(kestrel)
    proposal = requires(kestrel, required=False, grace_days=None)
    assert isinstance(proposal, Proposal)
    assert (proposal.guards, proposal.weakens) == (
        ["production"],
        ["People who decide need no second factor any more."],
    )
    assert SignInSettings.objects.get().second_factor_from is not None
    seen = IfMatch(proposal_tag(proposal))
    kestrel.wait()
    with pytest.raises(SecondFactorRequired):
        confirm_proposal(proposal.pk, by=kestrel["approver"], if_match=seen, clock=kestrel.clock)
    by = signs_in_with_it(kestrel, "approver")
    confirm_proposal(proposal.pk, by=by, if_match=seen, clock=kestrel.clock)
    assert SignInSettings.objects.get().second_factor_from is None
    promotion = kestrel.waits_for_production()
    kestrel.actors["second"] = replace(kestrel["second"], second_factor=False)
    kestrel.approves("second", promotion)


def test_the_people_who_run_the_server_confirm_without_it(kestrel: Kestrel) -> None:
    requires(kestrel)
    proposal = requires(kestrel, required=False, grace_days=None)
    confirm_proposal(proposal.pk, by=command_actor(kestrel.tenant), clock=kestrel.clock)
    assert SignInSettings.objects.get().second_factor_from is None


def test_a_proposal_ends_where_the_settings_changed_meanwhile(kestrel: Kestrel) -> None:
    requires(kestrel)
    proposal = requires(kestrel, required=False, grace_days=None)
    SignInSettings.objects.update(second_factor_from=kestrel.clock.now() - timedelta(days=3))
    with pytest.raises(PreconditionFailed):
        confirm_proposal(proposal.pk, by=command_actor(kestrel.tenant), clock=kestrel.clock)
    assert SignInSettings.objects.get().second_factor_from is not None


def test_without_a_protected_environment_it_ends_at_once(kestrel: Kestrel) -> None:
    proposal = update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"protected": False},
    )
    assert isinstance(proposal, Proposal)
    confirm_proposal(proposal.pk, by=command_actor(kestrel.tenant), clock=kestrel.clock)
    requires(kestrel)
    assert requires(kestrel, required=False, grace_days=None).second_factor_from is None


def test_the_change_is_audited_with_its_row(kestrel: Kestrel) -> None:
    settings = requires(kestrel)
    [event] = AuditEvent.objects.filter(action="sign_in_settings.updated")
    assert (event.before, event.after) == (
        {"secondFactorFrom": None},
        {"secondFactorFrom": rfc3339(kestrel.clock.now())},
    )
    assert list(event.metadata["rows"]) == [f"sign-in settings {settings.pk}"]
    requires(kestrel, grace_days=None)
    requires(kestrel, required=None, grace_days=None)
    assert AuditEvent.objects.filter(action="sign_in_settings.updated").count() == 1


@pytest.mark.parametrize(("before", "changes"), [
    (False, {"required": True, "grace_days": -1}),
    (False, {"required": True, "grace_days": 91}),
    (False, {"required": False, "grace_days": 3}),
    (False, {"required": None, "grace_days": 3}),
    (True, {"required": True, "grace_days": 3}),
])  # fmt: skip
def test_days_of_grace_begin_once(kestrel: Kestrel, before: bool, changes: dict[str, Any]) -> None:
    if before:
        requires(kestrel)
    stored = list(SignInSettings.objects.values_list("second_factor_from"))
    with pytest.raises(Invalid):
        requires(kestrel, **changes)
    assert list(SignInSettings.objects.values_list("second_factor_from")) == stored


def test_fewer_days_of_grace_bring_it_forward_and_more_do_not_put_it_back(kestrel: Kestrel) -> None:
    begins = requires(kestrel, grace_days=90).second_factor_from
    for days in (90, 91):
        with pytest.raises(Invalid):
            requires(kestrel, required=None, grace_days=days)
    assert SignInSettings.objects.get().second_factor_from == begins
    assert requires(kestrel, required=None, grace_days=1).second_factor_from == kestrel.clock.now() + timedelta(days=1)
    requires(kestrel, grace_days=0)
    with pytest.raises(SecondFactorRequired):
        kestrel.approves("approver", kestrel.waits_for_production())


@pytest.mark.parametrize("who", ["approver", "operator", "auditor", "viewer"])
def test_administrators_alone_change_it(kestrel: Kestrel, who: str) -> None:
    with pytest.raises(Refused):
        change_sign_in_settings(by=kestrel[who], clock=kestrel.clock, require_second_factor=True)
    assert not SignInSettings.objects.exists()


def test_another_tenant_requires_nothing(kestrel: Kestrel) -> None:
    other = make_kestrel("osprey", prefix="o-")
    promotion = other.waits_for_production()
    requires(kestrel)
    other.approves("approver", promotion)
    assert Vote.objects.filter(promotion=promotion).count() == 1


def test_what_another_person_wrote_is_published_with_it_alone(kestrel: Kestrel) -> None:
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[])
    admin = make_person(kestrel.tenant, "reader", roles=["admin"], clock=kestrel.clock)
    kestrel.actors["reader"] = actor_of(admin, kestrel.tenant)
    policy = save_draft(by=kestrel["admin"], clock=kestrel.clock, name="strict", changes={"approvalTtl": 7 * 86400})
    requires(kestrel)
    seen = IfMatch(promotion_policy_tag(policy))
    publish = partial(publish_promotion_policy, clock=kestrel.clock, name="strict", if_match=seen)
    with pytest.raises(SecondFactorRequired):
        publish(by=kestrel["reader"])
    policy.refresh_from_db()
    assert policy.draft is not None
    publish(by=signs_in_with_it(kestrel, "reader"))
    policy.refresh_from_db()
    assert policy.draft is None
