from dataclasses import replace

import orjson
import pytest

from policies import documents, rules
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.update_approval_policy import update_approval_policy
from policies.documents import InvalidDocument
from policies.models import ApprovalPolicy, ApprovalPolicyVersion, WeakeningEdit
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.errors import Refused
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_role import end_role
from stellapromote.signing.canonical_json import digest_bytes
from tests.factories import actor_of, make_approval_policy, make_person, make_tenant

RELEASE = {"name": "release", "teams": ["release"]}


def test_the_first_version_is_what_was_given_with_its_defaults(greta: Actor, nia: Actor, clock: FixedClock) -> None:
    policy = make_approval_policy(greta, "two-person", rules=[RELEASE], clock=clock)
    version = ApprovalPolicyVersion.objects.get(policy=policy)
    assert policy.current == version
    assert (version.version, version.created_by_id, version.created_at) == (1, greta.user_id, clock.now())
    assert orjson.loads(version.canonical) == {
        "schema": "stella.approval-policy/v1",
        "name": "two-person",
        "description": "",
        "rules": [{"name": "release", "teams": ["release"], "users": [], "minApprovals": 1}],
        "commentRequired": False,
        "separationOfDuties": {
            "excludeReleaseCreator": True,
            "excludeCommitAuthors": False,
            "excludePolicyEditor": False,
            "excludeDeployer": False,
        },
        "requireSubjectDigest": False,
        "blind": False,
    }
    assert version.digest == digest_bytes(bytes(version.canonical))


def test_it_is_audited_with_what_it_says(greta: Actor, nia: Actor, clock: FixedClock) -> None:
    policy = make_approval_policy(greta, clock=clock)
    event = AuditEvent.objects.get(action="approval_policy.created")
    assert (event.actor_id, event.resource, event.resource_id) == (greta.user_id, "approval_policy", str(policy.id))
    assert event.before is None
    assert event.after is not None
    assert event.after["document"]["rules"][0]["name"] == "release"
    assert event.metadata["version"] == 1


def test_a_new_policy_weakens_nothing(greta: Actor, nia: Actor) -> None:
    make_approval_policy(greta)
    assert not WeakeningEdit.objects.exists()


def test_who_may_not_write_policies_creates_none(nia: Actor) -> None:
    with pytest.raises(Refused) as refusal:
        make_approval_policy(nia)
    assert refusal.value.details == {"scope": "policy:write"}
    assert not ApprovalPolicy.objects.exists()


def test_a_name_is_free_once(greta: Actor, nia: Actor) -> None:
    first = make_approval_policy(greta, "two-person")
    with pytest.raises(rules.NameTaken) as refusal:
        make_approval_policy(greta, "two-person")
    assert refusal.value.details == {"id": str(first.id)}


def test_another_tenant_has_names_of_its_own(greta: Actor, nia: Actor) -> None:
    make_approval_policy(greta, "two-person")
    other = make_tenant("other")
    make_person(other, "olga", roles=["approver"], teams=["release"])
    make_approval_policy(actor_of(make_person(other, "otto", roles=["admin"]), other), "two-person")
    assert ApprovalPolicy.objects.filter(name="two-person").count() == 2


