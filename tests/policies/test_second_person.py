"""A draft is published by a second person (docs/adr/0091): who counts as its author, and what if nobody else can."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from policies.actions.publish_promotion_policy import TextNotNamed, publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy, PromotionPolicyVersion, WeakeningEdit
from policies.second_person import SecondPersonNeeded
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.identity.actions.end_role import end_role
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
    actor_of,
    actor_of_token,
    make_person,
    make_promotion_policy,
    make_service,
    make_tenant,
    make_token,
)

pytestmark = pytest.mark.django_db

MORE = {"supersedeOlder": True}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 23, 8, tzinfo=UTC))


@pytest.fixture
def tenant(db: None, clock: FixedClock) -> Tenant:
    return make_tenant("kestrel-pay", clock=clock)


@pytest.fixture
def greta(tenant: Tenant, clock: FixedClock) -> Actor:
    """The administrator who wrote `strict`, and published it while she was alone."""
    greta = actor_of(make_person(tenant, "greta", roles=["admin"], clock=clock), tenant)
    make_promotion_policy(greta, "strict", clock=clock)
    return greta


@pytest.fixture
def hugo(tenant: Tenant, greta: Actor, clock: FixedClock) -> Actor:
    return actor_of(make_person(tenant, "hugo", roles=["admin"], clock=clock), tenant)


def edit(by: Actor, clock: FixedClock, **changes: object) -> None:
    save_draft(by=by, clock=clock, name="strict", changes=changes or MORE)


def publish(by: Actor, clock: FixedClock) -> None:
    """What the draft says now, having read it."""
    seen = IfMatch(promotion_policy_tag(PromotionPolicy.objects.get(name="strict")))
    publish_promotion_policy(by=by, clock=clock, name="strict", if_match=seen)


def test_who_wrote_the_draft_does_not_publish_it(greta: Actor, hugo: Actor, clock: FixedClock) -> None:
    edit(greta, clock)
    with pytest.raises(SecondPersonNeeded) as refused:
        publish(greta, clock)
    assert refused.value.details == {"reasons": ["POLICY_EDITOR"], "publishers": ["hugo"]}
    publish(hugo, clock)
    version = PromotionPolicyVersion.objects.get(policy__name="strict", version=2)
    assert version.drafters == [greta.user_id]
    assert not WeakeningEdit.objects.filter(what__contains="author").exists()


def test_a_last_word_of_somebody_else_does_not_change_who_wrote_it(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    make_person(tenant, "ida", roles=["admin"], clock=clock)
    edit(greta, clock)
    edit(hugo, clock, pendingTtl=3600)
    for author in (greta, hugo):
        with pytest.raises(SecondPersonNeeded):
            publish(author, clock)


def test_the_authors_of_what_is_published_are_forgotten(greta: Actor, hugo: Actor, clock: FixedClock) -> None:
    edit(greta, clock)
    publish(hugo, clock)
    edit(hugo, clock, pendingTtl=3600)
    publish(greta, clock)


def test_a_draft_that_was_taken_back_has_no_author(greta: Actor, hugo: Actor, clock: FixedClock) -> None:
    edit(greta, clock)
    edit(greta, clock, supersedeOlder=False)
    edit(hugo, clock)
    publish(greta, clock)


def test_a_machine_of_the_author_does_not_publish_for_them(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    service = make_service(
        tenant, User.objects.get(username="greta"), scopes=["policy:publish", "policy:read"], clock=clock
    )
    machine = actor_of_token(make_token(tenant, service.user, clock=clock))
    edit(greta, clock)
    with pytest.raises(SecondPersonNeeded):
        publish(machine, clock)


def test_nor_does_the_author_publish_what_their_machine_wrote(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    service = make_service(tenant, User.objects.get(username="greta"), scopes=["policy:write"], clock=clock)
    edit(actor_of_token(make_token(tenant, service.user, clock=clock)), clock)
    with pytest.raises(SecondPersonNeeded):
        publish(greta, clock)


def test_the_only_one_who_can_publishes_alone_and_everybody_is_told(greta: Actor, clock: FixedClock) -> None:
    edit(greta, clock)
    publish(greta, clock)
    assert WeakeningEdit.objects.get().what == "Version 2 was published by its author: nobody else could."
    assert AuditEvent.objects.filter(action="policy.published").latest("id").metadata["secondPerson"] is False


def test_nobody_becomes_the_only_one_by_taking_the_role_from_the_others(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    edit(greta, clock)
    clock.advance(timedelta(hours=1))
    end_role(by=greta, clock=clock, user_id=hugo.account, role="admin", reason="Not needed")
    with pytest.raises(SecondPersonNeeded):
        publish(greta, clock)
    clock.advance(timedelta(days=8))
    publish(greta, clock)


def test_approvers_and_operators_are_no_second_publisher(tenant: Tenant, greta: Actor, clock: FixedClock) -> None:
    nia = make_person(tenant, "nia", roles=["approver", "operator", "auditor"], clock=clock)
    edit(greta, clock)
    publish(greta, clock)
    grant_role(by=command_actor(tenant), clock=clock, user_id=nia.pk, role="admin")
    edit(greta, clock, pendingTtl=3600)
    with pytest.raises(SecondPersonNeeded):
        publish(greta, clock)


def test_who_publishes_what_somebody_else_wrote_says_what_they_read(
    greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    edit(greta, clock)
    seen = promotion_policy_tag(PromotionPolicy.objects.get(name="strict"))
    edit(greta, clock, pendingTtl=3600)
    now = promotion_policy_tag(PromotionPolicy.objects.get(name="strict"))
    for unseen in (None, IfMatch("*"), IfMatch(f'"guessed", {now}'), IfMatch(f"{now}, {now}")):
        with pytest.raises(TextNotNamed) as refused:
            publish_promotion_policy(by=hugo, clock=clock, name="strict", if_match=unseen)
        assert [(each.field, each.code) for each in refused.value.fields] == [("If-Match", "required")]
    with pytest.raises(PreconditionFailed):
        publish_promotion_policy(by=hugo, clock=clock, name="strict", if_match=IfMatch(seen))
    assert PromotionPolicyVersion.objects.filter(policy__name="strict").count() == 1


def test_a_machine_of_the_other_publisher_makes_nobody_the_only_one(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    """Hugo owns the machine and never heard of the draft: greta, who holds its token, is not alone because of that."""
    service = make_service(tenant, User.objects.get(username="hugo"), scopes=["policy:write"], clock=clock)
    edit(actor_of_token(make_token(tenant, service.user, by=greta, clock=clock)), clock)
    with pytest.raises(SecondPersonNeeded, match="take the draft back"):
        publish(greta, clock)


def test_a_machine_of_both_publishers_does_not_publish_what_one_of_them_wrote(
    tenant: Tenant, greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    service = make_service(
        tenant, User.objects.get(username="hugo"), scopes=["policy:publish", "policy:read"], clock=clock
    )
    machine = actor_of_token(make_token(tenant, service.user, by=greta, clock=clock))
    edit(greta, clock)
    with pytest.raises(SecondPersonNeeded) as refused:
        publish(machine, clock)
    assert refused.value.details == {"reasons": ["POLICY_EDITOR"], "publishers": ["hugo"]}


def test_where_everybody_wrote_it_nobody_publishes_until_one_takes_it_back(
    greta: Actor, hugo: Actor, clock: FixedClock
) -> None:
    edit(greta, clock)
    edit(hugo, clock, pendingTtl=3600)
    for author in (greta, hugo):
        with pytest.raises(SecondPersonNeeded) as refused:
            publish(author, clock)
        assert refused.value.details == {"reasons": ["POLICY_EDITOR"], "publishers": []}
        assert "take the draft back by saving the published text" in refused.value.message
    published = PromotionPolicyVersion.objects.get(policy__name="strict")
    edit(hugo, clock, **orjson.loads(published.canonical))
    edit(greta, clock, supersedeOlder=True, pendingTtl=3600)
    publish(hugo, clock)
