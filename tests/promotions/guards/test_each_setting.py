"""Each setting of a policy that is marked as a guard, loosened alone: nothing changes before a second person confirms.
Tightened, it is in force at once."""

from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from policies.engines.opa import Connection
from policies.models import ApprovalPolicy, PromotionPolicy, Proposal, WeakeningEdit
from promotions.actions.update_approval_policy import update_approval_policy
from tests.factories import make_approval_policy, make_promotion_policy
from tests.promotions.guards.loosenings import CANNOT_BE_TOLD, LOOSENINGS
from tests.promotions.guards.marks import marks
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.uploads import what_policies_name
from tests.proposals import confirmed

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SETTINGS = [(document, path) for document, edits in LOOSENINGS.items() for path in edits]


@pytest.fixture
def kestrel(settings: Any) -> Kestrel:
    settings.OPA_CONNECTIONS = {name: Connection("http://opa.internal:8181") for name in ("main", "other")}
    kestrel = make_kestrel()
    what_policies_name(kestrel["admin"], clock=kestrel.clock)
    return kestrel


def test_each_guard_has_its_loosening() -> None:
    assert {name: set(edits) for name, edits in LOOSENINGS.items()} == {
        name: guards for name, (guards, _, _) in marks().items()
    }


@pytest.mark.parametrize(("document", "path"), SETTINGS, ids=lambda value: value)
def test_it_is_loosened_by_two_and_tightened_by_one(kestrel: Kestrel, document: str, path: str) -> None:
    strict, loose = LOOSENINGS[document][path]
    policy = Guarding(kestrel, document, strict)
    before = policy.in_force()
    proposal = policy.becomes(loose)
    assert isinstance(proposal, Proposal)
    assert policy.in_force() == before
    assert not WeakeningEdit.objects.filter(policy_name="strict").exists()
    confirmed(proposal, kestrel.clock)
    after = policy.in_force()
    assert after != before
    edits = WeakeningEdit.objects.filter(policy_name="strict")
    assert sorted(each.what for each in edits) == proposal.weakens != []
    assert {each.actor_username for each in edits} == {"admin"}
    assert None not in {each.confirmed_at for each in edits}
    tightened = policy.becomes(strict)
    assert isinstance(tightened, Proposal) is (f"{document} {path}" in CANNOT_BE_TOLD)
    confirmed(tightened, kestrel.clock)
    assert policy.in_force() == before


class Guarding:
    """A policy that guards production, with its document or with one gate of a kind."""

    def __init__(self, kestrel: Kestrel, document: str, strict: dict[str, Any]) -> None:
        self.kestrel, self.document = kestrel, document
        kestrel.wait()
        by, clock = kestrel["admin"], kestrel.clock
        if document == "approval policy":
            make_approval_policy(by, clock=clock, **strict)
            changes: dict[str, Any] = {"approval_policies": ["two-person", "strict"]}
        else:
            make_promotion_policy(by, "strict", clock=clock, **self._written(strict))
            changes = {"promotion_policy": "strict"}
        production = Environment.objects.get(name="production")
        confirmed(update_environment(by=by, clock=clock, environment_id=production.pk, changes=changes), clock)

    def _written(self, content: dict[str, Any]) -> dict[str, Any]:
        return (
            content if self.document == "promotion policy" else {"gates": [{"kind": self.document, "config": content}]}
        )

    def in_force(self) -> Any:
        model = ApprovalPolicy if self.document == "approval policy" else PromotionPolicy
        current = model.objects.get(name="strict").current
        assert current is not None
        return orjson.loads(current.canonical)

    def becomes(self, content: dict[str, Any]) -> Any:
        """By one administrator."""
        self.kestrel.wait()
        by, clock = self.kestrel["admin"], self.kestrel.clock
        if self.document == "approval policy":
            policy = ApprovalPolicy.objects.get(name="strict")
            return update_approval_policy(by=by, clock=clock, policy_id=policy.pk, changes=content)
        save_draft(by=by, clock=clock, name="strict", changes={"overrideTtl": None, **self._written(content)})
        return publish_promotion_policy(by=by, clock=clock, name="strict")
