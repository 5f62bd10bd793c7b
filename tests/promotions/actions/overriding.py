"""Production with hours that are over, and the people who override them."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from environments.actions.update_environment import update_environment
from environments.models import FreezeWindow
from promotions.actions.override_gate import OverrideRequest, override_gate
from promotions.models import Override, Promotion
from promotions.reading.queries import current_record
from promotions.voting.rules import NotEligible
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_OVERRIDE
from stellapromote.clock import rfc3339
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_scope import grant_scope
from tests.factories import actor_of, make_freeze, make_promotion_policy
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, make_kestrel

SHUT = {
    "name": "hours",
    "kind": "schedule",
    "config": {"windows": [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}], "outside": "fail"},
    "override": {"by": ["third", "team:security"], "maxHours": 8},
}


@kept
def with_hours() -> Kestrel:
    """Production has hours that are over; third and team security may override them."""
    kestrel = make_kestrel()
    make_promotion_policy(kestrel["admin"], "strict", clock=kestrel.clock, gates=[SHUT])
    guard(kestrel, "strict")
    return kestrel


@continued
def guard(kestrel: Kestrel, policy: str) -> None:
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"promotionPolicy": policy},
    )


@continued
def may_override(kestrel: Kestrel, who: str, *, by: str = "admin") -> Actor:
    """The person with promotion:override by name."""
    kestrel.wait()
    user_id = kestrel[who].account
    grant_scope(by=kestrel[by], clock=kestrel.clock, user_id=user_id, scope=PROMOTION_OVERRIDE, reason="On call")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)
    return kestrel[who]


def overrides(kestrel: Kestrel, who: str, promotion: Promotion, gate: str = "hours", **changes: Any) -> Override:
    kestrel.wait()
    hours = changes.pop("hours", 4)
    wanted = {
        "reason": "Payments are down",
        "ticket": "INC-7",
        "expires_at": kestrel.clock.now() + timedelta(hours=hours),
    }
    seen = {name: changes.pop(name) for name in ("seen",) if name in changes}
    return override_gate(
        promotion.pk, OverrideRequest(gate, **{**wanted, **changes}), by=kestrel[who], clock=kestrel.clock, **seen
    )


def why_not(kestrel: Kestrel, who: str, promotion: Promotion, said: str, gate: str = "hours") -> Any:
    """The reasons of the refusal, which says so."""
    with pytest.raises(NotEligible, match=said) as refused:
        overrides(kestrel, who, promotion, gate)
    assert refused.value.details is not None
    return refused.value.details["reasons"]


def gate_of(promotion: Promotion, name: str = "hours") -> Any:
    promotion.refresh_from_db()
    gates = orjson.loads(bytes(current_record(promotion).document))["gates"]
    return next(gate for gate in gates if gate["name"] == name)


@continued
def as_administrator(kestrel: Kestrel, who: str) -> Actor:
    """The person, who may give rights and change freezes from now on."""
    user_id = kestrel[who].account
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=user_id, role="admin")
    kestrel.actors[who] = actor_of(User.objects.get(pk=user_id), kestrel.tenant)
    return kestrel[who]


def freeze(kestrel: Kestrel, now: Any, *, by: str = "admin", **options: Any) -> FreezeWindow:
    return make_freeze(
        kestrel[by],
        kestrel.production,
        rfc3339(now),
        rfc3339(now + timedelta(hours=30)),
        clock=kestrel.clock,
        **options,
    )
