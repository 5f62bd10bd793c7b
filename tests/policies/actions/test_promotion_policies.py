"""create_promotion_policy, save_draft, publish_promotion_policy, seed_default_policy."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db.models import QuerySet
from django.http import Http404

from policies import rules
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import (
    CannotBePublished,
    NothingToPublish,
    publish_promotion_policy,
)
from policies.actions.save_draft import save_draft
from policies.actions.seed_default_policy import seed_default_policy
from policies.documents import InvalidDocument
from policies.etags import promotion_policy_tag
from policies.models import PromotionPolicy, PromotionPolicyVersion, WeakeningEdit
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import Tenant
from stellapromote.api.etag import IfMatch, PreconditionFailed
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import FixedClock
from stellapromote.errors import Refused
from stellapromote.identity.actions.create_tenant import create_tenant
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.signing.canonical_json import digest_bytes
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_person, make_promotion_policy, make_tenant

MORNING = {"start": "2026-11-23T08:00:00", "end": "2026-11-23T09:00:00"}
MANUAL = {
    "name": "backup",
    "kind": "manual",
    "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked"},
}


def published(policy: PromotionPolicy) -> dict[str, Any]:
    current = PromotionPolicy.objects.select_related("current").get(pk=policy.pk).current
    assert current is not None
    content: dict[str, Any] = orjson.loads(current.canonical)
    return content


def versions_of(name: str) -> QuerySet[PromotionPolicyVersion]:
    return PromotionPolicyVersion.objects.filter(policy__name=name)


def test_a_new_policy_is_only_a_draft(greta: Actor, clock: FixedClock) -> None:
    policy = create_promotion_policy(by=greta, clock=clock, name="strict", document={"approvalTtl": 3600})
    assert policy.current is None
    assert policy.draft["approvalTtl"] == 3600
    assert [gate["kind"] for gate in policy.draft["gates"]] == ["preconditions", "freeze-window", "approval"]
    assert policy.draft_by_id == greta.user_id
    assert not versions_of("strict").exists()


def test_a_name_is_free_once(greta: Actor) -> None:
    make_promotion_policy(greta, "strict")
    with pytest.raises(rules.NameTaken):
        make_promotion_policy(greta, "strict")


@pytest.mark.parametrize("name", ["", "Strict", "strict-", "-strict", "a" * 64, "strict\x00"])
def test_a_name_that_is_no_slug_is_refused_by_field(greta: Actor, name: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        make_promotion_policy(greta, name)
    assert [each.field for each in refusal.value.fields] == ["name"]


@pytest.mark.parametrize(
    ("document", "place", "code"),
    [
        (
            {"gates": [{"kind": "schedule", "config": {"windows": [{**MORNING, "recurrence": "FREQ=DAILY"}]}}]},
            "gates[0].config.windows[0].recurrence",
            "not_supported",
        ),
        ({"gates": [{"kind": "approval", "override": {"by": ["mei"]}}]}, "gates[0].override", "invalid"),
        ({"gates": [{"kind": "nothing"}]}, "gates[0].kind", "invalid"),
        (
            {"gates": [{"kind": "freeze-window", "config": {"onFreeze": "warn"}}]},
            "gates[0].config.onFreeze",
            "invalid_choice",
        ),
        ({"pendingTtl": 0}, "pendingTtl", "min_value"),
        ({"quorum": 0}, "quorum", "unknown_field"),
    ],
)
def test_a_draft_that_cannot_be_used_is_not_stored(
    greta: Actor, clock: FixedClock, document: dict[str, Any], place: str, code: str
) -> None:
    make_promotion_policy(greta, "strict")
    for write in (
        lambda: create_promotion_policy(by=greta, clock=clock, name="other", document=document),
        lambda: save_draft(by=greta, clock=clock, name="strict", changes=document),
    ):
        with pytest.raises(InvalidDocument) as refusal:
            write()
        assert [(each.field, each.code) for each in refusal.value.fields] == [(place, code)]
    assert [(each.name, each.draft) for each in PromotionPolicy.objects.exclude(name="default")] == [("strict", None)]


def test_publishing_makes_the_draft_an_immutable_version(greta: Actor, clock: FixedClock) -> None:
    policy = make_promotion_policy(greta, "strict", approvalTtl=3600, clock=clock)
    version = PromotionPolicyVersion.objects.get(policy=policy)
    assert policy.current == version
    assert (policy.draft, policy.draft_by_id) == (None, None)
    assert (version.version, version.published_by_id, version.published_at) == (1, greta.user_id, clock.now())
    assert version.digest == digest_bytes(bytes(version.canonical))
    assert orjson.loads(version.canonical)["approvalTtl"] == 3600


def test_publishing_needs_a_right_of_its_own(greta: Actor, tenant: Tenant, clock: FixedClock) -> None:
    writer = replace(greta, scopes=greta.scopes - {"policy:publish"})
    make_promotion_policy(writer, "strict", published=False)
    with pytest.raises(Refused) as refusal:
        publish_promotion_policy(by=writer, clock=clock, name="strict")
    assert refusal.value.details == {"scope": "policy:publish"}


def test_drafting_needs_policy_write(nia: Actor, greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    with pytest.raises(Refused):
        make_promotion_policy(nia, "other")
    with pytest.raises(Refused):
        save_draft(by=nia, clock=clock, name="strict", changes={"supersedeOlder": True})


def test_an_edit_begins_from_what_is_published_and_leaves_it_in_force(greta: Actor, clock: FixedClock) -> None:
    policy = make_promotion_policy(greta, "strict", approvalTtl=3600)
    edited = save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True})
    assert edited.draft is not None
    assert (edited.draft["approvalTtl"], edited.draft["supersedeOlder"]) == (3600, True)
    assert published(policy)["supersedeOlder"] is False


def test_a_second_edit_goes_on_from_the_first(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True})
    edited = save_draft(by=greta, clock=clock, name="strict", changes={"approvalTtl": 3600})
    assert edited.draft is not None
    assert (edited.draft["approvalTtl"], edited.draft["supersedeOlder"]) == (3600, True)


def test_a_draft_that_says_what_is_published_is_no_draft(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True})
    assert save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": False}).draft is None


def test_the_same_draft_again_changes_nothing(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    first = save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True})
    events = AuditEvent.objects.count()
    assert save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True}).revision == first.revision
    assert AuditEvent.objects.count() == events


def test_there_is_nothing_to_publish_without_a_draft(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    with pytest.raises(NothingToPublish):
        publish_promotion_policy(by=greta, clock=clock, name="strict")


def test_publication_is_audited_and_what_it_weakens_is_noted(greta: Actor, nia: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict", gates=[MANUAL])
    clock.advance(timedelta(hours=1))
    save_draft(by=greta, clock=clock, name="strict", changes={"gates": []})
    assert not WeakeningEdit.objects.exists()
    publish_promotion_policy(by=greta, clock=clock, name="strict")
    edits = list(WeakeningEdit.objects.order_by("what"))
    assert [(edit.policy_name, edit.what, edit.at) for edit in edits] == [
        ("strict", "Gate backup (manual) is gone.", clock.now()),
        ("strict", "Version 2 was published by its author: nobody else could.", clock.now()),
    ]
    event = AuditEvent.objects.filter(action="policy.published").latest("id")
    assert event.before is not None
    assert event.after is not None
    assert len(event.before["document"]["gates"]) == 4
    assert len(event.after["document"]["gates"]) == 3
    assert event.after["weakening"] == [edit.what for edit in edits]


def test_a_manual_gate_names_people_and_teams_that_exist(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict", published=False, gates=[MANUAL])
    with pytest.raises(CannotBePublished) as refusal:
        publish_promotion_policy(by=greta, clock=clock, name="strict")
    assert refusal.value.code == "POL_INVALID"
    assert refusal.value.details is not None
    assert [each["field"] for each in refusal.value.details["places"]] == ["gates[2].config.confirmers.teams[0]"]
    assert not versions_of("strict").exists()


def test_a_manual_gate_that_too_few_could_confirm_is_not_published(greta: Actor, nia: Actor, clock: FixedClock) -> None:
    two = {**MANUAL, "config": {**MANUAL["config"], "minConfirmations": 2}}  # type: ignore[dict-item]
    make_promotion_policy(greta, "strict", published=False, gates=[two])
    with pytest.raises(rules.Unsatisfiable) as refusal:
        publish_promotion_policy(by=greta, clock=clock, name="strict")
    assert refusal.value.code == "POL_UNSATISFIABLE"


def test_a_confirmer_who_left_does_not_stop_another_edit(
    greta: Actor, nia: Actor, mei: Actor, tenant: Tenant, clock: FixedClock
) -> None:
    named = {"confirmers": {"users": ["mei", "nia"]}, "text": "Backup checked"}
    make_promotion_policy(greta, "strict", gates=[{**MANUAL, "config": named}])
    end_membership(by=command_actor(tenant), clock=clock, user_id=mei.user_id)
    save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True})
    policy = publish_promotion_policy(by=greta, clock=clock, name="strict")
    assert published(policy)["supersedeOlder"] is True


def scanned(*uploaders: str) -> dict[str, Any]:
    return {"kind": "security", "config": {"rules": {"cve-delta": {}}, "trustedUploaders": list(uploaders)}}


def test_whose_uploads_are_believed_must_exist(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict", published=False, gates=[scanned("greta", "nobody")])
    with pytest.raises(CannotBePublished) as refusal:
        publish_promotion_policy(by=greta, clock=clock, name="strict")
    assert refusal.value.details is not None
    assert [each["field"] for each in refusal.value.details["places"]] == ["gates[2].config.trustedUploaders[1]"]


def test_a_draft_that_a_newer_version_refuses_is_not_published(greta: Actor, clock: FixedClock) -> None:
    policy = make_promotion_policy(greta, "strict", published=False)
    settings = {"windows": [{**MORNING, "recurrence": "FREQ=DAILY"}]}
    policy.draft["gates"].append({"name": "hours", "kind": "schedule", "config": settings})
    policy.save(update_fields=["draft"])
    with pytest.raises(CannotBePublished) as refusal:
        publish_promotion_policy(by=greta, clock=clock, name="strict")
    assert refusal.value.details is not None
    assert refusal.value.details["places"][0]["code"] == "not_supported"


def test_an_edit_on_an_old_state_is_refused(greta: Actor, clock: FixedClock) -> None:
    seen = IfMatch(promotion_policy_tag(make_promotion_policy(greta, "strict")))
    save_draft(by=greta, clock=clock, name="strict", changes={"supersedeOlder": True}, if_match=seen)
    with pytest.raises(PreconditionFailed):
        save_draft(by=greta, clock=clock, name="strict", changes={"approvalTtl": 60}, if_match=seen)
    with pytest.raises(PreconditionFailed):
        publish_promotion_policy(by=greta, clock=clock, name="strict", if_match=seen)


def test_a_policy_of_another_tenant_does_not_exist(greta: Actor, clock: FixedClock) -> None:
    make_promotion_policy(greta, "strict")
    other = make_tenant("other")
    stranger = actor_of(make_person(other, "otto", roles=["admin"]), other)
    with pytest.raises(Http404):
        save_draft(by=stranger, clock=clock, name="strict", changes={})
    with pytest.raises(Http404):
        publish_promotion_policy(by=stranger, clock=clock, name="strict")


@pytest.fixture
def empty_tenant(db: None, clock: FixedClock) -> Tenant:
    return create_tenant(by=command_actor(), clock=clock, slug="empty")


def test_every_tenant_starts_with_a_published_default(empty_tenant: Tenant, clock: FixedClock) -> None:
    policy = seed_default_policy(by=command_actor(), clock=clock, tenant=empty_tenant)
    assert policy.current is not None
    assert (policy.name, policy.draft, policy.current.version) == ("default", None, 1)
    assert [gate["kind"] for gate in published(policy)["gates"]] == ["preconditions", "freeze-window", "approval"]
    event = AuditEvent.objects.get(action="policy.published")
    assert (event.tenant_id, event.metadata["name"]) == (empty_tenant.id, "default")


def test_a_tenant_keeps_the_default_it_has(empty_tenant: Tenant, clock: FixedClock) -> None:
    seed_default_policy(by=command_actor(), clock=clock, tenant=empty_tenant)
    greta = actor_of(make_person(empty_tenant, "greta", roles=["admin"]), empty_tenant)
    save_draft(by=greta, clock=clock, name="default", changes={"supersedeOlder": True})
    publish_promotion_policy(by=greta, clock=clock, name="default")
    policy = seed_default_policy(by=command_actor(), clock=clock, tenant=empty_tenant)
    assert policy.current is not None
    assert policy.current.version == 2


def test_of_two_publishers_one_wins(committed_db: CommittedDatabase, clock: FixedClock) -> None:
    tenant = make_tenant("kestrel-pay", clock=clock)
    greta = actor_of(make_person(tenant, "greta", roles=["admin"]), tenant)
    make_promotion_policy(greta, "strict", published=False)
    outcomes = committed_db.at_once(
        *(lambda: publish_promotion_policy(by=greta, clock=clock, name="strict") for _ in range(3))
    )
    assert sorted(type(each).__name__ for each in outcomes) == [
        "NothingToPublish",
        "NothingToPublish",
        "PromotionPolicy",
    ]
    assert versions_of("strict").count() == 1
    assert AuditEvent.objects.filter(action="policy.published", metadata__name="strict").count() == 1
