"""The security gate as a whole; its rules have their tests beside them (tests/policies/security)."""

from typing import Any

import pytest

from policies.documents import InvalidDocument, promotion_policy
from tests.policies.cases import BEFORE, NOW, verdict
from tests.policies.security.world import (
    GRETA,
    JOBS,
    KEY,
    MEI,
    MUSL_ITSELF,
    NIA,
    NO_CRITICAL,
    OPENSSL,
    OTHER_KEY,
    TOMAS,
    TRUSTING,
    WEB,
    Evidence,
    finding,
    guarded,
    not_affected,
)

DAY = 24 * 60 * 60


def test_without_a_bundle_it_waits_for_reports() -> None:
    assert verdict(guarded(NO_CRITICAL).gate("cve")) == ("pending", ["SECURITY_REPORT_MISSING"])


def test_a_bundle_that_is_none_in_the_facts_is_no_bundle() -> None:
    case = guarded(NO_CRITICAL)
    case.facts["evidence"] = None
    assert verdict(case.gate("cve")) == ("pending", ["SECURITY_REPORT_MISSING"])


def test_a_bundle_without_artifacts_shows_nothing() -> None:
    evidence = Evidence()
    evidence.artifacts = []
    assert verdict(evidence.into(guarded(NO_CRITICAL)).gate("cve")) == ("pending", ["SECURITY_REPORT_MISSING"])


def test_on_error_fail_rejects_what_has_no_report() -> None:
    assert guarded(NO_CRITICAL, onError="fail").gate("cve").status == "fail"


def test_a_bundle_that_is_lost_is_an_error() -> None:
    evidence = Evidence()
    evidence.report()
    case = evidence.into(guarded(NO_CRITICAL))
    case.documents = {key: each for key, each in case.documents.items() if key not in evidence.blobs}
    assert verdict(case.gate("cve")) == ("pending", ["GATE_ERROR"])


def test_a_report_that_is_lost_is_an_error_also_when_it_was_read_before() -> None:
    evidence = Evidence()
    parsed = evidence.report()["parsed"]
    case = evidence.into(guarded(NO_CRITICAL))
    assert case.gate("cve").status == "pass"
    del case.documents[parsed]
    assert verdict(case.gate("cve")) == ("pending", ["GATE_ERROR"])


def test_a_clean_trusted_scan_passes() -> None:
    evidence = Evidence()
    evidence.report()
    gate = evidence.into(guarded(NO_CRITICAL)).gate("cve")
    assert (verdict(gate), gate.message) == (("pass", []), "No findings, and no rule is broken.")


CLEAN: list[tuple[dict[str, Any], list[str]]] = [
    # uploaded by somebody the policy names
    ({"uploadedBy": [MEI]}, []),
    # by nobody it names
    ({"uploadedBy": [NIA]}, ["SECURITY_REPORT_UNTRUSTED"]),
    # by somebody it names who created the release
    ({"uploadedBy": [GRETA]}, ["SECURITY_REPORT_UNTRUSTED"]),
    # by the requester
    ({"uploadedBy": [TOMAS]}, ["SECURITY_REPORT_UNTRUSTED"]),
    # by a machine of two people, one of whom is not named
    ({"uploadedBy": [MEI, NIA]}, ["SECURITY_REPORT_UNTRUSTED"]),
    # by a machine of nobody
    ({"uploadedBy": []}, ["SECURITY_REPORT_UNTRUSTED"]),
    # signed by a trusted key, whoever brought it
    ({"uploadedBy": [GRETA], "signer": KEY}, []),
    # signed by a key that the tenant does not trust (any more)
    ({"uploadedBy": [GRETA], "signer": OTHER_KEY}, ["SECURITY_REPORT_UNTRUSTED"]),
]


@pytest.mark.parametrize(("changes", "codes"), CLEAN)
def test_a_clean_scan_counts_only_when_trusted(changes: dict[str, Any], codes: list[str]) -> None:
    evidence = Evidence()
    evidence.report(**changes)
    assert verdict(evidence.into(guarded(NO_CRITICAL)).gate("cve")) == ("pending" if codes else "pass", codes)


def test_a_key_that_the_policy_does_not_name_trusts_nothing() -> None:
    evidence = Evidence()
    evidence.report(uploadedBy=[GRETA], signer=KEY)
    case = evidence.into(guarded(NO_CRITICAL, trustedKeys=["other-key"]))
    assert verdict(case.gate("cve")) == ("pending", ["SECURITY_REPORT_UNTRUSTED"])


def test_a_key_may_be_named_by_its_id() -> None:
    evidence = Evidence()
    evidence.report(uploadedBy=[GRETA], signer=KEY)
    assert evidence.into(guarded(NO_CRITICAL, trustedKeys=[KEY])).gate("cve").status == "pass"


def test_what_an_untrusted_report_finds_counts() -> None:
    evidence = Evidence()
    evidence.report()
    evidence.report(finding(), uploadedBy=[GRETA])
    assert verdict(evidence.into(guarded(NO_CRITICAL)).gate("cve")) == ("fail", ["TOO_MANY_CRITICAL"])


