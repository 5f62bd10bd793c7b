"""Whatever becomes of an environment and its policies: what counts as no loosening never asks for less."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from environments.ordering import predecessor
from environments.product_guards import entries_of, guarding
from environments.weakening import PolicyTexts, in_environment, in_order
from policies.documents import approval_policy
from policies.requirements import all_of, shortfalls, signature
from policies.weakening import in_approval_policy
from tests.examples import examples

POLICIES, PRODUCTS = ("first", "second", "third"), ("cards", "ledger")
TEAMS = ("audit", "release", "security")
PEOPLE = {"idris": ("audit",), "mei": ("security",), "nia": ("release",), "ravi": ("release", "security"), "omar": ()}
FLAGS = ("excludeReleaseCreator", "excludeCommitAuthors", "excludePolicyEditor", "excludeDeployer")

voters = st.sets(st.sampled_from(sorted(PEOPLE)))
rule_teams = st.sets(st.sampled_from(TEAMS), min_size=1).map(sorted)
rule_users = st.sets(st.sampled_from(sorted(PEOPLE)), max_size=2).map(sorted)
RULE_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "teams": rule_teams,
    "users": rule_users,
    "minApprovals": st.integers(1, 2),
}
rules = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.fixed_dictionaries(RULE_FIELDS),
    min_size=1,
    max_size=3,
).map(lambda found: [{"name": name, **rule} for name, rule in found.items()])
duties = st.fixed_dictionaries({flag: st.booleans() for flag in FLAGS})
flags = st.fixed_dictionaries({name: st.booleans() for name in ("commentRequired", "requireSubjectDigest", "blind")})


@st.composite
def documents(draw: st.DrawFn, name: str = "two-person") -> dict[str, Any]:
    content = {"name": name, "rules": draw(rules), "separationOfDuties": draw(duties), **draw(flags)}
    return approval_policy(content).content


texts = st.fixed_dictionaries({name: documents(name) for name in POLICIES})
environments = st.fixed_dictionaries(
    {
        "name": st.just("production"),
        "isProduction": st.booleans(),
        "protected": st.booleans(),
        "requiredApprovals": st.integers(0, 3),
        "requireSeparationOfDuties": st.booleans(),
        "approvalPolicies": st.sets(st.sampled_from(POLICIES)).map(sorted),
        "productApprovalPolicies": st.dictionaries(
            st.sampled_from(POLICIES), st.sets(st.sampled_from(PRODUCTS), min_size=1).map(sorted)
        ).map(lambda found: [{"name": name, "products": products} for name, products in sorted(found.items())]),
        "otherProducts": st.sampled_from(["allow", "refuse"]),
        "promotionPolicy": st.just("default"),
        "requireManifestReport": st.booleans(),
        "exclusive": st.sampled_from(["product", "environment"]),
        "autoPromoteFrom": st.sampled_from([None, "staging"]),
        "autoPromoteHold": st.booleans(),
    }
)


def edited(whole: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[tuple[dict[str, Any], dict[str, Any]]]:
    """A document, and the same with a few fields as in another: most drawn at random would only be weaker."""

    def edits(before: dict[str, Any], other: dict[str, Any]) -> st.SearchStrategy[Any]:
        fields = st.sets(st.sampled_from(sorted(before)), max_size=3)
        return fields.map(lambda names: (before, {**before, **{name: other[name] for name in names}}))

    return st.tuples(whole, whole).flatmap(lambda pair: edits(*pair))


@st.composite
def nudged(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy, and the same with one rule said otherwise in one place."""
    before = draw(documents())
    index = draw(st.integers(0, len(before["rules"]) - 1))
    field, value = draw(st.one_of(*(st.tuples(st.just(field), values) for field, values in RULE_FIELDS.items())))
    changed = [{**rule, field: value} if place == index else rule for place, rule in enumerate(before["rules"])]
    return before, {**before, "rules": changed}


policy_edits, environment_edits = st.one_of(edited(documents()), nudged()), edited(environments)


def satisfied(required: int, policies: list[dict[str, Any]], people: set[str]) -> bool:
    asked = all_of(required, policies, ())
    return not shortfalls(asked, [signature(asked, name, PEOPLE[name]) for name in sorted(people)])


@given(policy_edits, st.lists(voters, min_size=8, max_size=8))
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


@given(environment_edits, texts, st.lists(voters, min_size=8, max_size=8))
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


orders = st.permutations(["a", "b", "c", "d"]).flatmap(
    lambda names: st.integers(1, 4).map(lambda many: {name: place for place, name in enumerate(names[:many])})
)


@given(orders, orders)
@settings(max_examples=examples(300), deadline=None)
def test_an_order_that_is_not_weaker_is_entered_from_nowhere_else(
    before: dict[str, int], after: dict[str, int]
) -> None:
    """Of what stands in both orders: each follows on the same one as before, or on one that was not there."""
    found = in_order(before, after, {name: name for name in "abcd"})  # type: ignore[arg-type]
    for name in before.keys() & after.keys() - found.keys():
        old, new = predecessor(before, name), predecessor(after, name)
        assert old is None or new == old or new not in before
