"""What makes entering an environment easier, row by row (domain.md §5, loosening takes two people)."""

from typing import Any

import pytest

from policies import documents, weakening

RELEASE = {"name": "release", "teams": ["release"], "users": [], "minApprovals": 1}
SECURITY = {"name": "security", "teams": ["security"], "users": [], "minApprovals": 2}
ALL_ON = {
    "excludeReleaseCreator": True,
    "excludeCommitAuthors": True,
    "excludePolicyEditor": True,
    "excludeDeployer": True,
}


def approval_policy(**content: Any) -> dict[str, Any]:
    given = {"name": "two-person", "rules": [RELEASE, SECURITY], **content}
    return documents.approval_policy(given).content


def promotion_policy(*gates: dict[str, Any], **content: Any) -> dict[str, Any]:
    return documents.promotion_policy({"gates": list(gates), **content}).content


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # fewer approvals
        (
            {"rules": [SECURITY]},
            {"rules": [{**SECURITY, "minApprovals": 1}]},
            ["Rule security needs 1 approval instead of 2."],
        ),
        # more approvals
        ({"rules": [{**SECURITY, "minApprovals": 1}]}, {"rules": [SECURITY]}, []),
        # a rule is gone
        ({}, {"rules": [RELEASE]}, ["Rule security is gone: 2 approvals fewer."]),
        # a rule more
        ({"rules": [RELEASE]}, {}, []),
        # a rule has another name and asks for as much
        ({"rules": [SECURITY]}, {"rules": [{**SECURITY, "name": "sec"}]}, []),
        # a rule has another name and asks for less
        (
            {"rules": [SECURITY]},
            {"rules": [{**SECURITY, "name": "sec", "minApprovals": 1}]},
            ["Rule security is gone: 2 approvals fewer."],
        ),
        # two rules become one that could stand for either: one of them is gone
        (
            {"rules": [RELEASE, {**RELEASE, "name": "second"}]},
            {"rules": [{**RELEASE, "name": "other"}]},
            ["Rule second is gone: 1 approval fewer."],
        ),
        # more people may fill it
        (
            {"rules": [SECURITY]},
            {"rules": [{**SECURITY, "teams": ["release", "security"], "users": ["mei", "nia"]}]},
            ["Rule security may also be filled by team release, user mei and user nia."],
        ),
        # fewer people may fill it
        ({"rules": [{**SECURITY, "teams": ["release", "security"]}]}, {"rules": [SECURITY]}, []),
        # the order of rules
        ({}, {"rules": [SECURITY, RELEASE]}, []),
        # separation of duties, each flag off
        (
            {"separationOfDuties": ALL_ON},
            {"separationOfDuties": {**ALL_ON, "excludeReleaseCreator": False}},
            ["Separation of duties: the release's creator may vote again."],
        ),
        (
            {"separationOfDuties": ALL_ON},
            {"separationOfDuties": {**ALL_ON, "excludeCommitAuthors": False}},
            ["Separation of duties: commit authors may vote again."],
        ),
        (
            {"separationOfDuties": ALL_ON},
            {"separationOfDuties": {**ALL_ON, "excludePolicyEditor": False}},
            ["Separation of duties: policy editors may vote again."],
        ),
        (
            {"separationOfDuties": ALL_ON},
            {"separationOfDuties": {**ALL_ON, "excludeDeployer": False}},
            ["Separation of duties: the deployer may vote again."],
        ),
        # every flag on
        ({}, {"separationOfDuties": ALL_ON}, []),
        # safeguards off, and on
        (
            {"commentRequired": True, "requireSubjectDigest": True, "blind": True},
            {},
            [
                "An approval needs no comment any more.",
                "A vote needs no subject digest any more.",
                "Votes are shown to those who have not voted yet.",
            ],
        ),
        ({}, {"commentRequired": True, "requireSubjectDigest": True, "blind": True}, []),
        # words only
        ({}, {"description": "Two people, one of them from security."}, []),
    ],
)
def test_approval_policy(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert weakening.in_approval_policy(approval_policy(**before), approval_policy(**after)) == expected


HOURS = {"start": "2026-11-23T08:00:00", "end": "2026-11-23T16:00:00"}
OTHER_HOURS = {"start": "2026-11-24T08:00:00", "end": "2026-11-24T16:00:00"}


def schedule(*windows: dict[str, str], **config: Any) -> dict[str, Any]:
    return {"name": "hours", "kind": "schedule", "config": {"windows": list(windows), **config}}


def manual(**config: Any) -> dict[str, Any]:
    given = {"confirmers": {"teams": ["release"]}, "text": "Backup checked", "minConfirmations": 2, **config}
    return {"name": "backup", "kind": "manual", "config": given}


def dependency(*environments: str) -> dict[str, Any]:
    targets = [{"type": "environment", "environment": each, "state": "idle"} for each in environments]
    return {"name": "others", "kind": "dependency", "config": {"targets": targets}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # a gate is gone
        ([manual()], [], ["Gate backup (manual) is gone."]),
        # a gate more
        ([], [manual()], []),
        # a gate has another name and asks the same
        ([manual()], [{**manual(), "name": "backups"}], []),
        # a gate has another name and asks for less
        (
            [manual()],
            [{**manual(minConfirmations=1), "name": "backups"}],
            ["Gate backup (manual) is gone."],
        ),
        # two gates become one that could stand for either: one of them is gone
        (
            [manual(), {**manual(), "name": "second"}],
            [{**manual(), "name": "other"}],
            ["Gate second (manual) is gone."],
        ),
        # a gate is of another kind
        (
            [{**manual(), "name": "hours"}],
            [schedule(HOURS)],
            ["Gate hours is a schedule gate instead of manual."],
        ),
        # a mandatory gate that is not named is there with its defaults
        ([{"kind": "preconditions", "config": {"requireChangeRef": False}}], [], []),
        (
            [{"kind": "preconditions", "config": {"requireChangeRef": True}}],
            [],
            ["Gate preconditions needs no change reference any more."],
        ),
        # onError
        (
            [{**manual(), "onError": "fail"}],
            [manual()],
            ["Gate backup waits instead of rejecting when it cannot be judged."],
        ),
        ([manual()], [{**manual(), "onError": "fail"}], []),
        # appliesTo
        (
            [manual()],
            [{**manual(), "appliesTo": ["forward"]}],
            ["Gate backup does not guard rollback promotions any more."],
        ),
        ([{**manual(), "appliesTo": ["forward"]}], [manual()], []),
        # freeze-window
        (
            [{"kind": "freeze-window", "config": {"onFreeze": "fail"}}],
            [{"kind": "freeze-window", "config": {"onFreeze": "pending"}}],
            ["Gate freeze-window waits for the end of a freeze instead of rejecting."],
        ),
        ([], [{"kind": "freeze-window", "config": {"onFreeze": "fail"}}], []),
        # schedule
        (
            [schedule(HOURS, outside="fail")],
            [schedule(HOURS)],
            ["Gate hours waits for its hours instead of rejecting."],
        ),
        ([schedule(HOURS)], [schedule(HOURS, OTHER_HOURS)], ["Gate hours allows other hours."]),
        ([schedule(HOURS)], [schedule(OTHER_HOURS)], ["Gate hours allows other hours."]),
        ([schedule(HOURS)], [schedule(HOURS, timezone="Europe/Berlin")], ["Gate hours allows other hours."]),
        ([schedule(HOURS, OTHER_HOURS)], [schedule(HOURS)], []),
        # manual
        (
            [manual()],
            [manual(minConfirmations=1)],
            ["Gate backup needs 1 confirmation instead of 2."],
        ),
        (
            [manual()],
            [manual(confirmers={"teams": ["release", "security"]})],
            ["Gate backup may also be confirmed by team security."],
        ),
        ([manual()], [manual(text="Backup made")], ["Gate backup asks for something else."]),
        ([manual(minConfirmations=1)], [manual()], []),
        # dependency
        (
            [dependency("staging", "qa")],
            [dependency("qa")],
            ["Gate others waits for 1 of its 2 conditions no more."],
        ),
        ([dependency("qa")], [dependency("qa", "staging")], []),
    ],
)
def test_gates_of_a_promotion_policy(
    before: list[dict[str, Any]], after: list[dict[str, Any]], expected: list[str]
) -> None:
    assert weakening.in_promotion_policy(promotion_policy(*before), promotion_policy(*after)) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"approvalTtl": 3600}, {"approvalTtl": 86400}, ["An approval stays good for 1 day instead of 1 hour."]),
        ({"approvalTtl": 86400}, {"approvalTtl": 3600}, []),
        ({"pendingTtl": 90}, {"pendingTtl": 180}, ["A request stays good for 3 minutes instead of 90 seconds."]),
        ({"supersedeOlder": False}, {"supersedeOlder": True}, []),
    ],
)
def test_times_of_a_promotion_policy(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert weakening.in_promotion_policy(promotion_policy(**before), promotion_policy(**after)) == expected


def test_settings_of_an_unknown_kind_count_as_weaker_whatever_changes() -> None:
    before, after = promotion_policy(), promotion_policy()
    for document, limit in ((before, 1), (after, 2)):
        document["gates"].append(
            {
                "name": "cve",
                "kind": "horoscope",
                "config": {"limit": limit},
                "onError": "fail",
                "appliesTo": ["forward", "rollback"],
            }
        )
    assert weakening.in_promotion_policy(before, after) == ["Gate cve has other settings."]


def test_a_sentence_names_everybody() -> None:
    many = [f"person-{number}" for number in range(100)]
    before = approval_policy(rules=[RELEASE])
    after = approval_policy(rules=[{**RELEASE, "users": many}])
    (sentence,) = weakening.in_approval_policy(before, after)
    assert all(f"user {each}" in sentence for each in many)


def entry(**more: Any) -> dict[str, Any]:
    return promotion_policy({**schedule(HOURS), **more})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # nobody, then somebody; somebody, then nobody
        ({}, {"override": {"by": ["mei"]}}, ["Gate hours may be overridden by mei."]),
        ({"override": {"by": ["mei"]}}, {}, []),
        # one more, one fewer
        (
            {"override": {"by": ["mei"]}},
            {"override": {"by": ["mei", "team:release"]}},
            ["Gate hours may also be overridden by team:release."],
        ),
        ({"override": {"by": ["mei", "nia"]}}, {"override": {"by": ["mei"]}}, []),
        # longer, and later looked at
        (
            {"override": {"by": ["mei"], "maxHours": 4}},
            {"override": {"by": ["mei"], "maxHours": 8}},
            ["An override of gate hours may take 8 hours instead of 4."],
        ),
        (
            {"override": {"by": ["mei"], "reviewHours": 24}},
            {"override": {"by": ["mei"], "reviewHours": 48}},
            ["The review of an override of gate hours may take 48 hours instead of 24."],
        ),
        # later, sooner
        ({}, {"effectiveOn": "2026-12-01"}, ["Gate hours only warns until 2026-12-01."]),
        ({"effectiveOn": "2026-12-01"}, {"effectiveOn": "2026-11-01"}, []),
    ],
)
def test_overrides_and_days_of_effect(before: dict[str, Any], after: dict[str, Any], expected: list[str]) -> None:
    assert weakening.in_promotion_policy(entry(**before), entry(**after)) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(1, ["An override of gate freeze-window may take 24 hours instead of 1."]), (24, []), (48, [])],
)
def test_without_an_override_a_freeze_is_overridden_by_who_is_excepted(hours: int, expected: list[str]) -> None:
    setting = {"kind": "freeze-window", "override": {"by": ["mei"], "maxHours": hours}}
    assert weakening.in_promotion_policy(promotion_policy(setting), promotion_policy()) == expected


def test_a_longer_wait_for_an_override_is_weaker() -> None:
    before, after = promotion_policy(), promotion_policy(overrideTtl=2 * 24 * 3600)
    assert weakening.in_promotion_policy(before, after) == [
        "A failing gate waits 2 days for an override instead of 1 day."
    ]
    assert weakening.in_promotion_policy(after, before) == []
