"""Edits of environments and freezes that make entering easier, in words, and their storage (domain.md §5).

An edit that may be easier or only different counts as easier (policies/weakening.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from environments.models import Environment, FreezeWindow
from environments.ordering import lost_steps, other_predecessors, predecessor
from environments.product_guards import entries_of, guarding, products_named
from policies.phrases import listed
from policies.weakening import in_approval_policy, in_promotion_policy
from policies.weakening_edits import NamedPolicy, Weakening
from policies.windows import in_words
from stellapromote.clock import rfc3339
from stellapromote.counted import counted

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyTexts:
    """The texts of the policies that an environment names or named, by name."""

    approval: Mapping[str, Document]
    promotion: Mapping[str, Document]
    versions: Mapping[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """Number and digest of each version, by kind and name."""


def in_environment(before: Mapping[str, Any], after: Mapping[str, Any], says: PolicyTexts) -> list[str]:
    """The sentences about what became easier between two documents of one environment; empty without any. Pure.

    Policies are compared by their requirements, never by name.
    """
    found = []
    if before["protected"] and not after["protected"]:
        found.append("One person alone may loosen what guards it.")
    if before["isProduction"] and not after["isProduction"]:
        found.append("Policies do not see it as production any more.")
    if after["requiredApprovals"] < before["requiredApprovals"]:
        found.append(
            f"Needs {counted(after['requiredApprovals'], 'approval')} instead of {before['requiredApprovals']}."
        )
    if before["requireSeparationOfDuties"] and not after["requireSeparationOfDuties"]:
        found.append("Separation of duties: the release's creator may vote again.")
    found += _approval_policies(before, after, says.approval)
    found += _promotion_policy(before["promotionPolicy"], after["promotionPolicy"], says.promotion)
    if before["requireManifestReport"] and not after["requireManifestReport"]:
        found.append("Deployments may be reported without saying by digest what runs.")
    if before["exclusive"] == "environment" and after["exclusive"] != "environment":
        found.append("Deployments of several products may run at once.")
    found += _automatic(before, after)
    return [f"Environment {after['name']}: {each}" for each in found]


def named_policies(before: Mapping[str, Any], after: Mapping[str, Any], says: PolicyTexts) -> list[NamedPolicy]:
    """Versions that an edit of one environment takes away, puts in force, or leaves among those it changes. Pure."""
    found = []
    for kind, old, new in (
        ("approval_policy", dict(entries_of(before)), dict(entries_of(after))),
        ("promotion_policy", {before["promotionPolicy"]: ()}, {after["promotionPolicy"]: ()}),
    ):
        for name in [] if old == new else sorted({*old, *new}):
            version, digest = says.versions[kind, name]
            found.append(
                NamedPolicy(kind=kind, name=name, version=version, digest=digest, before=name in old, after=name in new)
            )
    return found


def _approval_policies(before: Document, after: Document, says: Mapping[str, Document]) -> list[str]:
    """The policies that do not hold any more, for which products, and the products that are not refused any more."""
    old, new = entries_of(before), entries_of(after)
    products: list[str | None] = [*products_named([*old, *new]), None]
    lost: dict[str, list[str | None]] = {}
    opened = []
    for product in products:
        held = guarding(old, before["otherProducts"], product)
        holding = guarding(new, after["otherProducts"], product)
        if held is None and holding is not None:
            opened.append(product)
        for name in [] if held is None or holding is None else _removed(held, holding, says):
            lost.setdefault(name, []).append(product)
    found = [
        f"Approval policy {name} does not apply{'' if of == products else f' to {_in_words(of)}'} any more."
        for name, of in sorted(lost.items())
    ]
    return [*found, *([f"Releases of {_in_words(opened)} may enter it."] if opened else [])]


def _in_words(products: Iterable[str | None]) -> str:
    return listed("other products" if each is None else f"product {each}" for each in products)


def _removed(before: Iterable[str], after: Iterable[str], says: Mapping[str, Document]) -> list[str]:
    """The removed policies, without those for which a new policy asks as much: each new one stands for one of them."""
    added = sorted(set(after) - set(before))
    found = []
    for name in sorted(set(before) - set(after)):
        heir = next((each for each in added if not in_approval_policy(says[name], says[each])), None)
        if heir is None:
            found.append(name)
        else:
            added.remove(heir)
    return found


def _promotion_policy(before: str, after: str, says: Mapping[str, Document]) -> list[str]:
    weaker = [] if before == after else in_promotion_policy(says[before], says[after])
    return [f"Promotion policy {after} guards it instead of {before}: {each}" for each in weaker]


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
    """Environments that a release may now enter without passing others, or from another one, each with its sentence.
    Pure.

    Entering needs a deployment of any age into the environment directly before: a release that ran only in the new
    predecessor need not have passed the old one. An environment that is new in the order is opened.
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