@pytest.mark.parametrize(
    "name", ["", "Two", "two person", "-two", "two-", "a" * 64, "two\n", "two\x00", "zwei\u2013personen"]
)
def test_a_name_that_is_no_slug_is_refused_by_field(greta: Actor, nia: Actor, name: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        make_approval_policy(greta, name)
    assert [each.field for each in refusal.value.fields] == ["name"]


@pytest.mark.parametrize(
    ("named", "place"),
    [({"teams": ["release", "nobody"]}, "rules[0].teams[0]"), ({"users": ["greta", "stranger"]}, "rules[0].users[1]")],
)
def test_teams_and_people_must_exist(greta: Actor, nia: Actor, named: dict[str, list[str]], place: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        make_approval_policy(greta, rules=[{"name": "release", **named}])
    assert [each.field for each in refusal.value.fields] == [place]


def test_people_of_another_tenant_do_not_exist(greta: Actor, nia: Actor) -> None:
    make_person(make_tenant("other"), "olga", roles=["approver"], teams=["elsewhere"])
    with pytest.raises(InvalidDocument) as refusal:
        make_approval_policy(greta, rules=[{"name": "release", "teams": ["elsewhere"], "users": ["olga"]}])
    assert [each.field for each in refusal.value.fields] == ["rules[0].teams[0]", "rules[0].users[0]"]


@pytest.mark.parametrize(
    ("rules_given", "told"),
    [
        # no rules at all
        ([], "An approval policy needs at least one rule."),
        # a rule for nobody
        ([{"name": "release"}], "Rule release names no team and no user."),
        # more approvals than users
        (
            [{"name": "release", "users": ["nia"], "minApprovals": 2}],
            "Rule release asks for more approvals than the users it names.",
        ),
    ],
)
def test_rules_that_cannot_be_satisfied_by_anybody(
    greta: Actor, nia: Actor, rules_given: list[dict[str, object]], told: str
) -> None:
    with pytest.raises(documents.Unsatisfiable) as refusal:
        make_approval_policy(greta, rules=rules_given)
    assert (refusal.value.code, refusal.value.message) == ("POL_UNSATISFIABLE", told)
    assert not ApprovalPolicy.objects.exists()


@pytest.mark.parametrize(
    "rules_given",
    [
        # more members of the team than may vote: tomas is one, and has no vote
        [{"name": "release", "teams": ["release"], "minApprovals": 2}],
        # the same person cannot fill two places
        [RELEASE, {"name": "second", "users": ["nia"]}],
        # nobody in it may vote
        [{"name": "release", "users": ["tomas"]}],
        # an empty team
        [{"name": "release", "teams": ["empty"]}],
    ],
)
def test_rules_that_too_few_members_may_satisfy(
    greta: Actor, nia: Actor, mei: Actor, tomas: Actor, clock: FixedClock, rules_given: list[dict[str, object]]
) -> None:
    create_team(by=greta, clock=clock, slug="empty")
    with pytest.raises(rules.Unsatisfiable) as refusal:
        make_approval_policy(greta, rules=rules_given)
    assert refusal.value.code == "POL_UNSATISFIABLE"
    assert not ApprovalPolicy.objects.exists()


def test_a_policy_that_is_not_enabled_waits_for_its_people(greta: Actor, clock: FixedClock) -> None:
    create_team(by=greta, clock=clock, slug="empty")
    rules_given = [{"name": "release", "teams": ["empty"]}]
    content = {"name": "two-person", "rules": rules_given}
    policy = create_approval_policy(by=greta, clock=clock, content=content, enabled=False)
    more = [{**rules_given[0], "minApprovals": 2}]
    update_approval_policy(by=greta, clock=clock, policy_id=policy.pk, changes={"rules": more}, used_by=[])
    with pytest.raises(rules.Unsatisfiable):
        update_approval_policy(by=greta, clock=clock, policy_id=policy.pk, changes={}, enabled=True, used_by=[])
    unknown = {"name": "other", "rules": [{"name": "release", "teams": ["nobody"]}]}
    with pytest.raises(documents.InvalidDocument):
        create_approval_policy(by=greta, clock=clock, content=unknown, enabled=False)


def test_one_more_member_makes_it_satisfiable(greta: Actor, nia: Actor, tenant: Tenant) -> None:
    two = [{"name": "release", "teams": ["release"], "minApprovals": 2}]
    with pytest.raises(rules.Unsatisfiable):
        make_approval_policy(greta, rules=two)
    make_person(tenant, "ravi", roles=["approver"], teams=["release"])
    assert make_approval_policy(greta, rules=two).current is not None


def test_who_lost_the_role_or_left_does_not_count(
    greta: Actor, nia: Actor, mei: Actor, clock: FixedClock, tenant: Tenant
) -> None:
    by = command_actor(tenant)
    end_role(by=by, clock=clock, user_id=nia.user_id, role="approver")
    with pytest.raises(rules.Unsatisfiable):
        make_approval_policy(greta, rules=[RELEASE])
    end_membership(by=by, clock=clock, user_id=mei.user_id)
    with pytest.raises(rules.Unsatisfiable):
        make_approval_policy(greta, rules=[{"name": "security", "teams": ["security"]}])


def test_a_token_s_issuer_stands_in_the_version(greta: Actor, nia: Actor, tenant: Tenant, clock: FixedClock) -> None:
    by_token = replace(greta, auth_method="token", token_issuer_id=nia.user_id)
    policy = create_approval_policy(by=by_token, clock=clock, content={"name": "two-person", "rules": [RELEASE]})
    assert policy.current is not None
    assert policy.current.created_with_token_issuer_id == nia.user_id
