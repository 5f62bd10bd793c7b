"""What is shown of gates repeats the newest record, or says the same in newer words."""

from datetime import timedelta

import orjson
import pytest
from psycopg.types.json import Jsonb

from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_freeze_window import update_freeze_window
from policies import gates
from promotions.actions.evaluate import reevaluate
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.actions.releases import ComponentSpec
from promotions.models import DecisionRecord, ProcessHeartbeat, Promotion
from stellapromote.accounts.actor import system_actor
from stellapromote.clock import rfc3339
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.verification.story import ARTIFACT, found_in, numbered

pytestmark = pytest.mark.slow


@pytest.fixture
def frozen(kestrel: Kestrel) -> Promotion:
    """Waits for a freeze that was made longer since its record."""
    now = kestrel.clock.now()
    window = create_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        reason="Audit",
        start=rfc3339(now),
        end=rfc3339(now + timedelta(hours=2)),
    )
    promotion = kestrel.ask(numbered(4).release, kestrel.staging)
    update_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.staging.pk,
        changes={"end": rfc3339(now + timedelta(hours=3))},
    )
    kestrel.wait()
    reevaluate(promotion.pk, by=system_actor(kestrel.tenant.pk, "kestrel"), clock=kestrel.clock)
    assert DecisionRecord.objects.filter(promotion=promotion).count() == 1
    return Promotion.objects.get(pk=promotion.pk)


def test_a_newer_result_without_a_record_is_in_order(kestrel: Kestrel, frozen: Promotion) -> None:
    assert [gate for gate in frozen.gates if "newer" in gate], frozen.gates
    assert found_in(kestrel) == []


def test_the_same_result_by_a_newer_version_of_a_kind_is_in_order(
    kestrel: Kestrel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade, for each open promotion."""
    current_versions, older = gates.current_versions, {"approval": 1, "preconditions": 1}
    with monkeypatch.context() as before:
        before.setattr(gates, "current_versions", lambda kinds, **_: current_versions(kinds, [older]))
        promotion = kestrel.ask(numbered(4).release, kestrel.staging)
    kestrel.wait()
    reevaluate(promotion.pk, by=system_actor(kestrel.tenant.pk, "kestrel"), clock=kestrel.clock)
    promotion.refresh_from_db()
    judged_by = [
        orjson.loads(bytes(content))["kinds"]["approval"]
        for content in DecisionRecord.objects.filter(promotion=promotion).values_list("input", flat=True)
    ]
    shown = [gate["newer"]["kindVersion"] for gate in promotion.gates if "newer" in gate]
    reported = list(ProcessHeartbeat.objects.values_list("name", "kind_versions"))
    assert (promotion.status, judged_by, shown) == ("awaiting_approval", [1], [2, 3]), reported
    assert found_in(kestrel) == []


@pytest.mark.parametrize(
    "change",
    [
        "jsonb_set(gates, '{0,reasonCodes}', '[\"NONE\"]')",
        "jsonb_set(gates, '{0,newer}', '{\"status\": \"pass\"}')",
        "jsonb_set(gates, '{0,failingSince}', '\"2026-01-01T00:00:00.000Z\"')",
        "gates - 0",
        "'{}'",
    ],
)
def test_gates_that_say_more_than_the_record_are_found(kestrel: Kestrel, tamper: Tampering, change: str) -> None:
    tamper.run(f"UPDATE promotions_promotion SET gates = {change} WHERE number = 6")
    assert (6, "PROMOTION_CHANGED", "gates") in found_in(kestrel)


@pytest.mark.parametrize(("place", "value"), [("status", "pass"), ("reasonCodes", []), ("type", "manual"), ("more", 1)])
def test_a_newer_result_that_says_something_else_is_found(
    kestrel: Kestrel, frozen: Promotion, tamper: Tampering, place: str, value: object
) -> None:
    gates = [{**gate, "newer": {**gate["newer"], place: value}} if "newer" in gate else gate for gate in frozen.gates]
    tamper.run("UPDATE promotions_promotion SET gates = %s WHERE id = %s", [Jsonb(gates), frozen.pk])
    assert (frozen.number, "PROMOTION_CHANGED", "gates") in found_in(kestrel)


def test_a_gate_fails_since_when_the_record_before_says(kestrel: Kestrel, tamper: Tampering) -> None:
    """Until when it may be overridden counts from there, so who moves it has more time."""
    component = ComponentSpec("app", "registry.example/app", ARTIFACT)
    waits = kestrel.ask(kestrel.release(components=[component]), kestrel.dev)
    assert [each["failingSince"] for each in waits.gates if "failingSince" in each]
    assert found_in(kestrel) == []
    kestrel.wait()
    later = rfc3339(kestrel.clock.now())
    gates = [{**each, "failingSince": later} if "failingSince" in each else each for each in waits.gates]
    tamper.run("UPDATE promotions_promotion SET gates = %s WHERE id = %s", [Jsonb(gates), waits.pk])
    assert found_in(kestrel) == [(waits.number, "PROMOTION_CHANGED", "gates")]
    until = kestrel.clock.now() + timedelta(hours=4)
    override_request = OverrideRequest("cve", "musl is not reachable", "INC-8", until, waits.decision_id)
    override_gate(waits.pk, override_request, by=kestrel["third"], clock=kestrel.clock)
    assert (waits.number, "RECORD_CHANGED", "record 2, failingSince.cve") in found_in(kestrel)
