import pytest

from environments.models import Environment
from environments.presenters import environment_document
from environments.rules import NameTaken, NotDirectlyBefore, OrderIndexTaken
from policies.models import WeakeningEdit
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid, Refused
from tests import factories
from tests.environments.world import (
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_tenant,
)

pytestmark = pytest.mark.django_db


def field_errors(refusal: pytest.ExceptionInfo[Invalid]) -> list[tuple[str, str]]:
    return [(error.field, error.code) for error in refusal.value.fields]


def test_what_is_left_out_has_its_default(greta):
    document = environment_document(make_environment(greta, "dev", 1))
    assert {name: document[name] for name in document if name not in ("id", "createdAt", "updatedAt")} == {
        "name": "dev",
        "displayName": "Development",
        "orderIndex": 1,
        "isProduction": False,
        "protected": False,
        "config": {"deploymentTimeout": 3600, "healthCheckInterval": 60, "variables": {}},
        "requiredApprovals": 0,
        "requireSeparationOfDuties": False,
        "promotionPolicy": "default",
        "approvalPolicies": [],
        "productApprovalPolicies": [],
        "otherProducts": "allow",
        "autoPromoteFrom": None,
        "autoPromoteHold": False,
        "exclusive": "product",
        "requireManifestReport": False,
        "requiredOnEveryPath": None,
        "archivedAt": None,
        "version": 1,
    }


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("prod", None, True),
        ("production", None, True),
        ("preprod", None, False),
        ("prod", False, False),  # said explicitly
        ("live", True, True),
    ],
)
def test_an_environment_called_production_is_one_unless_said_otherwise(greta, name, given, expected):
    assert make_environment(greta, name, 1, is_production=given).is_production is expected


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("prod", {}, True),
        ("dev", {}, False),
        ("live", {"is_production": True}, True),
        ("prod", {"protected": False}, False),
    ],
)
def test_what_counts_as_production_is_protected_unless_said_otherwise(greta, name, given, expected):
    environment = factories.make_environment(greta, name, 1, **given)
    assert (environment.protected, environment.was_protected) == (expected, expected)


def test_what_is_given_is_stored(greta):
    make_promotion_policy(greta, "strict")
    make_environment(greta, "dev", 1)
    prod = make_environment(
        greta,
        "prod",
        5,
        config={"deploymentTimeout": 60, "variables": {"REGION": "eu"}},
        required_approvals=2,
        require_separation_of_duties=True,
        promotion_policy="strict",
        auto_promote_from="dev",
        auto_promote_hold=True,
        exclusive="environment",
        require_manifest_report=True,
    )
    document = environment_document(Environment.objects.get(pk=prod.pk))
    assert document["config"] == {"deploymentTimeout": 60, "healthCheckInterval": 60, "variables": {"REGION": "eu"}}
    assert (document["requiredApprovals"], document["requireSeparationOfDuties"]) == (2, True)
    assert (document["promotionPolicy"], document["autoPromoteFrom"], document["autoPromoteHold"]) == (
        "strict",
        "dev",
        True,
    )
    assert (document["exclusive"], document["requireManifestReport"]) == ("environment", True)


def test_approval_policies_are_named_and_shown_in_order_of_name(greta, nia):
    make_approval_policy(greta, "security")
    make_approval_policy(greta, "release")
    environment = make_environment(greta, "prod", 1, approval_policies=["security", "release", "security"])
    assert environment_document(environment)["approvalPolicies"] == ["release", "security"]


def test_creating_is_audited_with_the_whole_object(greta):
    environment = make_environment(greta, "dev", 1)
    event = AuditEvent.objects.get(action="environment.created")
    assert event.after == environment_document(environment)
    assert (event.before, event.environment_id, event.actor_id) == (None, environment.pk, greta.user_id)


def test_a_new_environment_weakens_nothing(greta):
    make_environment(greta, "dev", 1)
    make_environment(greta, "prod", 3)
    make_environment(greta, "staging", 2)
    assert not WeakeningEdit.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_administrators_create(tenant, role):
    with pytest.raises(Refused, match="environment:write"):
        make_environment(make_person(tenant, "ravi", role), "dev", 1)


def test_a_taken_name_is_refused_with_the_one_that_has_it(greta):
    dev = make_environment(greta, "dev", 1)
    with pytest.raises(NameTaken) as refusal:
        make_environment(greta, "dev", 2)
    assert refusal.value.details == {"field": "name", "id": str(dev.pk)}


def test_a_taken_order_index_is_refused_with_the_one_that_has_it(greta):
    dev = make_environment(greta, "dev", 1)
    with pytest.raises(OrderIndexTaken) as refusal:
        make_environment(greta, "staging", 1)
    assert refusal.value.details == {"field": "orderIndex", "id": str(dev.pk)}


