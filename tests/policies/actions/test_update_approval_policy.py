from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from django.http import Http404

from policies import documents, rules
from policies.actions.retire_approval_policy import retire_approval_policy
from policies.actions.update_approval_policy import update_approval_policy
from policies.documents import InvalidDocument
from policies.etags import approval_policy_tag
from policies.models import ApprovalPolicy, ApprovalPolicyVersion, WeakeningEdit
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.errors import Refused
from stellapromote.identity.actions.end_membership import end_membership
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_person, make_tenant

RELEASE = {"name": "release", "teams": ["release"]}
SECURITY = {"name": "security", "teams": ["security"]}


@pytest.fixture
def policy(greta: Actor, nia: Actor, mei: Actor, clock: FixedClock) -> ApprovalPolicy:
    made = make_approval_policy(greta, rules=[RELEASE, SECURITY], clock=clock)
    clock.advance(timedelta(hours=1))
    return made


def update(
    by: Actor, policy: ApprovalPolicy, clock: FixedClock, changes: dict[str, Any], **options: Any
) -> ApprovalPolicy:
    options = {"used_by": [], **options}
    return update_approval_policy(by=by, clock=clock, policy_id=policy.id, changes=changes, **options)


def says(policy: ApprovalPolicy) -> dict[str, Any]:
    policy = ApprovalPolicy.objects.select_related("current").get(pk=policy.pk)
    assert policy.current is not None
    content: dict[str, Any] = orjson.loads(policy.current.canonical)
    return content


def test_a_change_is_a_new_version_and_the_old_one_stays(
    greta: Actor, policy: ApprovalPolicy, clock: FixedClock
) -> None:
    first = policy.current
    changed = update(greta, policy, clock, {"description": "Two people."})
    assert changed.current is not None
    assert (changed.current.version, changed.current.created_at) == (2, clock.now())
    assert says(policy)["description"] == "Two people."
    assert first is not None
    assert ApprovalPolicyVersion.objects.get(pk=first.pk).canonical == first.canonical


