"""The acceptance lines of the first issue, by name."""

import random
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from policies.evaluator import evaluate
from policies.gates import REGISTRY, Registry
from policies.outcomes import Verdict
from promotions.judging.evaluation_context import gather_context
from promotions.models import DecisionRecord
from promotions.verification.replay import replay
from promotions.worker.round import run_round
from stellapromote.errors import ProductError
from stellapromote.signing.canonical_json import canonical_bytes, digest
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def test_gate_order_is_deterministic(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    context = gather_context(promotion, kestrel.clock.now())
    first = canonical_bytes(context.evaluate().as_json())
    shuffled = random.Random(7)  # noqa: S311 - an order, no secret
    gate_input: Any = deepcopy(context.facts.gate_input)
    policy = gate_input["requirements"]["promotionPolicy"]
    document = context.documents[policy["digest"]]
    for _ in range(20):
        for name in ("votes", "candidates", "freezes"):
            shuffled.shuffle(gate_input[name])
        other = {**document, "gates": shuffled.sample(document["gates"], len(document["gates"]))}
        policy["digest"] = digest(other)
        evaluation = evaluate(gate_input, {**context.documents, policy["digest"]: other})
        assert canonical_bytes(evaluation.as_json()) == first


def test_a_gate_that_errors_never_passes(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    kestrel.approves("approver", promotion)
    context = gather_context(promotion, kestrel.clock.now())

    def breaks(*_: object) -> Verdict:
        raise RuntimeError("a judge that breaks")

    for gate in context.evaluate().gates:
        kinds = [replace(kind, judge=breaks) if kind.kind == gate.type else kind for kind in REGISTRY.kinds.values()]
        broken = evaluate(context.facts.gate_input, context.documents, registry=Registry(kinds))  # type: ignore[arg-type]
        found = next(each for each in broken.gates if each.name == gate.name)
        assert (found.status, found.reason_codes) == ("pending", ("GATE_ERROR",))
        assert broken.decision != "allow"


def test_replay_of_every_stored_decision_is_equal(kestrel: Kestrel) -> None:
    kestrel.deploys(kestrel.approved_for_production())
    kestrel.rejects("second", kestrel.waits_for_production())
    held = kestrel.waits_for_production()
    kestrel.wait()
    make_freeze(kestrel["admin"], None, kestrel.clock.now().isoformat(), "2026-11-03T00:00:00Z", clock=kestrel.clock)
    kestrel.wait()
    run_round("worker", kestrel.clock)
    assert DecisionRecord.objects.filter(promotion=held, reason_codes__contains=["GATE_FROZEN"]).exists()
    records = list(DecisionRecord.objects.all())
    assert len(records) > 10
    assert {record.decision for record in records} == {"allow", "deny", "pending"}
    for record in records:
        assert replay(record).equal is True


def test_environment_sequence_is_enforced(kestrel: Kestrel) -> None:
    release = kestrel.release()
    for target in (kestrel.staging, kestrel.production):
        with pytest.raises(ProductError) as refused:
            kestrel.ask(release, target)
        assert refused.value.code == "PROM_SEQUENCE_VIOLATION"
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    with pytest.raises(ProductError):
        kestrel.ask(release, kestrel.production)
    assert kestrel.ask(release, kestrel.staging).status == "awaiting_approval"
