"""The overrides on the promotion page of one person: those given, and the gates they may override themselves."""

from collections.abc import Iterable, Mapping
from typing import Any

from policies.facts import exclusions
from policies.outcomes import blocks
from policies.overrides import may_be_overridden, setting_of
from promotions.models import Override, Promotion
from promotions.states import OPEN
from promotions.voting import overrides as override_rules
from promotions.voting.held_accounts import confirmed_since, held_here
from stellapromote.accounts.actor import Actor
from stellapromote.errors import sentence_against

Context = dict[str, Any]


def overrides_of(promotion: Promotion) -> list[Override]:
    """All of the promotion with their reviews, oldest first. One statement."""
    return list(Override.objects.filter(promotion=promotion).select_related("review").order_by("recorded_at", "pk"))


def override_parts(
    promotion: Promotion,
    gates: Iterable[Context],
    *,
    by: Actor,
    policy: Mapping[str, Any],
    requirements: Mapping[str, Any],
) -> Context:
    """The part of the page's context. One statement, two more where one was given, and up to three for each
    blocking gate that may be overridden."""
    given = overrides_of(promotion)
    in_force = {gate["details"]["override"]["id"] for gate in gates if "override" in gate["details"]}
    excluded = exclusions(requirements)
    held, confirmed = (held_here(promotion.tenant_id), confirmed_since(promotion)) if given else ({}, [])
    return {
        "overridden": [gate for gate in gates if "override" in gate["details"]],
        "overrides": [
            {
                "row": each,
                "in_force": str(each.pk) in in_force,
                "review": getattr(each, "review", None),
                "cannot_review": sentence_against(
                    override_rules.check_can_review, by, promotion, each, excluded, held, confirmed
                ),
            }
            for each in given
        ],
        "overridable": [
            found for gate in gates if (found := _overridable(promotion, gate, by, policy, requirements)) is not None
        ],
    }


def _overridable(
    promotion: Promotion, gate: Context, by: Actor, policy: Mapping[str, Any], requirements: Mapping[str, Any]
) -> Context | None:
    """A blocking gate with the reason why this person may not override it. None where it says nothing to them."""
    setting = setting_of(policy, gate["name"])
    is_blocking = promotion.status in OPEN and blocks(gate["status"])
    if not is_blocking or not may_be_overridden(gate["type"], setting, gate["reasonCodes"]):
        return None
    case = override_rules.case_of(promotion, gate, by=by, policy=policy, requirements=requirements)
    reason = sentence_against(override_rules.check_can_override, by, case)
    if reason and setting is None:
        return None  # a freeze whose exceptions do not name them
    return {"gate": gate, "cannot": reason, "by": [] if setting is None else setting["by"], "max_hours": case.max_hours}
