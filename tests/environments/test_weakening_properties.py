"""Whatever becomes of an environment and its policies: what counts as no loosening never asks for less."""

import itertools
from typing import Any

from hypothesis import given, settings

from environments.ordering import predecessor
from environments.product_guards import entries_of, guarding
from environments.weakening import PolicyTexts, in_environment, in_order
from policies.documents import approval_policy
from policies.requirements import all_of, shortfalls, signature
from policies.weakening import in_approval_policy
from tests import drawing
from tests.drawing import Draw, Drawing, drawn
from tests.examples import examples

POLICIES, PRODUCTS = ("first", "second", "third"), ("cards", "ledger")
TEAMS = ("audit", "release", "security")
PEOPLE = {"idris": ("audit",), "mei": ("security",), "nia": ("release",), "ravi": ("release", "security"), "omar": ()}
FLAGS = ("excludeReleaseCreator", "excludeCommitAuthors", "excludePolicyEditor", "excludeDeployer")

voters = drawing.sets(sorted(PEOPLE))
groups_of_voters = drawing.lists(voters, min_size=8, max_size=8)
rule_teams = drawing.sets(TEAMS, min_size=1).map(sorted)
rule_users = drawing.sets(sorted(PEOPLE), max_size=2).map(sorted)
RULE_FIELDS: dict[str, Drawing[Any]] = {
    "teams": rule_teams,
    "users": rule_users,
    "minApprovals": drawing.integers(1, 2),
}
rules = drawing.dictionaries(["a", "b", "c"], drawing.fixed_dictionaries(RULE_FIELDS), min_size=1).map(
    lambda found: [{"name": name, **rule} for name, rule in found.items()]
)
duties = drawing.fixed_dictionaries({flag: drawing.booleans() for flag in FLAGS})
flags = drawing.fixed_dictionaries(
    {name: drawing.booleans() for name in ("commentRequired", "requireSubjectDigest", "blind")}
)


@drawing.composite
def documents(draw: Draw, name: str = "two-person") -> dict[str, Any]:
    content = {"name": name, "rules": draw(rules), "separationOfDuties": draw(duties), **draw(flags)}
    return approval_policy(content).content


texts = drawing.fixed_dictionaries({name: documents(name) for name in POLICIES})
environments = drawing.fixed_dictionaries(
    {
        "name": drawing.just("production"),
        "isProduction": drawing.booleans(),
        "protected": drawing.booleans(),
        "requiredApprovals": drawing.integers(0, 3),
        "requireSeparationOfDuties": drawing.booleans(),
        "approvalPolicies": drawing.sets(POLICIES).map(sorted),
        "productApprovalPolicies": drawing.dictionaries(POLICIES, drawing.sets(PRODUCTS, min_size=1).map(sorted)).map(
            lambda found: [{"name": name, "products": products} for name, products in sorted(found.items())]
        ),
        "otherProducts": drawing.sampled_from(["allow", "refuse"]),
        "promotionPolicy": drawing.just("default"),
        "requireManifestReport": drawing.booleans(),
        "exclusive": drawing.sampled_from(["product", "environment"]),
        "autoPromoteFrom": drawing.sampled_from([None, "staging"]),
        "autoPromoteHold": drawing.booleans(),
    }
)


def edited(whole: Drawing[dict[str, Any]]) -> Drawing[tuple[dict[str, Any], dict[str, Any]]]:
    """A document, and the same with a few fields as in another: most drawn at random would only be weaker."""

    def edit(draw: Draw) -> tuple[dict[str, Any], dict[str, Any]]:
        before, other = draw(whole), draw(whole)
        names = draw(drawing.sets(sorted(before), min_size=1, max_size=3))
        return before, {**before, **{name: other[name] for name in names}}

    return drawing.composite(edit)()


nudges = drawing.one_of(*(drawing.tuples(drawing.just(field), values) for field, values in RULE_FIELDS.items()))


@drawing.composite
def nudged(draw: Draw) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy, and the same with one rule said otherwise in one place."""
    before = draw(documents())
    index = draw(drawing.integers(0, len(before["rules"]) - 1))
    field, value = draw(nudges)
    changed = [{**rule, field: value} if place == index else rule for place, rule in enumerate(before["rules"])]
    return before, {**before, "rules": changed}


policy_edits, environment_edits = drawing.one_of(edited(documents()), nudged()), edited(environments)


def satisfied(required: int, policies: list[dict[str, Any]], people: set[str]) -> bool:
    asked = all_of(required, policies, ())
    return not shortfalls(asked, [signature(asked, name, PEOPLE[name]) for name in sorted(people)])


@given(drawn(policy_edits), drawn(groups_of_voters))
@settings(max_examples=examples(300), deadline=None)
def test_a_policy_that_is_not_weaker_is_satisfied_by_nobody_new(
    edit: tuple[dict[str, Any], dict[str, Any]], groups: list[set[str]]
) -> None:
    before, after = edit
    if in_approval_policy(before, after):
        return
    for people in groups:
        assert satisfied(0, [before], people) or not satisfied(0, [after], people)
    for flag in FLAGS:
        assert after["separationOfDuties"][flag] or not before["separationOfDuties"][flag]
    for flag in ("commentRequired", "requireSubjectDigest", "blind"):
        assert after[flag] or not before[flag]


@given(drawn(environment_edits), drawn(texts), drawn(groups_of_voters))
@settings(max_examples=examples(300), deadline=None)
def test_an_environment_that_is_not_weaker_is_entered_with_nobody_new(
    edit: tuple[dict[str, Any], dict[str, Any]], says: dict[str, Any], groups: list[set[str]]
) -> None:
    before, after = edit
    if in_environment(before, after, PolicyTexts(approval=says, promotion={})):
        return
    for people, product in itertools.product(groups, (*PRODUCTS, None)):
        old, new = (
            held is not None and satisfied(each["requiredApprovals"], [says[name] for name in held], people)
            for each in (before, after)
            for held in [guarding(entries_of(each), each["otherProducts"], product)]
        )
        assert old or not new
    for flag in ("protected", "isProduction", "requireSeparationOfDuties", "requireManifestReport"):
        assert after[flag] or not before[flag]
    assert after["autoPromoteFrom"] in (None, before["autoPromoteFrom"])


orders = drawing.samples("abcd", min_size=1).map(lambda names: {name: place for place, name in enumerate(names)})


@given(drawn(orders), drawn(orders))
@settings(max_examples=examples(300), deadline=None)
def test_an_order_that_is_not_weaker_is_entered_from_nowhere_else(
    before: dict[str, int], after: dict[str, int]
) -> None:
    """Of what stands in both orders: each follows on the same one as before, or on one that was not there."""
    found = in_order(before, after, {name: name for name in "abcd"})  # type: ignore[arg-type]
    for name in before.keys() & after.keys() - found.keys():
        old, new = predecessor(before, name), predecessor(after, name)
        assert old is None or new == old or new not in before
