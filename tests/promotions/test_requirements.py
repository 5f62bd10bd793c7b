import pytest

from promotions.requirements import Origin, take_snapshot
from stellapromote.accounts.models import User
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import (
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
    return make_kestrel()


def test_a_policy_edited_by_a_machine_was_edited_by_its_owners(kestrel: Kestrel) -> None:
    owner = make_person(kestrel.tenant, "owner", roles=["approver"], clock=kestrel.clock)
    service = make_service(kestrel.tenant, owner, scopes=["policy:write"], clock=kestrel.clock)
    machine = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
    duties = {"excludeReleaseCreator": False, "excludePolicyEditor": True}
    make_approval_policy(machine, "apart", clock=kestrel.clock, separationOfDuties=duties)
    target = make_environment(kestrel["admin"], "apart", 0, clock=kestrel.clock, approval_policies=["apart"])
    at = kestrel.clock.now()
    requester = Origin(kestrel["requester"].account, None, at)
    snapshot = take_snapshot(release=kestrel.release(), target=target, requester=requester, triggered_by=None, at=at)
    excluded = {person["username"]: person["reasons"] for person in snapshot.document["excludedPersons"]}
    assert excluded["owner"] == ["SERVICE_OWNER"]
    assert excluded[service.user.username] == ["POLICY_EDITOR"]


def test_who_got_their_role_from_a_machine_of_the_requester_does_not_vote(kestrel: Kestrel) -> None:
    owner = User.objects.get(pk=kestrel["requester"].account)
    service = make_service(kestrel.tenant, owner, scopes=["tenant:admin"], clock=kestrel.clock)
    machine = actor_of_token(make_token(kestrel.tenant, service.user, clock=kestrel.clock))
    friend = make_person(kestrel.tenant, "friend", clock=kestrel.clock)
    grant_role(by=machine, clock=kestrel.clock, user_id=friend.pk, role="approver")
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    promotion = kestrel.ask(release, kestrel.staging)
    assert kestrel["approver"].user_id in promotion.open_voters
    assert friend.pk not in promotion.open_voters
