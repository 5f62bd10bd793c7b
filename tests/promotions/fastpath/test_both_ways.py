"""A vote without a lock stores what the same vote under the lock stores, byte for byte (docs/adr/0133)."""

import os
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256
from django.db import connection
from django.http import Http404
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.models import ApprovalPolicy
from promotions.actions.products import update_product
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.actions.withdraw_approval import withdraw_approval
from promotions.judging.electorate import approval_voters
from promotions.judging.evaluation_context import gather_context
from promotions.models import DecisionRecord, Promotion
from promotions.states import VOTING
from promotions.verification.replay import replay
from promotions.voting import at_once as at_once_module
from stellapromote import ids
from stellapromote.errors import ProductError
from stellapromote.signing import signatures
from tests.database import CommittedDatabase
from tests.examples import examples
from tests.kept import kept
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

TABLES = (
    "promotions_promotion",
    "promotions_vote",
    "promotions_decisionrecord",
    "promotions_evidencepacket",
    "promotions_outboxevent",
    "audit_auditevent",
)
PEOPLE = ("approver", "second", "third", "builder", "requester", "operator")
ACTS = ("approve", "approve", "approve", "approve with a comment", "withdraw", "reject", "wait")

histories = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE)), min_size=2, max_size=6)


@kept
def make_waiting(*, owned: bool = False) -> tuple[Kestrel, Promotion]:
    """``owned``: the owners of the product approve in place of team security, which owns it."""
    kestrel = make_kestrel()
    if owned:
        by, clock = kestrel["admin"], kestrel.clock
        update_product(by=by, clock=clock, slug="main", changes={"owner_teams": ["security"]})
        policy = ApprovalPolicy.objects.get(name="two-person")
        rules = [{"name": "release", "teams": ["release"]}, {"name": "owners", "teams": ["@owners"]}]
        confirmed(update_approval_policy(by=by, clock=clock, policy_id=policy.pk, changes={"rules": rules}), clock)
    return kestrel, kestrel.waits_for_production()


@pytest.fixture(params=[False, True], ids=["teams", "owners"])
def owned(request: Any, committed_db: CommittedDatabase) -> bool:
    """The world has the same ids each time: it is put back from the third time on."""
    for _ in range(2):
        committed_db.reset()
        make_waiting(owned=request.param)
    return bool(request.param)


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_both_ways_store_the_same(committed_db: CommittedDatabase, owned: bool, history: list[tuple[str, str]]) -> None:
    at_once, under_lock = (stored(committed_db, history, owned=owned, at_once=each) for each in (True, False))
    assert at_once == under_lock
    promotion = Promotion.objects.latest("number")
    assert replay(DecisionRecord.objects.get(pk=promotion.decision_id)).equal
    context = gather_context(promotion, promotion.last_evaluated_at)
    asked = approval_voters(context.facts.gate_input, context.documents) if promotion.status in VOTING else set()
    assert {str(each) for each in promotion.open_voters} == asked


def stored(
    database: CommittedDatabase, history: list[tuple[str, str]], *, owned: bool, at_once: bool
) -> tuple[list[str], dict[str, list[Any]]]:
    """What each act was answered, and every row afterwards. Ids, salts and signatures are the same each time."""
    database.reset()
    kestrel, promotion = make_waiting(owned=owned)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "urandom", Random(1).randbytes)  # noqa: S311 - alike is what they are to be
        generator = ids.Uuid7Generator(lambda: 2_000_000_000_000)
        generator._random.seed(1)
        patched.setattr(ids, "_generate", generator)
        patched.setattr(signatures, "_ECDSA_SHA256", ECDSA(SHA256(), deterministic_signing=True))
        if not at_once:
            patched.setattr(at_once_module, "without_lock_first", lambda _, under_lock: under_lock())
        answers = [act(kestrel, promotion, *each) for each in history]
    with connection.cursor() as cursor:
        rows: dict[str, list[Any]] = {}
        for table in TABLES:
            cursor.execute(f"SELECT to_json(r) FROM {table} r ORDER BY id")
            rows[table] = [row for (row,) in cursor.fetchall()]
    return answers, rows


def act(kestrel: Kestrel, promotion: Promotion, kind: str, who: str) -> str:
    try:
        match kind:
            case "approve":
                return kestrel.approves(who, promotion).status
            case "approve with a comment":
                return kestrel.approves(who, promotion, comment="Read, and fine").status
            case "withdraw":
                return withdraw_approval(promotion.pk, by=kestrel[who], clock=kestrel.clock).status
            case "reject":
                return kestrel.rejects(who, promotion).status
    except (ProductError, Http404) as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    kestrel.wait(hours=1)
    return ""
