"""Every stored setting says whether it is a guard (domain.md §5): one that says nothing is found here."""

from typing import Any

import pytest
from django.apps import apps

from policies.documents import PROMOTION_POLICY_SCHEMA
from tests.promotions.guards.marks import marks, settings_of

NO_SETTINGS = {
    "accounts.Tenant": "a name",
    "accounts.Team": "a name; who is in it are grants",
    "accounts.Membership": "a grant: vouched for or not",
    "accounts.RoleGrant": "a grant: vouched for or not",
    "accounts.TeamGrant": "a grant: vouched for or not",
    "accounts.ServiceAccount": "does only what its owners could",
    "accounts.ServiceOwner": "who stands behind a service",
    "accounts.EndedSession": "takes a right from a session",
    "accounts.ApiToken": "does only what its owner could",
    "accounts.User": "the person's own",
    "policies.ApprovalPolicyVersion": "never changes; ApprovalPolicy.current names the one in force",
    "policies.PromotionPolicyVersion": "never changes; PromotionPolicy.current names the one in force",
    "policies.Proposal": "what loosens guards",
    "policies.WeakeningEdit": "what loosened guards",
    "environments.Calendar": "a lock",
    "environments.RetiredName": "only grows",
    "environments.EnvironmentEdit": "what was edited",
    "accounts.OwnersEdit": "what was edited",
}
"""Models of these rooms that hold no setting, and why; of promotions, what happened is none."""

RECORDS = {
    *("Blob", "Release", "Component", "PromotionCounter", "Promotion", "CollectedFact", "DecisionRecord"),
    *("Deployment", "Installation", "PublicSigningKey", "EvidencePacket", "EvidenceDocument", "EvidenceBundle"),
    *("OutboxEvent", "OutboxMark", "Override", "OverrideReview", "DocumentReading", "BundleReading", "FeedReading"),
    *("Vote", "Confirmation", "ProcessHeartbeat", "WorkerFailure", "EvidenceFinding", "EvidenceRound"),
    *("OutboxCounter", "WebhookDelivery"),
}


def models() -> list[Any]:
    rooms = ("accounts", "environments", "policies", "promotions")
    found = [model for room in rooms for model in apps.get_app_config(room).get_models()]
    return [each for each in found if each._meta.label not in NO_SETTINGS and each.__name__ not in RECORDS]


def unmarked(model: Any) -> set[str]:
    fields = {each.name for each in (*model._meta.concrete_fields, *model._meta.many_to_many)} - {"pk"}
    guards, others = set(getattr(model, "GUARDS", ())), set(getattr(model, "NO_GUARDS", ()))
    return (fields ^ (guards | others)) | (guards & others)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_field_of_a_model_with_settings_is_marked(model: Any) -> None:
    assert unmarked(model) == set()
    assert all(model.NO_GUARDS.values())


def test_a_field_without_a_mark_is_found() -> None:
    environment = apps.get_model("environments", "Environment")

    class Unmarked:
        _meta = environment._meta
        GUARDS = environment.GUARDS - {"protected"}
        NO_GUARDS = environment.NO_GUARDS

    assert unmarked(Unmarked) == {"protected"}


@pytest.mark.parametrize("name", sorted(marks()))
def test_every_setting_of_a_document_and_of_a_gate_is_marked(name: str) -> None:
    guards, others, schema = marks()[name]
    assert guards | others.keys() == set(settings_of(schema))
    assert guards.isdisjoint(others)
    assert all(others.values())


def test_a_setting_without_a_mark_is_found() -> None:
    guards, others, _ = marks()["promotion policy"]
    gates = PROMOTION_POLICY_SCHEMA["properties"]["gates"]
    entry = {**gates["items"], "properties": {**gates["items"]["properties"], "skipWhen": {"type": "string"}}}
    schema = {"type": "object", "properties": {"gates": {**gates, "items": entry}, "quorum": {"type": "integer"}}}
    assert set(settings_of(schema)) - guards - others.keys() == {"gates.skipWhen", "quorum"}
