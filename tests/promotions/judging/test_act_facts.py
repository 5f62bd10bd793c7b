"""An act is the same fact whether SQL reads its row or Python has it, and it is what the gate input has by contract."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import connection
from django.db.models import Model

from environments.actions.update_environment import update_environment
from policies import facts
from policies.document_facts import OverrideFact
from promotions.actions.confirm import confirm
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.judging.act_facts import CONFIRMATION, OVERRIDE, VOTE, ActFact
from promotions.models import Confirmation, Override, Promotion, Vote
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import actor_of, make_promotion_policy
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.django_db

GATES: list[dict[str, Any]] = [
    {"name": "backup", "kind": "manual", "config": {"confirmers": {"users": ["third"]}, "text": "Backed up?"}},
    {
        "name": "hours",
        "kind": "schedule",
        "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
        "override": {"by": ["second"]},
    },
]


@pytest.fixture
def promotion() -> Promotion:
    """With a vote, a confirmation and an override."""
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=GATES)
    changes = {"promotion_policy": "strict"}
    update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=kestrel.production.pk, changes=changes)
    second = User.objects.get(username="second")
    grant_scope(by=kestrel["admin"], clock=kestrel.clock, user_id=second.pk, scope=PROMOTION_OVERRIDE, reason="On call")
    kestrel.wait()
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion, comment='Looks "right"')
    confirm(promotion.pk, "backup", by=kestrel["third"], clock=kestrel.clock)
    by = actor_of(second, kestrel.tenant)
    override_request = OverrideRequest(
        "hours", reason="Down", ticket="INC-7", expires_at=kestrel.clock.now() + timedelta(hours=4)
    )
    override_gate(promotion.pk, override_request, by=by, clock=kestrel.clock)
    return promotion


@pytest.mark.parametrize(
    ("fact", "contract", "model", "alias"),
    [
        (VOTE, facts.Vote, Vote, "v"),
        (CONFIRMATION, facts.Confirmation, Confirmation, "v"),
        (OVERRIDE, OverrideFact, Override, "o"),
    ],
)
def test_sql_and_python_say_the_same_of_an_act(
    promotion: Promotion, fact: ActFact, contract: type, model: type[Model], alias: str
) -> None:
    row = model._default_manager.get(promotion=promotion)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {fact.sql}::text FROM {model._meta.db_table} {alias} WHERE id = %s", [row.pk])
        [(text,)] = cursor.fetchall()
    assert orjson.loads(text) == fact.of(row.__dict__)
    assert list(fact.of(row.__dict__)) == list(contract.__annotations__)


def test_the_reason_of_a_vote_is_its_comment(promotion: Promotion) -> None:
    vote = Vote.objects.get(promotion=promotion)
    assert VOTE.of(vote.__dict__)["reason"] == 'Looks "right"'
