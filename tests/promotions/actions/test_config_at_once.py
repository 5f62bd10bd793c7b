"""An apply of policy as code and a single edit at the same instant, on real connections."""

from functools import partial

import orjson
import pytest

from policies.models import ApprovalPolicy
from promotions.actions.config import Plan, apply_config, plan_config
from promotions.actions.update_approval_policy import update_approval_policy
from stellapromote.api.etag import IfMatch
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_approval_policy, make_person
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.slow

RULES = [{"name": "any", "users": ["vik"]}]


def test_an_edit_meanwhile_is_never_lost(committed_db: CommittedDatabase) -> None:
    """Either the edit was first, and the plan is outdated, or it came after the apply and changed what that left."""
    kestrel = make_kestrel()
    make_person(kestrel.tenant, "vik", roles=["approver"], clock=kestrel.clock)
    ines = actor_of(make_person(kestrel.tenant, "ines", roles=["admin"], clock=kestrel.clock), kestrel.tenant)
    admin, clock = kestrel["admin"], kestrel.clock
    for number in range(5):
        policy = make_approval_policy(admin, f"spare-{number}", rules=RULES, clock=clock)
        file = {
            "schema": "stella.config/v1",
            "approvalPolicies": [{"name": policy.name, "rules": RULES, "commentRequired": True}],
        }
        tag = plan_config(by=admin, clock=clock, config=file).tag
        changes = {"description": "Ours"}
        applied, edited = committed_db.at_once(
            partial(apply_config, by=admin, clock=clock, config=file, if_match=IfMatch(tag)),
            partial(update_approval_policy, by=ines, clock=clock, policy_id=policy.pk, changes=changes),
        )
        assert isinstance(edited, ApprovalPolicy), edited
        policy.refresh_from_db()
        assert policy.current is not None
        text = orjson.loads(policy.current.canonical)
        assert (text["description"], text["commentRequired"]) == ("Ours", isinstance(applied, Plan))
        assert isinstance(applied, Plan) or applied.code == "RES_PRECONDITION_FAILED"
