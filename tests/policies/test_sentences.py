from typing import Any

import pytest

from policies import documents, sentences


def gate(kind: str, **config: Any) -> dict[str, Any]:
    document = documents.promotion_policy({"gates": [{"kind": kind, "name": kind, "config": config}]}).content
    return next(each for each in document["gates"] if each["kind"] == kind)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"teams": ["security"], "users": [], "minApprovals": 1}, "1 approval by team security"),
        ({"teams": ["a", "b"], "users": ["mei"], "minApprovals": 2}, "2 approvals by team a, team b or mei"),
    ],
)
def test_a_rule(rule: dict[str, Any], sentence: str) -> None:
    assert sentences.of_rule(rule) == sentence


def test_the_requester_never_votes_whatever_a_policy_says() -> None:
    off = {"excludeReleaseCreator": False}
    policy = {"name": "a", "rules": [{"name": "a", "users": ["mei"]}], "separationOfDuties": off}
    assert sentences.of_conditions(documents.approval_policy(policy).content) == ["The requester never votes."]


def test_every_condition_has_a_sentence() -> None:
    duties = ("excludeReleaseCreator", "excludeCommitAuthors", "excludePolicyEditor", "excludeDeployer")
    policy = {
        "name": "a",
        "rules": [{"name": "a", "users": ["mei"]}],
        "commentRequired": True,
        "requireSubjectDigest": True,
        "blind": True,
        "separationOfDuties": dict.fromkeys(duties, True),
    }
    assert len(set(sentences.of_conditions(documents.approval_policy(policy).content))) == 8


WINDOW = {"start": "2026-11-23T08:00:00", "end": "2026-11-23T16:00:00"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (gate("preconditions"), "Release, source and target are as requested."),
        (
            gate("preconditions", requireChangeRef=True),
            "Release, source and target are as requested, and the request names a change reference.",
        ),
        (gate("freeze-window"), "No freeze is active; during one, promotions wait."),
        (gate("freeze-window", onFreeze="fail"), "No freeze is active; during one, promotions are rejected."),
        (
            gate("schedule", windows=[WINDOW], timezone="Europe/Berlin"),
            "Inside 1 allowed time (Europe/Berlin); outside, promotions are waiting.",
        ),
        (
            gate("schedule", windows=[WINDOW, WINDOW], outside="fail"),
            "Inside one of 2 allowed times (UTC); outside, promotions are rejected.",
        ),
        (
            gate("manual", confirmers={"teams": ["release"]}, text="Backup checked"),
            "1 confirmation by team release: Backup checked",
        ),
        (
            gate(
                "dependency",
                targets=[
                    {"type": "release", "release": "db-7", "environment": "prod"},
                    {"type": "environment", "environment": "qa", "state": "idle"},
                    {"type": "environment", "environment": "prod", "state": "not-frozen"},
                ],
            ),
            "Holds: release db-7 is deployed in prod, nothing is being deployed in qa and prod is not frozen.",
        ),
        (
            gate("dependency", targets=[{"type": "http", "url": "https://db.example.org/health"}]),
            "Holds: https://db.example.org/health is healthy.",
        ),
        (gate("evidence"), "Each artifact has an SBOM."),
        (
            gate("evidence", formats=["spdx", "cyclonedx"], requiredPredicateTypes=["a/v1"], trustedKeys=["build"]),
            "Each artifact has an SBOM (cyclonedx or spdx) and an attestation a/v1, signed by build.",
        ),
        (gate("evidence", requireValidSchema=True), "Each artifact has an SBOM that its schema finds valid."),
        (
            gate(
                "security",
                rules={"kev-blocker": {}},
                trustedKeys=["build"],
                severityFrom="scanner",
                acceptSuppressed=True,
            ),
            (
                "The rules kev-blocker hold; scans and VEX of build are believed. The severity of a finding is what "
                "the scanner concludes. What a scanner was told to ignore does not count."
            ),
        ),
        (
            gate("security", rules={"kev-blocker": {}, "cve-delta": {}}, trustedKeys=["build"]),
            "The rules cve-delta and kev-blocker hold; scans and VEX of build are believed.",
        ),
        (
            gate(
                "security",
                rules={"kev-blocker": {}},
                environments={"staging": {"kev-blocker": {"graceDays": 30}}},
                trustedUploaders=["mei"],
            ),
            "The rules kev-blocker hold, with other settings in staging; scans and VEX of mei are believed.",
        ),
        (gate("approval"), "The required approvals are given by eligible people, and nobody rejected."),
    ],
)
def test_a_gate(given: dict[str, Any], sentence: str) -> None:
    assert sentences.of_gate(given) == sentence


def test_a_kind_without_words_is_shown_without() -> None:
    assert sentences.of_gate({"kind": "unknown", "config": {}}) == ""
