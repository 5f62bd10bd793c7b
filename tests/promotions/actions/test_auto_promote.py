from collections.abc import Iterator
from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from promotions.actions import auto_promote as module
from promotions.actions.cancel import cancel
from promotions.models import Promotion
from promotions.worker.round import run_round
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from tests.factories import actor_of, actor_of_token, make_person, make_token
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.story import rows_found

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Iterator[Kestrel]:
    """Whatever held automatic promotion, the environment is the one that the audit log tells of."""
    kestrel = make_kestrel()
    changes = {"auto_promote_from": "dev"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    yield kestrel
    assert rows_found(kestrel.tenant.pk) == []


def followers(kestrel: Kestrel) -> list[Promotion]:
    return list(Promotion.objects.filter(target_environment=kestrel.staging))


def test_a_deployment_is_followed_by_a_request_once(kestrel: Kestrel) -> None:
    origin = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    for _ in range(2):
        run_round("worker", kestrel.clock)
    (made,) = followers(kestrel)
    assert (made.triggered_by_id, made.requested_by_id) == (origin.pk, kestrel["requester"].user_id)
    assert kestrel["operator"].user_id in made.excluded_persons


def test_a_claim_that_somebody_puts_back_in_the_database_asks_for_nothing_again(kestrel: Kestrel) -> None:
    origin = kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    run_round("worker", kestrel.clock)
    (made,) = followers(kestrel)
    cancel(made.pk, by=kestrel["requester"], clock=kestrel.clock, reason="Not today")
    Promotion.objects.filter(pk=origin.pk).update(auto_promote_due=True)
    run_round("worker", kestrel.clock)
    assert followers(kestrel) == [made]
    assert not Promotion.objects.get(pk=origin.pk).auto_promote_due


def test_a_worker_killed_between_claim_and_request_loses_nothing(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))

    def killed(*_args: Any, **_options: Any) -> Promotion:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(module, "request_promotion", killed)
        with pytest.raises(SystemExit):
            run_round("worker", kestrel.clock)
    assert not followers(kestrel)
    run_round("worker", kestrel.clock)
    assert len(followers(kestrel)) == 1


def rolled_back_into_staging(kestrel: Kestrel) -> Promotion:
    """Staging is on hold after this."""
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    run_round("worker", kestrel.clock)
    (follower,) = followers(kestrel)
    kestrel.deploys(kestrel.approves("approver", follower))
    return kestrel.reports(follower, "rolled_back", message="It was slow")


def test_a_rollback_holds_and_a_persons_request_ends_it_each_audited_with_another_version(kestrel: Kestrel) -> None:
    before = Environment.objects.get(pk=kestrel.staging.pk)
    follower = rolled_back_into_staging(kestrel)
    held = Environment.objects.get(pk=kestrel.staging.pk)
    assert (held.auto_promote_hold, held.version) == (True, before.version + 1)
    kestrel.ask(follower.release, kestrel.staging)
    freed = Environment.objects.get(pk=kestrel.staging.pk)
    assert (freed.auto_promote_hold, freed.version) == (False, before.version + 2)
    events = AuditEvent.objects.filter(action="environment.updated", after__has_key="autoPromoteHold")
    told = list(events.order_by("timestamp", "pk").values_list("actor_name", "after__autoPromoteHold"))
    assert told == [("Operator (operator)", True), ("Requester (requester)", False)]


def test_a_request_ends_no_hold_that_somebody_set(kestrel: Kestrel) -> None:
    """Also where a rollback came after it: it would be lifted by who may only request."""
    follower = rolled_back_into_staging(kestrel)
    for hold in (False, True):
        changes = {"auto_promote_hold": hold}
        update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=changes)
    kestrel.deploys(kestrel.approves("approver", kestrel.ask(follower.release, kestrel.staging)))
    assert Environment.objects.get(pk=kestrel.staging.pk).auto_promote_hold
    [again] = Promotion.objects.filter(target_environment=kestrel.staging, status="deployed")
    kestrel.reports(again, "rolled_back", message="It was slow")
    kestrel.ask(follower.release, kestrel.staging)
    assert Environment.objects.get(pk=kestrel.staging.pk).auto_promote_hold


def test_a_request_of_a_person_for_some_products_ends_no_hold(kestrel: Kestrel) -> None:
    """It is for all products. So it is with a token that is limited to some."""
    follower = rolled_back_into_staging(kestrel)
    kestrel.deploys(kestrel.ask(kestrel.release(product="wiki"), kestrel.dev))
    limited = make_person(kestrel.tenant, "limited", roles=["operator"], products=["wiki"], clock=kestrel.clock)
    kestrel.actors["limited"] = actor_of(limited, kestrel.tenant)
    requester = User.objects.get(pk=kestrel["requester"].account)
    kestrel.actors["token"] = actor_of_token(make_token(kestrel.tenant, requester, products=["wiki"]))
    for who in ("limited", "token"):
        asked = kestrel.ask(Promotion.objects.get(product="wiki", status="deployed").release, kestrel.staging, by=who)
        kestrel.rejects("approver", asked)
        assert Environment.objects.get(pk=kestrel.staging.pk).auto_promote_hold
    kestrel.ask(follower.release, kestrel.staging)
    assert not Environment.objects.get(pk=kestrel.staging.pk).auto_promote_hold


def test_what_is_promoted_automatically_leaves_a_hold_alone(kestrel: Kestrel) -> None:
    rolled_back_into_staging(kestrel)
    kestrel.deploys(kestrel.ask(kestrel.release(), kestrel.dev))
    run_round("worker", kestrel.clock)
    assert Environment.objects.get(pk=kestrel.staging.pk).auto_promote_hold
    assert len(followers(kestrel)) == 1


def test_a_refusal_is_audited_and_not_tried_again(kestrel: Kestrel) -> None:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    by_hand = kestrel.ask(release, kestrel.staging)
    for _ in range(2):
        run_round("worker", kestrel.clock)
    assert [each.pk for each in followers(kestrel)] == [by_hand.pk]
    assert AuditEvent.objects.filter(action="promotion.auto_promotion_refused").count() == 1
