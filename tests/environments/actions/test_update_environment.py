import pytest
from django.db import transaction
from django.http import Http404
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.actions.archive_environment import archive_environment
from environments.actions.update_environment import update_environment
from environments.etags import environment_tag
from environments.models import Environment
from environments.presenters import environment_document
from environments.rules import Archived, NotDirectlyBefore
from policies.models import WeakeningEdit
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.errors import Invalid, Refused
from tests.environments.world import (
    NOW,
    make_approval_policy,
    make_environment,
    make_person,
    make_promotion_policy,
    make_tenant,
)
from tests.examples import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(greta):
    """dev 1, staging 2, prod 3."""
    return {name: make_environment(greta, name, index) for index, name in enumerate(("dev", "staging", "prod"), 1)}


@pytest.fixture
def update(greta, clock):
    def update(environment, if_match=None, by=greta, **changes):
        return update_environment(by=by, clock=clock, environment_id=environment.pk, changes=changes, if_match=if_match)

    return update


def places():
    return {row.name: (row.order_index, row.version) for row in Environment.objects.live()}


def test_what_is_not_given_stays(line, update):
    before = environment_document(line["dev"])
    after = environment_document(update(line["dev"], display_name="Playground"))
    assert {name for name in after if after[name] != before[name]} == {"displayName", "version"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", "Playground"),
        ("is_production", True),
        ("config", {"deploymentTimeout": 5, "healthCheckInterval": 6, "variables": {"A": "b"}}),
        ("required_approvals", 3),
        ("require_separation_of_duties", True),
        ("auto_promote_hold", True),
        ("exclusive", "environment"),
        ("require_manifest_report", True),
    ],
)
def test_each_setting_can_be_changed(line, update, field, value):
    update(line["dev"], **{field: value})
    assert getattr(Environment.objects.get(name="dev"), field) == value


def test_parts_of_config_merge_and_variables_count_as_one_part(line, update):
    update(line["dev"], config={"variables": {"A": "1", "B": "2"}})
    update(line["dev"], config={"deploymentTimeout": 10})
    config = update(line["dev"], config={"variables": {"B": "3"}}).config
    assert config == {"deploymentTimeout": 10, "healthCheckInterval": 60, "variables": {"B": "3"}}


def test_a_change_raises_the_version_and_is_audited_by_its_difference(line, update, greta):
    update(line["dev"], required_approvals=2)
    event = AuditEvent.objects.get(action="environment.updated")
    assert (event.before, event.after) == ({"requiredApprovals": 0}, {"requiredApprovals": 2})
    assert places()["dev"] == (1, 2)


def test_what_changes_nothing_leaves_no_trace(line, update):
    document = environment_document(line["dev"])
    update(
        line["dev"],
        display_name=document["displayName"],
        order_index=1,
        config=document["config"],
        approval_policies=[],
        promotion_policy="default",
    )
    assert places()["dev"] == (1, 1)
    assert not AuditEvent.objects.filter(action="environment.updated").exists()


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        # To the front: the others shift back by one, each a version higher.
        ([("prod", 1)], {"prod": (1, 2), "dev": (2, 2), "staging": (3, 2)}),
        # To the end.
        ([("dev", 3)], {"staging": (1, 2), "prod": (2, 2), "dev": (3, 2)}),
        # Neighbours: whoever does not move keeps its version.
        ([("prod", 2)], {"dev": (1, 1), "prod": (2, 2), "staging": (3, 2)}),
        # A free index: only the one that moves.
        ([("dev", 9)], {"staging": (2, 1), "prod": (3, 1), "dev": (9, 2)}),
        # There and back.
        ([("prod", 1), ("prod", 3)], {"dev": (1, 3), "staging": (2, 3), "prod": (3, 3)}),
    ],
)
def test_a_new_order_index_moves_it_and_shifts_the_others(line, update, moves, expected):
    for name, order_index in moves:
        update(line[name], order_index=order_index)
    assert places() == expected