def in_paths(
    before: Mapping[str, Mapping[UUID, int]],
    after: Mapping[str, Mapping[UUID, int]],
    names: Mapping[UUID, str],
    order: tuple[Mapping[UUID, int], Mapping[UUID, int]] = ({}, {}),
) -> list[tuple[UUID, str]]:
    """Environments that releases of a product may now enter without passing others, or at all, each with its sentence.
    Pure.

    ``before`` and ``after``: the order of each product by its slug. One more step in between is no weakening.
    ``order``: the promotion order before and after, of which ``in_order`` speaks.
    """
    lost_by_all, new_to_all = lost_steps(*order), order[1].keys() - order[0].keys()
    said: defaultdict[tuple[UUID, str], list[str]] = defaultdict(list)
    for product in sorted(after):
        was, now = before[product], after[product]
        for each in now.keys() - was.keys() - new_to_all:
            first = predecessor(now, each)
            said[each, f"may enter it, {'as the first' if first is None else f'after {names[first]}'}"].append(product)
        for each, steps in lost_steps(was, now).items():
            lost = [names[step] for step in steps if step not in lost_by_all.get(each, ())]
            if lost:
                said[each, f"need not pass {' or '.join(lost)} before it any more"].append(product)
    return [
        (each, f"Environment {names[each]}: releases of {_in_words(products)} {what}.")
        for (each, what), products in said.items()
    ]


def in_freeze_window(
    before: Mapping[str, Any], after: Mapping[str, Any], at: datetime, environment: str | None
) -> list[str]:
    """Whether something that was to be frozen from `at` on is not any more, or more people may override it. Pure.

    ``environment``: the name of the frozen one; None: all of them.
    """
    found = []
    scope = _frozen_things(environment, before["products"])
    freeze = f"Freeze “{before['name']}” of {scope}, set by {before['createdByName']},"
    if after["products"] and not before["products"]:
        found.append(f"{freeze} holds no other products than {listed(after['products'])} any more.")
    elif after["products"] and (freed := sorted(set(before["products"]) - set(after["products"]))):
        found.append(f"{freeze} does not hold {listed(freed)} any more.")
    if added := sorted(set(after["exceptions"]) - set(before["exceptions"])):
        found.append(f"{freeze} may also be overridden by {', '.join(added)}.")
    start = max(before["start"], rfc3339(at))
    if after["start"] <= start and before["end"] <= after["end"]:
        return found
    new, old = (f"from {in_words(each['start'])} to {in_words(each['end'])}" for each in (after, before))
    return [*found, f"{freeze} was shortened: it is {new} instead of {old}."]


def of_cleared(window: FreezeWindow, environment: str | None) -> str:
    reason = f" Reason: {window.clear_reason}" if window.clear_reason else ""
    end = in_words(rfc3339(window.ends_at))
    scope = _frozen_things(environment, window.products)
    freeze = f"Freeze “{window.name}” of {scope}, set by {window.created_by_name},"
    return f"{freeze} was lifted before its end, {end}.{reason}"


def _frozen_things(environment: str | None, products: Collection[str]) -> str:
    where = environment or "all environments"
    return f"{where} for {listed(sorted(products))}" if products else where


def of_deleted(before: Mapping[str, Any], windows: int) -> list[str]:
    """The sentences about the requirements of a deleted environment: another one of its name may ask for less. Pure."""
    asked = []
    if before["protected"]:
        asked.append("its protection")
    if before["requiredApprovals"]:
        asked.append(counted(before["requiredApprovals"], "approval"))
    asked += [f"approval policy {name}" for name, _ in entries_of(before)]
    if windows:
        asked.append(counted(windows, "freeze"))
    return [f"Environment {before['name']} was deleted, with {', '.join(asked)}."] if asked else []


def add_order(
    weakened: Weakening, before: Mapping[UUID, int], after: Mapping[UUID, int], environments: Mapping[UUID, Environment]
) -> None:
    """Adds the sentences about a change of the order. ``environments``: all that were or are in it, by id.

    A release that enters one of them more easily comes more easily into those that follow it, so it concerns these too.
    """
    names = {each: environment.name for each, environment in environments.items()}
    for environment_id, sentence in in_order(before, after, names).items():
        follow = {each for each, place in after.items() if place >= after[environment_id]}
        guards = [names[each] for each in follow if environments[each].protected]
        weakened.add([sentence], environment_id=environment_id, guards=guards)


def add_paths(
    weakened: Weakening,
    before: Mapping[str, Mapping[UUID, int]],
    after: Mapping[str, Mapping[UUID, int]],
    environments: Mapping[UUID, Environment],
    order: tuple[Mapping[UUID, int], Mapping[UUID, int]] = ({}, {}),
) -> None:
    """Adds the sentences of ``in_paths``. ``environments``: all that were or are on a path, by id.

    What is not passed any more on the way into one environment is not passed on the way into those after it either, so
    each of these has its own sentence.
    """
    names = {each: environment.name for each, environment in environments.items()}
    for environment_id, sentence in in_paths(before, after, names, order):
        environment = environments[environment_id]
        guards = [environment.name] if environment.protected else []
        weakened.add([sentence], environment_id=environment_id, guards=guards)