def test_another_tenants_names_and_indexes_are_free(greta):
    make_environment(greta, "dev", 1)
    other = make_person(make_tenant("other"), "olga", "admin")
    assert make_environment(other, "dev", 1).tenant_id == other.tenant_id


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"name": "Prod"}, "name"),
        ({"name": "prod\n"}, "name"),
        ({"name": "-prod"}, "name"),
        ({"name": "p" * 64}, "name"),
        ({"name": "prod\x00"}, "name"),
        ({"display_name": ""}, "displayName"),
        ({"display_name": "  "}, "displayName"),
        ({"display_name": "p" * 201}, "displayName"),
        ({"display_name": "a\u202eb"}, "displayName"),
        ({"display_name": 7}, "displayName"),
        ({"order_index": -1}, "orderIndex"),
        ({"order_index": 10_000}, "orderIndex"),
        ({"order_index": True}, "orderIndex"),
        ({"order_index": "1"}, "orderIndex"),
        ({"order_index": 2**63}, "orderIndex"),
        ({"is_production": "yes"}, "isProduction"),
        ({"required_approvals": -1}, "requiredApprovals"),
        ({"required_approvals": 51}, "requiredApprovals"),
        ({"required_approvals": 1.5}, "requiredApprovals"),
        ({"require_separation_of_duties": 1}, "requireSeparationOfDuties"),
        ({"promotion_policy": "absent"}, "promotionPolicy"),
        ({"promotion_policy": None}, "promotionPolicy"),
        ({"approval_policies": ["absent"]}, "approvalPolicies[0]"),
        ({"approval_policies": [None]}, "approvalPolicies[0]"),
        ({"approval_policies": [f"p{n}" for n in range(21)]}, "approvalPolicies"),
        ({"auto_promote_from": "absent"}, "autoPromoteFrom"),
        ({"auto_promote_from": 1}, "autoPromoteFrom"),
        ({"exclusive": "tenant"}, "exclusive"),
        ({"config": []}, "config"),
        ({"config": {"deploymentTimeout": 0}}, "config.deploymentTimeout"),
        ({"config": {"deploymentTimeout": 604_801}}, "config.deploymentTimeout"),
        ({"config": {"healthCheckInterval": 86_401}}, "config.healthCheckInterval"),
        ({"config": {"unheardOf": 1}}, "config.unheardOf"),
        ({"config": {"variables": []}}, "config.variables"),
        ({"config": {"variables": {"REGION": 1}}}, "config.variables.REGION"),
        ({"config": {"variables": {"REGION": "x" * 2001}}}, "config.variables.REGION"),
        ({"config": {"variables": {"1ST": "x"}}}, "config.variables"),
        ({"config": {"variables": {f"V{n}": "" for n in range(101)}}}, "config.variables"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_place(greta, options, place):
    with pytest.raises(Invalid) as refusal:
        make_environment(greta, **{"name": "dev", "order_index": 1, **options})
    assert place in [error.field for error in refusal.value.fields]
    assert not Environment.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "db.passwd",
        "ApiToken",
        "api-key",
        "client_secret",
        "PRIVATE_KEY",
        "awsAccessKeyId",
        "credentials",
    ],
)
def test_a_variable_whose_name_promises_a_secret_is_refused(greta, name):
    with pytest.raises(Invalid, match="Secrets do not live in environments"):
        make_environment(greta, "dev", 1, config={"variables": {name: "x"}})


@pytest.mark.parametrize("value", ["postgres://app:hunter2@db/app", "see https://user@host/"])
def test_a_variable_with_user_information_in_a_url_is_refused(greta, value):
    with pytest.raises(Invalid, match="user or password in a URL"):
        make_environment(greta, "dev", 1, config={"variables": {"DATABASE": value}})


def test_every_wrong_place_is_named_at_once(greta):
    with pytest.raises(Invalid) as refusal:
        make_environment(greta, "Dev", -1, required_approvals=99)
    assert field_errors(refusal) == [
        ("name", "invalid"),
        ("orderIndex", "min_value"),
        ("requiredApprovals", "max_value"),
    ]


def test_a_promotion_policy_that_was_never_published_cannot_guard(greta):
    make_promotion_policy(greta, "draft", published=False)
    with pytest.raises(Invalid, match="no published version"):
        make_environment(greta, "dev", 1, promotion_policy="draft")


def test_a_disabled_approval_policy_cannot_guard(greta, nia):
    policy = make_approval_policy(greta, "paused")
    policy.enabled = False
    policy.save()
    with pytest.raises(Invalid, match="paused is disabled"):
        make_environment(greta, "dev", 1, approval_policies=["paused"])


def test_policies_of_another_tenant_do_not_exist(greta):
    make_promotion_policy(make_person(make_tenant("other"), "olga", "admin"), "theirs")
    with pytest.raises(Invalid, match="There is no promotion policy theirs"):
        make_environment(greta, "dev", 1, promotion_policy="theirs")


@pytest.mark.parametrize(
    ("order_index", "source"),
    [
        (5, "dev"),  # staging is between
        (1, "dev"),  # it would stand before
        (0, "staging"),  # it would be the first
    ],
)
def test_automatic_promotion_comes_only_from_the_environment_directly_before(greta, order_index, source):
    make_environment(greta, "dev", 2)
    make_environment(greta, "staging", 3)
    with pytest.raises(NotDirectlyBefore):
        make_environment(greta, "prod", order_index, auto_promote_from=source)


def test_nothing_comes_between_two_that_follow_each_other_automatically(greta):
    make_environment(greta, "dev", 1)
    make_environment(greta, "prod", 3, auto_promote_from="dev")
    with pytest.raises(NotDirectlyBefore) as refusal:
        make_environment(greta, "staging", 2)
    assert refusal.value.details == {
        "environments": [{"name": "prod", "autoPromoteFrom": "dev", "directlyBefore": "staging"}]
    }