def test_what_is_not_given_stays(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    before = says(policy)
    update(greta, policy, clock, {"commentRequired": True, "separationOfDuties": {"excludeCommitAuthors": True}})
    duties = {**before["separationOfDuties"], "excludeCommitAuthors": True}
    assert says(policy) == {**before, "commentRequired": True, "separationOfDuties": duties}


@pytest.mark.parametrize(
    "changes", [{}, {"requireSubjectDigest": False}, {"rules": [RELEASE, {**SECURITY, "users": []}]}]
)
def test_the_same_document_is_no_new_version(
    greta: Actor, policy: ApprovalPolicy, clock: FixedClock, changes: dict[str, Any]
) -> None:
    events = AuditEvent.objects.count()
    assert update(greta, policy, clock, changes).revision == policy.revision
    assert ApprovalPolicyVersion.objects.filter(policy=policy).count() == 1
    assert AuditEvent.objects.count() == events


def test_an_earlier_document_is_a_version_of_its_own(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    update(greta, policy, clock, {"requireSubjectDigest": True})
    update(greta, policy, clock, {"requireSubjectDigest": False})
    digests = list(
        ApprovalPolicyVersion.objects.filter(policy=policy).order_by("version").values_list("digest", flat=True)
    )
    assert len(digests) == 3
    assert digests[0] == digests[2] != digests[1]


def test_an_edit_is_audited_with_before_and_after(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    update(greta, policy, clock, {"rules": [RELEASE]})
    event = AuditEvent.objects.get(action="approval_policy.updated")
    assert event.before is not None
    assert event.after is not None
    assert [rule["name"] for rule in event.before["document"]["rules"]] == ["release", "security"]
    assert [rule["name"] for rule in event.after["document"]["rules"]] == ["release"]
    assert event.after["weakening"] == ["Rule security is gone: 1 approval fewer."]
    assert event.metadata["version"] == 2


def test_a_weakening_edit_is_noted_with_who_and_when(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    update(greta, policy, clock, {"rules": [RELEASE]})
    edit = WeakeningEdit.objects.get()
    assert (edit.policy_name, edit.what) == ("two-person", "Rule security is gone: 1 approval fewer.")
    assert (edit.actor_id, edit.actor_username, edit.at) == (greta.user_id, "greta", clock.now())


def test_a_stricter_edit_is_not_noted(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    update(greta, policy, clock, {"commentRequired": True})
    assert not WeakeningEdit.objects.exists()


def test_the_name_never_changes(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        update(greta, policy, clock, {"name": "one-person"})
    assert [each.field for each in refusal.value.fields] == ["name"]


def test_who_may_not_write_policies_changes_none(nia: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    with pytest.raises(Refused):
        update(nia, policy, clock, {"requireSubjectDigest": True})


def test_a_policy_of_another_tenant_does_not_exist(policy: ApprovalPolicy, clock: FixedClock) -> None:
    other = make_tenant("other")
    stranger = actor_of(make_person(other, "otto", roles=["admin"]), other)
    with pytest.raises(Http404):
        update(stranger, policy, clock, {"requireSubjectDigest": True})
    with pytest.raises(Http404):
        retire_approval_policy(by=stranger, clock=clock, policy_id=policy.id, used_by=[])


def test_an_unknown_policy_is_not_there(greta: Actor, clock: FixedClock) -> None:
    with pytest.raises(Http404):
        update_approval_policy(by=greta, clock=clock, policy_id=uuid4(), changes={}, used_by=[])


def test_an_edit_that_nobody_can_satisfy_leaves_the_policy_as_it_is(
    greta: Actor, policy: ApprovalPolicy, clock: FixedClock
) -> None:
    with pytest.raises(rules.Unsatisfiable):
        update(greta, policy, clock, {"rules": [{**RELEASE, "minApprovals": 2}]})
    with pytest.raises(documents.Unsatisfiable):
        update(greta, policy, clock, {"rules": []})
    assert ApprovalPolicyVersion.objects.filter(policy=policy).count() == 1


def test_somebody_who_left_stays_named_but_cannot_be_named_anew(
    greta: Actor, nia: Actor, policy: ApprovalPolicy, clock: FixedClock, tenant: Tenant
) -> None:
    ravi = make_person(tenant, "ravi", roles=["approver"], clock=clock)
    update(greta, policy, clock, {"rules": [{**RELEASE, "users": ["ravi"]}]})
    end_membership(by=command_actor(tenant), clock=clock, user_id=ravi.pk)
    update(greta, policy, clock, {"description": "Another edit."})
    with pytest.raises(InvalidDocument) as refusal:
        update(greta, policy, clock, {"rules": [{**RELEASE, "users": ["ravi"]}, {**SECURITY, "users": ["ravi"]}]})
    assert [each.field for each in refusal.value.fields] == ["rules[1].users[0]"]


def test_a_policy_in_use_is_not_disabled(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    with pytest.raises(rules.InUse) as refusal:
        update(greta, policy, clock, {}, enabled=False, used_by=["production", "staging"])
    assert refusal.value.details == {"environments": ["production", "staging"]}
    assert ApprovalPolicy.objects.get(pk=policy.pk).enabled


def test_a_policy_in_use_can_be_edited(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    assert update(greta, policy, clock, {"requireSubjectDigest": True}, used_by=["production"]).revision == 2


def test_disabling_is_no_new_version_but_audited(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    changed = update(greta, policy, clock, {}, enabled=False)
    assert (changed.enabled, changed.revision) == (False, 2)
    assert ApprovalPolicyVersion.objects.filter(policy=policy).count() == 1
    event = AuditEvent.objects.get(action="approval_policy.updated")
    assert event.before is not None
    assert event.after is not None
    assert (event.before["enabled"], event.after["enabled"]) == (True, False)


def test_a_policy_that_nobody_can_satisfy_any_more_can_still_be_disabled(
    greta: Actor, nia: Actor, policy: ApprovalPolicy, clock: FixedClock, tenant: Tenant
) -> None:
    end_membership(by=command_actor(tenant), clock=clock, user_id=nia.user_id)
    assert not update(greta, policy, clock, {}, enabled=False).enabled


def test_a_policy_that_nobody_can_satisfy_any_more_is_not_enabled_again(
    greta: Actor, nia: Actor, policy: ApprovalPolicy, clock: FixedClock, tenant: Tenant
) -> None:
    update(greta, policy, clock, {}, enabled=False)
    end_membership(by=command_actor(tenant), clock=clock, user_id=nia.user_id)
    with pytest.raises(rules.Unsatisfiable):
        update(greta, policy, clock, {}, enabled=True)
    assert not ApprovalPolicy.objects.get(pk=policy.pk).enabled
    make_person(tenant, "ravi", roles=["approver"], teams=["release"], clock=clock)
    assert update(greta, policy, clock, {}, enabled=True).enabled


def test_an_edit_on_an_old_state_is_refused(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    seen = approval_policy_tag(policy, [])
    update(greta, policy, clock, {"requireSubjectDigest": True}, if_match=IfMatch(seen))
    with pytest.raises(PreconditionFailed):
        update(greta, policy, clock, {"commentRequired": True}, if_match=IfMatch(seen))
    assert not says(policy)["commentRequired"]


def test_that_an_environment_names_it_meanwhile_is_another_state(
    greta: Actor, policy: ApprovalPolicy, clock: FixedClock
) -> None:
    seen = approval_policy_tag(policy, [])
    with pytest.raises(PreconditionFailed):
        update(greta, policy, clock, {"requireSubjectDigest": True}, used_by=["production"], if_match=IfMatch(seen))


def test_a_retired_policy_changes_no_more_and_its_name_is_never_used_again(
    greta: Actor, policy: ApprovalPolicy, clock: FixedClock
) -> None:
    retired = retire_approval_policy(by=greta, clock=clock, policy_id=policy.id, used_by=[])
    assert (retired.retired_at, retired.enabled) == (clock.now(), False)
    for change in (
        lambda: update(greta, policy, clock, {"requireSubjectDigest": True}),
        lambda: update(greta, policy, clock, {}, enabled=True),
        lambda: retire_approval_policy(by=greta, clock=clock, policy_id=policy.id, used_by=[]),
    ):
        with pytest.raises(rules.Retired):
            change()
    with pytest.raises(rules.NameUsed):
        make_approval_policy(greta, policy.name)
    assert AuditEvent.objects.filter(action="approval_policy.retired").count() == 1


def test_a_policy_in_use_is_not_retired(greta: Actor, policy: ApprovalPolicy, clock: FixedClock) -> None:
    with pytest.raises(rules.InUse):
        retire_approval_policy(by=greta, clock=clock, policy_id=policy.id, used_by=["production"])
    assert ApprovalPolicy.objects.get(pk=policy.pk).retired_at is None


def test_of_two_writers_who_saw_the_same_state_one_wins(committed_db: CommittedDatabase, clock: FixedClock) -> None:
    tenant = make_tenant("kestrel-pay", clock=clock)
    make_person(tenant, "nia", roles=["approver"], teams=["release"], clock=clock)
    admins = [actor_of(make_person(tenant, name, roles=["admin"]), tenant) for name in ("greta", "gus")]
    policy = make_approval_policy(admins[0], clock=clock)
    seen = approval_policy_tag(policy, [])

    def writer(by: Actor) -> Any:
        return lambda: update(by, policy, clock, {"description": f"By {by.username}."}, if_match=IfMatch(seen))

    outcomes = committed_db.at_once(*(writer(by) for by in admins))
    assert sorted(type(each).__name__ for each in outcomes) == ["ApprovalPolicy", "PreconditionFailed"]
    assert list(
        ApprovalPolicyVersion.objects.filter(policy=policy).order_by("version").values_list("version", flat=True)
    ) == [1, 2]
    assert AuditEvent.objects.filter(action="approval_policy.updated").count() == 1


def test_writers_without_a_condition_make_one_version_each(committed_db: CommittedDatabase, clock: FixedClock) -> None:
    tenant = make_tenant("kestrel-pay", clock=clock)
    make_person(tenant, "nia", roles=["approver"], teams=["release"], clock=clock)
    greta = actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)
    policy = make_approval_policy(greta, clock=clock)
    texts = [f"Text {number}." for number in range(4)]
    outcomes = committed_db.at_once(
        *(lambda text=text: update(greta, policy, clock, {"description": text}) for text in texts)
    )
    assert not [each for each in outcomes if isinstance(each, Exception)]
    versions = ApprovalPolicyVersion.objects.filter(policy=policy).order_by("version")
    assert [each.version for each in versions] == [1, 2, 3, 4, 5]
    assert {orjson.loads(each.canonical)["description"] for each in versions} == {"", *texts}


def test_of_two_creators_of_one_name_one_wins(committed_db: CommittedDatabase, clock: FixedClock) -> None:
    tenant = make_tenant("kestrel-pay", clock=clock)
    make_person(tenant, "nia", roles=["approver"], teams=["release"], clock=clock)
    greta = actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)
    outcomes = committed_db.at_once(*(lambda: make_approval_policy(greta, clock=clock) for _ in range(3)))
    assert sorted(type(each).__name__ for each in outcomes) == ["ApprovalPolicy", "NameTaken", "NameTaken"]
    assert ApprovalPolicyVersion.objects.count() == 1