def test_a_move_is_audited_with_those_that_made_room(line, update):
    update(line["prod"], order_index=1)
    event = AuditEvent.objects.get(action="environment.updated")
    assert (event.before, event.after) == ({"orderIndex": 3}, {"orderIndex": 1})
    assert event.metadata["shifted"] == [
        {"name": "dev", "from": 1, "to": 2},
        {"name": "staging", "from": 2, "to": 3},
    ]


def test_a_move_that_breaks_an_automatic_promotion_is_refused_and_stores_nothing(line, update):
    update(line["prod"], auto_promote_from="staging")
    before = places()
    with pytest.raises(NotDirectlyBefore) as refusal:
        update(line["dev"], order_index=2)  # staging dev prod
    assert refusal.value.details["environments"][0]["name"] == "prod"
    assert places() == before


def test_order_and_automatic_promotion_can_change_together(line, update):
    update(line["prod"], auto_promote_from="staging")
    prod = update(line["prod"], order_index=2, auto_promote_from="dev")
    assert (prod.order_index, prod.auto_promote_from.name) == (2, "dev")


@pytest.mark.parametrize("to", [None, -1, 10_000, "1", True])
def test_an_order_index_that_is_none_is_refused(line, update, to):
    with pytest.raises(Invalid):
        update(line["dev"], order_index=to)


@pytest.mark.parametrize("field", ["name", "id", "version", "created_at", "archived_at", "tenant_id", "pk"])
def test_what_no_edit_may_touch_is_refused(line, update, field):
    with pytest.raises(Invalid):
        update(line["dev"], **{field: "x"})


def test_approval_policies_are_replaced_as_a_whole(line, update, greta, nia):
    for name in ("release", "security", "legal"):
        make_approval_policy(greta, name)
    update(line["prod"], approval_policies=["release", "security"])
    after = update(line["prod"], approval_policies=["security", "legal"])
    assert environment_document(after)["approvalPolicies"] == ["legal", "security"]


def test_a_stale_condition_is_refused_and_stores_nothing(line, update):
    update(line["dev"], display_name="Second")
    with pytest.raises(PreconditionFailed):
        update(line["dev"], if_match=IfMatch(environment_tag(line["dev"].pk, 1)), display_name="Third")
    assert Environment.objects.get(name="dev").display_name == "Second"


def test_the_condition_holds_for_the_version_that_is_stored(line, update):
    assert update(line["dev"], if_match=IfMatch(environment_tag(line["dev"].pk, 1)), display_name="Second").version == 2


def test_only_administrators_change(line, update, tomas):
    with pytest.raises(Refused):
        update(line["dev"], by=tomas, display_name="Mine")


def test_another_tenants_environment_does_not_exist(update):
    foreign = make_environment(make_person(make_tenant("other"), "olga", "admin"), "dev", 1)
    with pytest.raises(Http404):
        update(foreign, display_name="Mine")


def test_an_archived_environment_does_not_change(line, update, greta, clock):
    archive_environment(by=greta, clock=clock, environment_id=line["dev"].pk, active_promotions=0)
    with pytest.raises(Archived):
        update(line["dev"], display_name="New")


