"""The freezes of a gate input and of a dependency are those that stand and concern the environment."""

from datetime import timedelta

import pytest

from environments.models import FreezeWindow
from promotions.fastpath.rows import promotions_with
from promotions.judging.dependencies import observe_dependencies
from promotions.judging.facts import FACTS, FREEZE_HORIZON, StoredFacts, values_for_facts
from promotions.reading.environment_state import environment_states
from tests.environments.drawn import draw_freezes
from tests.promotions.kestrel import make_kestrel

pytestmark = pytest.mark.django_db


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_facts_dependencies_and_pages_say_the_same(seed: int) -> None:
    kestrel = make_kestrel()
    promotion = kestrel.ask(kestrel.release(), kestrel.dev)
    now, places = kestrel.clock.now(), [kestrel.dev, kestrel.staging]
    draw_freezes(kestrel.tenant, places, now, seed)
    for window in draw_freezes(kestrel.tenant, places, now + FREEZE_HORIZON, seed, count=8):
        window.name = f"far-{window.name}"
        window.save(update_fields=["name"])
    for minutes in range(-240, 241, 30):
        at = now + timedelta(minutes=minutes)
        [(_, [row])] = promotions_with(f"{FACTS}::json", [promotion.pk], values_for_facts(None, at))
        standing = FreezeWindow.objects.of(kestrel.tenant.pk).concerning([kestrel.dev.pk]).standing_at(at)
        near = standing.filter(starts_at__lte=at + FREEZE_HORIZON).oldest_first()
        held = [str(each.pk) for each in near if each.holds("main")]
        assert [each["id"] for each in StoredFacts(None, at, row).freezes(at)] == held

        targets = [{"type": "environment", "environment": each.name, "state": "not-frozen"} for each in places]
        gate = {"kind": "dependency", "name": "elsewhere", "config": {"targets": targets}}
        seen = observe_dependencies({"gates": [gate]}, tenant_id=kestrel.tenant.pk, product="main", at=at, health={})
        states = environment_states(kestrel.tenant.pk, [each.pk for each in places], at, product="main")
        told = [states[each.pk]["freeze"] for each in places]
        for one, freeze in zip(seen["elsewhere"], told, strict=True):
            assert one["observed"] == {
                **{name: freeze[name] for name in ("frozen", "nextOpen", "nextClose")},  # type: ignore[literal-required]
                "idle": True,
            }