def test_each_artifact_needs_a_report() -> None:
    evidence = Evidence(WEB, JOBS)
    evidence.report()
    gate = evidence.into(guarded(NO_CRITICAL)).gate("cve")
    assert gate.details["lacking"] == [
        {"artifact": JOBS, "what": "vulnerabilities", "code": "SECURITY_REPORT_MISSING", "document": None}
    ]
    assert gate.message == (
        f"Artifact {JOBS[:19]}… has no scanner report: upload one, then take a new evidence bundle."
    )


AGES: list[tuple[str | None, str, str, str | None]] = [
    # young by when it was generated; that ends it
    (BEFORE, NOW, "pass", "2026-11-24T08:00:00.000Z"),
    # not told when it was generated: the upload counts
    (None, BEFORE, "pass", "2026-11-24T08:00:00.000Z"),
    # it cannot be newer than its upload
    ("2027-01-01T00:00:00.000Z", BEFORE, "pass", "2026-11-24T08:00:00.000Z"),
    # four days to the millisecond
    ("2026-11-19T08:00:00.000Z", NOW, "pending", None),
]


@pytest.mark.parametrize(("generated", "uploaded", "status", "next_change_at"), AGES)
def test_a_report_shows_for_its_time_that_nothing_else_is_there(
    generated: str | None, uploaded: str, status: str, next_change_at: str | None
) -> None:
    evidence = Evidence()
    evidence.report(generatedAt=generated, uploadedAt=uploaded)
    gate = evidence.into(guarded(NO_CRITICAL, maxReportAge=4 * DAY)).gate("cve")
    assert (gate.status, gate.next_change_at) == (status, next_change_at)
    assert list(gate.reason_codes) == ([] if status == "pass" else ["SECURITY_REPORT_STALE"])


def test_the_same_vulnerability_in_two_reports_counts_once_and_with_its_worse_score() -> None:
    evidence = Evidence()
    evidence.report(finding(cvss=5.0))
    evidence.report(finding(cvss=7.5))
    counts = evidence.into(guarded(NO_CRITICAL)).gate("cve").details["counts"]
    assert (counts["high"], counts["total"]) == (1, 1)


def test_by_its_cve_among_the_aliases_a_finding_is_the_same() -> None:
    evidence = Evidence()
    evidence.report(finding("CVE-2024-1", cvss=5.0))
    evidence.report(finding("GHSA-1", aliases=["CVE-2024-1"], cvss=5.0))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").details["counts"]["total"] == 1


def test_a_finding_keeps_the_cve_that_its_report_gives_it() -> None:
    evidence = Evidence()
    evidence.report(finding("CVE-2024-2", aliases=["CVE-2024-1"]))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").details["findings"] == [f"CVE-2024-2@{MUSL_ITSELF}"]


def test_the_same_vulnerability_in_two_components_counts_twice() -> None:
    evidence = Evidence()
    evidence.report(finding(cvss=5.0), finding(purl=OPENSSL, cvss=5.0))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").details["counts"]["total"] == 2


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    # no severity known is the worst
    ({}, "TOO_MANY_CRITICAL"),
    # the policy says what it counts as
    ({"unknownSeverityAs": "medium"}, ""),
]


@pytest.mark.parametrize(("config", "code"), UNKNOWN)
def test_an_unknown_severity_counts_as_the_policy_says(config: dict[str, Any], code: str) -> None:
    evidence = Evidence()
    evidence.report(finding(cvss=None))
    gate = evidence.into(guarded(NO_CRITICAL, **config)).gate("cve")
    assert "".join(gate.reason_codes) == code
    assert gate.details["counts"]["unknown"] == 1


def test_a_report_that_knows_no_severity_is_not_silenced_by_one_that_calls_it_low() -> None:
    evidence = Evidence()
    evidence.report(finding(cvss=None))
    evidence.report(finding(cvss=3.0))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").details["counts"]["critical"] == 1


def test_the_words_of_a_report_without_scores_count() -> None:
    evidence = Evidence()
    evidence.report(finding(cvss=None, severity="high"))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").details["counts"]["high"] == 1


def test_an_environment_has_settings_of_its_own() -> None:
    evidence = Evidence()
    evidence.report(finding())
    case = evidence.into(
        guarded(NO_CRITICAL, environments={"production": {"release-aggregate-cve": {"maxCritical": 1}}})
    )
    assert verdict(case.gate("cve")) == ("warn", ["CVE_LIMIT_NEAR"])
    case.given(target={"name": "staging"})
    assert verdict(case.gate("cve")) == ("fail", ["TOO_MANY_CRITICAL"])


def test_a_rule_may_be_left_out_in_an_environment_and_one_added() -> None:
    evidence = Evidence()
    evidence.report(finding())
    changes = {"production": {"release-aggregate-cve": None, "reachable-cve": {}}}
    gate = evidence.into(guarded(NO_CRITICAL, environments=changes)).gate("cve")
    assert sorted(gate.details["rules"]) == ["reachable-cve"]
    assert gate.details["rules"]["reachable-cve"]["settings"] == {"severityThreshold": "high"}