def test_an_archived_environment_takes_what_it_says_of_itself(line, update, greta, clock):
    archived = archive_environment(by=greta, clock=clock, environment_id=line["dev"].pk, active_promotions=0)
    assert update(line["dev"], order_index=None, display_name="Development").version == archived.version


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        # Fewer approvals.
        ({"required_approvals": 2}, {"required_approvals": 1}, ["Environment prod: Needs 1 approval instead of 2."]),
        ({"required_approvals": 2}, {"required_approvals": 0}, ["Environment prod: Needs 0 approvals instead of 2."]),
        # More approvals.
        ({"required_approvals": 1}, {"required_approvals": 2}, []),
        # Separation of duties off, and on.
        (
            {"require_separation_of_duties": True},
            {"require_separation_of_duties": False},
            ["Environment prod: Separation of duties: the release's creator may vote again."],
        ),
        ({}, {"require_separation_of_duties": True}, []),
        # A policy removed, replaced, added.
        (
            {"approval_policies": ["release", "security"]},
            {"approval_policies": ["release"]},
            ["Environment prod: Approval policy security does not apply any more."],
        ),
        # One that asks for as much stands for it, whatever it is called.
        ({"approval_policies": ["release"]}, {"approval_policies": ["security"]}, []),
        ({"approval_policies": ["release"]}, {"approval_policies": ["release", "security"]}, []),
        # Another promotion policy that asks for as much.
        ({}, {"promotion_policy": "strict"}, []),
        # The order: prod first needs no step before it, and the others lose none.
        (
            {},
            {"order_index": 1},
            ["Environment prod: releases need not pass dev or staging before it any more."],
        ),
        # Manifests need not be reported any more, and have to.
        (
            {"require_manifest_report": True},
            {"require_manifest_report": False},
            ["Environment prod: Deployments may be reported without saying by digest what runs."],
        ),
        ({}, {"require_manifest_report": True}, []),
        # The lock on the whole environment widens to one for each product, and back.
        (
            {"exclusive": "environment"},
            {"exclusive": "product"},
            ["Environment prod: Deployments of several products may run at once."],
        ),
        ({}, {"exclusive": "environment"}, []),
        # Releases enter by themselves, held or not; they stop; they go on.
        (
            {"auto_promote_hold": True},
            {"auto_promote_from": "staging"},
            ["Environment prod: Releases that are deployed to staging are requested here automatically."],
        ),
        ({"auto_promote_from": "staging"}, {"auto_promote_from": None}, []),
        ({"auto_promote_from": "staging"}, {"auto_promote_hold": True}, []),
        (
            {"auto_promote_from": "staging", "auto_promote_hold": True},
            {"auto_promote_hold": False},
            ["Environment prod: Automatic promotion from staging is not on hold any more."],
        ),
        ({"auto_promote_hold": True}, {"auto_promote_hold": False}, []),
        # Policies may ask for more where it is production.
        ({}, {"is_production": False}, ["Environment prod: Policies do not see it as production any more."]),
        ({"is_production": False}, {"is_production": True}, []),
        # What has nothing to do with entering.
        ({}, {"display_name": "Live", "config": {"deploymentTimeout": 1}}, []),
    ],
)
def test_what_makes_entering_easier_is_kept_in_words(line, update, greta, nia, before, after, sentences):
    make_approval_policy(greta, "release")
    make_approval_policy(greta, "security")
    make_promotion_policy(greta, "strict")
    update(line["prod"], **before)
    already = WeakeningEdit.objects.count()
    update(line["prod"], **after)
    kept = list(WeakeningEdit.objects.order_by("id"))[already:]
    assert [edit.what for edit in kept] == sentences
    assert {(edit.environment_id, edit.actor_username) for edit in kept} <= {(line["prod"].pk, "greta")}


def test_an_environment_that_loses_a_step_by_anothers_move_is_the_one_weakened(line, update):
    update(line["staging"], order_index=3)
    assert set(WeakeningEdit.objects.values_list("environment_id", "what")) == {
        (line["prod"].pk, "Environment prod: releases need not pass staging before it any more."),
        (line["staging"].pk, "Environment staging: releases enter it from prod instead of dev."),
    }


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(30))
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=6))
def test_any_sequence_of_moves_leaves_an_order_and_raises_exactly_the_versions_of_what_moved(moves):
    with transaction.atomic():
        tenant = make_tenant("property")
        greta = make_person(tenant, "property-greta", "admin")
        rows = [make_environment(greta, f"e{index}", index) for index in range(5)]
        for who, to in moves:
            before = {row.pk: row for row in Environment.objects.of(tenant.pk)}
            update_environment(
                by=greta, clock=FixedClock(NOW), environment_id=rows[who].pk, changes={"order_index": to}
            )
            after = {row.pk: row for row in Environment.objects.of(tenant.pk)}
            assert after[rows[who].pk].order_index == to
            assert len({row.order_index for row in after.values()}) == 5
            for pk, row in after.items():
                assert row.version - before[pk].version == (row.order_index != before[pk].order_index)
        transaction.set_rollback(True)
