"""Edits of environments and freezes that make entering easier, in words, and how they are kept (domain.md §5).

Where it cannot be told whether an edit is easier or only different, it counts as easier (policies/weakening.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from environments.models import FreezeWindow
from environments.ordering import lost_steps, other_predecessors, predecessor
from policies.models import WeakeningEdit
from policies.weakening import LONGEST
from policies.windows import in_words
from stellapromote.accounts.actor import Actor
from stellapromote.clock import rfc3339


def in_environment(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What became easier between two documents of one environment; empty when nothing did. Pure."""
    found = []
    if before["isProduction"] and not after["isProduction"]:
        found.append("Policies do not see it as production any more.")
    if after["requiredApprovals"] < before["requiredApprovals"]:
        found.append(f"Needs {_approvals(after['requiredApprovals'])} instead of {before['requiredApprovals']}.")
    if before["requireSeparationOfDuties"] and not after["requireSeparationOfDuties"]:
        found.append("Separation of duties: the release's creator may vote again.")
    found += [
        f"Approval policy {name} does not apply any more."
        for name in sorted(set(before["approvalPolicies"]) - set(after["approvalPolicies"]))
    ]
    if after["promotionPolicy"] != before["promotionPolicy"]:
        found.append(f"Promotion policy {after['promotionPolicy']} guards it instead of {before['promotionPolicy']}.")
    if before["requireManifestReport"] and not after["requireManifestReport"]:
        found.append("Deployments may be reported without saying by digest what runs.")
    if before["exclusive"] == "environment" and after["exclusive"] != "environment":
        found.append("Deployments of several products may run at once.")
    found += _automatic(before, after)
    return [f"Environment {after['name']}: {each}" for each in found]


def _automatic(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    source = after["autoPromoteFrom"]
    if source is None:
        return []
    if source != before["autoPromoteFrom"]:
        return [f"Releases that are deployed to {source} are requested here automatically."]
    if before["autoPromoteHold"] and not after["autoPromoteHold"]:
        return [f"Automatic promotion from {source} is not on hold any more."]
    return []


def in_order(before: Mapping[UUID, int], after: Mapping[UUID, int], names: Mapping[UUID, str]) -> dict[UUID, str]:
    """Environments that a release may now enter without passing others, or from another one, each with the sentence
    that says so. Pure.

    Entering asks for a deployment into the environment directly before, however old: what ran only in the one that
    comes before now need not have passed what came before then. One that was not in the order before is opened.
    """
    sentences = {}
    for each in after.keys() - before.keys():
        first = predecessor(after, each)
        place = "as the first" if first is None else f"after {names[first]}"
        sentences[each] = f"Environment {names[each]}: releases may enter it again, {place}."
    for each, (new, old) in other_predecessors(before, after).items():
        sentences[each] = f"Environment {names[each]}: releases enter it from {names[new]} instead of {names[old]}."
    for each, steps in lost_steps(before, after).items():
        passed = " or ".join(names[step] for step in steps)
        sentences[each] = f"Environment {names[each]}: releases need not pass {passed} before it any more."
    return sentences


def in_freeze_window(before: Mapping[str, Any], after: Mapping[str, Any], at: datetime, scope: str) -> list[str]:
    """Whether something that was to be frozen from `at` on is not any more, or more people may override it. Pure."""
    found = []
    if added := sorted(set(after["exceptions"]) - set(before["exceptions"])):
        found.append(f"Freeze “{before['name']}” of {scope} may also be overridden by {', '.join(added)}.")
    start = max(before["start"], rfc3339(at))
    if after["start"] <= start and before["end"] <= after["end"]:
        return found
    new, old = (f"from {in_words(each['start'])} to {in_words(each['end'])}" for each in (after, before))
    return [*found, f"Freeze “{before['name']}” of {scope} was shortened: it is {new} instead of {old}."]


def of_cleared(window: FreezeWindow, scope: str) -> str:
    reason = f" Reason: {window.clear_reason}" if window.clear_reason else ""
    end = in_words(rfc3339(window.ends_at))
    return f"Freeze “{window.name}” of {scope} was lifted before its end, {end}.{reason}"


def _approvals(number: int) -> str:
    return f"{number} approval" if number == 1 else f"{number} approvals"


def record_weakening(sentences: Iterable[str], *, by: Actor, at: datetime, environment_id: UUID | None) -> None:
    """Keeps the edits for the board and for packets of the next 24 hours. `environment_id` None: the whole tenant."""
    WeakeningEdit.objects.bulk_create(
        WeakeningEdit(
            tenant_id=by.tenant,
            at=at,
            actor_id=by.user_id,
            actor_username=by.username,
            actor_name=by.display_name,
            what=each if len(each) <= LONGEST else f"{each[: LONGEST - 1]}…",
            environment_id=environment_id,
        )
        for each in sentences
    )


def record_weakened_order(
    before: Mapping[UUID, int],
    after: Mapping[UUID, int],
    names: Mapping[UUID, str],
    *,
    by: Actor,
    at: datetime,
) -> None:
    """Keeps what a change of the order made easier. `names`: of all that were or are in it."""
    for environment_id, sentence in in_order(before, after, names).items():
        record_weakening([sentence], by=by, at=at, environment_id=environment_id)
