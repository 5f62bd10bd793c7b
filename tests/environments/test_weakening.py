import pytest

from environments.weakening import PolicyTexts, in_environment, in_order
from policies.documents import approval_policy, promotion_policy

NAMES = {each: each for each in ("sandbox", "staging", "production", "canary")}
LINE = {"sandbox": 1, "staging": 2, "production": 3}


@pytest.mark.parametrize(
    ("after", "weakened"),
    [
        (LINE, {}),
        # What ran only in sandbox may enter production now, which does not lose a step.
        (
            {"staging": 1, "sandbox": 2, "production": 3},
            {
                "staging": "Environment staging: releases need not pass sandbox before it any more.",
                "production": "Environment production: releases enter it from sandbox instead of staging.",
            },
        ),
        # Gone: said once, as the step that is lost.
        (
            {"sandbox": 1, "production": 3},
            {"production": "Environment production: releases need not pass staging before it any more."},
        ),
        # Out of the archive, with whatever was deployed there before.
        (
            {**LINE, "canary": 4, "production": 5},
            {
                "canary": "Environment canary: releases may enter it again, after staging.",
                "production": "Environment production: releases enter it from canary instead of staging.",
            },
        ),
        # A new first one: the one behind it asks for more than before.
        ({"canary": 0, **LINE}, {"canary": "Environment canary: releases may enter it again, as the first."}),
    ],
)
def test_another_order_weakens_what_may_be_entered_from_elsewhere(after, weakened):
    assert in_order(LINE, after, NAMES) == weakened


PRODUCTION = {
    "name": "production",
    "isProduction": True,
    "protected": True,
    "requiredApprovals": 2,
    "requireSeparationOfDuties": True,
    "approvalPolicies": [],
    "productApprovalPolicies": [],
    "otherProducts": "allow",
    "promotionPolicy": "default",
    "requireManifestReport": True,
    "exclusive": "environment",
    "autoPromoteFrom": None,
    "autoPromoteHold": False,
}


@pytest.mark.parametrize(
    ("before", "after", "weakened"),
    [
        # A policy in force may ask for more where target.isProduction.
        (True, False, ["Environment production: Policies do not see it as production any more."]),
        (False, True, []),
        (True, True, []),
    ],
)
def test_what_is_not_production_any_more_is_easier_to_enter(before, after, weakened):
    assert _found({"isProduction": before}, {"isProduction": after}) == weakened


def _found(before, after):
    return in_environment({**PRODUCTION, **before}, {**PRODUCTION, **after}, SAYS)


ONE = {"name": "release", "minApprovals": 1, "teams": ["release"]}
TWO = {**ONE, "minApprovals": 2}
STRICT = {
    "gates": [{"name": "security", "kind": "manual", "config": {"confirmers": {"users": ["mei"]}, "text": "Ok?"}}]
}
SAYS = PolicyTexts(
    approval={
        name: approval_policy({"name": name, "rules": rules}).content
        for name, rules in {"one": [ONE], "two": [TWO], "other": [{**ONE, "teams": ["other"]}]}.items()
    },
    promotion={
        name: promotion_policy(document).content for name, document in {"default": {}, "strict": STRICT}.items()
    },
)


def test_a_stricter_promotion_policy_under_another_name_weakens_nothing():
    assert _found({"promotionPolicy": "default"}, {"promotionPolicy": "strict"}) == []


def test_a_milder_one_says_what_it_leaves_out():
    assert _found({"promotionPolicy": "strict"}, {"promotionPolicy": "default"}) == [
        "Environment production: Promotion policy default guards it instead of strict: Gate security (manual) is gone."
    ]


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (["one"], ["two"], []),
        (["two"], ["one"], ["two"]),
        (["one"], ["other"], ["one"]),
        (["one"], ["one", "other"], []),
        (["one", "other"], ["one"], ["other"]),
        # Each new one stands for one of those that are gone.
        (["one", "other"], ["two"], ["other"]),
    ],
)
def test_approval_policies_are_compared_by_what_they_ask_for(before, after, gone):
    assert _found({"approvalPolicies": before}, {"approvalPolicies": after}) == [
        f"Environment production: Approval policy {name} does not apply any more." for name in gone
    ]


def test_taking_the_protection_off_weakens():
    assert _found({}, {"protected": False}) == ["Environment production: One person alone may loosen what guards it."]
