import pytest

from environments.weakening import in_environment, in_order, record_weakening
from policies.models import WeakeningEdit
from tests.environments.world import NOW


@pytest.mark.django_db
def test_a_sentence_that_is_too_long_is_cut(greta):
    record_weakening(["x" * 600], by=greta, at=NOW, environment_id=None)
    kept = WeakeningEdit.objects.get().what
    assert (len(kept), kept[-1]) == (500, "…")


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
    "requiredApprovals": 2,
    "requireSeparationOfDuties": True,
    "approvalPolicies": [],
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
    assert in_environment({**PRODUCTION, "isProduction": before}, {**PRODUCTION, "isProduction": after}) == weakened
