"""Who could approve, if this person asked for it: the answer names whom a promotion would exclude, and nobody else."""

import pytest

from environments.models import Environment
from policies import eligibility
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag
from policies.models import ApprovalPolicy, PromotionPolicy
from promotions.judging.attribution import Origin
from promotions.judging.products import check_open, lock_product
from promotions.judging.requirements import policies_that_guard, take_snapshot
from promotions.reading.approver_check import MOST_REASONS, check_approver
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.api.etag import IfMatch
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

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def administrator(kestrel: Kestrel, username: str) -> Actor:
    """Somebody who may edit policies, and approve."""
    return actor_of(
        make_person(kestrel.tenant, username, roles=["admin", "approver"], clock=kestrel.clock), kestrel.tenant
    )


def machine_of(kestrel: Kestrel, owner: str, issuer: Actor) -> Actor:
    """A service that edits policies, owned by one person, with a token of another."""
    service = make_service(
        kestrel.tenant, User.objects.get(username=owner), scopes=["policy:write"], clock=kestrel.clock
    )
    return actor_of_token(make_token(kestrel.tenant, service.user, by=issuer, clock=kestrel.clock))


@pytest.fixture
def guarded(kestrel: Kestrel) -> Environment:
    """Its promotion policy was begun by `writer`, edited by a machine of `owner` with a token of `issuer`, and
    published by `admin`; its approval policy was written by `author`."""
    writer, issuer, author = (administrator(kestrel, name) for name in ("writer", "issuer", "author"))
    administrator(kestrel, "owner")
    make_promotion_policy(writer, "drafted", published=False, clock=kestrel.clock)
    machine = machine_of(kestrel, "owner", issuer)
    save_draft(by=machine, clock=kestrel.clock, name="drafted", changes={"supersedeOlder": True})
    seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="drafted")))
    publish_promotion_policy(by=kestrel["admin"], clock=kestrel.clock, name="drafted", if_match=seen)
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    make_approval_policy(author, "not-the-editors", clock=kestrel.clock, separationOfDuties=duties)
    return make_environment(
        kestrel["admin"],
        "guarded",
        0,
        clock=kestrel.clock,
        promotion_policy="drafted",
        approval_policies=["not-the-editors"],
    )


@pytest.mark.parametrize("requester", ["requester", "writer"])
def test_it_leaves_out_whom_a_promotion_would_exclude(kestrel: Kestrel, guarded: Environment, requester: str) -> None:
    kestrel.wait()
    asks, at = User.objects.get(username=requester), kestrel.clock.now()
    target = Environment.objects.select_related("promotion_policy__current").get(pk=guarded.pk)
    release = kestrel.release()
    document = take_snapshot(
        release=release,
        product=check_open(lock_product(release.tenant_id, release.product), release.product),
        target=target,
        route=[],
        links=policies_that_guard(target.pk),
        requester=Origin(asks.pk, None, at),
        triggered_by=None,
        at=at,
    ).document
    excluded = {each["username"]: eligibility.main_reason(each["reasons"]) for each in document["excludedPersons"]}
    policy = ApprovalPolicy.objects.select_related("current").get(name="not-the-editors")
    answer = check_approver(policy=policy, environment=target, requester_id=asks.pk, at=at)
    told = {each["username"]: each["code"] for each in answer.reasons if each["code"] in eligibility.REASONS}
    assert len(answer.reasons) < MOST_REASONS
    approvers = User.objects.filter(role_grants__role="approver").values_list("username", flat=True)
    assert {"writer", "owner", "issuer", "author"} <= told.keys()
    assert told == {username: why for username, why in excluded.items() if username in set(approvers)}