def test_the_worst_rule_makes_the_verdict_and_all_codes_are_told() -> None:
    evidence = Evidence()
    evidence.report(finding())
    gate = evidence.into(guarded({**NO_CRITICAL, "kev-blocker": {}})).gate("cve")
    assert verdict(gate) == ("fail", ["KEV_FEED_MISSING", "TOO_MANY_CRITICAL"])


def test_the_findings_that_make_the_verdict_are_named() -> None:
    evidence = Evidence()
    evidence.report(finding(), finding("CVE-2020-1", OPENSSL, cvss=5.0))
    gate = evidence.into(guarded(NO_CRITICAL)).gate("cve")
    assert gate.details["findings"] == [f"CVE-2019-14697@{MUSL_ITSELF}"]
    assert [each["rules"] for each in gate.details["worst"]] == [["release-aggregate-cve"]]


def test_beyond_fifty_findings_the_digest_of_all_stands_for_the_rest() -> None:
    """Else a new finding could hide behind those that somebody overrode."""

    def named(last: int) -> list[str]:
        evidence = Evidence()
        evidence.report(*(finding(f"CVE-2024-{each:04}") for each in (*range(59), last)))
        details = evidence.into(guarded(NO_CRITICAL)).gate("cve").details
        assert (details["findingsCount"], len(details["worst"])) == (60, 50)
        return details["findings"]  # type: ignore[no-any-return]

    before, after = named(60), named(61)
    assert (len(before), before[:50]) == (51, after[:50])
    assert not set(after) <= set(before)


def test_the_message_names_cve_component_score_and_what_to_do() -> None:
    evidence = Evidence()
    evidence.report(finding(fixedVersion="1.1.22-r3"))
    assert evidence.into(guarded(NO_CRITICAL)).gate("cve").message == (
        "1 critical finding where none is allowed: CVE-2019-14697 in musl 1.1.22-r2 (critical, CVSS 9.8); upgrade musl "
        "to 1.1.22-r3, or state in a trusted VEX document why it does not apply; then request again."
    )


def test_lifted_findings_are_told_with_the_document_that_lifts_them() -> None:
    evidence = Evidence()
    evidence.report(finding())
    statement = evidence.vex(not_affected())
    gate = evidence.into(guarded(NO_CRITICAL)).gate("cve")
    assert gate.status == "pass"
    assert gate.details["lifted"] == [
        {
            "id": f"CVE-2019-14697@{MUSL_ITSELF}",
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
            "document": statement["digest"],
        }
    ]


def test_names_of_any_length_leave_the_record_small_and_are_told_apart() -> None:
    evidence = Evidence()
    long = [finding("CVE-2024-1", f"pkg:generic/{'x' * 900}{number}", component="y" * 512) for number in range(2)]
    evidence.report(*long)
    gate = evidence.into(guarded(NO_CRITICAL)).gate("cve")
    assert len(set(gate.details["findings"])) == 2
    assert max(len(each) for each in (*gate.details["findings"], gate.message)) < 500


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    # no rules would be "nothing to check"
    ({"rules": {}, **TRUSTING}, "rules", "invalid"),
    # a rule nobody knows
    ({"rules": {"astrology": {}}, **TRUSTING}, "rules.astrology", "unknown_field"),
    # nobody is trusted: no scan would ever be believed
    ({"rules": NO_CRITICAL}, "trustedKeys", "invalid"),
    # an environment that is left without rules
    (
        {"rules": NO_CRITICAL, **TRUSTING, "environments": {"staging": {"release-aggregate-cve": None}}},
        "environments.staging",
        "invalid",
    ),
    # no name of an environment
    ({"rules": NO_CRITICAL, **TRUSTING, "environments": {"Staging": {}}}, "environments.Staging", "invalid"),
    # a setting out of bounds
    (
        {"rules": {"epss-threshold": {"threshold": 1.5}}, **TRUSTING},
        "rules.epss-threshold.threshold",
        "max_value",
    ),
    # not a number
    (
        {"rules": {"epss-threshold": {"threshold": float("nan")}}, **TRUSTING},
        "rules.epss-threshold.threshold",
        "invalid",
    ),
    # a word that is no severity
    (
        {"rules": {"reachable-cve": {"severityThreshold": "scary"}}, **TRUSTING},
        "rules.reachable-cve.severityThreshold",
        "invalid_choice",
    ),
    # in an environment, too
    (
        {"rules": NO_CRITICAL, **TRUSTING, "environments": {"staging": {"release-aggregate-cve": {"maxHigh": -1}}}},
        "environments.staging.release-aggregate-cve.maxHigh",
        "min_value",
    ),
]


@pytest.mark.parametrize(("config", "field", "code"), REFUSED)
def test_refused_at_save(config: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(InvalidDocument) as refusal:
        promotion_policy({"gates": [{"kind": "security", "config": config}]})
    assert [(each.field, each.code) for each in refusal.value.fields] == [(f"gates[0].config.{field}", code)]
